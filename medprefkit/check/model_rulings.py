"""From what a model says of a claim to a verdict: what is wrong, which characters, what should stand there.

A model's word alone never names characters: the target follows from the claim and the kind of error, and a correction
is taken only from the reference's own words. What does not fit together is `unverifiable`, under a name that says why.
"""

import re

from medprefkit.records import ATTRIBUTE_ERROR, Claim, ErrorType, Span, Verdict

EXISTENCE: tuple[ErrorType, ...] = ("false_finding", "false_negation")

LABEL_ERRORS: dict[str, ErrorType] = {
    "modality": "wrong_modality",
    "view_plane": "wrong_view_plane",
    "organ": "wrong_organ",
    "location": "wrong_location",
    "quantity": "wrong_quantity",
    "measurement": "wrong_measurement",
    "descriptor": "wrong_descriptor",
}
"""Claims that are right or wrong as a whole: kind -> the error that they can be."""

ERROR_TYPES: tuple[ErrorType, ...] = tuple(
    dict.fromkeys((*EXISTENCE, "wrong_diagnosis", "wrong_device", *ATTRIBUTE_ERROR.values(), *LABEL_ERRORS.values()))
)
"""What a model may call a contradicted claim."""

_MAX_TRUTH_CHARS = 80


def abstain(claim: Claim, checker: str, rule: str, evidence: str = "") -> Verdict:
    """Return that nothing is said of the claim, and why."""
    return Verdict(
        claim_id=claim.claim_id, label="unverifiable", checker=checker, rule=rule, score=1.0, evidence=evidence
    )


def support(claim: Claim, checker: str, rule: str, score: float, evidence: str = "") -> Verdict:
    """Return that the claim holds."""
    return Verdict(
        claim_id=claim.claim_id, label="supported", checker=checker, rule=rule, score=score, evidence=evidence
    )


def contradict(
    claim: Claim, checker: str, rule: str, score: float, *, error: ErrorType, truth: str, evidence: str, reference: str
) -> Verdict:
    """Return that the claim is wrong, if error, claim and correction fit together; else an abstention that says why.

    Args:
        claim: The claim.
        checker: Who says so.
        rule: By what.
        score: Confidence.
        error: The kind of error.
        truth: The model's words for what should stand there; for a wrong detail they must be the reference's.
        evidence: A quotation of the reference; may be empty for a model that looked at the image.
        reference: The reference.
    """
    if claim.role == "yes_no":
        word = "No" if claim.polarity == "affirmed" else "Yes"
        error = "false_finding" if claim.polarity == "affirmed" else "false_negation"
        return _wrong(claim, checker, rule, score, error, claim.span, word, evidence)
    if error in EXISTENCE or error == "wrong_device":
        if (error == "false_negation") != (claim.polarity == "denied"):
            return abstain(claim, checker, "error_type_does_not_fit", evidence)
        words = "no" if claim.polarity == "affirmed" else _quoted(truth, reference)
        return _wrong(claim, checker, rule, score, error, claim.phrase, words or "", evidence)
    words = _quoted(truth, reference)
    if words is None:
        return abstain(claim, checker, "truth_not_in_reference", evidence)
    target = _target_of(claim, error)
    if target is None:
        return abstain(claim, checker, "no_words_to_change", evidence)
    if words.lower() == target.text.lower():
        return abstain(claim, checker, "truth_already_said", evidence)
    return _wrong(claim, checker, rule, score, error, target, words, evidence)


def _wrong(
    claim: Claim, checker: str, rule: str, score: float, error: ErrorType, target: Span, truth: str, evidence: str
) -> Verdict:
    return Verdict(
        claim_id=claim.claim_id,
        label="contradicted",
        checker=checker,
        rule=rule,
        score=score,
        evidence=evidence,
        error_type=error,
        target=target,
        truth=truth,
    )


def _target_of(claim: Claim, error: ErrorType) -> Span | None:
    spans = [a.span for a in claim.attributes if ATTRIBUTE_ERROR[a.kind] == error]
    if len(spans) == 1:
        return spans[0]
    if spans:
        return None  # two places or two sides: which of them is wrong was not said
    names_it = LABEL_ERRORS.get(claim.kind) == error or error == "wrong_diagnosis"
    return claim.span if names_it else None


def _quoted(truth: str, reference: str) -> str | None:
    """Return the reference's own spelling of the words; None where it does not hold them."""
    words = truth.strip().strip(".")
    if not words or len(words) > _MAX_TRUTH_CHARS:
        return None
    found = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", reference, re.I)
    return found.group() if found is not None else None


def quotation(quote: str, reference: str) -> str | None:
    """Return the passage of the reference that a quote copies, white space and case apart; None where there is none."""
    words = quote.split()
    if not words:
        return None
    found = re.search(r"\s+".join(map(re.escape, words)), reference, re.I)
    return found.group() if found is not None else None
