"""Where sentences end: prose, lower-case tokenized reports (" . "), lists, lines, and texts without a final stop."""

from itertools import pairwise

from medprefkit.detect.tokens import Words
from medprefkit.detect.words import bag, is_function_word

_STOPS = frozenset(".!?")
_CLOSERS = frozenset("\"'”’)]")
_OPENERS = bag(
    "the there no heart lungs lung stable clear normal mediastinal cardiac cardiomediastinal pulmonary bony osseous "
    "visualized mild this these both degenerative negative trachea bones"
)
"""Words that begin a report's sentences, and that nothing else gives a capital."""
_FEWEST_WORDS = 2
_ABBREVIATIONS = bag("e.g i.e etc vs dr mr mrs ms prof fig figs approx ca cf no nos vol resp incl al st")


def split_sentences(words: Words) -> tuple[tuple[int, int], ...]:
    """Return the sentences as ranges of tokens; together they hold every token, and none is empty."""
    cuts = [0]
    for i in range(1, len(words)):
        if i > cuts[-1] and _ends_before(words, i, cuts[-1]):
            cuts.append(i)
    cuts.append(len(words))
    return tuple((start, end) for start, end in pairwise(cuts) if start < end)


def _ends_before(words: Words, i: int, first: int) -> bool:
    """Tell whether a sentence that began at token `first` ends before token `i`."""
    gap = words.text[words.tokens[i - 1].end_char : words.tokens[i].start_char]
    if "\n" in gap:
        return "\n\n" in gap or not words.text[words.tokens[i].start_char].islower()
    last = i - 1
    while last > first and words.lower[last] in _CLOSERS:
        last -= 1
    if _opens_anew(words, i, first):
        return True
    if words.lower[last] not in _STOPS or words.lower[i] in _STOPS or words.lower[i] in _CLOSERS:
        return False
    return words.lower[last] != "." or not _is_inner_stop(words, last, first, gap)


def _opens_anew(words: Words, i: int, first: int) -> bool:
    """Tell whether a capital begins a sentence after one without a stop: "No pneumonia The heart is normal"."""
    before, here = words.tokens[i - 1], words.tokens[i]
    capital = words.text[here.start_char].isupper() and words.text[here.start_char + 1 : here.start_char + 2].islower()
    if not capital or here.lower not in _OPENERS or i - first < _FEWEST_WORDS:
        return False
    return words.text[before.start_char].islower() and not is_function_word(before.lower)


def _is_inner_stop(words: Words, stop: int, first: int, gap: str) -> bool:
    """Tell whether the full stop at token `stop` belongs to an abbreviation, an initial, a number or a list's label."""
    if stop == first:
        return True
    before = words.tokens[stop - 1]
    touches = before.end_char == words.tokens[stop].start_char
    if not touches:
        return False
    if not gap:  # "e.g.", "U.S.", "3.b": no space behind the stop
        return words.tokens[stop + 1].lower.isalnum() and (len(before.lower) == 1 or before.lower.isdigit())
    after = words.text[words.tokens[stop + 1].start_char]
    dotted = stop - 2 > first and words.lower[stop - 2] == "." and len(before.lower) == 1
    if before.lower in _ABBREVIATIONS or dotted:
        return not (before.lower in {"etc", "no", "al"} and after.isupper())
    return stop - 1 == first and before.lower.isdigit()  # "1. Heart size is normal."
