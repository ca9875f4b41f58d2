"""The lexicon detector: names from the lexicon, then scopes, phrases, attributes and questions by rule.

Where scispaCy is installed, its abbreviation detector (Schwartz and Hearst 2003) is asked, so that an abbreviation
defined in the text stands for its long form.
"""

from collections.abc import Sequence

from medprefkit.detect.abbreviations import expand_abbreviations
from medprefkit.detect.questions import asked_text
from medprefkit.detect.reading import read_passage, read_statements
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
        known = vocabulary()
        words = Words(passage.text)
        mentions, matches = known.find(words)
        if self.abbreviations:
            mentions = expand_abbreviations(known, words, mentions)
        asked_words = Words(asked_text(passage.prompt))
        asked = read_statements(asked_words, *known.find(asked_words))
        return read_passage(passage.prompt, words, mentions, matches, asked, asked_words)
