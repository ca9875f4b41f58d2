"""Deletions and insertions take in the nearest word or mark that survives, so that no side of a pair is empty."""

import re
from collections.abc import Sequence

from medprefkit.offsets import is_boundary, span_of
from medprefkit.records import Edit

_WORD_LEFT = re.compile(r"\S+\s*$")
_WORD_RIGHT = re.compile(r"\s*\S+")


def grow_empty(answer: str, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Grow each edit with an empty side by a neighbouring word, left before right; `claim_span` stays.

    An edit whose neighbours all belong to other edits, or that has none, is returned as it is.

    Args:
        answer: The text that the edits index.
        edits: Sorted and disjoint; so is the result.
    """
    grown: list[Edit] = []
    for k, edit in enumerate(edits):
        if edit.replacement and edit.span.text:
            grown.append(edit)
            continue
        floor = grown[-1].span.end_char if grown else 0
        ceiling = edits[k + 1].span.start_char if k + 1 < len(edits) else len(answer)
        grown.append(_grown(answer, edit, floor, ceiling))
    return tuple(grown)


def _grown(answer: str, edit: Edit, floor: int, ceiling: int) -> Edit:
    start, end = edit.span.start_char, edit.span.end_char
    if (left := _WORD_LEFT.search(answer[floor:start])) is not None:
        at = floor + left.start()
        if (at == floor or answer[at - 1].isspace()) and is_boundary(answer, at):
            kept = left[0] if edit.replacement or not left[0][-1:].isspace() else left[0].rstrip()
            return _with(answer, edit, at, end, f"{kept}{edit.replacement}")
    if (right := _WORD_RIGHT.match(answer[end:ceiling])) is not None:
        at = end + right.end()
        if (at == len(answer) or answer[at].isspace()) and is_boundary(answer, at):
            kept = right[0] if edit.replacement or start > 0 else right[0].lstrip()
            return _with(answer, edit, start, at, f"{edit.replacement}{kept}")
    return edit


def _with(answer: str, edit: Edit, start: int, end: int, replacement: str) -> Edit:
    span = span_of(answer, start, end)
    return edit.model_copy(update={"span": span, "replacement": replacement, "grown": True})
