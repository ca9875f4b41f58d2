"""How much of an answer its edits change, and when that is no longer an edit but another answer."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from medprefkit.records import Edit

_TOKEN = re.compile(r"\w+|[^\w\s]")
SHORT_ANSWER_TOKENS = 12
"""Up to this length an answer may change as a whole: in "Yes." the yes is the answer."""


def edited_share(answer: str, edits: Sequence[Edit]) -> float:
    """Return the share of the answer's tokens that do not survive; 0 for an answer without tokens.

    A token is a word or one mark. Words that an edit repeats unchanged are not counted: "a large effusion" -> "no
    effusion" loses two of three. Tokens that the edits add are not counted either.
    """
    tokens = len(_TOKEN.findall(answer))
    lost = sum(_lost_tokens(edit.span.text, edit.replacement) for edit in edits)
    return lost / tokens if tokens else 0.0


def is_short(answer: str) -> bool:
    """Tell whether the answer is too short for a share to mean anything."""
    return len(_TOKEN.findall(answer)) <= SHORT_ANSWER_TOKENS


def _lost_tokens(before: str, after: str) -> int:
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    kept = sum(block.size for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks())
    return len(old) - kept
