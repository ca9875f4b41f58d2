"""Are marked phrases where they say they are? Offsets in range, in order, and the texts equal outside of them."""

import itertools
from collections.abc import Sequence

from medprefkit.formats.pair import FormatPair, Mark


def span_faults(pair: FormatPair) -> tuple[str, ...]:
    """Return what is wrong with a pair's marks, in words; empty where all is well or nothing is marked."""
    faults: list[str] = []
    for side, text, marks in (
        ("chosen", pair.chosen, pair.chosen_marks),
        ("rejected", pair.rejected, pair.rejected_marks),
    ):
        if any(not 0 <= mark.start_char <= mark.end_char <= len(text) for mark in marks):
            faults.append(f"a span of {side} leaves the text")
        ordered = sorted(marks)
        if any(one.end_char > other.start_char for one, other in itertools.pairwise(ordered)):
            faults.append(f"spans of {side} overlap")
        if len({mark.phrase_id for mark in marks}) != len(marks):
            faults.append(f"two spans of {side} have one phrase id")
    if faults:
        return tuple(faults)
    if {mark.phrase_id for mark in pair.chosen_marks} != {mark.phrase_id for mark in pair.rejected_marks}:
        faults.append("a phrase of one text has no partner in the other")
    elif _outside(pair.chosen, pair.chosen_marks) != _outside(pair.rejected, pair.rejected_marks):
        faults.append("the texts differ outside the spans")
    return tuple(faults)


def _outside(text: str, marks: Sequence[Mark]) -> list[str]:
    edges = [0, *(edge for mark in sorted(marks) for edge in (mark.start_char, mark.end_char)), len(text)]
    return [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
