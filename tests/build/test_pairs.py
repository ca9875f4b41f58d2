"""Pairs: what becomes of an answer and its edits, and what does not become a pair."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from made_pairs import ANSWER, edits_for, make, make_case

from medprefkit.build.grow import grow_empty_edits
from medprefkit.build.pairs import make_pair
from medprefkit.errors import DatasetError
from medprefkit.offsets import apply_edits, edited_word_share
from medprefkit.records import Case, Dropped, Edit, Edits, PhraseSpan, PreferencePair, Span, Verdict, Verdicts

HOW = {"recipe_hash": "0", "package_version": "0"}
PIECES = st.text("ab é́🫁İ\n.,-", max_size=6)


@st.composite
def answers_with_edits(draw: st.DrawFn) -> tuple[str, tuple[Edit, ...]]:
    """An answer of alternating kept and edited pieces; edits may delete, insert, and touch each other."""
    answer, edits = "", []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        answer += draw(PIECES)
        wrong, right = draw(PIECES), draw(PIECES)
        place = Span(start_char=len(answer), end_char=len(answer) + len(wrong), text=wrong)
        answer += wrong
        edits.append(
            Edit(phrase_id=number, span=place, claim_span=place, replacement=right, error_type="wrong_descriptor")
        )
    return answer + draw(PIECES), tuple(edits)


def cut(text: str, spans: tuple[PhraseSpan, ...]) -> list[str]:
    """What lies between the spans."""
    edges = [0, *(edge for span in spans for edge in (span.start_char, span.end_char)), len(text)]
    return [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]


def case_of(answer: str, edits: tuple[Edit, ...]) -> Case:
    case = make_case(answer=answer, changes=())
    chosen = apply_edits(answer, edits).text
    return Case(case.example, case.answer, verdicts=case.verdicts, edits=Edits(id="a", edits=edits, chosen=chosen))


@given(answers_with_edits(), st.booleans())
def test_the_texts_are_equal_outside_the_spans_and_rejected_is_the_answer(
    made: tuple[str, tuple[Edit, ...]], grow: bool
) -> None:
    answer, edits = made
    pair = make_pair(case_of(answer, edits), max_edited_share=1.0, grow_empty_spans=grow, **HOW)
    if isinstance(pair, Dropped):
        assert pair.reason == "no_error_found"
        assert apply_edits(answer, edits).text == answer
        return
    assert pair.rejected == answer
    assert pair.chosen == apply_edits(answer, edits).text
    assert cut(pair.chosen, pair.chosen_spans) == cut(pair.rejected, pair.rejected_spans)
    assert [span.phrase_id for span in pair.chosen_spans] == [span.phrase_id for span in pair.rejected_spans]


@given(answers_with_edits())
def test_growing_changes_spans_and_never_the_text(made: tuple[str, tuple[Edit, ...]]) -> None:
    answer, edits = made
    grown = grow_empty_edits(answer, edits)
    assert apply_edits(answer, grown).text == apply_edits(answer, edits).text
    for before, after in zip(sorted(edits, key=lambda edit: edit.span.start_char), grown, strict=True):
        assert after.grown == (after.span != before.span)
        assert after == before or not (before.span.text and before.replacement)


def test_an_existence_flip_and_a_side_by_hand() -> None:
    pair = make()
    assert pair.rejected == ANSWER
    assert pair.chosen == "The right lung shows no effusion. The heart is normal."
    assert [(span.start_char, span.end_char) for span in pair.rejected_spans] == [(4, 8), (20, 36)]
    assert [(span.start_char, span.end_char) for span in pair.chosen_spans] == [(4, 9), (21, 32)]
    assert [span.lesion_linked for span in pair.chosen_spans] == [True, False]
    # 4 of 11 words on the left (left; a, large, effusion.), 3 of 10 on the right
    assert edited_word_share(pair) == pytest.approx(7 / 21)


@pytest.mark.parametrize(
    ("answer", "wrong", "right", "grown"),
    [
        ("A large mass is seen.", "large ", "", ("large mass", "mass")),
        ("A large mass is seen.", " large", "", (" large mass", " mass")),
        ("No change. Stable mass.", " Stable mass", "", (" Stable mass.", ".")),
        ("Clear lungs. Follow up in May.", " Follow up in May.", "", (". Follow up in May.", ".")),
        ("A mass.", "", "", ("A", "A")),
    ],
)
def test_a_deletion_takes_the_word_that_follows_and_at_the_end_the_one_before(
    answer: str, wrong: str, right: str, grown: tuple[str, str]
) -> None:
    (edit,) = grow_empty_edits(answer, edits_for(answer, [(wrong, right, "false_finding")]))
    assert (edit.span.text, edit.replacement) == grown


def test_an_insertion_at_the_end_grows_to_the_left() -> None:
    end = Span(start_char=5, end_char=5, text="")
    insertion = Edit(phrase_id=1, span=end, claim_span=end, replacement=" mass", error_type="missing_finding")
    (edit,) = grow_empty_edits("A big", [insertion])
    assert (edit.span.text, edit.replacement) == ("big", "big mass")


def test_a_combining_mark_is_never_cut_off_a_grown_span() -> None:
    answer = "no e\u0301dema"  # e with a combining acute
    (edit,) = grow_empty_edits(answer, edits_for(answer, [("no ", "", "false_negation")]))
    assert not edit.span.text.endswith("e")


def test_edits_that_change_nothing_are_no_pair() -> None:
    dropped = make_pair(make_case(changes=[("left", "left", "wrong_laterality")]), **HOW)
    assert isinstance(dropped, Dropped)
    assert (dropped.stage, dropped.reason) == ("build", "no_error_found")


@pytest.mark.parametrize(("label", "reason"), [("supported", "no_error_found"), ("unverifiable", "nothing_checkable")])
def test_without_edits_the_verdicts_tell_why(label: str, reason: str) -> None:
    case = make_case(changes=())
    verdict = Verdict.model_validate({"claim_id": "c0", "label": label, "checker": "r", "rule": "x", "score": 1.0})
    told = Case(case.example, case.answer, verdicts=Verdicts(id="a", verdicts=(verdict,)))
    dropped = make_pair(told, **HOW)
    assert isinstance(dropped, Dropped)
    assert dropped.reason == reason


def test_a_rewrite_is_no_minimal_edit_but_a_short_answer_may_be_wrong_as_a_whole() -> None:
    long = " ".join(f"word{n}" for n in range(20))
    dropped = make_pair(make_case(answer=long, changes=[(long, "other", "false_finding")]), **HOW)
    assert isinstance(dropped, Dropped)
    assert dropped.reason == "edit_not_minimal"
    short = make_pair(make_case(answer="Coronal CT", changes=[("Coronal CT", "Axial MRI", "wrong_modality")]), **HOW)
    assert isinstance(short, PreferencePair)


def test_a_stored_text_that_the_edits_do_not_make_is_refused() -> None:
    case = make_case()
    assert case.edits is not None
    damaged = Case(case.example, case.answer, edits=case.edits.model_copy(update={"chosen": "Something else."}))
    with pytest.raises(DatasetError, match="do not make the text"):
        make_pair(damaged, **HOW)
