"""How far a noun phrase reaches: from its determiner to the trailing words that only an existing finding can have.

"evidence of" and its like belong to the phrase; so do "in both lungs" and "on the left side", since nothing is there
when the finding is not. A place that stays true without the finding ("in the right upper lobe") stays outside: "no mass
in the right upper lobe".
"""

from medprefkit.detect.attributes import Mark
from medprefkit.detect.tokens import Words
from medprefkit.detect.words import ADVERBS_OF_SENTENCES, DETERMINERS, HEADS, bag, is_function_word, looks_like_modifier

_JOINTS = frozenset({"and", "or", "to", ",", "/"})
_SIDES = bag("side sides lung lungs bases base apices hemithorax hemithoraces")
_DENYING = frozenset({"no"})


def phrase_of(
    words: Words, start: int, end: int, bounds: tuple[int, int], marks: dict[int, Mark], organs: frozenset[int]
) -> tuple[int, int]:
    """Return the noun phrase around the name at tokens [start, end), within `bounds`.

    Args:
        words: The text.
        start: First token of the name.
        end: Token after its last.
        bounds: Tokens that the phrase may use: its clause, less the claims beside it.
        marks: Attributes by each of their tokens.
        organs: Tokens of organ names, which may modify a noun ("left lower lobe consolidation").
    """
    first = _expand_left(words, start, bounds[0], marks, organs)
    while True:
        head = _head_before(words, first, bounds[0])
        if head is None:
            break
        first = _expand_left(words, head, bounds[0], marks, organs)
    return first, _expand_right(words, end, bounds[1], marks)


def predicate_of(words: Words, start: int, bounds: tuple[int, int], marks: dict[int, Mark]) -> int:
    """Return the first token of a predicate with its adverbs and an adjacent "not": "significantly enlarged"."""
    i = start
    while i > bounds[0]:
        word = words.lower[i - 1]
        adverb = (word.endswith("ly") and word not in ADVERBS_OF_SENTENCES) or word in {
            "very",
            "too",
            "quite",
            "completely",
        }
        severity = i - 1 in marks and marks[i - 1].kind == "severity" and marks[i - 1].end <= start
        if not (adverb or severity or word == "not"):
            break
        i -= 1
    return i


def _expand_left(words: Words, i: int, first: int, marks: dict[int, Mark], organs: frozenset[int]) -> int:
    while i > first:
        word = words.lower[i - 1]
        if word in DETERMINERS or word in _DENYING:
            return _before_determiner(words, i - 1, first)
        if _modifies(words, i - 1, marks, organs) or (word == "-" and i - 1 > first):
            i -= 1
        elif (
            word in _JOINTS
            and i - 2 >= first
            and _is_adjective(i - 2, marks, words)
            and (_is_adjective(i, marks, words) or words.lower[i] == "xxxx")
        ) or (word == "," and i - 2 >= first and i - 2 in marks and i in marks):
            i -= 2
        elif words.lower[i - 2 : i] == (",", "and") and i - 3 >= first and _is_adjective(i - 3, marks, words):
            i -= 3
        else:
            break
    while i < len(words) and words.lower[i] in {"-", ","}:
        i += 1
    return i


def _before_determiner(words: Words, i: int, first: int) -> int:
    """Take in a second determiner: "no other", "all of the" stays out."""
    return i - 1 if i > first and words.lower[i - 1] in _DENYING else i


def _modifies(words: Words, i: int, marks: dict[int, Mark], organs: frozenset[int]) -> bool:
    word = words.lower[i]
    return i in marks or i in organs or looks_like_modifier(word) or (word.isdigit() and i + 1 < len(words))


def _is_adjective(i: int, marks: dict[int, Mark], words: Words) -> bool:
    return i in marks or (looks_like_modifier(words.lower[i]) and not words.lower[i].endswith("al"))


def _head_before(words: Words, i: int, first: int) -> int | None:
    """Return the token of "evidence" where "evidence of" stands before token i, or None."""
    if i - 2 >= first and words.lower[i - 1] == "of" and words.lower[i - 2] in HEADS:
        return i - 2
    return None


def _expand_right(words: Words, i: int, last: int, marks: dict[int, Mark]) -> int:
    while True:
        grown = _with_side(words, i, last, marks)
        if grown == i:
            return i
        i = grown


def _with_side(words: Words, i: int, last: int, marks: dict[int, Mark]) -> int:
    """Return the end of "bilaterally", "in both lungs", "on the left side", "with spiculated edges", 3 cm, or i."""
    if (
        i < last
        and i in marks
        and marks[i].kind in {"laterality", "measurement"}
        and not _noun_after(words, marks[i].end, last)
    ):
        return marks[i].end
    if i + 1 >= last:
        return i
    word, j = words.lower[i], i + 1
    if word in {"in", "on", "at"}:
        article = words.lower[j] == "the"
        j += article
        if j >= last or j not in marks or marks[j].kind != "laterality":
            return i
        end = marks[j].end
        both = marks[j].value == "bilateral"
        if end < last and words.lower[end] in (_SIDES if both else {"side"}):
            end += 1
        elif end < last and both and words.lower[end] in {"lung", "pleural"} and end + 1 < last:
            end += 2
        elif _noun_after(words, end, last):
            return i
        if end < last and words.lower[end] in {"fields", "spaces", "zones"}:
            end += 1
        return end
    if word == "with" and j in marks and marks[j].kind == "descriptor":
        end = marks[j].end
        return (
            end + 1
            if end < last and words.lower[end] in {"edges", "margins", "borders", "density", "contours", "edge"}
            else i
        )
    return i


def _noun_after(words: Words, i: int, last: int) -> bool:
    """Tell whether a content word follows, so that what stands before it is its modifier."""
    return (
        i < last
        and words.lower[i].isalpha()
        and not is_function_word(words.lower[i])
        and words.lower[i] not in DETERMINERS
    )
