"""One clause and its rewrite: where the clause begins and ends, and which characters of it a rewrite changes.

Pure text: knows no model. What a rewrite leaves alone at both ends is not part of the edit.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from medprefkit.edit.change import Change
from medprefkit.records import Span, Verdict

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_CLAUSE_END = re.compile(r";\s+|:\s+|,\s+(?=(?:and|but|while|whereas|which|with|although|however|or)\b)", re.I)
_MARKERS = ("<<", ">>")
_STOPS = (".", "!", "?")

EXTRA_TOKENS = 6
"""A rewrite may be this much longer than twice the clause; a longer one is another answer."""


class Part(NamedTuple):
    """The clause of an answer that holds the wrong words, half-open, with the verdicts on it."""

    start: int
    end: int
    verdicts: tuple[Verdict, ...]


class Refused(NamedTuple):
    """Why a rewrite is not taken: a name to count by, and the particulars."""

    reason: str
    detail: str = ""


def clause_around(text: str, sentence: Span, target: Span) -> tuple[int, int]:
    """Return where the clause that holds the target begins and ends: between marks that part clauses, in its sentence.

    A target that reaches over such a mark takes both clauses.
    """
    start, end = sentence.start_char, sentence.end_char
    for mark in _CLAUSE_END.finditer(text, sentence.start_char, sentence.end_char):
        if mark.end() <= target.start_char:
            start = mark.end()
        elif mark.start() >= target.end_char:
            end = mark.start()
            break
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return min(start, target.start_char), max(end, target.end_char)


def change_of(text: str, part: Part, rewrite: str) -> Change | Refused:
    """Return the smallest change that makes the clause its rewrite and holds the wrong words, or why there is none.

    Args:
        text: The answer.
        part: The clause of it.
        rewrite: What should stand in its place.
    """
    old = text[part.start : part.end]
    rewrite = rewrite.strip()
    if rewrite and old[-1:] in _STOPS and rewrite[-1].isalnum():
        rewrite += old[-1]  # a model leaves out the stop, which was not its to change
    refusal = _outside(text, part, old, rewrite)
    if refusal is not None:
        return refusal
    before, after = _TOKEN.findall(old), _TOKEN.findall(rewrite)
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    lost, gained = before[head : len(before) - tail], after[head : len(after) - tail]
    start = part.start + len("".join(before[:head]))
    end = start + len("".join(lost))
    targets = [verdict.target for verdict in part.verdicts if verdict.target is not None]
    if not any(start <= t.end_char and t.start_char <= end for t in targets):
        return Refused("wrong_words_kept", f"{''.join(lost)!r} -> {''.join(gained)!r}")
    wrong_start, wrong_end = min(t.start_char for t in targets), max(t.end_char for t in targets)
    whole_start, whole_end = min(start, wrong_start), max(end, wrong_end)
    replacement = text[whole_start:start] + "".join(gained) + text[end:whole_end]
    ids = tuple(dict.fromkeys(verdict.claim_id for verdict in part.verdicts))
    return Change(whole_start, whole_end, replacement, wrong_start, wrong_end, ids)


def _outside(text: str, part: Part, old: str, rewrite: str) -> Refused | None:
    """Refuse what is no rewrite of the clause alone."""
    if not rewrite:
        return Refused("rewrite_empty")
    if rewrite == old:
        return Refused("nothing_changed")
    if any(marker in rewrite for marker in _MARKERS) or "\n" in rewrite:
        return Refused("text_outside_changed", "the rewrite holds marks or lines that are not the clause's")
    before, after = text[: part.start].strip()[-24:], text[part.end :].strip(" .\n")[:24]
    for words in (before, after):
        if len(words) > 8 and words in rewrite and words not in old:
            return Refused("text_outside_changed", f"the rewrite repeats {words!r}, which stands outside")
    n_old, n_new = len(old.split()), len(rewrite.split())
    if n_new > 2 * n_old + EXTRA_TOKENS:
        return Refused("rewrite_too_long", f"{n_new} words for {n_old}")
    return None


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    n = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        n += 1
    return n
