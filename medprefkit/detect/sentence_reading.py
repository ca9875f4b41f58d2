"""One sentence, read by itself: what it names, its attributes, its statements and its asides.

A sentence is read without its neighbours, so one that was read before, in this text or in another, reads the same:
answers of one model share many sentences, and an edited answer all but one with the answer. Readings are kept, a
bounded number of them, and never changed; a text takes copies that stand at its own words.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from medprefkit.detect.asides import find_asides
from medprefkit.detect.attributes import Mark, find_marks
from medprefkit.detect.drafts import Draft
from medprefkit.detect.statements import read_sentence
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention, vocabulary

_N_KEPT = 8192
"""Some 15 MB: the sentences of a few thousand answers."""


class SentenceReading(NamedTuple):
    """What one sentence says; ranges count its own tokens and characters from 0.

    Attributes:
        mentions: What it names.
        marks: Its attributes.
        drafts: Its statements, in order of position.
        asides: Stretches that may be deleted as they stand, as claims.
    """

    mentions: tuple[Mention, ...]
    marks: tuple[Mark, ...]
    drafts: tuple[Draft, ...]
    asides: tuple[Draft, ...]


@lru_cache(maxsize=_N_KEPT)
def read_alone(sentence: str, *, skip: int = 0, named: tuple[Mention, ...] | None = None) -> SentenceReading:
    """Read one sentence.

    Args:
        sentence: From its first token to its last.
        skip: Tokens before this one are the "yes" or "no" that answers a question.
        named: What the sentence names, where that is not just what the lexicon finds in it.
    """
    words = Words(sentence)
    found, matches = vocabulary().find(words)
    mentions = tuple(found) if named is None else named
    marks = tuple(find_marks(words))
    by_token: dict[int, Mark] = {}
    for mark in marks:
        for i in range(mark.start, mark.end):
            by_token.setdefault(i, mark)
    drafts = read_sentence(words, (0, len(words)), mentions, matches, by_token, skip=skip)
    for draft in drafts:
        draft.marks += _twins(draft.marks, marks)
    return SentenceReading(mentions, marks, tuple(drafts), tuple(_asides(words)))


def _twins(own: Sequence[Mark], marks: Sequence[Mark]) -> list[Mark]:
    """Return the second meanings of words that have two: "bibasilar" is a side and a place."""
    return [t for m in own for t in marks if (t.start, t.end) == (m.start, m.end) and t != m]


def _asides(words: Words) -> list[Draft]:
    drafts: list[Draft] = []
    whole = (0, len(words))
    for aside in find_asides(words.text):
        start, end = words.between(aside.start_char, aside.end_char)
        while start < end and words.lower[start] in {",", ";"}:
            start += 1
        if start < end:
            bounds = (aside.start_char, max(aside.end_char, words.places[end - 1][1]))
            drafts.append(
                Draft(start, end, aside.kind, aside.kind, whole, whole, (start, end), aside=bounds,
                      leading_space=aside.is_sentence)
            )  # fmt: skip
    return drafts
