"""What needs no medical knowledge: three ways to mark errors that a detector must beat on the same measures.

Each takes an answer and its reference and returns edits. All call what they mark `false_finding`, the commonest type.
"""

import difflib
import re
from collections.abc import Callable
from typing import NamedTuple

from medprefkit.evaluate.detection import TOKEN
from medprefkit.offsets import span_of
from medprefkit.records import Edit

_SENTENCE = re.compile(r"\S(?:.*?)(?:[.!?](?=\s|$)|$)", re.M)


class Marked(NamedTuple):
    """What a baseline marks and the text that it would make of the answer."""

    edits: tuple[Edit, ...]
    text: str


def token_diff(answer: str, reference: str) -> Marked:
    """Mark every run of words and marks that a diff against the reference replaces or deletes, case apart."""
    ours, theirs = list(TOKEN.finditer(answer)), list(TOKEN.finditer(reference))
    diff = difflib.SequenceMatcher(
        None, [t.group().casefold() for t in ours], [t.group().casefold() for t in theirs], autojunk=False
    )
    spans = []
    for tag, start, end, other_start, other_end in diff.get_opcodes():
        if tag in {"replace", "delete"}:
            words = reference[theirs[other_start].start() : theirs[other_end - 1].end()] if tag == "replace" else ""
            spans.append((ours[start].start(), ours[end - 1].end(), words))
    return Marked(_edits(answer, spans), reference)


def sentences(answer: str, reference: str) -> Marked:
    """Mark every sentence that does not stand in the reference word for word, case apart; they are left out."""
    known = {_words(sentence.group()) for sentence in _SENTENCE.finditer(reference)}
    found = list(_SENTENCE.finditer(answer))
    new = [sentence for sentence in found if _words(sentence.group()) not in known]
    kept = " ".join(sentence.group() for sentence in found if sentence not in new)
    return Marked(_edits(answer, [(*sentence.span(), "") for sentence in new]), kept)


def whole_answer(answer: str, reference: str) -> Marked:
    """Mark the whole answer, unless it is the reference, and put the reference in its place."""
    if _words(answer) == _words(reference) or not answer:
        return Marked((), answer)
    return Marked(_edits(answer, [(0, len(answer), reference)]), reference)


BASELINES: dict[str, Callable[[str, str], Marked]] = {
    "token diff": token_diff,
    "sentences": sentences,
    "whole answer": whole_answer,
}


def _edits(answer: str, spans: list[tuple[int, int, str]]) -> tuple[Edit, ...]:
    marked = []
    for phrase_id, (start, end, replacement) in enumerate(spans, start=1):
        span = span_of(answer, start, end)
        marked.append(
            Edit(
                phrase_id=phrase_id, span=span, claim_span=span, replacement=replacement, error_type="false_finding"
            )
        )  # fmt: skip
    return tuple(marked)


def _words(text: str) -> tuple[str, ...]:
    return tuple(token.casefold() for token in TOKEN.findall(text))
