"""What no image can show: patient facts, comparisons with a study that no one has, advice, and talk about the
answer.

Each is wrong as a whole and to be deleted, unless the reference says it too. A statement of stability is left
alone: it changes nothing that a reader would do.
"""

import re

from medprefkit.check import ruling
from medprefkit.check.facts import Facts
from medprefkit.check.ruling import Wrong, contradicted, supported, unverifiable
from medprefkit.records import Claim, ErrorType, Severity, Verdict

_CHANGE = re.compile(
    r"\b(?:worse\w*|increas\w*|decreas\w*|progress\w*|improv\w*|resol\w*|enlarg\w*|new(?:ly)?|compar\w*|than|interval|"
    r"develop\w*|previous\w*|prior)\b",
    re.I,
)
_STABLE = re.compile(r"\b(?:stable|unchanged|no (?:significant |interval )?change|similar|persist\w*)\b", re.I)
_COMPARES = re.compile(
    r"\b(?:compar\w*|previous\w*|prior(?!\s+(?:\w+\s+)?(?:sternotomy|surg\w*|cabg|granulomatous|cholecystectomy|mastectomy|fusion|"
    r"trauma|fractures?|resection|lobectomy|thoracotomy|cervical|anterior|median|valve|infection|inflammation))|interval|"
    r"unchanged|chang\w* (?:since|from)|no (?:\w+ )?change|stable|again|since|improv\w*|worse\w*|progress\w*|resol\w*|"
    r"remain\w*|persist\w*|increas\w*|decreas\w*|new(?:ly)?|earlier|redemonstrat\w*|follow-?up)\b",
    re.I,
)
_AGAIN = re.compile(r"\s+(?:once\s+)?again", re.I)
_SAME_AS_BEFORE = re.compile(
    r",?\s*(?:(?:which|that)\s+\w+\s+)?(?:been\s+)?(?:\w+ly\s+)?(?:stable|unchanged|similar)\s+\w+\s", re.I
)
_ALONE = re.compile(r",?\s*(?:and\s+)?(?:(?:is|are|remains?|appears?)\s+)?(?:\w+ly\s+)?(?:stable|unchanged)", re.I)
"""Without a study named it may be said of one picture, and changes nothing that a reader would do."""

_RULES: dict[str, tuple[ErrorType, Severity, str]] = {
    "context": ("unsupported_context", "significant", "image_cannot_show"),
    "recommendation": ("recommendation", "insignificant", "nobody_asked_for_advice"),
    "meta_text": ("meta_text", "insignificant", "about_the_answer"),
}


def judge_beyond_image(claim: Claim, facts: Facts) -> Verdict:
    """Judge a claim of kind `context`, `comparison`, `recommendation` or `meta_text`."""
    same = [c for c in (*facts.claims, *facts.doubtful) if c.kind == claim.kind]
    if same:
        # the source of the reference knew the patient, the prior study or the request: the answer may be right
        rule = "also_in_reference" if same[0].concept == claim.concept else "reference_speaks_of_the_like"
        if rule == "also_in_reference" and claim.kind != "comparison":
            return supported(claim, rule, ruling.HIERARCHY, same[0].sentence.text)
        return unverifiable(claim, rule, same[0].sentence.text)
    if claim.kind == "comparison":
        return _comparison(claim, facts)
    if claim.kind == "meta_text" and claim.phrase.text.rstrip().endswith(","):
        return unverifiable(claim, "opening_words")  # "According to the image, " says nothing
    error, severity, rule = _RULES[claim.kind]
    return contradicted(claim, rule, ruling.BEYOND_IMAGE, "", Wrong(error, claim.phrase, "", severity))


def _comparison(claim: Claim, facts: Facts) -> Verdict:
    if _COMPARES.search(facts.text):
        return unverifiable(claim, "reference_compares_too")
    words = claim.phrase.text
    if _AGAIN.fullmatch(words) is not None:
        return contradicted(
            claim,
            "again_without_prior",
            ruling.BEYOND_IMAGE,
            "",
            Wrong("wrong_temporal", claim.phrase, "", "insignificant"),
        )
    if _SAME_AS_BEFORE.match(words) is not None and claim.polarity == "affirmed":
        return contradicted(
            claim,
            "stable_without_prior",
            ruling.BEYOND_IMAGE,
            "",
            Wrong("wrong_temporal", claim.phrase, "", "insignificant"),
        )
    if _ALONE.fullmatch(words) is not None:
        return unverifiable(claim, "stability_not_judged")
    if _STABLE.search(claim.sentence.text) or not _CHANGE.search(words) or claim.polarity == "denied":
        return unverifiable(claim, "stability_not_judged")
    wrong = Wrong("wrong_temporal", claim.phrase, "")
    return contradicted(claim, "change_without_prior", ruling.BEYOND_IMAGE, "", wrong)
