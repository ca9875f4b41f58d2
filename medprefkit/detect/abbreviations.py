"""Abbreviations that a text defines itself ("ground-glass opacity (GGO)"), by scispaCy where it is installed."""

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention, Vocabulary

if TYPE_CHECKING:  # spaCy is loaded with the first text in parentheses, and not before
    from spacy.tokens import Doc
    from spacy.vocab import Vocab


def expand_abbreviations(vocabulary: Vocabulary, words: Words, mentions: Sequence[Mention]) -> list[Mention]:
    """Return the mentions and those of abbreviations whose long form the lexicon knows, in order.

    A text without parentheses defines nothing and is not read again.
    """
    finder = _finder() if "(" in words.lower else None
    if finder is None:
        return list(mentions)
    named = {i for m in mentions for i in range(m.start, m.end)}
    found = list(mentions)
    for short, long in _pairs(finder, _doc(words)):
        concept = vocabulary.concept_of(long)
        if concept is None:
            continue
        for start, end in short:
            if named.isdisjoint(range(start, end)):
                found.append(Mention(start, end, concept.id, concept.kind))
                named.update(range(start, end))
    return sorted(found, key=_start)


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
