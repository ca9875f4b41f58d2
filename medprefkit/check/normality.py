"""Is the structure normal? A finding that the statement excludes makes it wrong; a like statement supports it.

Source: the taxonomy's "normality statements imply denials". Differs: "no acute ..." is ruled wrong only by a finding
that readers hardly ever report beside it and that is not said to be old; any other they may call not acute.
"""

import re

from medprefkit.check import ruling
from medprefkit.check.facts import Facts, spares
from medprefkit.check.place import opposite_side, sides, values
from medprefkit.check.ruling import Wrong, contradicted, supported, unverifiable
from medprefkit.records import Claim, Verdict

_BUT_FOR = re.compile(
    r"\b(?:otherwise|remainder|remaining|elsewhere|except|apart\s+from|other\s+than|aside\s+from)\b", re.I
)
"""What is normal but for something else does not say of what."""
_DECIDEDLY_ACUTE = frozenset(
    {
        "pneumonia",
        "consolidation",
        "infiltrate",
        "airspace_disease",
        "pulmonary_edema",
        "pleural_effusion",
        "heart_failure",
    }
)
_NOT_OF_TODAY = frozenset(
    {"old", "chronic", "prior", "healed", "stable", "unchanged", "residual", "improved", "resolved"}
)
_OF_BONE = re.compile(r"\b(?:osseous|osseus|bon[ey]s?|skelet\w*|soft tissues?|spine|ribs?|abdom\w*)\b", re.I)
"""Nothing acute of these is nothing acute of the chest's inside."""
_NORMAL = re.compile(r"\b(?:normal|unremarkable|healthy)\b", re.I)


def judge_normality(claim: Claim, facts: Facts) -> Verdict:
    """Judge a claim of kind `normality`, affirmed ("the heart is normal") or denied ("the lungs are not clear")."""
    agreeing = [c for c in facts.claims if c.kind == "normality" and _speaks_of(c, claim, facts)]
    normal = [c for c in agreeing if c.polarity == "affirmed"]
    abnormal = [c for c in agreeing if c.polarity == "denied"]
    excluded = abnormal + [c for c in facts.claims if _excludes(claim, c, facts)]
    if normal and excluded:
        return unverifiable(claim, "reference_contradicts_itself", excluded[0].sentence.text)
    says_normal = claim.polarity == "affirmed"
    if (normal and says_normal) or (excluded and not says_normal):
        evidence = (normal or excluded)[0].sentence.text
        return supported(claim, "normality_agrees", ruling.NORMALITY, evidence)
    if claim.certainty != "certain" and (says_normal or not normal):
        return unverifiable(claim, "answer_uncertain")
    if excluded and _BUT_FOR.search(claim.sentence.text) is not None:
        return unverifiable(claim, "normal_but_for", excluded[0].sentence.text)
    if excluded:
        return _falsely_normal(claim, excluded, facts)
    if normal:
        wrong = Wrong("false_finding", claim.phrase, normal[0].span.text)
        score = ruling.NORMALITY if claim.certainty == "certain" else ruling.UNCERTAIN
        return contradicted(claim, "normality_denies", score, normal[0].sentence.text, wrong)
    return unverifiable(claim, "reference_silent")


def _falsely_normal(claim: Claim, excluded: list[Claim], facts: Facts) -> Verdict:
    concept = facts.lexicon.concepts.get(claim.concept)
    if concept is not None and concept.acute:
        excluded = [c for c in excluded if _is_decidedly_acute(c, facts)] or excluded
        if _OF_BONE.search(claim.sentence.text) and not facts.lexicon.is_a(excluded[0].concept, "bony_abnormality"):
            return unverifiable(claim, "of_another_structure", excluded[0].sentence.text)
        if not _is_decidedly_acute(excluded[0], facts):
            return unverifiable(claim, "acuity_not_decided", excluded[0].sentence.text)
        denied = [c for c in facts.claims if _denies_acute(c, facts)]
        if denied:
            return unverifiable(claim, "reference_contradicts_itself", denied[0].sentence.text)
    finding = excluded[0]
    truth = "" if finding.kind == "normality" or finding.role == "yes_no" else finding.phrase.text
    wrong = Wrong("false_negation", claim.phrase, truth or "abnormal")
    return contradicted(claim, "finding_excludes_normality", ruling.NORMALITY, finding.sentence.text, wrong)


def _is_decidedly_acute(finding: Claim, facts: Facts) -> bool:
    """Tell whether no reader would call the finding not acute."""
    known = facts.lexicon.ancestors(finding.concept) & _DECIDEDLY_ACUTE
    aged = (values(finding, "temporal") | values(finding, "severity")) & _NOT_OF_TODAY
    return finding.kind == "finding" and bool(known) and not aged


def _denies_acute(claim: Claim, facts: Facts) -> bool:
    """Tell whether the reference says that nothing is acute, of whatever structure."""
    concept = facts.lexicon.concepts.get(claim.concept)
    return concept is not None and concept.kind == "normality" and concept.acute and claim.polarity == "affirmed"


def _speaks_of(other: Claim, claim: Claim, facts: Facts) -> bool:
    """Tell whether a normality of the reference holds of all that the claim speaks of."""
    if opposite_side(other, claim) or (sides(other) - {"bilateral"} and not sides(claim)):
        return False
    return other.concept == claim.concept or (
        bool(ours := facts.lexicon.denied_by(claim.concept)) and ours <= facts.lexicon.denied_by(other.concept)
    )


def _excludes(claim: Claim, other: Claim, facts: Facts) -> bool:
    if other.kind != "finding" or other.polarity != "affirmed" or opposite_side(other, claim):
        return False
    if sides(claim) - {"bilateral"} and not sides(other):
        return False
    if spares(claim, other.concept, facts.lexicon):
        return False
    return other.concept in facts.lexicon.denied_by(claim.concept) or _is_seen_there(claim, other, facts)


def _is_seen_there(claim: Claim, other: Claim, facts: Facts) -> bool:
    """Tell whether the reference places a finding in the very structure that the claim calls normal."""
    concept = facts.lexicon.concepts.get(claim.concept)
    if concept is None or not _NORMAL.search(claim.span.text) or claim.concept.endswith("_size"):
        return False
    row = facts.lexicon.concepts.get(other.concept)
    usual = row.structures if row is not None else ()
    if usual and not any(facts.lexicon.is_a(a, b) or facts.lexicon.is_a(b, a) for a in other.anatomy for b in usual):
        return False  # a lucency beside the heart is none of the heart
    return bool(other.anatomy) and all(
        any(facts.lexicon.is_a(part, whole) for whole in concept.structures) for part in other.anatomy
    )
