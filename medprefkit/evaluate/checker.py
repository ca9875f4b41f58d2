"""How right checkers are on claims whose truth is known: by label, by error type, and side by side.

Source: three-way claim verification (FEVER's label accuracy). Differs: precision and recall of "contradicted" stand
apart, since only that verdict edits a text, with intervals over reports.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

import numpy as np

from medprefkit.evaluate.intervals import Rate, draw_answers, rate_of
from medprefkit.evaluate.tables import Table, cell

Label = Literal["supported", "contradicted", "unverifiable"]

LABELS: Final[tuple[Label, ...]] = ("supported", "contradicted", "unverifiable")


@dataclass(frozen=True, slots=True)
class JudgedClaim:
    """A claim whose truth is known, and what a checker says.

    Attributes:
        report_id: Of the report that it is judged by; intervals are drawn over reports.
        made_by: How it was made: the injected error's type, or the way it is worded.
        truth: What is right.
        said: What the checker says; `unverifiable` where it found no claim to judge.
    """

    report_id: str
    made_by: str
    truth: Label
    said: Label


@dataclass(frozen=True, slots=True)
class CheckerScore:
    """One checker on one set of claims."""

    name: str
    accuracy: Rate
    supported: Rate
    """Recall of "supported"."""
    contradicted: Rate
    """Recall of "contradicted"."""
    unverifiable: Rate
    precision: Rate
    """Of claims called contradicted, those that are."""
    false_alarms: Rate
    """Of supported claims, those called contradicted."""
    by_kind: dict[str, Rate]

    def as_json(self) -> dict[str, object]:
        """Return plain dictionaries and numbers."""
        return asdict(self)


def score_checker(name: str, claims: Sequence[JudgedClaim], *, seed: int = 0) -> CheckerScore:
    """Return a checker's shares of right verdicts.

    Args:
        name: What the checker is called in the tables.
        claims: What it said, in any order.
        seed: Decides the bootstrap samples of reports.
    """
    reports = {report: k for k, report in enumerate(dict.fromkeys(c.report_id for c in claims))}
    draws = draw_answers(len(reports), 1000, seed)

    def share(part: Sequence[bool], whole: Sequence[bool]) -> Rate:
        parts, wholes = np.zeros(len(reports)), np.zeros(len(reports))
        for claim, in_part, in_whole in zip(claims, part, whole, strict=True):
            parts[reports[claim.report_id]] += in_part and in_whole
            wholes[reports[claim.report_id]] += in_whole
        return rate_of(parts, wholes, draws)

    right = [c.said == c.truth for c in claims]
    kinds = sorted({c.made_by for c in claims})
    return CheckerScore(
        name=name,
        accuracy=share(right, [True] * len(claims)),
        supported=share(right, [c.truth == "supported" for c in claims]),
        contradicted=share(right, [c.truth == "contradicted" for c in claims]),
        unverifiable=share(right, [c.truth == "unverifiable" for c in claims]),
        precision=share(right, [c.said == "contradicted" for c in claims]),
        false_alarms=share([c.said == "contradicted" for c in claims], [c.truth == "supported" for c in claims]),
        by_kind={kind: share(right, [c.made_by == kind for c in claims]) for kind in kinds},
    )


def checker_tables(title: str, scores: Sequence[CheckerScore]) -> tuple[Table, Table]:
    """Return the checkers side by side: over all claims, and right verdicts by how a claim was made."""
    names = tuple(score.name for score in scores)
    rows = {
        "right": [s.accuracy for s in scores],
        "  of supported": [s.supported for s in scores],
        "  of contradicted": [s.contradicted for s in scores],
        "  of unverifiable": [s.unverifiable for s in scores],
        "called contradicted and is": [s.precision for s in scores],
        "supported, called contradicted": [s.false_alarms for s in scores],
    }
    n_claims = scores[0].accuracy.n if scores else 0
    kinds = sorted({kind for s in scores for kind in s.by_kind})
    return (
        Table(f"{title}, {n_claims} claims", ("share", *names), tuple((k, *map(cell, v)) for k, v in rows.items())),
        Table(
            f"{title}: right, by how the claim was made",
            ("made by", "claims", *names),
            tuple(
                (kind.replace("_", " "), str(scores[0].by_kind[kind].n), *(cell(s.by_kind[kind]) for s in scores))
                for kind in kinds
            ),
        ),
    )


def reliability_table(bins: Sequence[tuple[float, float, int]], error: float, temperature: float) -> Table:
    """Return confidence against accuracy.

    Args:
        bins: (mean confidence, share right, claims) of claims that are about as sure.
        error: The expected calibration error.
        temperature: That the logits were divided by.
    """
    title = f"Reliability: expected calibration error {error:.3f} at temperature {temperature:.2f}"
    rows = tuple((f"{confidence:.2f}", f"{accuracy:.2f}", str(n)) for confidence, accuracy, n in bins)
    return Table(title, ("confidence", "right", "claims"), rows)
