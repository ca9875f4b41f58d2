"""Questions that ask for one thing: what modality, which organ, where, how many. The reference's words fill the same
slot.

Broader and narrower answers are right ("MRI" for "MRI T2-weighted"); an answer is wrong only where both fill the
slot with things that exclude each other.
"""

import re
from collections.abc import Sequence

from medprefkit.check import ruling
from medprefkit.check.attributes import judge_attributes
from medprefkit.check.facts import Facts
from medprefkit.check.place import values
from medprefkit.check.ruling import Wrong, contradicted, supported, unverifiable
from medprefkit.check.scales import exclude, measures_differ
from medprefkit.records import AttributeKind, Claim, ClaimKind, ErrorType, Verdict

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

_EXCLUSIVE_KINDS = frozenset({"organ", "location", "finding", "device"})
"""Kinds whose unrelated concepts exclude each other as the answer to one question."""

_SIDES = frozenset({"left", "right", "bilateral"})
_ASKS_SIDE = re.compile(r"\b(?:which|what)\s+side\b", re.I)
_WORD = re.compile(r"[A-Za-z][\w-]*")
_EMPTY = frozenset(
    {"a", "an", "the", "of", "in", "on", "at", "and", "or", "is", "are", "was", "were", "it", "its", "this",
     "that", "to", "with", "side", "part", "region", "area", "image", "picture", "question", "scan", "plane",
     "view", "located", "shown", "seen", "patient", "both"}
)  # fmt: skip

_FAMILIES = (
    frozenset({"axial", "coronal", "sagittal"}),
    frozenset({"pa_view", "ap_view", "lateral_view"}),
    frozenset({"frontal_view", "lateral_view"}),
    frozenset({"t1", "t2", "flair", "dwi", "pd"}),
    frozenset({"with_contrast", "without_contrast"}),
)

_DENIAL_AFTER = re.compile(r"^\s+(?:is|are|was|were|does|do|appears?|seems?)\b[^.;]*?\b(?:not|no|normal)\b", re.I)


_PROPERTY = re.compile(r"\b(?:densit(?:y|ies)|intensity|signal|shadows?|lucency)$", re.I)


def judge_slot(claim: Claim, others: Sequence[Claim], facts: Facts, answer: str, prompt: str) -> Verdict | None:
    """Judge the answer to a question that asks for one thing; None where the reference fills no slot of this kind.

    Args:
        claim: Role `slot_answer`.
        others: The answer's other claims of that role.
        facts: What the reference says.
        answer: The text that the claim's spans index.
        prompt: The question.
    """
    truths = [c for c in facts.claims if c.role == "slot_answer" and c.polarity == "affirmed"]
    same_kind = [c for c in truths if c.kind == claim.kind]
    if claim.polarity == "denied":
        return None
    if not same_kind:
        # a finding that a report answers with is a statement of it, whatever slot the reference fills
        unslotted = not truths or claim.kind in {"finding", "device"}
        return None if unslotted else unverifiable(claim, "slot_of_another_kind", truths[0].sentence.text)
    if _DENIAL_AFTER.search(answer[claim.span.end_char : claim.sentence.end_char]):
        return unverifiable(claim, "slot_in_a_denial", same_kind[0].sentence.text)  # "the pancreas is not enlarged"
    evidence = same_kind[0].sentence.text
    if not _read_whole(facts, prompt):
        return unverifiable(claim, "reference_not_read_whole", evidence)
    if (
        claim.kind in {"location", "organ"}
        and (wrong := _wrong_side(claim, same_kind, facts, answer, prompt)) is not None
    ):
        return wrong
    if agreeing := [c for c in same_kind if facts.related(c.concept, claim.concept)]:
        return supported(claim, "slot_agrees", ruling.SAME_CONCEPT, agreeing[0].sentence.text)
    if any(_agrees(c, others, facts) for c in same_kind):
        return unverifiable(claim, "slot_partly_right", evidence)
    if claim.certainty != "certain" or not all(_excludes(claim, truth, facts) for truth in same_kind):
        return unverifiable(claim, "slot_not_comparable", evidence)
    if claim.kind == "finding" and _PROPERTY.search(claim.span.text):
        return unverifiable(claim, "slot_names_a_property", evidence)  # a density is a look, not a disease
    if claim.kind == "finding" and any(_elsewhere(claim, truth) for truth in same_kind):
        return unverifiable(claim, "slot_differs_in_place_too", evidence)
    if claim.kind == "other":
        return _wrong_attribute(claim, same_kind, evidence)
    words = _joined([c.span.text for c in same_kind])
    wrong_slot = Wrong(
        _ERROR[claim.kind], claim.span, words, "insignificant" if claim.kind == "descriptor" else "significant"
    )
    return contradicted(claim, "slot_differs", ruling.HIERARCHY, evidence, wrong_slot)


def exclusive(a: Claim, b: Claim, facts: Facts) -> bool:
    """Tell whether one image cannot have both: two planes, two weightings, two modalities."""
    if a.kind != b.kind or facts.related(a.concept, b.concept):
        return False
    if a.kind == "modality":
        return a.concept in facts.lexicon.concepts and b.concept in facts.lexicon.concepts
    return a.kind == "view_plane" and any(a.concept in family and b.concept in family for family in _FAMILIES)


def _agrees(truth: Claim, others: Sequence[Claim], facts: Facts) -> bool:
    return any(c.kind == truth.kind and facts.related(truth.concept, c.concept) for c in others)


def names_a_side(truth: Claim) -> bool:
    """Tell whether the reference answers with a side and nothing else: "right", "left side"."""
    sides = {"left", "right", "bilateral", "side", "sided", "the", "both"}
    rest = set(re.findall(r"[a-z]+", truth.span.text.lower())) - sides
    return bool(values(truth, "laterality")) and not rest


def _wrong_side(claim: Claim, truths: Sequence[Claim], facts: Facts, answer: str, prompt: str) -> Verdict | None:
    """Judge the side of a place, where both name the same structure or the reference names a side alone."""
    asked = _ASKS_SIDE.search(prompt) is not None
    comparable = [
        c
        for c in truths
        if c.concept in _SIDES
        or names_a_side(c)
        or facts.related(c.concept, claim.concept)
        or (asked and values(c, "laterality"))
    ]
    if len(comparable) != len(truths):
        return None
    return judge_attributes(claim, comparable, answer)


def _elsewhere(claim: Claim, truth: Claim) -> bool:
    """Tell whether the places differ as well: to rename the finding would leave it in the wrong place."""
    ours = values(claim, "laterality") | values(claim, "location")
    theirs = values(truth, "laterality") | values(truth, "location")
    return bool(ours) and bool(theirs) and not ours <= theirs


def _excludes(claim: Claim, truth: Claim, facts: Facts) -> bool:
    a, b = claim.concept, truth.concept
    if claim.kind in {"modality", "view_plane"}:
        return exclusive(claim, truth, facts)
    if claim.kind in _EXCLUSIVE_KINDS:
        return a in facts.lexicon.concepts and b in facts.lexicon.concepts and not facts.related(a, b)
    if claim.kind == "measurement":
        return measures_differ(a, b)
    if claim.kind == "other":
        return _opposed(claim, truth) is not None
    return claim.kind in _ERROR and exclude(a, b)


def _opposed(claim: Claim, truth: Claim) -> AttributeKind | None:
    """Return the kind of the one attribute that both answers are, where they exclude each other ("inferior")."""
    if len(claim.attributes) != 1 or len(truth.attributes) != 1 or " " in claim.span.text.strip():
        return None
    ours, theirs = claim.attributes[0], truth.attributes[0]
    return ours.kind if ours.kind == theirs.kind and exclude(ours.value, theirs.value) else None


def _wrong_attribute(claim: Claim, truths: Sequence[Claim], evidence: str) -> Verdict:
    kind = _opposed(claim, truths[0])
    error: ErrorType = "wrong_location" if kind == "location" else "wrong_descriptor"
    wrong = Wrong(error, claim.span, truths[0].span.text)
    return contradicted(claim, "slot_differs", ruling.HIERARCHY, evidence, wrong)


def _read_whole(facts: Facts, prompt: str) -> bool:
    """Tell whether the claims cover what the reference says: a short answer of which half was read misleads."""
    covered = {
        k
        for claim in (*facts.claims, *facts.doubtful)
        for span in (claim.span, *(a.span for a in claim.attributes))
        for k in range(span.start_char, span.end_char)
    }
    known = {word.lower()[:5] for word in _WORD.findall(prompt)}
    return all(
        found.start() in covered or found[0].lower() in _EMPTY or found[0].lower()[:5] in known
        for found in _WORD.finditer(facts.text)
    )


def _joined(words: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(words))
    return distinct[0] if len(distinct) == 1 else f"{', '.join(distinct[:-1])} and {distinct[-1]}"
