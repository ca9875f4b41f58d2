"""Is the finding or device there? Polarity against polarity, through the order of concepts, at the place that is
meant.

Source: the CheXpert labeler's and GREEN's "false report" and "missing finding". Differs: a reference that is
silent or uncertain decides nothing, a denial reaches only what it covers, and a reference that says both is set
aside.
"""

import re
from collections.abc import Sequence

from medprefkit.check import ruling
from medprefkit.check.attributes import judge_attributes
from medprefkit.check.facts import Bearing, Facts, denies_all
from medprefkit.check.place import values
from medprefkit.check.ruling import Wrong, contradicted, supported, unverifiable
from medprefkit.records import Claim, ErrorType, Span, Verdict

_BUT_FOR = re.compile(r"\b(?:otherwise|remaining|remainder|other\s+than|except|apart\s+from|aside\s+from)\b", re.I)
"""A denial of all else does not speak of what is named before."""
_DEFINITE = re.compile(r"\b(?:definite|definitive|unequivocal|unmistakable|certain)\b", re.I)
_NEAR_CHARS = 13
"""So far before a finding "definite" still speaks of it."""
_ONE_SIDE = re.compile(r"\b(?:left|right)\b", re.I)


def judge_existence(claim: Claim, facts: Facts, answer: str) -> Verdict:
    """Judge a claim that something is there or is not.

    Args:
        claim: Of kind `finding` or `device`.
        facts: What the reference says.
        answer: The text that the claim's spans index.
    """
    present, absent = facts.bearings(claim)
    if present and absent:
        return unverifiable(claim, "reference_contradicts_itself", present[0].claim.sentence.text)
    if claim.polarity == "denied":
        return _denied(claim, present, absent, facts)
    return _affirmed(claim, present, absent, facts, answer)


def _denied(claim: Claim, present: tuple[Bearing, ...], absent: tuple[Bearing, ...], facts: Facts) -> Verdict:
    if absent:
        return supported(claim, absent[0].rule, absent[0].score, absent[0].claim.sentence.text)
    if not present:
        return _silent(claim, facts)
    if (
        claim.concept.endswith("abnormality")
        and not values(claim, "laterality")
        and _ONE_SIDE.search(claim.sentence.text)
    ):
        return unverifiable(claim, "place_not_stated", present[0].claim.sentence.text)
    if all(b.rule == "narrower_affirmed" for b in present) and _BUT_FOR.search(claim.sentence.text) is not None:
        return unverifiable(claim, "denied_but_for", present[0].claim.sentence.text)
    if claim.certainty != "certain" and not denies_all(claim):
        return unverifiable(claim, "answer_uncertain", present[0].claim.sentence.text)
    best = max(present, key=_score)
    words = "" if best.claim.role == "yes_no" else best.claim.phrase.text
    wrong = Wrong("false_negation", claim.phrase, words)
    return contradicted(claim, best.rule, best.score, best.claim.sentence.text, wrong)


def _affirmed(
    claim: Claim, present: tuple[Bearing, ...], absent: tuple[Bearing, ...], facts: Facts, answer: str
) -> Verdict:
    named = facts.named(claim)
    if named and not _other_place(claim, named) and (wrong := judge_attributes(claim, named, answer)) is not None:
        return wrong if claim.certainty == "certain" else unverifiable(claim, "answer_uncertain", wrong.evidence)
    if present:
        return supported(claim, present[0].rule, present[0].score, present[0].claim.sentence.text)
    if absent and (elsewhere := facts.affirms_somewhere(claim)) is not None:
        # to deny it as a whole would deny what the reference affirms of another place
        return unverifiable(claim, "affirmed_elsewhere", elsewhere.sentence.text)
    doubt = facts.doubts(claim)
    if absent and doubt is not None and doubt.polarity == "affirmed":
        return unverifiable(claim, "reference_uncertain", doubt.sentence.text)
    if absent:
        best = max(absent, key=_score)
        score = best.score if claim.certainty == "certain" else min(best.score, ruling.UNCERTAIN)
        error: ErrorType = "wrong_device" if claim.kind == "device" else "false_finding"
        wrong_claim = Wrong(error, claim.phrase, _truth_of(best))
        return contradicted(claim, best.rule, score, best.claim.sentence.text, wrong_claim)
    if named:
        # the same thing, of which the answer says more than the reference
        return unverifiable(claim, "place_not_stated", named[0].sentence.text)
    return _silent(claim, facts)


def _other_place(claim: Claim, named: Sequence[Claim]) -> bool:
    """Tell whether side and location both differ: another thing of the same name, not the same one misplaced."""
    location, side = values(claim, "location"), values(claim, "laterality")
    theirs = frozenset().union(*(values(c, "location") for c in named))
    their_sides = frozenset().union(*(values(c, "laterality") for c in named))
    return bool(location and theirs and side and their_sides) and not (location & theirs) and not (side & their_sides)


def _truth_of(bearing: Bearing) -> str:
    """Return "normal" words where a normality excludes the finding, and "no" or "no large" where it is denied."""
    denial = bearing.claim
    if denial.kind == "normality":
        return denial.span.text
    return " ".join(["no", *(a.span.text.lower() for a in denial.attributes if a.kind == "severity")])


def _silent(claim: Claim, facts: Facts) -> Verdict:
    doubt = facts.doubts(claim)
    floor = claim.sentence.start_char
    said = claim.sentence.text[: claim.phrase.end_char - floor]
    sure = _DEFINITE.search(said, max(0, claim.phrase.start_char - floor - _NEAR_CHARS))
    if doubt is not None and sure is not None and _only_suspects(claim, doubt):
        start = floor + sure.start()
        target = Span(start_char=start, end_char=start + len(sure[0]), text=sure[0])
        wrong = Wrong("wrong_certainty", target, "possible", "insignificant")
        return contradicted(claim, "reference_suspects", ruling.ATTRIBUTE, doubt.sentence.text, wrong)
    if doubt is not None:
        return unverifiable(claim, "reference_uncertain", doubt.sentence.text)
    return unverifiable(claim, "reference_silent")


def _only_suspects(claim: Claim, doubt: Claim) -> bool:
    """Tell whether the answer is sure of the very thing that the reference suspects."""
    same = doubt.concept == claim.concept and doubt.polarity == claim.polarity == "affirmed"
    return same and claim.certainty == "certain"


def _score(bearing: Bearing) -> float:
    return bearing.score
