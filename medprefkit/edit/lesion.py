"""Is a claim about what the lesion mask covers? Its label and the claim meet in the lexicon, as finding or organ."""

import re
from collections.abc import Sequence
from functools import cache

from medprefkit.lexicon import Concept, lexicon
from medprefkit.records import Claim, MaskRef


def is_about_lesion(claim: Claim, masks: Sequence[MaskRef]) -> bool:
    """Tell whether a mask may be the evidence for a finding.

    It is for the finding that its label names, for a broader, narrower or close one, and for any other in the same
    organ: a lung mask is no evidence of a large heart. A mask without a label, one whose label the lexicon does not
    know, and a claim whose organ it does not know are given the benefit of the doubt.

    Args:
        claim: A finding of the answer.
        masks: Of its example; False without any.
    """
    return any(_may_show(mask, claim) for mask in masks)


def _may_show(mask: MaskRef, claim: Claim) -> bool:
    known = lexicon()
    shown = _concept_of(mask.label.replace("_", " ").strip().lower()) if mask.label else None
    if shown is None:
        return True
    if known.is_a(claim.concept, shown.id) or known.is_a(shown.id, claim.concept) or known.kin(claim.concept, shown.id):
        return True
    places = (shown.id,) if shown.kind == "organ" else shown.structures
    row = known.concepts.get(claim.concept)
    organs = claim.anatomy or (row.structures if row is not None else ())
    if not places or not organs:
        return True
    return any(known.is_a(a, b) or known.is_a(b, a) for a in organs for b in places)


@cache
def _concept_of(label: str) -> Concept | None:
    """Return the finding or organ that a label names, by its longest name in the label."""
    found = [
        (len(name), row)
        for row in lexicon().concepts.values()
        if row.kind in {"finding", "organ"}
        for name in (row.name, *row.synonyms)
        if re.search(rf"(?<![a-z]){re.escape(name.lower())}(?:s|es)?(?![a-z])", label)
    ]
    return max(found, key=_length)[1] if found else None


def _length(item: tuple[int, Concept]) -> int:
    return item[0]
