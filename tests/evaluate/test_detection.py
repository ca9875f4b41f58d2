import json
from pathlib import Path

import pytest

from medprefkit.errors import SourceError
from medprefkit.evaluate.detection import GoldError, GoldRow, expected_text, match_spans, read_gold, score_detection
from medprefkit.offsets import span_of
from medprefkit.records import Edit, ErrorType

GOLD = Path(__file__).parents[3] / "shared" / "data" / "gold"


def edit(text: str, start: int, end: int, replacement: str, kind: ErrorType = "false_finding") -> Edit:
    span = span_of(text, start, end)
    return Edit(phrase_id=1, span=span, claim_span=span, replacement=replacement, error_type=kind)


#                0         1         2         3
#                0123456789012345678901234567890123456
ANSWER = "Left effusion. A large mass is seen."
ROW = GoldRow(
    "a",
    "report",
    ANSWER,
    (
        GoldError(0, 4, "wrong_laterality", "Right"),
        GoldError(15, 27, "false_finding", "No mass"),
        GoldError(len(ANSWER), len(ANSWER), "missing_finding", " Fracture."),
    ),
    ((5, 13),),
)


def test_worked_numbers() -> None:
    # found: the laterality exactly; "A large" (7 of 12 characters, IoU .58) with another type and a worse replacement
    found = {"a": (edit(ANSWER, 0, 4, "Right", "wrong_laterality"), edit(ANSWER, 15, 22, "No", "wrong_severity"))}
    report = score_detection([ROW], found, {"a": "Right effusion. No mass is seen."}, n_resamples=50)
    assert report.spans.f1.value == 1.0  # 2 matched of 2 found and 2 labelled: the omission has no characters
    assert report.exact.f1.value == pytest.approx(0.5)  # 2 * 1 / (2 + 2)
    assert report.characters.precision.value == 1.0  # 11 of 11
    assert report.characters.recall.value == pytest.approx(11 / 16)
    assert report.type_accuracy.value == pytest.approx(0.5)
    assert report.edited_text_equal.value == 1.0
    assert report.unverifiable_left_alone.value == 1.0
    assert report.changed_tokens.value == pytest.approx(3 / 9)  # Left, A, large of 7 words and 2 stops
    assert report.n_omissions == 1
    assert report.false_alarms.value is None  # no clean answer
    assert report.by_error_type["false_finding"].recall.value == 0.0
    assert report.by_error_type["wrong_laterality"].f1.value == 1.0


def test_marking_everything_scores_badly() -> None:
    report = score_detection([ROW], {"a": (edit(ANSWER, 0, len(ANSWER), ""),)}, {"a": ""}, n_resamples=10)
    assert report.spans.f1.value == 0.0
    assert report.unverifiable_left_alone.value == 0.0


def test_an_edit_of_a_clean_answer_is_a_false_alarm() -> None:
    clean = GoldRow("b", "vqa", "Yes.", ())
    report = score_detection([clean, ROW], {"b": (edit("Yes.", 0, 3, "No"),)}, {"b": "No."}, n_resamples=10)
    assert report.false_alarms.value == 1.0
    assert report.false_alarms.n == 1
    assert report.by_task["vqa"].precision.value == 0.0
    assert report.edited_text_equal.n == 1


def test_one_span_matches_one_label() -> None:
    # two found spans hold half of the label each: IoU .5 both, one of them counts
    assert match_spans([(0, 5), (5, 10)], [(0, 10)]) == ((0, 0),)
    assert match_spans([(0, 4)], [(0, 10)]) == ()
    assert match_spans([], [(0, 10)]) == ()
    # the better overlap wins, whatever the order
    assert match_spans([(0, 6), (0, 9)], [(0, 10)]) == ((1, 0),)


def test_intervals_are_seeded_and_hold_the_value() -> None:
    rows = [ROW, GoldRow("b", "vqa", "Yes.", (GoldError(0, 3, "false_finding", "No"),))]
    found = {"b": (edit("Yes.", 0, 3, "No"),)}
    one = score_detection(rows, found, {"b": "No."}, n_resamples=200, seed=3)
    two = score_detection(rows, found, {"b": "No."}, n_resamples=200, seed=3)
    assert one == two
    recall = one.spans.recall
    assert recall.value == pytest.approx(1 / 3)
    assert recall.low is not None
    assert recall.high is not None
    assert recall.low <= 1 / 3 <= recall.high


def test_nothing_to_score() -> None:
    report = score_detection([], {}, {}, n_resamples=10)
    assert report.n_answers == 0
    assert report.spans.f1.value is None
    assert json.dumps(report.as_json())


def test_expected_text_leaves_omissions_out() -> None:
    assert expected_text(ROW) == "Right effusion. No mass is seen."


def test_a_gold_row_must_say_what_stands_there() -> None:
    row = {"id": "x", "task": "vqa", "response": "Yes", "errors": [], "unverifiable": []}
    wrong = {"start": 0, "end": 3, "text": "No", "type": "false_finding", "correction": "No"}
    with pytest.raises(SourceError, match="is 'Yes', not 'No'"):
        read_gold(row | {"errors": [wrong]})
    with pytest.raises(SourceError, match="no 'response'"):
        read_gold({"id": "x", "task": "vqa"})
    with pytest.raises(SourceError, match="list of objects"):
        read_gold(row | {"errors": "none"})
    with pytest.raises(SourceError, match="character offset"):
        read_gold(row | {"unverifiable": [{"start": "0", "end": 1}]})


@pytest.mark.skipif(not GOLD.is_dir(), reason="labelled files are not beside the repository")
@pytest.mark.parametrize("name", ["gold_dev.jsonl", "gold_dev2.jsonl"])
def test_the_labels_score_one_against_themselves(name: str) -> None:
    rows = [read_gold(json.loads(line)) for line in (GOLD / name).read_text("utf-8").splitlines()]
    edits = {
        row.id: tuple(
            edit(row.answer, e.start_char, e.end_char, e.correction, e.error_type)  # type: ignore[arg-type]  # a str
            for e in row.errors
            if e.end_char > e.start_char
        )
        for row in rows
    }
    report = score_detection(rows, edits, {row.id: expected_text(row) for row in rows}, n_resamples=20)
    assert report.spans.f1.value == report.exact.f1.value == report.edited_text_equal.value == 1.0
    assert report.type_accuracy.value == 1.0
