"""What a sentence only considers: "scarring versus nodule", "density represents a fracture", "which may be X".

An alternative that is excluded leaves with its "versus" or "or"; the other stays.
"""

import re
from collections.abc import Sequence

from medprefkit.edit.change import Change, change
from medprefkit.edit.clause import has_verb
from medprefkit.edit.noun_phrase import NounPhrase

EITHER = r"(?:versus|vs\.?|or|and\s*/\s*or|andor)"
_EITHER_BEFORE = re.compile(
    rf"(?P<joint>,?\s+{EITHER}\s+)(?:(?:less\s+likely|possibl[ey]|perhaps|probabl[ey]|an?|some|small|mild)\s+)*$", re.I
)
_EITHER_AFTER = re.compile(rf"\s*,?\s+{EITHER}\s+", re.I)
_CONSIDERED = re.compile(
    r"\b(?:may|might|could|can|likely|probabl[ey]|possibl[ey]|suggest\w*|represent\w*|reflect\w*|versus|vs|consistent|"
    r"compatible|concerning|xxxx)\b",
    re.I,
)
_ENDS = re.compile(r"\s*(?:[.;,]|$)|\s+(?:in|at|of|on|within|involving|is|are|but)\b", re.I)
_STANDS_FOR = re.compile(
    r"(?P<cut>(?:\s+xxxx)?(?:\s+(?:most\s+)?(?:likely|probably|possibly|may|could|might))?\s+(?:represents?|reflects?|representing|reflecting))\s+$",
    re.I,
)
_SAYS_WHAT_IT_IS = re.compile(
    r"(?!.*\b(?:no|without|not)\b)[^.;,]{0,80}?\s(?:(?:likely|probably|may|could|might)\s+)?(?:represents?|reflects?)\s[^.;,]+\s*[.;]?\s*$",
    re.I,
)


def leave_out(text: str, group: Sequence[NounPhrase], ids: tuple[str, ...]) -> Change | None:
    """Return the deletion of an alternative that is excluded, or None where the phrase is no alternative.

    Args:
        text: The answer.
        group: Phrases side by side that are not there.
        ids: Their claims.
    """
    floor, ceiling = group[0].claim.sentence.start_char, group[0].claim.sentence.end_char
    start, end = group[0].start, group[-1].end
    left = text[floor:start]
    before = _EITHER_BEFORE.search(left)
    if before is not None and _CONSIDERED.search(text[floor:ceiling]) and _ENDS.match(text, end, ceiling):
        rest = left[: before.start()].rstrip()
        if rest and not rest.endswith((",", "or", "and")):
            return change(floor + before.start("joint"), end, "", ids)
    after = _EITHER_AFTER.match(text, end, ceiling)
    if after is not None and _CONSIDERED.search(text[floor:ceiling]) and before is None:
        if re.search(r",\s*$", left) and "v" not in after[0]:
            return None  # "a, b, or c" are three
        return change(start, after.end(), "", ids, wrong=(start, end))
    return None


def stand_for(text: str, group: Sequence[NounPhrase], ids: tuple[str, ...]) -> Change | None:
    """Return the deletion of "represents X" in a telegram, or of a telegram that says what an absent X represents.

    A sentence without another verb reads as a telegram: "nodular density represents a fracture ." Without what it
    represents the density still stands; without the density nothing does.
    """
    floor, ceiling = group[0].claim.sentence.start_char, group[0].claim.sentence.end_char
    start, end = group[0].start, group[-1].end
    if not text[floor : floor + 1].islower():
        return None
    found = _STANDS_FOR.search(text[floor:start])
    if found is not None and re.match(r"\s*(?:[.;]|$)", text[end:ceiling]):
        at = floor + found.start("cut")
        return change(at, end, "", ids) if not has_verb(text, floor, at) else None
    if text[floor:start].strip() or _SAYS_WHAT_IT_IS.match(text[end:ceiling]) is None or not text[:floor].strip():
        return None
    space = len(text[:floor]) - len(text[:floor].rstrip(" "))
    return change(floor - space, ceiling, "", ids, wrong=(start, end))
