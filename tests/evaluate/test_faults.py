from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from made_readings import two_readings

from medprefkit.evaluate.faults import cut, find_faults


def test_every_miss_and_false_alarm_is_there_with_what_was_said() -> None:
    report, question, corrected = find_faults(two_readings())
    assert [(f.kind, f.text, f.error_type, f.becomes) for f in report.faults] == [
        ("miss", "Left", "wrong_laterality", "Right"),
        ("false alarm", "|No|", "false_negation", "A"),
    ]
    assert report.faults[0].said == ()
    assert [said.verdict.rule for said in report.faults[1].said] == ["hand_rule"]
    assert [f.kind for f in question.faults] == ["miss"]
    assert (question.abstained, question.edited) == ("edit_incomplete: still wrong", "")
    assert (corrected.what, [f.kind for f in corrected.faults]) == ("labelled correction", ["false alarm"])


def test_a_right_answer_is_not_shown() -> None:
    assert find_faults([]) == ()
    report, *_ = two_readings()
    assert all(text.what == "answer" for text in find_faults([report]))


def test_a_text_is_cut_where_its_marks_change() -> None:
    pieces = cut("abcdefgh", [(1, 4)], [(3, 6)])
    assert [tuple(piece) for piece in pieces] == [
        ("a", ""), ("bc", "missed"), ("d", "found"), ("ef", "alarm"), ("gh", ""),
    ]  # fmt: skip
    assert cut("", [], []) == ()


def test_the_claim_that_an_edit_is_made_for_is_shown_wherever_it_stands() -> None:
    report = two_readings()[0]
    mass, no = report.answer.kept
    elsewhere = no.model_copy(update={"claim_ids": ("c0",)})
    answer = replace(report.answer, kept=(mass, elsewhere))
    (shown,) = find_faults([replace(report, answer=answer)])
    assert [said.verdict.claim_id for said in shown.faults[1].said] == ["c0", "c1"]


RANGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted).map(tuple), max_size=4)


@given(st.text(min_size=9, max_size=9), RANGES, RANGES)
def test_the_pieces_join_to_the_text(text: str, labels: list[tuple[int, int]], edits: list[tuple[int, int]]) -> None:
    pieces = cut(text, labels, edits)
    assert "".join(piece.text for piece in pieces) == text
    n_labelled = len({k for start, end in labels for k in range(start, end)})
    assert sum(len(p.text) for p in pieces if p.mark in {"found", "missed"}) == n_labelled
