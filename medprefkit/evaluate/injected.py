"""How many errors that were put into true texts are found, by type: a recall that no reader had to label.

Source: the evaluation by synthetic errors of ReXErr and of RadGraph-perturbation studies. Differs: per type, with
spans, and with whether the true text comes back.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from medprefkit.evaluate.detection import TOKEN, match_spans
from medprefkit.evaluate.intervals import Rate, draw_answers, rate_of
from medprefkit.evaluate.readings import Judged
from medprefkit.evaluate.tables import Table, cell
from medprefkit.records import Edit, Span


@dataclass(frozen=True, slots=True)
class InjectedReading:
    """A text with one known error, as the tool judges it against the true text.

    Attributes:
        id: Of the true text.
        error: The edit that takes the error out again.
        true_text: What the tool compares with.
        judged: What it says.
    """

    id: str
    error: Edit
    true_text: str
    judged: Judged

    @property
    def called_wrong(self) -> bool:
        """Whether a verdict calls some of the wrong characters wrong."""
        targets = [v.target for v in self.judged.contradicted if v.target is not None]
        return any(_overlap(target, self.error.span) for target in targets)

    @property
    def found(self) -> bool:
        """Whether an edit that is kept has the wrong characters, at intersection over union >= 0.5."""
        return bool(self._matched())

    @property
    def typed(self) -> bool:
        """Whether that edit calls the error what it is."""
        return any(edit.error_type == self.error.error_type for edit in self._matched())

    @property
    def restored(self) -> bool:
        """Whether the edited text is the true one, token for token."""
        return TOKEN.findall(self.judged.kept_text) == TOKEN.findall(self.true_text)

    @property
    def edited_elsewhere(self) -> bool:
        """Whether an edit touches no wrong character: right words were corrected."""
        return any(not _overlap(edit.span, self.error.span) for edit in self.judged.kept)

    def _matched(self) -> list[Edit]:
        spans = [(e.claim_span.start_char, e.claim_span.end_char) for e in self.judged.kept]
        pairs = match_spans(spans, [(self.error.span.start_char, self.error.span.end_char)])
        return [self.judged.kept[i] for i, _ in pairs]


@dataclass(frozen=True, slots=True)
class InjectedMeasures:
    """Shares of texts with one injected error each; intervals by drawing texts."""

    error_type: str
    called_wrong: Rate
    found: Rate
    typed: Rate
    restored: Rate
    edited_elsewhere: Rate


def score_injected(readings: Sequence[InjectedReading], *, seed: int = 0) -> tuple[InjectedMeasures, ...]:
    """Return the measures of all texts together and of every error type, in the order of their first text."""
    kinds = dict.fromkeys(reading.error.error_type for reading in readings)
    groups = {"all": list(readings)} | {k: [r for r in readings if r.error.error_type == k] for k in kinds}
    return tuple(_measures(name, group, seed) for name, group in groups.items())


def injected_table(measures: Sequence[InjectedMeasures]) -> Table:
    """Return the measures as a table."""
    columns = (
        "error type",
        "texts",
        "called wrong",
        "edit has the span",
        "type right",
        "true text back",
        "edit elsewhere",
    )
    rows = tuple(
        (
            one.error_type.replace("_", " "),
            str(one.found.n),
            *(cell(r) for r in (one.called_wrong, one.found, one.typed, one.restored, one.edited_elsewhere)),
        )
        for one in measures
    )
    return Table("One known error in each text", columns, rows)


def injected_json(measures: Sequence[InjectedMeasures]) -> dict[str, object]:
    """Return plain dictionaries and numbers by error type."""
    return {one.error_type: asdict(one) for one in measures}


def describe_miss(reading: InjectedReading) -> dict[str, object]:
    """Return what a reader needs to see why an error was not undone, as plain values."""
    span, text = reading.error.span, reading.judged.text
    before, after = text[max(0, span.start_char - 80) : span.start_char], text[span.end_char : span.end_char + 60]
    return {
        "id": reading.id,
        "error_type": reading.error.error_type,
        "wrong": f"{before}[{span.text}]{after}",
        "truth": reading.error.replacement,
        "called_wrong": reading.called_wrong,
        "edits": [f"{e.span.text} -> {e.replacement}" for e in reading.judged.kept],
        "abstained": reading.judged.abstained,
        "response": text,
        "reference": reading.true_text,
    }


def _measures(name: str, readings: Sequence[InjectedReading], seed: int) -> InjectedMeasures:
    draws = draw_answers(len(readings), 1000, seed)

    def share(holds: Sequence[bool]) -> Rate:
        return rate_of(holds, [True] * len(readings), draws)

    return InjectedMeasures(
        error_type=name,
        called_wrong=share([r.called_wrong for r in readings]),
        found=share([r.found for r in readings]),
        typed=share([r.typed for r in readings]),
        restored=share([r.restored for r in readings]),
        edited_elsewhere=share([r.edited_elsewhere for r in readings]),
    )


def _overlap(a: Span, b: Span) -> bool:
    return a.start_char < b.end_char and b.start_char < a.end_char
