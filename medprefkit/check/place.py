"""Where a claim holds: "clear left lung" says nothing of the right one, "no effusion" speaks of both sides."""

import re
from collections.abc import Iterable

from medprefkit.lexicon import Lexicon
from medprefkit.records import AttributeKind, Claim

_SIDE = re.compile(r"\b(left|right)(?:-sided)?\b", re.I)
_CLAUSE = re.compile(r"[,;:]|\b(?:and|but|while|with)\b", re.I)
_BOTH_SIDES = frozenset({"bilateral", "both"})
_NONE: frozenset[str] = frozenset()


def values(claim: Claim, kind: AttributeKind) -> frozenset[str]:
    """Return the canonical values that the claim gives for this attribute; empty where it gives none."""
    if not claim.attributes:
        return _NONE
    return frozenset([attribute.value for attribute in claim.attributes if attribute.kind == kind])


def sides(claim: Claim) -> frozenset[str]:
    """Return the sides that a claim is about; for a normality also those that its clause names ("the left lung is")."""
    given = values(claim, "laterality")
    if given or claim.kind != "normality" or _SIDE.search(claim.sentence.text) is None:
        return given
    before = claim.sentence.text[: max(0, claim.span.start_char - claim.sentence.start_char)]
    clause = _CLAUSE.split(before)[-1]
    after = claim.sentence.text[claim.span.end_char - claim.sentence.start_char :]
    named = {side.lower() for side in _SIDE.findall(clause + " " + _CLAUSE.split(after)[0])}
    return frozenset({"bilateral"} if named == {"left", "right"} else named)


def covers(outer: Claim, inner: Claim, lexicon: Lexicon) -> bool:
    """Tell whether all of `inner`'s place lies in `outer`'s, so that what is denied of the one is denied of the other.

    A claim without side, location or structure is about everywhere that its concept can be.
    """
    return (
        _sides_cover(values(outer, "laterality"), values(inner, "laterality"))
        and values(outer, "location") - frozenset(outer.anatomy) <= values(inner, "location")
        and _structures_cover(outer, inner, lexicon)
    )


def exclude_sides(a: Iterable[str], b: Iterable[str]) -> bool:
    """Tell whether two non-empty sets of sides have none in common; both sides have each."""
    left, right = frozenset(a), frozenset(b)
    return bool(left and right) and not (left & right) and not (left | right) & _BOTH_SIDES


def opposite_side(a: Claim, b: Claim) -> bool:
    """Tell whether two claims name sides that exclude each other."""
    return exclude_sides(sides(a), sides(b))


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
