"""Words and where they stand. Offsets index the text as given: nothing is lower-cased before they are taken.

A token is a word with its combining marks, a number with its decimals, or one other character. Hyphens part words, so
that "left-sided" and "left sided" read alike; "isn't" is one word, "patient's" is two.
"""

import re
from bisect import bisect_left

from medprefkit.offsets import is_boundary, span_of
from medprefkit.records import Span

_FORMS = r"L+(?:(?<=Ln)['’]t\b|\w*)|\d+(?:\.\d+)?|['’]s\b|[^\s\x1c-\x1f]"
_TOKEN = re.compile(_FORMS.replace("L", r"[^\W\d_]"))
_LOWER_ASCII_TOKEN = re.compile(_FORMS.replace("L", "[a-z]"), re.ASCII)
"""The same for ASCII text in lower case, several times as fast."""


class Words:
    """A text and its tokens; ranges of tokens are half-open.

    Attributes:
        text: As given.
        places: The tokens' (start_char, end_char), in order.
        lower: The tokens' words in lower case, in order.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.places: tuple[tuple[int, int], ...]
        self.lower: tuple[str, ...]
        if text.isascii():  # lowering moves no character, and no mark joins the one before it
            lowered = text.lower()
            self.places = tuple([match.span() for match in _LOWER_ASCII_TOKEN.finditer(lowered)])
            self.lower = tuple([lowered[start:end] for start, end in self.places])
        else:
            self.places = tuple(_join_graphemes(text, [match.span() for match in _TOKEN.finditer(text)]))
            self.lower = tuple([text[start:end].lower() for start, end in self.places])

    def __len__(self) -> int:
        return len(self.lower)

    def span(self, start: int, end: int) -> Span:
        """Return the characters of tokens [start, end); `start < end`."""
        start_char, end_char = self.places[start][0], self.places[end - 1][1]
        return Span.of_known(start_char=start_char, end_char=end_char, text=self.text[start_char:end_char])

    def span_with_space(self, start: int, end: int) -> Span:
        """Return the same with the spaces before it, so that deleting it leaves one space between its neighbours."""
        before = self.places[start - 1][1] if start else 0
        gap = self.text[before : self.places[start][0]]
        first = self.places[start][0] - (len(gap) - len(gap.rstrip(" ")))
        return span_of(self.text, first, self.places[end - 1][1])

    def between(self, start_char: int, end_char: int) -> tuple[int, int]:
        """Return the range of the tokens that lie inside [start_char, end_char); empty at the place where none does."""
        first = bisect_left(self.places, (start_char, start_char))
        last = first
        while last < len(self.places) and self.places[last][1] <= end_char:
            last += 1
        return first, last


def _join_graphemes(text: str, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in pieces:
        touches = bool(joined) and joined[-1][1] == start
        mark = touches and not is_boundary(text, start)
        rest_of_word = touches and not is_boundary(text, start - 1) and text[start].isalpha()
        if mark or rest_of_word:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
