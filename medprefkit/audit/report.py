"""The findings of an audit as plain records, and the limits that they are held to."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from medprefkit.errors import DatasetError
from medprefkit.records import Record

Verdict = Literal["ok", "beyond", "unknown"]

LIMITS: dict[str, float] = {
    "unreadable_rows": 0.0,
    "length_only_accuracy": 0.60,
    "edited_share_median": 0.50,
    "identical_pairs": 0.0,
    "zero_weights": 0.0,
    "exact_duplicates": 0.01,
    "near_duplicates": 0.05,
    "contradicting_rows": 0.01,
    "picture_leaks": 0.0,
    "group_leaks": 0.0,
    "invalid_spans": 0.0,
    "prompt_leaks": 0.01,
    "leftovers": 0.01,
    "yes_no_accuracy": 0.65,
    "bag_of_words_accuracy": 0.75,
    "broken_pictures": 0.0,
    "bad_corruptions": 0.0,
    "corrupted_share_p95": 0.50,
}
"""Check -> the largest value that passes. Shares of rows and accuracies, 0 to 1."""


class Check(Record):
    """One finding: its value, what it was held to, and examples."""

    name: str
    title: str
    value: float | None
    """None where the dataset has nothing to measure it on."""
    limit: float
    verdict: Verdict
    detail: str = ""
    examples: tuple[str, ...] = ()
    """Row ids, or words."""


class Histogram(Record):
    """How often values fell between neighbouring edges; `edges` has one more entry than `counts`."""

    title: str
    axis: str
    edges: tuple[float, ...]
    counts: tuple[Annotated[int, Field(ge=0)], ...]


class Telling(Record):
    """A word that tells the two sides apart, and how strongly."""

    word: str
    weight: float


class AuditReport(Record):
    """Everything that an audit found."""

    dataset: str
    format: str
    n_pairs: int
    n_by_split: dict[str, int]
    n_pictures: int
    words_chosen: float
    """Mean words; `words_rejected` likewise."""
    words_rejected: float
    checks: tuple[Check, ...]
    histograms: tuple[Histogram, ...]
    telling_chosen: tuple[Telling, ...] = ()
    telling_rejected: tuple[Telling, ...] = ()
    labels: dict[str, int] = Field(default_factory=dict)
    """Error type -> marked phrases, where the format has types; else first words of chosen answers that are labels."""

    @property
    def beyond(self) -> tuple[Check, ...]:
        """The checks that are beyond their limits."""
        return tuple(check for check in self.checks if check.verdict == "beyond")


class Measured(NamedTuple):
    """A value before it is held to a limit."""

    name: str
    title: str
    value: float | None
    detail: str = ""
    examples: tuple[str, ...] = ()


def held_to(measured: Measured, limits: dict[str, float]) -> Check:
    """Return a check: `beyond` where the value is larger than its limit, `unknown` where there is none."""
    limit = limits[measured.name]
    verdict: Verdict = "ok"
    if measured.value is None:
        verdict = "unknown"
    elif measured.value > limit:
        verdict = "beyond"
    return Check(
        name=measured.name,
        title=measured.title,
        value=measured.value,
        limit=limit,
        verdict=verdict,
        detail=measured.detail,
        examples=measured.examples,
    )


def limits_with(changes: list[str]) -> dict[str, float]:
    """Return the limits with `name=value` changes.

    Raises:
        DatasetError: If a change is not of that form, or names no check.
    """
    limits = dict(LIMITS)
    for change in changes:
        name, equals, text = change.partition("=")
        try:
            value = float(text)
        except ValueError as error:
            raise DatasetError(f"--limit {change}: write name=number, for instance length_only_accuracy=0.7") from error
        if not equals or name not in limits:
            raise DatasetError(f"--limit {change}: no check is called {name!r}; there are {', '.join(limits)}")
        limits[name] = value
    return limits
