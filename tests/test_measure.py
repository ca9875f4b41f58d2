"""The shipped tool is run over labelled answers and texts, and the commands say what was measured."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medprefkit import measure
from medprefkit.cli.app import app
from medprefkit.errors import RecipeError, SourceError

LABELLED = Path(__file__).parent / "evaluate" / "labelled.jsonl"


@pytest.fixture(scope="module")
def tool() -> measure.Tool:
    return measure.Tool(detect="lexicon", check="reference", edit="minimal")


def test_labelled_answers_are_judged_as_a_run_would(tool: measure.Tool) -> None:
    readings = measure.measure_labelled(tool, measure.read_labels(LABELLED))
    effusion, _, right, _ = readings
    assert [e.claim_span.text for e in effusion.answer.kept] == ["a large left pleural effusion"]
    assert effusion.answer.kept_text == effusion.corrected.text
    assert effusion.answer.outcome == "edited"
    assert (right.answer.kept, right.answer.outcome) == ((), "no_error_found")
    for reading in readings:
        assert reading.answer.left_in_kept == ()
        assert reading.corrected.kept == ()


def test_the_order_and_the_size_of_a_batch_change_nothing(tool: measure.Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled = measure.read_labels(LABELLED)
    whole = measure.measure_labelled(tool, labelled)
    monkeypatch.setattr(measure, "_BATCH", 1)
    assert measure.measure_labelled(tool, labelled[::-1])[::-1] == whole


def test_a_text_agrees_with_itself(tool: measure.Tool, tmp_path: Path) -> None:
    table = tmp_path / "reports.csv"
    table.write_text('uid,findings,impression\n7,"No effusion.","Cardiomegaly."\n8,,\n', "utf-8")
    texts = measure.read_texts(table, columns=["findings", "impression"], id_column="uid")
    assert texts == [measure.OwnText("7", "No effusion.\nCardiomegaly.")]
    ((_, judged),) = measure.measure_self(tool, texts, prompt="Describe the image.")
    assert (judged.contradicted, judged.outcome) == ((), "no_error_found")
    assert measure.read_texts(table, columns=["findings"], id_column=None)[0].id == "1"


def test_files_that_cannot_be_measured(tmp_path: Path) -> None:
    twice = tmp_path / "twice.jsonl"
    twice.write_text(LABELLED.read_text("utf-8") * 2, "utf-8")
    with pytest.raises(SourceError, match="'chest-1' stands twice"):
        measure.read_labels(twice)
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{\n", "utf-8")
    with pytest.raises(SourceError, match="line 1: not JSON"):
        measure.read_labels(broken)
    with pytest.raises(SourceError, match="no column 'text'"):
        measure.read_texts(LABELLED, columns=["text"], id_column=None)
    with pytest.raises(RecipeError, match="no checker named 'oracle'"):
        measure.Tool(detect="lexicon", check="oracle", edit="minimal")


def test_the_command_prints_tables_and_writes_the_report(tmp_path: Path) -> None:
    copy = tmp_path / "labelled.jsonl"
    copy.write_bytes(LABELLED.read_bytes())
    report = tmp_path / "report"
    done = CliRunner().invoke(
        app, ["evaluate", "detection", "--gold", str(LABELLED), "--gold", str(copy), "--report", str(report)]
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.count("All answers, 4") == 2
    assert f"{copy}\n" in done.stdout  # two files of one name are told apart by their folders
    for line in ("F1 at IoU .5", "corrected answers edited", "whole answer", "Task: vqa, 2", "wrong laterality"):
        assert line in done.stdout
    assert "<b>" not in (report / "report.html").read_text("utf-8")


def test_the_commands_print_json(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["evaluate", "detection", "--gold", str(LABELLED), "--json"])
    measured = json.loads(done.stdout)["labelled.jsonl"]
    assert [m["name"] for m in measured["measures"]][-1] == "whole answer"
    assert measured["measures"][0]["detection"]["false_alarms"]["n"] == 1
    own = CliRunner().invoke(app, ["evaluate", "self", str(LABELLED), "--text", "reference", "--id", "id", "--json"])
    assert json.loads(own.stdout)["n_edited"] == 0
