"""Every miss and every false alarm of the kept edits, with the words around it and what the tool said there.

A miss is a labelled error without a matching edit, a false alarm an edit without a matching label; a mark that overlaps
its label by less than half is therefore both. Knows nothing of how a report looks.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from medprefkit.evaluate.detection import GoldError, match_spans
from medprefkit.evaluate.readings import Judged, Reading
from medprefkit.records import Claim, Verdict

FaultKind = Literal["miss", "false alarm", "silent span touched"]
Mark = Literal["", "found", "missed", "alarm"]
"""Of a character: outside everything, in a label and an edit, in a label only, in an edit only."""

Range = tuple[int, int]


class Piece(NamedTuple):
    """A run of characters that are marked alike."""

    text: str
    mark: Mark


class Said(NamedTuple):
    """What the tool said of a claim: its words, what it takes them to name, and the verdict."""

    claim: str
    concept: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that the tool got wrong.

    Attributes:
        kind: What.
        text: The labelled words of a miss; the words that an edit calls wrong.
        error_type: The label's, or the edit's; empty for a span that had to be left alone.
        becomes: The labelled correction of a miss; what an edit puts there.
        said: The claims that share a character with it or that the edit is made for, and their verdicts; empty where
            the tool read no claim.
    """

    kind: FaultKind
    text: str
    error_type: str
    becomes: str
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class FaultyText:
    """A text with at least one fault.

    Attributes:
        id: Of the row.
        what: `answer`, or `labelled correction`.
        task: Of the row.
        prompt: What it answers.
        pieces: The text, cut where the marks change.
        edited: What the kept edits make of it; empty where nothing is edited.
        reference: What it is judged by.
        abstained: Why nothing is edited; empty where something is.
        faults: In order of position, misses first.
    """

    id: str
    what: Literal["answer", "labelled correction"]
    task: str
    prompt: str
    pieces: tuple[Piece, ...]
    edited: str
    reference: str
    abstained: str
    faults: tuple[Fault, ...]


def find_faults(readings: Iterable[Reading]) -> tuple[FaultyText, ...]:
    """Return the answers with a miss or a false alarm, then the labelled corrections with a false alarm."""
    items = list(readings)
    answers = [_of_answer(reading) for reading in items]
    corrected = [_of_corrected(reading) for reading in items]
    return tuple(text for text in (*answers, *corrected) if text.faults)


def cut(text: str, labels: Sequence[Range], edits: Sequence[Range]) -> tuple[Piece, ...]:
    """Cut a text where its marks change.

    Args:
        text: The text.
        labels: Half-open ranges that are labelled wrong.
        edits: Half-open ranges that the tool calls wrong; may overlap the labels.

    Returns:
        Pieces that join to the text; none for an empty text.
    """
    edges = sorted({0, len(text), *(edge for span in (*labels, *edits) for edge in span)})
    pieces: list[Piece] = []
    for start, end in itertools.pairwise(edges):
        mark = _mark(_holds(labels, start), _holds(edits, start))
        if pieces and pieces[-1].mark == mark:
            pieces[-1] = Piece(pieces[-1].text + text[start:end], mark)
        else:
            pieces.append(Piece(text[start:end], mark))
    return tuple(pieces)


def _of_answer(reading: Reading) -> FaultyText:
    row, judged = reading.labelled.row, reading.answer
    errors = sorted((e for e in row.errors if e.end_char > e.start_char), key=_start)
    labels = [(error.start_char, error.end_char) for error in errors]
    pairs = match_spans(_ranges(judged), labels)
    matched_edits, matched_errors = {i for i, _ in pairs}, {j for _, j in pairs}
    misses = [
        Fault("miss", row.answer[slice(*label)], error.error_type, error.correction, _said(judged, label))
        for j, (error, label) in enumerate(zip(errors, labels, strict=True))
        if j not in matched_errors
    ]
    touched = [
        Fault("silent span touched", row.answer[slice(*span)], "", "", _said(judged, span))
        for span in row.unverifiable
        if any(edit.span.start_char < span[1] and span[0] < edit.span.end_char for edit in judged.kept)
    ]
    return _faulty(reading, judged, "answer", labels, (*misses, *_alarms(judged, matched_edits), *touched))


def _of_corrected(reading: Reading) -> FaultyText:
    judged = reading.corrected
    return _faulty(reading, judged, "labelled correction", [], tuple(_alarms(judged, set())))


def _faulty(
    reading: Reading,
    judged: Judged,
    what: Literal["answer", "labelled correction"],
    labels: Sequence[Range],
    faults: tuple[Fault, ...],
) -> FaultyText:
    labelled = reading.labelled
    return FaultyText(
        id=labelled.row.id,
        what=what,
        task=labelled.row.task,
        prompt=labelled.prompt,
        pieces=cut(judged.text, labels, _ranges(judged)),
        edited=judged.kept_text if judged.kept else "",
        reference=labelled.reference,
        abstained=judged.abstained,
        faults=faults,
    )


def _alarms(judged: Judged, matched: set[int]) -> list[Fault]:
    return [
        Fault(
            kind="false alarm",
            text=edit.claim_span.text,
            error_type=edit.error_type,
            becomes=edit.replacement,
            said=_said(judged, span, edit.claim_ids),
        )
        for i, (edit, span) in enumerate(zip(judged.kept, _ranges(judged), strict=True))
        if i not in matched
    ]


def _said(judged: Judged, span: Range, decided_by: Sequence[str] = ()) -> tuple[Said, ...]:
    verdicts = {verdict.claim_id: verdict for verdict in judged.verdicts}
    return tuple(
        Said(claim.phrase.text, claim.concept, verdict)
        for claim in judged.claims
        if (verdict := verdicts.get(claim.claim_id)) is not None
        and (claim.claim_id in decided_by or _touches(claim, verdict, span))
    )


def _touches(claim: Claim, verdict: Verdict, span: Range) -> bool:
    words = [claim.phrase] if verdict.target is None else [claim.phrase, verdict.target]
    return any(word.start_char < span[1] and span[0] < word.end_char for word in words)


def _ranges(judged: Judged) -> list[Range]:
    return [(edit.claim_span.start_char, edit.claim_span.end_char) for edit in judged.kept]


def _holds(spans: Sequence[Range], position: int) -> bool:
    return any(start <= position < end for start, end in spans)


def _mark(labelled: bool, edited: bool) -> Mark:
    if labelled:
        return "found" if edited else "missed"
    return "alarm" if edited else ""


def _start(error: GoldError) -> tuple[int, int]:
    return error.start_char, error.end_char
