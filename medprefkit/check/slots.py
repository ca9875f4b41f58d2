"""Questions that ask for one thing: what modality, which organ, where, how many. The reference's words fill the same
slot.

Broader and narrower answers are right ("MRI" for "MRI T2-weighted"); an answer is wrong only where both fill the
slot with things that exclude each other.
"""

from collections.abc import Sequence

from medprefkit.check import ruling
from medprefkit.check.facts import Facts
from medprefkit.check.ruling import Wrong, contradicted, supported, unverifiable
from medprefkit.check.scales import exclude, measures_differ
from medprefkit.records import Claim, ClaimKind, ErrorType, Verdict

_ERROR: dict[ClaimKind, ErrorType] = {
    "modality": "wrong_modality",
    "view_plane": "wrong_view_plane",
    "organ": "wrong_organ",
    "location": "wrong_location",
    "quantity": "wrong_quantity",
    "measurement": "wrong_measurement",
    "descriptor": "wrong_descriptor",
    "finding": "wrong_diagnosis",
    "device": "wrong_device",
}

_EXCLUSIVE_KINDS = frozenset({"modality", "organ", "finding", "device"})
"""Kinds whose unrelated concepts exclude each other as the answer to one question."""

_FAMILIES = (
    frozenset({"axial", "coronal", "sagittal"}),
    frozenset({"pa_view", "ap_view", "lateral_view"}),
    frozenset({"frontal_view", "lateral_view"}),
    frozenset({"t1", "t2", "flair", "dwi", "pd"}),
    frozenset({"with_contrast", "without_contrast"}),
)


def judge_slot(claim: Claim, others: Sequence[Claim], facts: Facts) -> Verdict | None:
    """Judge the answer to a question that asks for one thing; None where the reference fills no slot of this kind.

    Args:
        claim: Role `slot_answer`.
        others: The answer's other claims of that role.
        facts: What the reference says.
    """
    truths = [c for c in facts.claims if c.role == "slot_answer" and c.polarity == "affirmed"]
    same_kind = [c for c in truths if c.kind == claim.kind]
    if not same_kind:
        return None if not truths else unverifiable(claim, "slot_of_another_kind", truths[0].sentence.text)
    evidence = same_kind[0].sentence.text
    if agreeing := [c for c in same_kind if facts.related(c.concept, claim.concept)]:
        return supported(claim, "slot_agrees", ruling.SAME_CONCEPT, agreeing[0].sentence.text)
    if any(_agrees(c, others, facts) for c in same_kind):
        return unverifiable(claim, "slot_partly_right", evidence)
    if claim.polarity == "denied" or claim.certainty != "certain" or not _all_exclude(claim, same_kind, facts):
        return unverifiable(claim, "slot_not_comparable", evidence)
    words = _joined([c.span.text for c in same_kind])
    wrong = Wrong(
        _ERROR[claim.kind], claim.span, words, "insignificant" if claim.kind == "descriptor" else "significant"
    )
    return contradicted(claim, "slot_differs", ruling.HIERARCHY, evidence, wrong)


def _agrees(truth: Claim, others: Sequence[Claim], facts: Facts) -> bool:
    return any(c.kind == truth.kind and facts.related(truth.concept, c.concept) for c in others)


def _all_exclude(claim: Claim, truths: Sequence[Claim], facts: Facts) -> bool:
    return claim.kind in _ERROR and all(_excludes(claim, truth, facts) for truth in truths)


def _excludes(claim: Claim, truth: Claim, facts: Facts) -> bool:
    a, b = claim.concept, truth.concept
    if claim.kind in _EXCLUSIVE_KINDS:
        return a in facts.lexicon.concepts and b in facts.lexicon.concepts and not facts.related(a, b)
    if claim.kind == "view_plane":
        return any(a in family and b in family for family in _FAMILIES)
    if claim.kind == "measurement":
        return measures_differ(a, b)
    return exclude(a, b)


def _joined(words: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(words))
    return distinct[0] if len(distinct) == 1 else f"{', '.join(distinct[:-1])} and {distinct[-1]}"
