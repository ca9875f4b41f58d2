import json

from made_readings import contradicted, edit, judged

from medprefkit.evaluate.alarms import count_alarms, describe_alarms

TEXT = "No mass. \x1b[31mLeft side."


def test_alarms_are_counted_by_rule_and_shown_with_their_words() -> None:
    wrong = judged(TEXT, kept=(edit(TEXT, 0, 2, "A"),), verdicts=(contradicted(TEXT, "c0", 0, 2),))
    refused = judged(TEXT, verdicts=(contradicted(TEXT, "c0", 3, 7),), abstained="edit_refused: why")
    fine = judged(TEXT, abstained="no_error_found: every checkable claim holds")
    report = count_alarms([("b", refused), ("a", wrong), ("c", fine)])
    assert (report.n_texts, report.n_edited, report.n_contradicted) == (3, 1, 2)
    assert report.by_rule == {"hand_rule": 2}
    assert report.outcomes == {"edit_refused": 1, "edited": 1, "no_error_found": 1}
    assert [(alarm.id, alarm.words, alarm.edited) for alarm in report.alarms] == [
        ("a", "No", True),
        ("b", "mass", False),
    ]
    lines = describe_alarms(report).splitlines()
    assert "     1  texts edited (should be 0)" in lines
    assert "a  hand_rule, false_finding -> A" in lines
    assert "    ...[No] mass.  [31mLeft side...." in lines  # no character of the text steers the terminal
    assert json.dumps(report.as_json())


def test_no_text_no_alarm() -> None:
    report = count_alarms([])
    assert (report.n_texts, report.alarms) == (0, ())
    assert describe_alarms(report).startswith("0 texts")
