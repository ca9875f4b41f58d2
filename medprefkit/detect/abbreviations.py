"""Abbreviations that a text defines itself ("ground-glass opacity (GGO)"), by scispaCy where it is installed."""

import importlib.util
import warnings
from collections.abc import Callable, Set
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention, vocabulary

if TYPE_CHECKING:  # spaCy is loaded with the first text in parentheses, and not before
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

_MOST_SHORT = 3
_MOST_INSIDE = 8
_SHORTEST = 2
_TOO_LONG = 10


def names_with_abbreviations(words: Words) -> list[Mention] | None:
    """Return what the text names, with the abbreviations whose long form the lexicon knows, in order.

    None where the text defines no such abbreviation; one that the lexicon names already needs no definition.
    """
    if "(" not in words.lower:
        return None
    known = vocabulary()
    mentions, _ = known.find(words)
    named = {i for m in mentions for i in range(m.start, m.end)}
    finder = _finder() if _may_define(words, named) else None
    if finder is None:
        return None
    added: list[Mention] = []
    for short, long in _pairs(finder, _doc(words)):
        concept = known.concept_of(long)
        if concept is None:
            continue
        for start, end in short:
            if named.isdisjoint(range(start, end)):
                added.append(Mention(start, end, concept.id, concept.kind))
                named.update(range(start, end))
    return sorted([*mentions, *added], key=_start) if added else None


def _may_define(words: Words, named: Set[int]) -> bool:
    """Tell whether words in or before parentheses have the shape that the finder asks of a short form, and no name."""
    closes = [(i, j) for i, word in enumerate(words.lower) if word == "(" for j in range(i + 2, i + _MOST_INSIDE + 2)]
    for i, j in closes:
        if words.lower[j : j + 1] != (")",):
            continue
        n_inside = j - i - 1
        short = range(i + 1, j) if n_inside <= _MOST_SHORT else range(max(i - 1, 0), i)
        shaped = all(_SHORTEST <= len(words.lower[k]) < _TOO_LONG for k in short)
        if shaped and not named >= set(short):
            return True
    return False


def _doc(words: Words) -> "Doc":
    """Return the text as a spaCy document with these tokens."""
    from spacy.tokens import Doc

    spaces = [here[1] < after[0] for here, after in pairwise(words.places)]
    return Doc(_vocab(), words=[words.text[start:end] for start, end in words.places], spaces=[*spaces, False])


@cache
def _vocab() -> "Vocab":
    import spacy

    return spacy.blank("en").vocab


def _pairs(finder: "Callable[[Doc], Doc]", doc: "Doc") -> list[tuple[list[tuple[int, int]], str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # spaCy warns where a text holds no candidate; that is no fault
        read = finder(doc)
    pairs: dict[str, list[tuple[int, int]]] = {}
    for short in read._.abbreviations:
        pairs.setdefault(short._.long_form.text, []).append((short.start, short.end))
    return [(places, long) for long, places in pairs.items()]


@cache
def _finder() -> "Callable[[Doc], Doc] | None":
    if importlib.util.find_spec("scispacy") is None:
        return None
    from scispacy.abbreviation import AbbreviationDetector
    from spacy.language import Language

    finder: Callable[[Doc], Doc] = AbbreviationDetector(Language())
    return finder


def _start(mention: Mention) -> tuple[int, int]:
    return mention.start, mention.end
