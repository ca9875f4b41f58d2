"""Characters: the one pure function that applies edits, its inverse, and where a grapheme may be cut.

Offsets are Python string indices, that is Unicode code points; nothing here lowercases, strips or normalizes a text.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from medprefkit.errors import SpanError
from medprefkit.records import Edit, PhraseSpan, PreferencePair, Span

_ZERO_WIDTH_JOINER = "\u200d"
_WORD = re.compile(r"\S+")


class EditedText(NamedTuple):
    """A text after its edits; `spans[k]` is where the k-th edit, in order of position, now stands."""

    text: str
    spans: tuple[Span, ...]


def span_of(text: str, start_char: int, end_char: int) -> Span:
    """Return the span of `text[start_char:end_char]`.

    Raises:
        SpanError: If the range is not inside the text.
    """
    if not 0 <= start_char <= end_char <= len(text):
        raise SpanError(f"[{start_char}, {end_char}) is not inside a text of {len(text)} characters")
    return Span.of_known(start_char=start_char, end_char=end_char, text=text[start_char:end_char])


def apply_edits(answer: str, edits: Sequence[Edit]) -> EditedText:
    """Rewrite `answer` so that it differs from the original only inside the edits.

    Args:
        answer: The model's own text; becomes `rejected` unchanged.
        edits: In any order. Spans index `answer`, not a half-edited string.

    Returns:
        The text and the replacements' spans in it, in order of position; the answer itself where there are no edits.

    Raises:
        SpanError: If a span's text is not found at its offsets, or two spans overlap.
    """
    pieces: list[str] = []
    spans: list[Span] = []
    cursor = 0  # first character of `answer` not yet copied
    length = 0  # characters written so far
    for edit in sorted(edits, key=_position):
        start, end = edit.span.start_char, edit.span.end_char
        if start < cursor:
            raise SpanError(f"the edit at {start} overlaps the one before it, which ends at {cursor}")
        if (found := answer[start:end]) != edit.span.text:
            raise SpanError(f"answer[{start}:{end}] is {found!r}, not {edit.span.text!r}")
        pieces += [answer[cursor:start], edit.replacement]
        length += start - cursor
        written = length + len(edit.replacement)
        spans.append(Span.of_known(start_char=length, end_char=written, text=edit.replacement))
        length = written
        cursor = end
    pieces.append(answer[cursor:])
    return EditedText("".join(pieces), tuple(spans))


def invert_edits(answer: str, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Return the edits that turn the edited text back into `answer`, byte for byte.

    Raises:
        SpanError: As `apply_edits`.
    """
    ordered = sorted(edits, key=_position)
    edited = apply_edits(answer, ordered)
    return tuple(
        edit.model_copy(update={"span": span, "claim_span": span, "replacement": edit.span.text})
        for edit, span in zip(ordered, edited.spans, strict=True)
    )


def n_edited_words(text: str, spans: Sequence[PhraseSpan]) -> int:
    """Count the words of `text`, as white space parts them, that hold a character of a span."""
    return sum(
        any(span.start_char < word.end() and word.start() < span.end_char for span in spans)
        for word in _WORD.finditer(text)
    )


def edited_word_share(pair: PreferencePair) -> float:
    """Return the share, 0 to 1, of the words of both texts together that edits touch; 0 for two empty texts."""
    n_words = len(pair.chosen.split()) + len(pair.rejected.split())
    n_edited = n_edited_words(pair.chosen, pair.chosen_spans) + n_edited_words(pair.rejected, pair.rejected_spans)
    return n_edited / n_words if n_words else 0.0


def is_boundary(text: str, position: int) -> bool:
    """Tell whether a text may be cut here without splitting a user-perceived character.

    Refuses to cut before a combining mark, a variation selector or a joiner, after a joiner, and inside a CRLF.
    """
    if position <= 0 or position >= len(text):
        return 0 <= position <= len(text)
    before, after = text[position - 1], text[position]
    joined = unicodedata.combining(after) != 0 or unicodedata.category(after) in {"Mn", "Me"}
    return not (joined or _ZERO_WIDTH_JOINER in (before, after) or (before == "\r" and after == "\n"))


def _position(edit: Edit) -> tuple[int, int]:
    return edit.span.start_char, edit.span.end_char
