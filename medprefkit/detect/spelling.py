"""Slips of the keyboard in long medical words: two letters swapped, one doubled, or one of a pair left out.

A letter put for another is left alone: "confusion" is no "contusion". The slip must lead to one known word only.
"""

from collections.abc import Collection
from functools import lru_cache

_FEWEST_LETTERS = 8
"""Shorter words are too near to each other."""
_N_WORDS = 8192


class Speller:
    """Puts right what is certainly a slip of a known word.

    Args:
        known: The words, in lower case.
    """

    def __init__(self, known: Collection[str]) -> None:
        self._known = frozenset(known)
        self._long = frozenset(word for word in known if len(word) >= _FEWEST_LETTERS)
        self._read = lru_cache(maxsize=_N_WORDS)(self._meant)

    def spell(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Return the words with their slips put right; the very same where there are none."""
        if all(len(word) < _FEWEST_LETTERS or word in self._known for word in words):
            return words
        return tuple(self._read(word) if len(word) >= _FEWEST_LETTERS else word for word in words)

    def _meant(self, word: str) -> str:
        if word in self._known:
            return word
        found = {near for near in _slips(word) if near in self._long}
        return found.pop() if len(found) == 1 else word


def _slips(word: str) -> set[str]:
    pairs = range(len(word) - 1)
    swapped = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in pairs}
    undoubled = {word[:i] + word[i + 1 :] for i in pairs if word[i] == word[i + 1]}
    doubled = {word[: i + 1] + word[i:] for i in range(len(word))}
    return swapped | undoubled | doubled
