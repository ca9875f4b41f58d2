"""A comparison as tables of short texts, the same for the terminal, Markdown and the page.

A cell is a share with its 95 % interval, `.72 (.64-.80)`; `-` where there is nothing to divide by.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from medprefkit.evaluate.comparison import Comparison, Measures
from medprefkit.evaluate.intervals import Rate

_Pick = Callable[[Measures], Rate]


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, the names of the columns (the first names the rows), and the rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(comparison: Comparison) -> tuple[Table, ...]:
    """Return the measures of all answers, of each task, and of each error type."""
    return (
        _table("All answers", comparison.measures),
        *(_table(f"Task: {task}", measures) for task, measures in comparison.by_task.items()),
        Table(
            "Edits kept, by error type",
            ("error type", "labelled", "F1 at IoU .5", "precision", "recall", "found as any type"),
            tuple(
                (
                    kind.replace("_", " "),
                    str(of_type.found.n),
                    cell(of_type.spans.f1),
                    cell(of_type.spans.precision),
                    cell(of_type.spans.recall),
                    cell(of_type.found),
                )
                for kind, of_type in comparison.by_type.items()
            ),
        ),
        Table(
            "What became of the answers",
            ("outcome", "answers"),
            tuple((outcome.replace("_", " "), str(n)) for outcome, n in comparison.outcomes.items()),
        ),
    )


def as_text(tables: Sequence[Table]) -> str:
    """Return the tables for a terminal, columns aligned."""
    blocks = []
    for table in tables:
        lines = [table.columns, *table.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(len(table.columns))]
        texts = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines]
        blocks.append("\n".join([table.title, *(f"  {text}".rstrip() for text in texts)]))
    return "\n\n".join(blocks)


def cell(rate: Rate) -> str:
    """Return a share with its interval."""
    if rate.value is None:
        return "-"
    if rate.low is None or rate.high is None:
        return _short(rate.value)
    return f"{_short(rate.value)} ({_short(rate.low)}-{_short(rate.high)})"


def _table(title: str, measures: Sequence[Measures]) -> Table:
    n = measures[0].detection.n_answers
    return Table(
        f"{title}, {n}",
        ("measure", *(m.name for m in measures)),
        tuple((name, *(cell(pick(m)) for m in measures)) for name, pick in _MEASURES.items()),
    )


def _short(share: float) -> str:
    return f"{share:.2f}".removeprefix("0")


def _span_f1(m: Measures) -> Rate:
    return m.detection.spans.f1


def _span_precision(m: Measures) -> Rate:
    return m.detection.spans.precision


def _span_recall(m: Measures) -> Rate:
    return m.detection.spans.recall


def _exact_f1(m: Measures) -> Rate:
    return m.detection.exact.f1


def _character_f1(m: Measures) -> Rate:
    return m.detection.characters.f1


def _type_accuracy(m: Measures) -> Rate:
    return m.detection.type_accuracy


def _false_alarms(m: Measures) -> Rate:
    return m.detection.false_alarms


def _corrected_touched(m: Measures) -> Rate:
    return m.corrected_touched


def _left_alone(m: Measures) -> Rate:
    return m.detection.unverifiable_left_alone


def _text_equal(m: Measures) -> Rate:
    return m.detection.edited_text_equal


def _changed_tokens(m: Measures) -> Rate:
    return m.detection.changed_tokens


def _label_left(m: Measures) -> Rate:
    return m.label_left


def _reading_left(m: Measures) -> Rate:
    return m.reading_left


def _fluent(m: Measures) -> Rate:
    return m.fluent


_MEASURES: dict[str, _Pick] = {
    "F1 at IoU .5": _span_f1,
    "  precision": _span_precision,
    "  recall": _span_recall,
    "exact F1": _exact_f1,
    "character F1": _character_f1,
    "type accuracy": _type_accuracy,
    "clean answers edited": _false_alarms,
    "corrected answers edited": _corrected_touched,
    "silent spans left alone": _left_alone,
    "edited text = label": _text_equal,
    "tokens changed": _changed_tokens,
    "edited, labelled error left": _label_left,
    "edited, rereading finds error": _reading_left,
    "edited, fluent": _fluent,
}
