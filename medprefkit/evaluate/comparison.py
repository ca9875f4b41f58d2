"""The tool and the baselines on the same labelled answers, by the same measures.

What the tool found is measured in three ways, always all three and always in this order:

- `edits kept`, the headline: the claim spans of the edits that a dataset would carry. Where the tool abstains from an
  answer, every error of that answer is a miss.
- `proposed`: the claim spans of the editor's edits before the edited text is read again.
- `verdicts`: the target of every contradicted claim. One span a claim, where a label may hold a list of claims in one
  span, so that the spans are finer than the labels; there is no edited text.

Differs: one clean answer in thirty cannot measure false alarms, so the labelled corrections serve as clean answers too.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medprefkit.evaluate.baselines import BASELINES, Marked
from medprefkit.evaluate.detection import DetectionReport, GoldRow, SpanScore, match_spans, score_detection
from medprefkit.evaluate.fluency import fluency_faults
from medprefkit.evaluate.intervals import Rate, draw_answers, rate_of
from medprefkit.evaluate.readings import Judged, Reading
from medprefkit.records import Edit, Verdict


@dataclass(frozen=True, slots=True)
class Measures:
    """One way to find errors, measured.

    Attributes:
        name: Of the way.
        detection: Spans, types, false alarms, edited texts.
        corrected_touched: Of the labelled corrections, those that would be edited: false alarms, all of them.
        label_left: Of the answers with an edit and a label, those that keep a labelled error that no edit touches.
        reading_left: Of the answers with an edit, those in which a second reading of the edited text, by the same
            detector and checker, finds an error of any severity. Not measured for `verdicts` and the baselines.
        fluent: Of the answers with an edit, those whose edited text has no fault of English that the answer had not.
    """

    name: str
    detection: DetectionReport
    corrected_touched: Rate
    label_left: Rate
    reading_left: Rate
    fluent: Rate


@dataclass(frozen=True, slots=True)
class TypeMeasures:
    """The kept edits of one error type.

    Attributes:
        spans: One-to-one at intersection over union >= 0.5, label and edit both of this type.
        found: Of the errors so labelled, those that an edit of whatever type matches.
    """

    spans: SpanScore
    found: Rate


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that is measured on one labelled file.

    Attributes:
        measures: The tool in three ways, then the baselines.
        by_task: The same for the answers of each task.
        by_type: The kept edits for each labelled error type, the commonest first.
        outcomes: What became of the answers: `edited`, or the reason of the abstention -> answers.
    """

    measures: tuple[Measures, ...]
    by_task: Mapping[str, tuple[Measures, ...]]
    by_type: Mapping[str, TypeMeasures]
    outcomes: Mapping[str, int]

    def as_json(self) -> dict[str, object]:
        """Return plain dictionaries and numbers."""
        return asdict(self)


class _Marks(NamedTuple):
    """What one way makes of one text; `text` or `left` is None where nothing is edited or read again."""

    edits: tuple[Edit, ...]
    text: str | None
    left: tuple[Verdict, ...] | None


_Way = Callable[[Reading], tuple[_Marks, bool]]
"""Reading -> what is marked in the answer, and whether anything is in the labelled correction."""


def compare(readings: Sequence[Reading], *, n_resamples: int = 1000, seed: int = 0) -> Comparison:
    """Measure the tool and the baselines.

    Args:
        readings: Of one labelled file; ids are unique.
        n_resamples: Bootstrap samples of answers.
        seed: Decides the samples.
    """
    tasks = sorted({reading.labelled.row.task for reading in readings})
    of_task = {task: [r for r in readings if r.labelled.row.task == task] for task in tasks}
    return Comparison(
        measures=_measure_all(readings, n_resamples, seed),
        by_task={task: _measure_all(of_task[task], n_resamples, seed) for task in tasks},
        by_type=_by_type(readings, n_resamples, seed),
        outcomes=dict(Counter(reading.answer.outcome for reading in readings).most_common()),
    )


def _measure_all(readings: Sequence[Reading], n_resamples: int, seed: int) -> tuple[Measures, ...]:
    draws = draw_answers(len(readings), n_resamples, seed)
    return tuple(
        _measure(name, [reading.labelled.row for reading in readings], [way(r) for r in readings], draws, seed)
        for name, way in _WAYS.items()
    )


def _measure(
    name: str, rows: Sequence[GoldRow], marked: Sequence[tuple[_Marks, bool]], draws: NDArray[np.intp], seed: int
) -> Measures:
    marks = [mark for mark, _ in marked]
    detection = score_detection(
        rows,
        {row.id: mark.edits for row, mark in zip(rows, marks, strict=True)},
        {row.id: mark.text for row, mark in zip(rows, marks, strict=True) if mark.text is not None},
        n_resamples=len(draws),
        seed=seed,
    )
    if any(mark.text is None for mark in marks):
        detection = replace(detection, edited_text_equal=Rate(None, None, None, 0))
    of_wrong = [bool(mark.edits) and bool(row.errors) for row, mark in zip(rows, marks, strict=True)]
    keeps = [edited and _keeps_a_label(r, m.edits) for edited, r, m in zip(of_wrong, rows, marks, strict=True)]
    read_again = [bool(mark.edits) and mark.left is not None for mark in marks]
    left = [again and bool(mark.left) for again, mark in zip(read_again, marks, strict=True)]
    written = [bool(mark.edits) and mark.text is not None for mark in marks]
    fluent = [
        mark.text is not None and bool(mark.edits) and not fluency_faults(row.answer, mark.text)
        for row, mark in zip(rows, marks, strict=True)
    ]
    return Measures(
        name=name,
        detection=detection,
        corrected_touched=rate_of([touched for _, touched in marked], [True] * len(marked), draws),
        label_left=rate_of(keeps, of_wrong, draws),
        reading_left=rate_of(left, read_again, draws),
        fluent=rate_of(fluent, written, draws),
    )


def _kept(judged: Judged) -> _Marks:
    return _Marks(judged.kept, judged.kept_text, judged.left_in_kept)


def _proposed(judged: Judged) -> _Marks:
    return _Marks(judged.proposed, judged.proposed_text, judged.left_in_proposed)


def _verdicts(judged: Judged) -> _Marks:
    # two claims may point at the same words: one mark
    targets = {(v.target.start_char, v.target.end_char): v for v in judged.contradicted if v.target is not None}
    edits = [
        Edit(phrase_id=k, span=v.target, claim_span=v.target, replacement=v.truth, error_type=v.error_type)
        for k, (_, v) in enumerate(sorted(targets.items(), key=_position), start=1)
        if v.target is not None and v.error_type is not None
    ]
    return _Marks(tuple(edits), None, None)


def _tool(mark: Callable[[Judged], _Marks]) -> _Way:
    def way(reading: Reading) -> tuple[_Marks, bool]:
        return mark(reading.answer), bool(mark(reading.corrected).edits)

    return way


def _baseline(mark: Callable[[str, str], Marked]) -> _Way:
    def way(reading: Reading) -> tuple[_Marks, bool]:
        reference = reading.labelled.reference
        marked = mark(reading.answer.text, reference)
        return _Marks(marked.edits, marked.text, None), bool(mark(reading.corrected.text, reference).edits)

    return way


_WAYS: dict[str, _Way] = {
    "edits kept": _tool(_kept),
    "proposed": _tool(_proposed),
    "verdicts": _tool(_verdicts),
    **{name: _baseline(mark) for name, mark in BASELINES.items()},
}


def _keeps_a_label(row: GoldRow, edits: Sequence[Edit]) -> bool:
    """Tell whether a labelled error, omissions apart, shares no character with what the edits change."""
    return any(
        not any(e.span.start_char < error.end_char and error.start_char < e.span.end_char for e in edits)
        for error in row.errors
        if error.end_char > error.start_char
    )


def _by_type(readings: Sequence[Reading], n_resamples: int, seed: int) -> dict[str, TypeMeasures]:
    rows = [reading.labelled.row for reading in readings]
    edits = {reading.labelled.row.id: reading.answer.kept for reading in readings}
    report = score_detection(rows, edits, {}, n_resamples=n_resamples, seed=seed)
    draws = draw_answers(len(rows), n_resamples, seed)
    labelled: dict[str, list[int]] = {kind: [0] * len(rows) for kind in report.by_error_type}
    found: dict[str, list[int]] = {kind: [0] * len(rows) for kind in report.by_error_type}
    for k, row in enumerate(rows):
        errors = [error for error in row.errors if error.end_char > error.start_char]
        pairs = match_spans(
            [(e.claim_span.start_char, e.claim_span.end_char) for e in edits[row.id]],
            [(error.start_char, error.end_char) for error in errors],
        )
        matched = {j for _, j in pairs}
        for j, error in enumerate(errors):
            labelled[error.error_type][k] += 1
            found[error.error_type][k] += j in matched
    commonest_first = sorted(labelled, key=lambda kind: (-sum(labelled[kind]), kind))
    return {
        kind: TypeMeasures(report.by_error_type[kind], rate_of(found[kind], labelled[kind], draws))
        for kind in commonest_first
    }


def _position(item: tuple[tuple[int, int], Verdict]) -> tuple[int, int]:
    return item[0]
