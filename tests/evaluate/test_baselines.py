from hypothesis import given
from hypothesis import strategies as st

from medprefkit.evaluate.baselines import BASELINES, sentences, token_diff, whole_answer
from medprefkit.offsets import apply_edits

ANSWER = "The heart is large. No effusion."
REFERENCE = "the heart is normal. Clear lungs."


def test_token_diff_marks_runs_of_other_words() -> None:
    edits, text = token_diff(ANSWER, REFERENCE)
    assert [(e.span.text, e.replacement) for e in edits] == [("large", "normal"), ("No effusion", "Clear lungs")]
    assert text == REFERENCE


def test_token_diff_marks_what_the_reference_lacks() -> None:
    edits, _ = token_diff("Large left effusion", "Effusion")
    assert [(e.span.text, e.replacement) for e in edits] == [("Large left", "")]


def test_a_sentence_of_the_reference_is_not_marked() -> None:
    edits, text = sentences("Clear  lungs. A mass of 3.2 cm. Done", REFERENCE)
    assert [e.span.text for e in edits] == ["A mass of 3.2 cm.", "Done"]
    assert text == "Clear  lungs."


def test_the_whole_answer_is_one_mark_unless_it_is_the_reference() -> None:
    assert [e.span.text for e in whole_answer(ANSWER, REFERENCE).edits] == [ANSWER]
    assert whole_answer("THE heart", "the  heart").edits == ()
    assert whole_answer("", "No").edits == ()


@given(st.text(alphabet="ab. ,İ🫁\n", max_size=30), st.text(alphabet="ab. ,İ🫁\n", max_size=30))
def test_marks_are_disjoint_and_hold_their_words(answer: str, reference: str) -> None:
    for mark in BASELINES.values():
        apply_edits(answer, mark(answer, reference).edits)  # raises where a span is wrong or two overlap
        assert mark(answer, answer).edits == ()
