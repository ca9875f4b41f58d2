"""Which organs a predicate is said of: those behind it in one noun phrase, or the subject before it."""

from collections.abc import Sequence

from medprefkit.detect.sayings import ASPECTS, Saying
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention
from medprefkit.detect.words import (
    DETERMINERS,
    DISPLAY_VERBS,
    PARTICIPLES,
    PREPOSITIONS,
    VERBS,
    bag,
    is_function_word,
    looks_like_modifier,
)

_PARTS = bag(
    "bilaterally system markings fields field spaces space tissue parenchyma bases pattern surfaces surface walls wall"
    " borders border margins knob arch borderline both again each"
)
"""Nouns behind an organ that are still the organ, and words that begin what is said of it."""
_GAP = 4  # words between a predicate and its organ: "elevated right hemidiaphragm"


def names_a_study(organ: Mention, mentions: Sequence[Mention]) -> bool:
    """Tell whether an organ only names a study: the "chest" of "chest X-ray"."""
    return any(m.kind == "modality" and m.start == organ.end for m in mentions)


def organs_ahead(
    words: Words, last: int, saying: Saying, organs: Sequence[Mention], others: frozenset[int]
) -> list[Mention]:
    """Return the organs of "clear lungs", "normal heart size and mediastinal contours", "enlargement of the heart".

    Args:
        words: The text.
        last: Token after the clause.
        saying: The predicate.
        organs: The clause's organs.
        others: Tokens of all the clause's predicates: "well-expanded and clear lungs".
    """
    i = saying.end
    of_follows = i < last and words.lower[i] in {"of", "in"}
    if saying.is_noun:
        if not of_follows and not any(o.start in {i, i + 1} and o.end <= last for o in organs):
            return []
        i += of_follows
    elif of_follows:  # "normal size and configuration of the heart"
        if not saying.aspects or words.lower[i] != "of":
            return []
        i += 1
    found: list[Mention] = []
    starts = {o.start: o for o in organs}
    while i < last:
        word = words.lower[i]
        if i in starts:
            found.append(starts[i])
            i = starts[i].end
        elif (
            word in {"and", ",", "or"}
            and (_organ_soon(words, i + 1, last, organs) if found else i + 1 in others and word != "or")
        ) or (found and (word in ASPECTS or word in _PARTS)):
            i += 1
        elif found and only_modifies(words, found[-1], last, others) and not saying.is_noun:
            return []
        elif found or is_function_word(word) or not (word.isalpha() or word == "-") or i - saying.end >= _GAP:
            break
        else:
            i += 1
    return found


def subjects_before(
    words: Words,
    bounds: tuple[int, int],
    organs: Sequence[Mention],
    mentions: Sequence[Mention],
    others: frozenset[int],
) -> list[Mention]:
    """Return the organs of the subject in `bounds`: "heart and mediastinum are", but not the chest of "of the chest".

    None where a finding stands between them and the predicate, which then is said of the finding.
    """
    first, end = bounds
    found: list[Mention] = []
    for organ in organs:
        if not (first <= organ.start and organ.end <= end) or only_modifies(words, organ, end, others):
            continue
        word = governor(words, organ.start, first)
        if not word or (word == "of" and not found):
            found.append(organ)
    if not found:
        return []
    behind = found[-1].end
    findings = any(m.kind in {"finding", "device"} and behind <= m.start and m.end <= end for m in mentions)
    return [] if findings else found


def only_modifies(words: Words, organ: Mention, last: int, others: frozenset[int]) -> bool:
    """Tell whether an organ's name only modifies another noun: "heart rate", "pulmonary XXXX"."""
    i = organ.end
    while i < last and words.lower[i] in ASPECTS | _PARTS:
        i += 1
    if i >= last or i in others or not words.lower[i].isalpha():
        return False
    word = words.lower[i]
    known = is_function_word(word) or word in DETERMINERS or word in DISPLAY_VERBS
    return not (known or looks_like_modifier(word) or word.endswith("ing"))


def _organ_soon(words: Words, i: int, last: int, organs: Sequence[Mention]) -> bool:
    """Tell whether the next noun after a coordinator is an organ: "heart and mediastinum", not "heart and no ..."."""
    while i < last and words.lower[i] in {"and", ",", "or", "the"}:
        i += 1
    named = any(o.start in {i, i + 1} for o in organs)
    return named and i < last and words.lower[i] not in {"no", "without", "is", "are"}


def governor(words: Words, i: int, first: int) -> str:
    """Return the preposition that governs the noun phrase of token i, or the empty string."""
    for j in range(i - 1, max(first, i - 5) - 1, -1):
        word = words.lower[j]
        if word in PREPOSITIONS:
            return word
        if word in VERBS or word in PARTICIPLES or word in {",", ".", "and", "or"}:
            return ""
    return ""
