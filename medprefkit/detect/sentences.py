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
    lines = "\n" in words.text
    for i, (before, here) in enumerate(pairwise(words.lower), start=1):
        may_end = lines or before in _STOPS or before in _CLOSERS or here in _OPENERS
        if may_end and i > cuts[-1] and _ends_before(words, i, cuts[-1]):
            cuts.append(i)
    cuts.append(len(words))
    return tuple((start, end) for start, end in pairwise(cuts) if start < end)


def _ends_before(words: Words, i: int, first: int) -> bool:
    """Tell whether a sentence that began at token `first` ends before token `i`."""
    gap = words.text[words.places[i - 1][1] : words.places[i][0]]
    if "\n" in gap:
        return "\n\n" in gap or not words.text[words.places[i][0]].islower()
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
    if words.lower[i] not in _OPENERS or i - first < _FEWEST_WORDS:
        return False
    here = words.places[i][0]
    if not (words.text[here].isupper() and words.text[here + 1 : here + 2].islower()):
        return False
    return words.text[words.places[i - 1][0]].islower() and not is_function_word(words.lower[i - 1])


def _is_inner_stop(words: Words, stop: int, first: int, gap: str) -> bool:
    """Tell whether the full stop at token `stop` belongs to an abbreviation, an initial, a number or a list's label."""
    if stop == first:
        return True
    before = words.lower[stop - 1]
    touches = words.places[stop - 1][1] == words.places[stop][0]
    if not touches:
        return False
    if not gap:  # "e.g.", "U.S.", "3.b": no space behind the stop
        return words.lower[stop + 1].isalnum() and (len(before) == 1 or before.isdigit())
    after = words.text[words.places[stop + 1][0]]
    dotted = stop - 2 > first and words.lower[stop - 2] == "." and len(before) == 1
    if before in _ABBREVIATIONS or dotted:
        return not (before in {"etc", "no", "al"} and after.isupper())
    return stop - 1 == first and before.isdigit()  # "1. Heart size is normal."
