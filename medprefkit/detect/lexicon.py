"""The lexicon detector: names from the lexicon, then scopes, phrases, attributes and questions by rule.

Where scispaCy is installed, its abbreviation detector (Schwartz and Hearst 2003) is asked, so that an abbreviation
defined in the text stands for its long form.
"""

from collections.abc import Sequence
from functools import lru_cache

from medprefkit.detect.abbreviations import names_with_abbreviations
from medprefkit.detect.reading import read_passage, read_prompt
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import vocabulary
from medprefkit.records import Claim, Passage

_N_KEPT = 1024
"""Readings of whole texts, some 5 MB: short answers to one question are often the same."""


class LexiconDetector:
    """Finds claims by the lexicon's words.

    Args:
        abbreviations: Let an abbreviation that the text defines stand for its long form. Needs scispaCy; without it
            only the lexicon's own abbreviations are known.
    """

    def __init__(self, *, abbreviations: bool = True) -> None:
        self.abbreviations = abbreviations
        vocabulary()

    def __call__(self, batch: Sequence[Passage]) -> list[tuple[Claim, ...]]:
        """Return the claims of each passage, in order of appearance; none for an empty text."""
        return [_read(p.prompt, p.text, abbreviations=self.abbreviations) for p in batch]


@lru_cache(maxsize=_N_KEPT)
def _read(prompt: str, text: str, *, abbreviations: bool) -> tuple[Claim, ...]:
    words = Words(text)
    named = names_with_abbreviations(words) if abbreviations else None
    return read_passage(read_prompt(prompt), words, named)
