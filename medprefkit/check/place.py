"""Where a claim holds: "clear left lung" says nothing of the right one, "no effusion" speaks of both sides."""

from collections.abc import Iterable

from medprefkit.lexicon import Lexicon
from medprefkit.records import AttributeKind, Claim

_BOTH_SIDES = frozenset({"bilateral", "both"})


def values(claim: Claim, kind: AttributeKind) -> frozenset[str]:
    """Return the canonical values that the claim gives for this attribute; empty where it gives none."""
    return frozenset(attribute.value for attribute in claim.attributes if attribute.kind == kind)


def covers(outer: Claim, inner: Claim, lexicon: Lexicon) -> bool:
    """Tell whether all of `inner`'s place lies in `outer`'s, so that what is denied of the one is denied of the other.

    A claim without side, location or structure is about everywhere that its concept can be.
    """
    return (
        _sides_cover(values(outer, "laterality"), values(inner, "laterality"))
        and values(outer, "location") <= values(inner, "location")
        and _structures_cover(outer, inner, lexicon)
    )


def exclude_sides(a: Iterable[str], b: Iterable[str]) -> bool:
    """Tell whether two non-empty sets of sides have none in common; both sides have each."""
    left, right = frozenset(a), frozenset(b)
    return bool(left and right) and not (left & right) and not (left | right) & _BOTH_SIDES


def opposite_side(a: Claim, b: Claim) -> bool:
    """Tell whether two claims name sides that exclude each other."""
    return exclude_sides(values(a, "laterality"), values(b, "laterality"))


def _sides_cover(outer: frozenset[str], inner: frozenset[str]) -> bool:
    if not outer or outer & _BOTH_SIDES or {"left", "right"} <= outer:
        return True
    return bool(inner) and inner <= outer


def _structures_cover(outer: Claim, inner: Claim, lexicon: Lexicon) -> bool:
    if not outer.anatomy:
        return True
    concept = lexicon.concepts.get(inner.concept)
    inside = inner.anatomy or (concept.structures if concept else ())
    return bool(inside) and all(any(lexicon.is_a(part, whole) for whole in outer.anatomy) for part in inside)
