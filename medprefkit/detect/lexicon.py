"""The lexicon detector: names from the lexicon, then scopes, phrases, attributes and questions by rule.

Where scispaCy is installed, its abbreviation detector (Schwartz and Hearst 2003) is asked, so that an abbreviation
defined in the text stands for its long form.
"""

from collections.abc import Sequence

from medprefkit.detect.abbreviations import names_with_abbreviations
from medprefkit.detect.reading import read_passage, read_prompt
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import vocabulary
from medprefkit.records import Claim, Passage


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
        return [self._read(passage) for passage in batch]

    def _read(self, passage: Passage) -> tuple[Claim, ...]:
        words = Words(passage.text)
        named = names_with_abbreviations(words) if self.abbreviations else None
        return read_passage(read_prompt(passage.prompt), words, named)
