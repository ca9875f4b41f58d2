"""Scores found errors against labelled ones: spans, characters, types, and whether the edited text is the labelled.

Takes gold rows and edits as data; knows nothing of how they were found. The headline is F1 over spans that match one to
one at an intersection over union of at least one half: marking a whole answer must not score well.

Omissions (`missing_finding`, an insertion of no width) have no characters to find. They are left out of the spans and
of the expected text, and counted apart.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from medprefkit.errors import SourceError
from medprefkit.evaluate.intervals import Rate, draw_answers, rate_of
from medprefkit.records import Edit

TOKEN = re.compile(r"\w+|[^\w\s]")
"""A word or a mark: what texts are compared by."""

_MATCHING_IOU = 0.5


@dataclass(frozen=True, slots=True)
class GoldError:
    """One labelled error: half-open characters of the answer, what it is, and what should stand there."""

    start_char: int
    end_char: int
    error_type: str
    correction: str


@dataclass(frozen=True, slots=True)
class GoldRow:
    """One labelled answer. `unverifiable` holds spans that must be left alone."""

    id: str
    task: str
    answer: str
    errors: tuple[GoldError, ...]
    unverifiable: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SpanScore:
    """Precision, recall and F1 of one way to match spans."""

    precision: Rate
    recall: Rate
    f1: Rate


@dataclass(frozen=True, slots=True)
class DetectionReport:
    """All numbers of one evaluation.

    Attributes:
        spans: One-to-one at intersection over union >= 0.5. The headline.
        exact: The same characters, start and end.
        characters: Wrong characters found, whatever the spans.
        type_accuracy: Of matched spans, those with the labelled error type.
        false_alarms: Of answers without an error, those with an edit.
        unverifiable_left_alone: Of spans that nothing speaks to, those that no edit touches.
        edited_text_equal: Of answers with an error, those whose edited text equals the labelled one token for token.
        changed_tokens: Tokens of the answers inside an edit.
        n_omissions: Labelled `missing_finding` errors, which are in none of the numbers above.
        by_task: `spans` per task.
        by_error_type: `spans` per error type: recall over errors so labelled, precision over edits so typed.
    """

    n_answers: int
    n_omissions: int
    spans: SpanScore
    exact: SpanScore
    characters: SpanScore
    type_accuracy: Rate
    false_alarms: Rate
    unverifiable_left_alone: Rate
    edited_text_equal: Rate
    changed_tokens: Rate
    by_task: Mapping[str, SpanScore]
    by_error_type: Mapping[str, SpanScore]

    def as_json(self) -> dict[str, object]:
        """Return plain dictionaries and numbers."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Counts:
    """What one answer adds to each numerator and denominator."""

    matched: int
    exact: int
    found: int
    labelled: int
    characters_matched: int
    characters_found: int
    characters_labelled: int
    type_right: int
    clean: int
    clean_touched: int
    unverifiable: int
    unverifiable_untouched: int
    wrong: int
    text_equal: int
    tokens: int
    tokens_changed: int


def read_gold(row: Mapping[str, object]) -> GoldRow:
    """Read one line of a labelled file.

    Args:
        row: `id`, `task`, `response`, `errors` (start, end, text, type, correction) and `unverifiable` (start, end).

    Raises:
        SourceError: If a key is missing, or an error's text is not what stands at its characters.
    """
    try:
        answer = str(row["response"])
        errors = tuple(_gold_error(error) for error in _mappings(row["errors"]))
        silent = tuple(
            (_number(span["start"]), _number(span["end"])) for span in _mappings(row.get("unverifiable", ()))
        )
        gold = GoldRow(str(row["id"]), str(row["task"]), answer, errors, silent)
        texts = [str(error["text"]) for error in _mappings(row["errors"])]
    except KeyError as missing:
        raise SourceError(f"gold row {row.get('id')!r} has no {missing.args[0]!r}") from missing
    for error, text in zip(errors, texts, strict=True):
        if (found := answer[error.start_char : error.end_char]) != text:
            raise SourceError(
                f"gold row {gold.id!r}: [{error.start_char}, {error.end_char}) is {found!r}, not {text!r}"
            )
    return gold


def expected_text(row: GoldRow) -> str:
    """Return the answer with every labelled error corrected, omissions apart."""
    pieces: list[str] = []
    cursor = 0
    for error in sorted(_with_width(row), key=_by_position):
        pieces += [row.answer[cursor : error.start_char], error.correction]
        cursor = error.end_char
    return "".join([*pieces, row.answer[cursor:]])


def match_spans(found: Sequence[tuple[int, int]], labelled: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Pair found with labelled spans, best overlap first, each at most once.

    Args:
        found: Half-open character ranges.
        labelled: Half-open character ranges.

    Returns:
        Pairs of indices (found, labelled) whose intersection over union is at least 0.5; empty where none is.
    """
    candidates = sorted(
        (-iou, i, j)
        for i, a in enumerate(found)
        for j, b in enumerate(labelled)
        if (iou := _intersection_over_union(a, b)) >= _MATCHING_IOU
    )
    pairs: list[tuple[int, int]] = []
    taken_found: set[int] = set()
    taken_labelled: set[int] = set()
    for _, i, j in candidates:
        if i not in taken_found and j not in taken_labelled:
            pairs.append((i, j))
            taken_found.add(i)
            taken_labelled.add(j)
    return tuple(sorted(pairs))


def score_detection(
    rows: Sequence[GoldRow],
    edits: Mapping[str, tuple[Edit, ...]],
    chosen: Mapping[str, str],
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> DetectionReport:
    """Score the edits of labelled answers.

    Args:
        rows: Labelled answers.
        edits: By row id; a row without an entry has none. `claim_span` is what is matched.
        chosen: The edited text by row id; a row without an entry keeps its answer.
        n_resamples: Bootstrap samples of answers, drawn with replacement.
        seed: Decides the samples; the same seed gives the same intervals.
    """
    counts = [_count(row, edits.get(row.id, ()), chosen.get(row.id, row.answer)) for row in rows]
    draws = draw_answers(len(rows), n_resamples, seed)
    table = np.array([[getattr(c, f.name) for f in fields(_Counts)] for c in counts], dtype=np.float64)
    table = table.reshape(len(rows), len(fields(_Counts)))
    column = {f.name: table[:, k] for k, f in enumerate(fields(_Counts))}
    tasks = sorted({row.task for row in rows})
    kinds = sorted({error.error_type for row in rows for error in _with_width(row)})
    return DetectionReport(
        n_answers=len(rows),
        n_omissions=sum(len(row.errors) - len(_with_width(row)) for row in rows),
        spans=_span_score(column["matched"], column["found"], column["labelled"], draws),
        exact=_span_score(column["exact"], column["found"], column["labelled"], draws),
        characters=_span_score(
            column["characters_matched"], column["characters_found"], column["characters_labelled"], draws
        ),
        type_accuracy=rate_of(column["type_right"], column["matched"], draws),
        false_alarms=rate_of(column["clean_touched"], column["clean"], draws),
        unverifiable_left_alone=rate_of(column["unverifiable_untouched"], column["unverifiable"], draws),
        edited_text_equal=rate_of(column["text_equal"], column["wrong"], draws),
        changed_tokens=rate_of(column["tokens_changed"], column["tokens"], draws),
        by_task={task: _of_task(rows, task, column, draws) for task in tasks},
        by_error_type={kind: _of_type(rows, edits, kind, draws) for kind in kinds},
    )


def _count(row: GoldRow, edits: tuple[Edit, ...], chosen: str) -> _Counts:
    errors = _with_width(row)
    found = [(edit.claim_span.start_char, edit.claim_span.end_char) for edit in edits]
    labelled = [(error.start_char, error.end_char) for error in errors]
    pairs = match_spans(found, labelled)
    marked, wrong = _characters(found), _characters(labelled)
    changed = _characters([(edit.span.start_char, edit.span.end_char) for edit in edits])
    tokens = list(TOKEN.finditer(row.answer))
    return _Counts(
        matched=len(pairs),
        exact=len(set(found) & set(labelled)),
        found=len(found),
        labelled=len(labelled),
        characters_matched=len(marked & wrong),
        characters_found=len(marked),
        characters_labelled=len(wrong),
        type_right=sum(edits[i].error_type == errors[j].error_type for i, j in pairs),
        clean=not row.errors,
        clean_touched=not row.errors and bool(edits),
        unverifiable=len(row.unverifiable),
        unverifiable_untouched=sum(not _characters([span]) & changed for span in row.unverifiable),
        wrong=bool(errors),
        text_equal=bool(errors) and _tokens(chosen) == _tokens(expected_text(row)),
        tokens=len(tokens),
        tokens_changed=sum(not changed.isdisjoint(range(*token.span())) for token in tokens),
    )


def _of_task(
    rows: Sequence[GoldRow], task: str, column: Mapping[str, NDArray[np.float64]], draws: NDArray[np.intp]
) -> SpanScore:
    of_task = np.array([row.task == task for row in rows], dtype=np.float64)
    return _span_score(column["matched"] * of_task, column["found"] * of_task, column["labelled"] * of_task, draws)


def _of_type(
    rows: Sequence[GoldRow], edits: Mapping[str, tuple[Edit, ...]], kind: str, draws: NDArray[np.intp]
) -> SpanScore:
    matched, found, labelled = [], [], []
    for row in rows:
        spans = [
            (e.claim_span.start_char, e.claim_span.end_char) for e in edits.get(row.id, ()) if e.error_type == kind
        ]
        errors = [(e.start_char, e.end_char) for e in _with_width(row) if e.error_type == kind]
        matched.append(len(match_spans(spans, errors)))
        found.append(len(spans))
        labelled.append(len(errors))
    return _span_score(
        np.array(matched, dtype=np.float64),
        np.array(found, dtype=np.float64),
        np.array(labelled, dtype=np.float64),
        draws,
    )


def _span_score(
    matched: NDArray[np.float64], found: NDArray[np.float64], labelled: NDArray[np.float64], draws: NDArray[np.intp]
) -> SpanScore:
    # F1 = 2 matched / (found + labelled): one division, so that precision and recall need not exist
    return SpanScore(
        precision=rate_of(matched, found, draws),
        recall=rate_of(matched, labelled, draws),
        f1=rate_of(2 * matched, found + labelled, draws),
    )


def _with_width(row: GoldRow) -> list[GoldError]:
    return [error for error in row.errors if error.end_char > error.start_char]


def _characters(spans: Sequence[tuple[int, int]]) -> set[int]:
    return {k for start, end in spans for k in range(start, end)}


def _intersection_over_union(a: tuple[int, int], b: tuple[int, int]) -> float:
    shared = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / union if union else 0.0


def _tokens(text: str) -> list[str]:
    return TOKEN.findall(text)


def _by_position(error: GoldError) -> tuple[int, int]:
    return error.start_char, error.end_char


def _gold_error(error: Mapping[str, object]) -> GoldError:
    return GoldError(_number(error["start"]), _number(error["end"]), str(error["type"]), str(error["correction"]))


def _mappings(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) for item in value):
        raise SourceError(f"expected a list of objects, got {value!r}")
    return list(value)


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise SourceError(f"expected a character offset, got {value!r}")
    return value
