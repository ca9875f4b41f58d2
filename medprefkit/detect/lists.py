"""Coordinated lists ("A, B or C"): claims with only a coordinator between their phrases, or with one phrase."""

from collections.abc import Sequence
from itertools import pairwise

from medprefkit.detect.drafts import Draft
from medprefkit.detect.tokens import Words
from medprefkit.detect.words import bag

_LISTED = frozenset({"finding", "device", "normality", "organ", "other"})
_JOINTS = frozenset({",", "and", "or", "nor"})
_IN_LIST = _JOINTS | bag("/ & as well along with")


def number_lists(words: Words, drafts: Sequence[Draft]) -> None:
    """Give claims of one coordinated list ("A, B or C") the same number."""
    ordered = sorted((d for d in drafts if d.kind in _LISTED), key=_phrase_place)
    number = 0
    for left, right in pairwise(ordered):
        if left.phrase == right.phrase or _coordinated(words, left, right):
            if left.list_id is None:
                left.list_id = number
                number += 1
            right.list_id = left.list_id


def _coordinated(words: Words, left: Draft, right: Draft) -> bool:
    """Tell whether only a coordinator stands between two phrases: a comma, "and", or among findings "with"."""
    gap = words.lower[left.phrase[1] : right.phrase[0]]
    if not gap:  # a list without marks: "no consolidation effusion or pneumothorax"
        return left.polarity == right.polarity == "denied" and left.cue == right.cue and left.kind == right.kind
    joints = _IN_LIST if left.kind == right.kind and left.polarity == right.polarity else _JOINTS
    return len(gap) <= 4 and joints.issuperset(gap) and left.predicate == right.predicate


def _phrase_place(draft: Draft) -> tuple[int, int, int, str]:
    return *draft.phrase, draft.start, draft.concept
