"""The three ways to rule on a claim. Every `Verdict` of this room is made here, so evidence is always a quotation."""

from dataclasses import dataclass

from medprefkit.records import Claim, ErrorType, Severity, Span, Verdict

CHECKER = "reference"

SAME_CONCEPT = 0.95
"""The reference speaks of this very concept."""
HIERARCHY = 0.9
"""It speaks of a broader or narrower one, in the direction that decides."""
NORMALITY = 0.85
"""It says that the structure is normal, which excludes the finding."""
ATTRIBUTE = 0.85
"""It gives one other value for the attribute."""
KIN = 0.7
"""It uses a close word that not every reader takes for the same."""
UNCERTAIN = 0.6
"""The answer only suspects what the reference denies."""
BEYOND_IMAGE = 0.8
"""No image shows it, whatever the reference says."""
CLOSED_WORLD = 0.5
"""The reference is silent, and the recipe says that its silence denies."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong, where, and what should stand there.

    Attributes:
        error_type: The kind of error.
        target: The wrong characters of the answer.
        truth: The words that should stand there; empty to delete.
        severity: Whether it would change what a clinician does.
    """

    error_type: ErrorType
    target: Span
    truth: str
    severity: Severity = "significant"


def supported(claim: Claim, rule: str, score: float, evidence: str) -> Verdict:
    """Return that the reference says so too."""
    return _without_error(claim, "supported", rule, score, evidence)


def unverifiable(claim: Claim, rule: str, evidence: str = "") -> Verdict:
    """Return that nothing decides; the score is that of abstaining, 1."""
    return _without_error(claim, "unverifiable", rule, 1.0, evidence)


def contradicted(claim: Claim, rule: str, score: float, evidence: str, wrong: Wrong) -> Verdict:
    """Return that the reference excludes the claim."""
    return Verdict(
        claim_id=claim.claim_id,
        label="contradicted",
        checker=CHECKER,
        rule=rule,
        score=score,
        evidence=evidence,
        error_type=wrong.error_type,
        severity=wrong.severity,
        target=wrong.target,
        truth=wrong.truth,
    )


def _without_error(claim: Claim, label: str, rule: str, score: float, evidence: str) -> Verdict:
    return Verdict.of_known(
        claim_id=claim.claim_id,
        label=label,
        checker=CHECKER,
        rule=rule,
        score=score,
        evidence=evidence,
        error_type=None,
        severity="significant",
        target=None,
        truth="",
        grounding=None,
    )
