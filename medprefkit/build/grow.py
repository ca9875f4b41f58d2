"""Edits with an empty side take in a neighbouring word, so that both phrases have tokens to act on."""

import re
from collections.abc import Sequence

from medprefkit.offsets import is_boundary
from medprefkit.records import Edit, Span

_NEXT_WORD = re.compile(r"\s*(?:\w[\w'’-]*|[^\w\s]+)")
_LAST_WORD = re.compile(r"(?:\w[\w'’-]*|[^\w\s]+)\s*\Z")


def grow_empty_edits(answer: str, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Grow deletions and insertions to a word, or a run of punctuation, that survives on both sides.

    The word that follows is taken where there is one: its probability is what a deletion changes, while the word before
    has the same prefix in both texts and adds nothing to their contrast. An edit between two others that touch it stays
    as it is.

    Args:
        answer: The text that the edits' spans index.
        edits: Disjoint, in any order.

    Returns:
        The edits in order of position; applied, they give the same text as before.
    """
    ordered = sorted(edits, key=_start)
    grown: list[Edit] = []
    for position, edit in enumerate(ordered):
        floor = grown[-1].span.end_char if grown else 0
        ceiling = ordered[position + 1].span.start_char if position + 1 < len(ordered) else len(answer)
        if edit.span.text and edit.replacement:
            grown.append(edit)
        else:
            grown.append(_grow(answer, edit, floor, ceiling))
    return tuple(grown)


def _grow(answer: str, edit: Edit, floor: int, ceiling: int) -> Edit:
    start, end = edit.span.start_char, edit.span.end_char
    if after := _NEXT_WORD.match(answer, end, ceiling):
        stop = after.end()
        while stop < ceiling and not is_boundary(answer, stop):
            stop += 1
        return _widened(answer, edit, start, stop) if is_boundary(answer, stop) else edit
    if before := _LAST_WORD.search(answer[floor:start]):
        return _widened(answer, edit, floor + before.start(), end)
    return edit


def _widened(answer: str, edit: Edit, start: int, end: int) -> Edit:
    span = Span(start_char=start, end_char=end, text=answer[start:end])
    replacement = answer[start : edit.span.start_char] + edit.replacement + answer[edit.span.end_char : end]
    return edit.model_copy(update={"span": span, "replacement": replacement, "grown": True})


def _start(edit: Edit) -> tuple[int, int]:
    return edit.span.start_char, edit.span.end_char
