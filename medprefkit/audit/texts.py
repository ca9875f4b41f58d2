"""What the two texts of a pair give away by themselves: their lengths, what they share, what was left in them."""

import re
from difflib import SequenceMatcher
from typing import NamedTuple

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")
_LEFTOVER = re.compile(
    r"</?s>|<image>|<\|[a-z_]+\|>|\[/?INST\]|^\s*(?:USER|ASSISTANT|Human|Assistant)\s*:|</?MASK>|###\s*(?:Human|Assistant)"
    r"|\b(?:candidate|original|reference) answer\b|\bbased on the (?:provided|given) (?:answer|information|context)\b",
    re.IGNORECASE | re.MULTILINE,
)
_LEAK_WORDS = 6


class Lengths(NamedTuple):
    """How well length alone tells chosen from rejected.

    Attributes:
        accuracy: Of the better of "longer is chosen" and "shorter is chosen"; a tie counts half. 0.5 tells nothing.
        rule: The better one, "longer" or "shorter".
        n_ties: Pairs of equal length.
    """

    accuracy: float
    rule: str
    n_ties: int


def words(text: str) -> list[str]:
    """Return a text's words, in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def length_only(lengths: list[tuple[int, int]]) -> Lengths:
    """Guess the chosen text from the lengths of both.

    Args:
        lengths: (chosen, rejected) of every pair, in words or characters.

    Returns:
        The accuracy; 0.5 where there is no pair.
    """
    longer = sum(chosen > rejected for chosen, rejected in lengths)
    ties = sum(chosen == rejected for chosen, rejected in lengths)
    shorter = len(lengths) - longer - ties
    if not lengths:
        return Lengths(0.5, "longer", 0)
    best = max(longer, shorter)
    return Lengths((best + ties / 2) / len(lengths), "longer" if longer >= shorter else "shorter", ties)


def edited_share(chosen: str, rejected: str) -> float:
    """Return the share of both texts' words that are outside what they have in common, in order; 0 to 1.

    0 for two texts of the same words, also for two empty ones; 1 for texts that share no word.
    """
    left, right = words(chosen), words(rejected)
    if not left and not right:
        return 0.0
    common = sum(block.size for block in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks())
    return 1.0 - 2 * common / (len(left) + len(right))


def leftovers(text: str) -> str:
    """Return the first piece of a template or of its maker's notes in a text; empty where there is none."""
    found = _LEFTOVER.search(text)
    return found.group().strip() if found else ""


def prompt_leak(prompt: str, chosen: str, rejected: str) -> str:
    """Return words of the chosen text that stand in the prompt and not in the rejected one; empty where none do.

    Six words in a row count, or the whole chosen text of at least three words: the answer can be copied then.
    """
    asked, right, wrong = (f" {' '.join(words(text))} " for text in (prompt, chosen, rejected))
    answer = right.split()
    if 3 <= len(answer) <= _LEAK_WORDS and right in asked and right not in wrong:
        return " ".join(answer)
    for start in range(len(answer) - _LEAK_WORDS + 1):
        run = " ".join(answer[start : start + _LEAK_WORDS])
        if f" {run} " in asked and f" {run} " not in wrong:
            return run
    return ""


def yes_or_no(text: str) -> str:
    """Return "yes" or "no" for an answer that begins so, else an empty text."""
    first = words(text)[:1]
    return first[0] if first and first[0] in {"yes", "no"} else ""
