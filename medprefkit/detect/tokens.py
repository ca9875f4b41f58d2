"""Words and where they stand. Offsets index the text as given: nothing is lower-cased before they are taken.

A token is a word with its combining marks, a number with its decimals, or one other character. Hyphens part words, so
that "left-sided" and "left sided" read alike; "isn't" is one word, "patient's" is two.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from medprefkit.offsets import is_boundary, span_of
from medprefkit.records import Span

_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+n['’]t\b|[^\W\d_]\w*|['’]s\b|\S", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Token:
    """`text[start_char:end_char]`, and the same in lower case for looking up."""

    start_char: int
    end_char: int
    lower: str


class Words:
    """A text and its tokens; ranges of tokens are half-open."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tuple(_tokenize(text))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def lower(self) -> tuple[str, ...]:
        """The tokens' words in lower case, in order."""
        return tuple(token.lower for token in self.tokens)

    def span(self, start: int, end: int) -> Span:
        """Return the characters of tokens [start, end); `start < end`."""
        return span_of(self.text, self.tokens[start].start_char, self.tokens[end - 1].end_char)

    def span_with_space(self, start: int, end: int) -> Span:
        """Return the same with the spaces before it, so that deleting it leaves one space between its neighbours."""
        before = self.tokens[start - 1].end_char if start else 0
        gap = self.text[before : self.tokens[start].start_char]
        first = self.tokens[start].start_char - (len(gap) - len(gap.rstrip(" ")))
        return span_of(self.text, first, self.tokens[end - 1].end_char)

    def between(self, start_char: int, end_char: int) -> tuple[int, int]:
        """Return the range of the tokens that lie inside [start_char, end_char); empty at the place where none does."""
        inside = [i for i, t in enumerate(self.tokens) if t.start_char >= start_char and t.end_char <= end_char]
        if inside:
            return inside[0], inside[-1] + 1
        here = sum(token.start_char < start_char for token in self.tokens)
        return here, here


def _tokenize(text: str) -> list[Token]:
    pieces = [(match.start(), match.end()) for match in _TOKEN.finditer(text)]
    if not text.isascii():
        pieces = _join_graphemes(text, pieces)
    return [Token(start, end, text[start:end].lower()) for start, end in pieces]


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
