"""Yes/no questions: the first word against the reference's, and the body that restates the question with it.

"No, there is no effusion" is one decision in two places. The body's claims on the question's concept get the
verdict that the yes/no word gets; a body that already says what is true makes the yes/no word a contradiction
within the answer.
"""

import re
from collections.abc import Sequence

from medprefkit.check import ruling
from medprefkit.check.facts import Facts
from medprefkit.check.place import opposite_side
from medprefkit.check.ruling import Wrong, contradicted, supported, unverifiable
from medprefkit.records import Claim, ErrorType, Verdict

_PRESENCE = re.compile(
    r"^\W*(?:is|are|was|were)\s+there\b|^\W*(?:do(?:es)?|did|can|could)\b.*"
    r"\b(?:contain|show|include|see|seen|have|has|display|observe|visible|visualiz|demonstrat|identif|reveal|exist)",
    re.I,
)

_ABOUT: dict[str, ErrorType] = {
    "modality": "wrong_modality",
    "view_plane": "wrong_view_plane",
    "location": "wrong_location",
    "quantity": "wrong_quantity",
    "measurement": "wrong_measurement",
    "device": "wrong_device",
}


def judge_yes_no(claim: Claim, body: Sequence[Claim], facts: Facts, prompt: str) -> Verdict | None:
    """Judge the yes/no word, or return None where the reference holds no yes/no word either.

    Args:
        claim: Role `yes_no`.
        body: The answer's other claims.
        facts: What the reference says.
        prompt: The question.
    """
    truths = [c for c in facts.claims if c.role == "yes_no"]
    if len({c.polarity for c in truths}) != 1:
        return unverifiable(claim, "reference_contradicts_itself", truths[0].sentence.text) if truths else None
    truth = truths[0]
    evidence = truth.sentence.text
    if claim.polarity == truth.polarity:
        return supported(claim, "yes_no", ruling.SAME_CONCEPT, evidence)
    restated = [c for c in body if _restates(c, claim, facts)]
    error = _error(claim, prompt)
    if restated and all(c.polarity == truth.polarity for c in restated):
        error = "self_contradiction"
    words = "Yes" if truth.polarity == "affirmed" else "No"
    return contradicted(claim, "yes_no", ruling.SAME_CONCEPT, evidence, Wrong(error, claim.span, words))


def judge_body(claim: Claim, question: Claim, ruled: Verdict, facts: Facts, prompt: str) -> Verdict | None:
    """Judge a claim that restates the question as its yes/no word was judged; None where it is about something else.

    Args:
        claim: A statement of the answer.
        question: The answer's yes/no claim.
        ruled: The verdict on `question`.
        facts: What the reference says.
        prompt: The question.
    """
    if ruled.label == "unverifiable" or ruled.rule != "yes_no" or not _restates(claim, question, facts):
        return None
    agrees = claim.polarity == question.polarity
    if agrees == (ruled.label == "supported"):
        return supported(claim, "yes_no_body", ruled.score, ruled.evidence)
    wrong = Wrong(_error(claim, prompt), claim.phrase, "" if claim.polarity == "denied" else "no")
    return contradicted(claim, "yes_no_body", ruled.score, ruled.evidence, wrong)


def _restates(claim: Claim, question: Claim, facts: Facts) -> bool:
    if claim.role not in {"statement", "slot_answer"} or claim.certainty == "hypothetical" or not claim.current:
        return False
    if opposite_side(claim, question):
        return False
    if claim.polarity == question.polarity == "affirmed":
        return facts.lexicon.is_a(claim.concept, question.concept)
    return claim.concept == question.concept or (
        claim.kind == question.kind and facts.lexicon.is_a(question.concept, claim.concept)
    )


def _error(claim: Claim, prompt: str) -> ErrorType:
    if claim.kind in _ABOUT and not (claim.kind == "device" and claim.polarity == "denied"):
        return _ABOUT[claim.kind]
    if claim.kind == "organ" and not _PRESENCE.search(prompt):
        return "wrong_organ"
    says_abnormal = (claim.polarity == "affirmed") != (claim.kind == "normality")
    return "false_finding" if says_abnormal else "false_negation"
