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
from medprefkit.check.slots import exclusive
from medprefkit.records import Claim, ErrorType, Verdict

_PRESENCE = re.compile(
    r"^\W*(?:is|are|was|were)\s+there\b|^\W*(?:do(?:es)?|did|can|could)\b.*"
    r"\b(?:contain|show|include|see|seen|have|has|display|observe|visible|appear|visualiz|demonstrat|identif|reveal|exist)",
    re.I,
)

_WRONG = re.compile(r"\b(?:wrong|abnormal\w*|unusual|problems?|patholog\w+)\b", re.I)

_NEGATION = re.compile(r"\b(?:not|no|cannot|without|never|none|neither)\b|n't\b", re.I)

_CONTENT = re.compile(r"\b(?!does\b|this\b|that\b|there\b|with\b|have\b|been\b|image\b|picture\b)[a-z]{4,}\b", re.I)
_REPEATED_SHARE = 0.6

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
    clause = _first_clause(claim)
    if _says_the_opposite(clause, prompt):
        return unverifiable(claim, "opposite_of_the_question", evidence)
    restated = [c for c in body if _restates(c, claim, facts)]
    instead = [c for c in body if c.polarity == "affirmed" and exclusive(c, claim, facts)]
    error = _error(claim, prompt)
    true_already = all(c.polarity == truth.polarity for c in restated) if restated else truth.polarity == "denied"
    said_so = _repeats(clause, prompt) and (truth.polarity == "affirmed") != bool(_NEGATION.search(clause))
    if true_already and (instead or (restated and said_so)):
        error = "self_contradiction"
    normality = [c for c in body if c.kind == "normality" and c.certainty == "certain" and _is_asked(c, facts, prompt)]
    agrees = bool(normality) and all(_says_abnormal(c) == _says_abnormal(truth) for c in normality)
    if agrees and _asks_normality(claim, prompt):
        error = "self_contradiction"
    # "is it abnormal?" may be read as normality denied: the word to write is the one that was not written
    words = "No" if claim.span.text.lower().startswith("y") else "Yes"
    return contradicted(claim, "yes_no", ruling.SAME_CONCEPT, evidence, Wrong(error, claim.span, words))


def judge_instead(claim: Claim, question: Claim, ruled: Verdict, facts: Facts, prompt: str) -> Verdict | None:
    """Judge a plane or modality that the body names instead of the one asked about; None where it is no such thing.

    "No, this is a coronal section" is wrong where the section is the transverse one that the question names, and right
    for the same reason where it is not.

    Args:
        claim: A statement of the answer.
        question: The answer's yes/no claim.
        ruled: The verdict on `question`.
        facts: What the reference says.
        prompt: The question.
    """
    if ruled.rule != "yes_no" or claim.kind != question.kind or claim.polarity == "denied":
        return None
    if not exclusive(claim, question, facts) or (asked := _words_of(question, facts, prompt)) is None:
        return None
    truth = next(c for c in facts.claims if c.role == "yes_no")
    if truth.polarity == "denied" or claim.role not in {"statement", "slot_answer"}:
        return None
    wrong = Wrong(_error(claim, prompt), claim.span, asked)
    return contradicted(claim, "yes_no_instead", ruled.score, ruled.evidence, wrong)


def judge_body(claim: Claim, question: Claim, ruled: Verdict, facts: Facts, prompt: str) -> Verdict | None:
    """Judge a claim that restates the question as its yes/no word was judged; None where it is about something else.

    Args:
        claim: A statement of the answer.
        question: The answer's yes/no claim.
        ruled: The verdict on `question`.
        facts: What the reference says.
        prompt: The question.
    """
    if ruled.label == "unverifiable" or ruled.rule != "yes_no":
        return None
    if not _restates(claim, question, facts) and not _restates_normality(claim, question, ruled, facts, prompt):
        return None
    if _asks_normality(question, prompt):
        agrees = _says_abnormal(claim) == _says_abnormal(question)
    else:
        agrees = claim.polarity == question.polarity
    if agrees == (ruled.label == "supported"):
        return supported(claim, "yes_no_body", ruled.score, ruled.evidence)
    if claim.polarity == "affirmed" and (truth := _named_instead(claim, facts)) is not None:
        wrong = Wrong(_error(claim, prompt), claim.span, truth.span.text)
        return contradicted(claim, "yes_no_body", ruled.score, ruled.evidence, wrong)
    wrong = Wrong(_error(claim, prompt), claim.phrase, "" if claim.polarity == "denied" else "no")
    return contradicted(claim, "yes_no_body", ruled.score, ruled.evidence, wrong)


def _first_clause(question: Claim) -> str:
    """Return what follows the yes/no word in its sentence."""
    return question.sentence.text[question.span.end_char - question.sentence.start_char :]


def _says_the_opposite(clause: str, prompt: str) -> bool:
    """Tell whether a clause turns a word of the question by a prefix ("properly", "improperly"): yes means no."""
    asked, said = (set(re.findall(r"[a-z]{5,}", text.lower())) for text in (prompt, clause))
    return any(
        one.removeprefix(prefix) in other and one.startswith(prefix)
        for words, other in ((said, asked), (asked, said))
        for one in words
        for prefix in ("im", "in", "un", "non")
    )


def _repeats(clause: str, prompt: str) -> bool:
    """Tell whether the clause repeats most of the question's words, so that its polarity is that of the answer."""
    asked = {word[:5].lower() for word in _CONTENT.findall(prompt)}
    said = {word[:5].lower() for word in _CONTENT.findall(clause)}
    return bool(asked) and len(asked & said) / len(asked) > _REPEATED_SHARE


def _asks_normality(question: Claim, prompt: str) -> bool:
    in_general = question.kind == "other" or question.concept.endswith("abnormality")
    return question.kind == "normality" or (in_general and _WRONG.search(prompt) is not None)


def _says_abnormal(claim: Claim) -> bool:
    return (claim.polarity == "affirmed") != (claim.kind == "normality")


def _restates_normality(claim: Claim, question: Claim, ruled: Verdict, facts: Facts, prompt: str) -> bool:
    """Tell whether the claim answers "is it normal?" in other words.

    An abnormality in general restates it either way. A certain finding only restates it where the truth is that nothing
    is wrong: what else may be wrong, a denial of one finding does not say.
    """
    if (
        not _asks_normality(question, prompt)
        or claim.kind not in {"finding", "normality"}
        or claim.role == "definition"
    ):
        return False
    if claim.certainty != "certain" or not claim.current:
        return False
    if claim.kind == "normality":
        return claim.concept == question.concept or _is_asked(claim, facts, prompt)
    in_general = claim.concept.endswith("abnormality")
    truth_is_normal = _says_abnormal(question) == (ruled.label == "contradicted")
    return in_general or (
        truth_is_normal and claim.polarity == "affirmed" and facts.lexicon.is_a(claim.concept, "abnormality")
    )


def _is_asked(claim: Claim, facts: Facts, prompt: str) -> bool:
    """Tell whether a normality is that of a structure that the question names."""
    concept = facts.lexicon.concepts.get(claim.concept)
    named = concept is not None and any(facts.lexicon.name(s).lower() in prompt.lower() for s in concept.structures)
    return named and claim.concept.startswith("normal_")


def _named_instead(claim: Claim, facts: Facts) -> Claim | None:
    """Return the plane or modality that the reference names in place of the answer's, or None."""
    return next((c for c in facts.claims if c.polarity == "affirmed" and exclusive(claim, c, facts)), None)


def _words_of(question: Claim, facts: Facts, prompt: str) -> str | None:
    """Return the question's own word for what it asks about, or None where it uses none that is known."""
    concept = facts.lexicon.concepts.get(question.concept)
    names = sorted((concept.name, *concept.synonyms), key=len) if concept is not None else []
    return next((name for name in names if re.search(rf"\b{re.escape(name)}\b", prompt, re.I)), None)


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
