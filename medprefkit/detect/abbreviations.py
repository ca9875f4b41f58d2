"""Abbreviations that a text defines itself ("ground-glass opacity (GGO)"), by scispaCy where it is installed."""

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from functools import cache

from spacy.language import Language
from spacy.tokens import Doc

from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention, Vocabulary


def expand_abbreviations(vocabulary: Vocabulary, words: Words, mentions: Sequence[Mention]) -> list[Mention]:
    """Return the mentions and those of abbreviations whose long form the lexicon knows, in order.

    A text without parentheses defines nothing and is not read again.
    """
    finder = _finder() if "(" in words.lower else None
    if finder is None:
        return list(mentions)
    named = {i for m in mentions for i in range(m.start, m.end)}
    found = list(mentions)
    for short, long in _pairs(finder, vocabulary.doc(words)):
        concept = vocabulary.concept_of(long)
        if concept is None:
            continue
        for start, end in short:
            if named.isdisjoint(range(start, end)):
                found.append(Mention(start, end, concept.id, concept.kind))
                named.update(range(start, end))
    return sorted(found, key=_start)


def _pairs(finder: Callable[[Doc], Doc], doc: Doc) -> list[tuple[list[tuple[int, int]], str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # spaCy warns where a text holds no candidate; that is no fault
        read = finder(doc)
    pairs: dict[str, list[tuple[int, int]]] = {}
    for short in read._.abbreviations:
        pairs.setdefault(short._.long_form.text, []).append((short.start, short.end))
    return [(places, long) for long, places in pairs.items()]


@cache
def _finder() -> Callable[[Doc], Doc] | None:
    if importlib.util.find_spec("scispacy") is None:
        return None
    from scispacy.abbreviation import AbbreviationDetector

    finder: Callable[[Doc], Doc] = AbbreviationDetector(Language())
    return finder


def _start(mention: Mention) -> tuple[int, int]:
    return mention.start, mention.end
