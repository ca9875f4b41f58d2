import json

import pytest
from made_readings import two_readings

from medprefkit.errors import SourceError
from medprefkit.evaluate.comparison import compare
from medprefkit.evaluate.readings import read_labelled


def test_worked_numbers_of_the_three_ways() -> None:
    comparison = compare(two_readings(), n_resamples=20)
    kept, proposed, verdicts = comparison.measures[:3]
    assert [m.name for m in comparison.measures][:3] == ["edits kept", "proposed", "verdicts"]
    # labels 3; kept 2, of them 1 matched: 2 * 1 / (2 + 3)
    assert kept.detection.spans.f1.value == pytest.approx(2 / 5)
    # proposed 3, of them 2 matched: 2 * 2 / (3 + 3); the verdicts point at the same words
    assert proposed.detection.spans.f1.value == verdicts.detection.spans.f1.value == pytest.approx(4 / 6)
    assert kept.detection.type_accuracy.value == 1.0
    assert kept.detection.edited_text_equal.value == 0.0
    assert proposed.detection.edited_text_equal.value == pytest.approx(1 / 2)  # "No." is the label's
    assert verdicts.detection.edited_text_equal.value is None


def test_what_is_left_after_the_edits() -> None:
    kept, proposed, verdicts = compare(two_readings(), n_resamples=20).measures[:3]
    # of the one answer with a kept edit, "Left" stays
    assert (kept.label_left.value, kept.label_left.n) == (1.0, 1)
    # of the two with a proposed one, the first keeps "Left"
    assert (proposed.label_left.value, proposed.label_left.n) == (0.5, 2)
    assert kept.reading_left.value == 0.0
    assert proposed.reading_left.value == 0.5  # the second, read again
    assert verdicts.reading_left.value is None


def test_the_labelled_corrections_are_clean_answers() -> None:
    measures = compare(two_readings(), n_resamples=20).measures
    assert measures[0].corrected_touched.value == 0.5
    assert measures[0].corrected_touched.n == 2
    assert measures[0].detection.false_alarms.value is None  # no answer of the two is clean


def test_tasks_and_types_are_measured_apart() -> None:
    comparison = compare(two_readings(), n_resamples=20)
    assert comparison.by_task["report"][0].detection.spans.recall.value == 0.5
    assert comparison.by_task["vqa"][0].detection.spans.recall.value == 0.0
    assert list(comparison.by_type) == ["false_finding", "wrong_laterality"]  # two labels, then one
    assert comparison.by_type["false_finding"].found.value == 0.5
    assert comparison.by_type["wrong_laterality"].spans.precision.value is None
    assert comparison.outcomes == {"edited": 1, "edit_incomplete": 1}


def test_nothing_to_compare_and_json() -> None:
    empty = compare([], n_resamples=5)
    assert empty.measures[0].detection.spans.f1.value is None
    assert empty.by_task == {}
    assert json.loads(json.dumps(compare(two_readings(), n_resamples=5).as_json()))["outcomes"]["edited"] == 1


def test_a_labelled_answer_needs_its_question_and_reference() -> None:
    row = {"id": "x", "task": "vqa", "response": "Yes", "errors": [], "unverifiable": []}
    with pytest.raises(SourceError, match="no text under 'prompt'"):
        read_labelled(row)
    with pytest.raises(SourceError, match="no text under 'reference'"):
        read_labelled(row | {"prompt": "Is it?", "reference": None})
    assert read_labelled(row | {"prompt": "Is it?", "reference": "No"}).reference == "No"
