"""What could be made wrong in a text: characters, the wrong words for them, and the type of error that they make."""

import re
from typing import NamedTuple

from medprefkit.records import ErrorType, Severity


class Candidate(NamedTuple):
    """Replacing characters [start, end) of a true text by `wrong` makes one error.

    `start == end` inserts; what is put there then goes without leaving a trace when it is taken out again.
    """

    error_type: ErrorType
    start: int
    end: int
    wrong: str
    severity: Severity = "significant"


def capital_of(words: str, like: str) -> str:
    """Return the words with a first letter as large as that of the words they replace."""
    if not words or not like or not like[0].isalpha() or (len(like) > 1 and like[:2].isupper()):
        return words  # an abbreviation's capitals say nothing of its place
    if like[0].isupper():
        return words[0].upper() + words[1:]
    return words if words[:2].isupper() else words[0].lower() + words[1:]


def with_article(noun_phrase: str) -> str:
    """Return a countable noun phrase with "a" or "an"."""
    return f"{'an' if re.match(r'[aeiou](?!ni)', noun_phrase, re.I) else 'a'} {noun_phrase}"
