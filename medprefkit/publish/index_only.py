"""The index: what may be shared of rows that may not: ids, offsets, replacements, seeds and rulings, and no other text.

A quotation of the reference becomes its offsets there, a picture its name and checksum. Who has the source, and the
answers, makes the same rows of it: checksums prove that the answer, the edited text and the pictures are the same.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue

from medprefkit.errors import DatasetError
from medprefkit.records import (
    Answer,
    CorruptedImage,
    ErrorType,
    Example,
    PhraseSpan,
    PreferencePair,
    Provenance,
    Record,
    Severity,
    Span,
    Verdict,
)

INDEX = "index.jsonl"


class Quote(Record):
    """Characters [start_char, end_char) of a text that its owner has."""

    start_char: Annotated[int, Field(ge=0)]
    end_char: int


class IndexedEdit(Record):
    """One edit: characters [start_char, end_char) of the answer become `replacement`."""

    phrase_id: Annotated[int, Field(ge=1)]
    start_char: Annotated[int, Field(ge=0)]
    end_char: int
    replacement: str
    error_type: ErrorType
    severity: Severity
    weight: Annotated[float, Field(ge=0.0)] = 1.0
    lesion_linked: bool = False


class IndexedVerdict(Record):
    """One ruling: its own fields, and its texts as offsets."""

    fields: dict[str, JsonValue]
    """Everything of the verdict but its texts."""
    target: Quote | None = None
    """In the answer."""
    evidence: Quote | None = None
    """In the reference; None also where a checker's words are not there, which are not shared."""
    truth: Quote | str = ""
    """In the reference; in words where it is the tool's own."""


class IndexedPair(Record):
    """A row without its texts and images."""

    id: str
    group_id: str
    split: str
    provenance: Provenance
    weight: Annotated[float, Field(ge=0.0)] = 1.0
    prompt_sha256: str
    answer_sha256: str
    """Of the answer in UTF-8; `chosen_sha256` likewise of the edited text, `reference_sha256` of the reference."""
    chosen_sha256: str
    reference_sha256: str
    edits: tuple[IndexedEdit, ...]
    verdicts: tuple[IndexedVerdict, ...] = ()
    images: tuple[str, ...] = ()
    """Relative to the source's data root."""
    lesion_masks: tuple[str, ...] = ()
    corruption: str = ""
    """Name of the corruption, `corruption_options` its options as canonical JSON; empty without a corrupted image."""
    corruption_options: str = ""
    corruption_seed: int = 0


def index_of(example: Example, pair: PreferencePair, split: str) -> IndexedPair:
    """Return what may be shared of a pair; `example` is what it was made from."""
    right = {span.phrase_id: pair.chosen[span.start_char : span.end_char] for span in pair.chosen_spans}
    corrupted = pair.corrupted
    return IndexedPair(
        id=pair.id,
        group_id=pair.group_id,
        split=split,
        provenance=pair.provenance,
        weight=pair.weight,
        prompt_sha256=_digest(pair.prompt),
        answer_sha256=_digest(pair.rejected),
        chosen_sha256=_digest(pair.chosen),
        reference_sha256=_digest(example.reference),
        edits=tuple(
            IndexedEdit(
                replacement=right[span.phrase_id],
                **span.model_dump(),
            )
            for span in pair.rejected_spans
        ),
        verdicts=tuple(_indexed(verdict, example.reference) for verdict in pair.verdicts),
        images=tuple(ref.path for ref in pair.images),
        lesion_masks=tuple(ref.path for ref in example.lesion_masks),
        corruption=corrupted.name if corrupted is not None else "",
        corruption_options=corrupted.options if corrupted is not None else "",
        corruption_seed=corrupted.seed if corrupted is not None else 0,
    )


def write_index(path: Path, rows: Iterable[tuple[str, Example, PreferencePair]]) -> int:
    """Write one `IndexedPair` a line, in the order of the rows; return how many.

    Args:
        path: The file; its folder exists.
        rows: (split, example, pair).
    """
    n_pairs = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for split, example, pair in rows:
            file.write(index_of(example, pair, split).model_dump_json() + "\n")
            n_pairs += 1
    return n_pairs


def read_index_only(path: Path) -> Iterator[IndexedPair]:
    """Yield the lines of an index.

    Raises:
        DatasetError: If it is missing or a line is damaged.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is missing; pull an index, or rows need no rebuilding")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield IndexedPair.model_validate_json(line)
            except ValueError as error:
                raise DatasetError(f"{path}, line {number}: not an index of a pair; fetch it again") from error


def rebuild(indexed: IndexedPair, answer: str) -> str:
    """Return the chosen text of a row from the answer that its owner has.

    Raises:
        DatasetError: If the answer is not the one that was edited.
    """
    if _digest(answer) != indexed.answer_sha256:
        raise DatasetError(f"{indexed.id}: the answer is not the one that was edited; use the same model and settings")
    pieces: list[str] = []
    cursor = 0  # first character of `answer` not yet copied
    for edit in indexed.edits:
        pieces += [answer[cursor : edit.start_char], edit.replacement]
        cursor = edit.end_char
    chosen = "".join([*pieces, answer[cursor:]])
    if _digest(chosen) != indexed.chosen_sha256:
        raise DatasetError(f"{indexed.id}: the edits do not make the text that was indexed; fetch the index again")
    return chosen


def rebuild_pair(
    indexed: IndexedPair, example: Example, answer: Answer, corrupted: CorruptedImage | None
) -> PreferencePair:
    """Return the whole row from what its owner has.

    Args:
        indexed: What was shared of it.
        example: The owner's own example of that id.
        answer: The model's answer to it.
        corrupted: Its images with the lesion removed, made again; None where the row has none.

    Raises:
        DatasetError: If the prompt, reference, answer, images or corruption are not those that were indexed.
    """
    chosen = rebuild(indexed, answer.text)
    for what, text, digest in (
        ("prompt", example.prompt, indexed.prompt_sha256),
        ("reference", example.reference, indexed.reference_sha256),
    ):
        if _digest(text) != digest:
            raise DatasetError(f"{indexed.id}: your {what} is not the one that was used; get the same release of it")
    if tuple(ref.path for ref in example.images) != indexed.images:
        raise DatasetError(f"{indexed.id}: your source names other images; get the same release of it")
    made = (corrupted.name, corrupted.options, corrupted.seed) if corrupted is not None else ("", "", 0)
    if made != (indexed.corruption, indexed.corruption_options, indexed.corruption_seed):
        raise DatasetError(f"{indexed.id}: its corruption is {made}, not the one that was indexed; use the same recipe")
    return PreferencePair(
        id=indexed.id,
        group_id=indexed.group_id,
        prompt=example.prompt,
        chosen=chosen,
        rejected=answer.text,
        chosen_spans=tuple(_chosen_spans(indexed.edits)),
        rejected_spans=tuple(
            PhraseSpan.model_validate(edit.model_dump(exclude={"replacement"})) for edit in indexed.edits
        ),
        images=example.images,
        corrupted=corrupted,
        weight=indexed.weight,
        verdicts=tuple(_restored(verdict, answer.text, example.reference) for verdict in indexed.verdicts),
        provenance=indexed.provenance,
    )


def _chosen_spans(edits: Iterable[IndexedEdit]) -> Iterator[PhraseSpan]:
    grown = 0  # characters that the edits so far have added
    for edit in edits:
        start = edit.start_char + grown
        fields = edit.model_dump(exclude={"replacement", "start_char", "end_char"})
        yield PhraseSpan.model_validate({**fields, "start_char": start, "end_char": start + len(edit.replacement)})
        grown += len(edit.replacement) - (edit.end_char - edit.start_char)


def _indexed(verdict: Verdict, reference: str) -> IndexedVerdict:
    target = verdict.target
    return IndexedVerdict(
        fields=verdict.model_dump(exclude={"target", "evidence", "truth"}),
        target=Quote(start_char=target.start_char, end_char=target.end_char) if target is not None else None,
        evidence=_found(verdict.evidence, reference),
        truth=_found(verdict.truth, reference) or verdict.truth,
    )


def _restored(verdict: IndexedVerdict, answer: str, reference: str) -> Verdict:
    target = verdict.target
    span = None
    if target is not None:
        text = answer[target.start_char : target.end_char]
        span = Span(start_char=target.start_char, end_char=target.end_char, text=text)
    return Verdict.model_validate(
        {
            **verdict.fields,
            "target": span,
            "evidence": _quoted(verdict.evidence or "", reference),
            "truth": _quoted(verdict.truth, reference),
        }
    )


def _found(text: str, reference: str) -> Quote | None:
    start = reference.find(text)
    return Quote(start_char=start, end_char=start + len(text)) if text and start >= 0 else None


def _quoted(quote: Quote | str, reference: str) -> str:
    return quote if isinstance(quote, str) else reference[quote.start_char : quote.end_char]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
