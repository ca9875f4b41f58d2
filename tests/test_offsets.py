"""Laws of the one function that edits: outside untouched, inside as told, invertible byte for byte."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medprefkit.errors import SpanError
from medprefkit.offsets import apply_edits, invert_edits, is_boundary, span_of
from medprefkit.records import Edit

ODD = st.sampled_from("İé\u0301👩\u200d⚕️ß\r\n ")
TEXTS = st.text(alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), ODD), max_size=60)


def edit(text: str, start: int, end: int, replacement: str, number: int = 1) -> Edit:
    span = span_of(text, start, end)
    return Edit(phrase_id=number, span=span, claim_span=span, replacement=replacement, error_type="false_finding")


@st.composite
def answers_with_edits(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    answer = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(answer)), max_size=8)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    return answer, [edit(answer, start, end, draw(TEXTS), k) for k, (start, end) in enumerate(pairs, 1)]


def cut(text: str, spans: Any) -> list[str]:
    edges = [0, *(edge for span in spans for edge in (span.start_char, span.end_char)), len(text)]
    return [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]


@given(answers_with_edits(), st.randoms())
def test_text_outside_the_edits_is_untouched(case: tuple[str, list[Edit]], random: Any) -> None:
    answer, edits = case
    chosen, spans = apply_edits(answer, random.sample(edits, len(edits)) if _distinct(edits) else edits)
    assert cut(chosen, spans) == cut(answer, [e.span for e in edits])
    assert [chosen[s.start_char : s.end_char] for s in spans] == [e.replacement for e in edits]


@given(answers_with_edits())
def test_edits_are_invertible_byte_for_byte(case: tuple[str, list[Edit]]) -> None:
    answer, edits = case
    chosen = apply_edits(answer, edits).text
    assert apply_edits(chosen, invert_edits(answer, edits)).text.encode() == answer.encode()


def _distinct(edits: list[Edit]) -> bool:
    """Zero-width edits at one place keep the order they are given in, so only distinct places may be shuffled."""
    return len({(e.span.start_char, e.span.end_char) for e in edits}) == len(edits)


def test_no_edits_change_nothing() -> None:
    assert apply_edits("No effusion.", []) == ("No effusion.", ())


def test_an_overlap_and_a_text_that_is_not_there_are_refused() -> None:
    answer = "a large effusion"
    with pytest.raises(SpanError, match="overlaps"):
        apply_edits(answer, [edit(answer, 0, 7, "no"), edit(answer, 2, 9, "x")])
    with pytest.raises(SpanError, match="'small', not 'large'"):
        apply_edits("a small effusion", [edit(answer, 2, 7, "no")])
    with pytest.raises(SpanError, match="not inside"):
        span_of(answer, 3, 99)


@pytest.mark.parametrize(
    ("text", "position", "may"),
    [
        ("ab", 1, True),
        ("e\u0301", 1, False),
        ("\r\n", 1, False),
        ("👩\u200d⚕", 1, False),
        ("👩\u200d⚕", 2, False),
        ("ab", 0, True),
        ("ab", 2, True),
        ("ab", 3, False),
    ],
)
def test_a_grapheme_is_not_cut(text: str, position: int, may: bool) -> None:
    assert is_boundary(text, position) is may
