"""Known errors, counted: what is called wrong, what is edited, what comes back; and the two commands."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medprefkit.cli.app import app
from medprefkit.errors import RecipeError
from medprefkit.evaluate.injected import InjectedReading, score_injected
from medprefkit.evaluate.readings import Judged
from medprefkit.inject.candidates import Candidate
from medprefkit.inject.inject import inject_one
from medprefkit.measure import Tool
from medprefkit.records import Edit

REPORTS = [
    "There is a small left pleural effusion. The heart is normal in size.",
    "No pneumothorax. Mild cardiomegaly. The lungs are clear.",
    "There is no pleural effusion or pneumothorax. Calcified granuloma in the right upper lobe.",
]


def judged(text: str, edits: tuple[Edit, ...], chosen: str) -> Judged:
    return Judged(text, (), (), edits, chosen, (), edits, chosen, (), "" if edits else "no_error_found: none")


def reading(*, edited: bool, shifted: bool = False) -> InjectedReading:
    true = "A left effusion."
    made = inject_one(true, Candidate("wrong_laterality", 2, 6, "right"))
    (error,) = made.errors
    edit = error if not shifted else error.model_copy(update={"error_type": "wrong_location"})
    return InjectedReading(
        "a", error, true, judged(made.text, (edit,) if edited else (), true if edited else made.text)
    )


def test_shares_by_hand() -> None:
    # three texts: undone and typed, undone under another type, missed
    readings = [reading(edited=True), reading(edited=True, shifted=True), reading(edited=False)]
    everything, of_type = score_injected(readings)
    assert (everything.error_type, of_type.error_type) == ("all", "wrong_laterality")
    assert of_type.found.value == of_type.restored.value == pytest.approx(2 / 3)
    assert of_type.typed.value == pytest.approx(1 / 3)
    assert of_type.edited_elsewhere.value == 0
    assert of_type.found.n == 3


def table(folder: Path) -> Path:
    file = folder / "reports.jsonl"
    file.write_text("".join(json.dumps({"uid": str(k), "text": text}) + "\n" for k, text in enumerate(REPORTS)))
    return file


def test_the_commands_make_labels_and_measure_them(tmp_path: Path) -> None:
    run = CliRunner().invoke
    out, misses = tmp_path / "wrong.jsonl", tmp_path / "misses.jsonl"
    arguments = [str(table(tmp_path)), "--text", "text", "--id", "uid"]
    made = run(app, ["inject", *arguments, "--out", str(out), "--errors", "2"], catch_exceptions=False)
    assert "3 of 3 reports made wrong" in made.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["reference"] for row in rows] == REPORTS
    assert all(row["response"][e["start"] : e["end"]] == e["text"] for row in rows for e in row["errors"])

    scored = run(app, ["evaluate", "detection", "--gold", str(out), "--json"], catch_exceptions=False)
    assert json.loads(scored.output)

    measured = run(
        app, ["evaluate", "injected", *arguments, "--per-type", "2", "--json", "--misses", str(misses)],
        catch_exceptions=False,
    )  # fmt: skip
    report = json.loads(measured.output[: measured.output.rindex("}") + 1])
    assert report["false_finding"]["found"]["n"] == 2
    assert report["all"]["called_wrong"]["value"] > 0
    missed = [json.loads(line) for line in misses.read_text().splitlines()]
    assert all("[" in row["wrong"] for row in missed)


@pytest.mark.parametrize(
    ("option", "says"),
    [("closed_world", "write key=value"), ("a=[", "is not YAML"), ("worlds=1", "reference.with: worlds")],
)
def test_a_checker_s_options_are_checked(option: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        Tool(detect="lexicon", check="reference", edit="minimal", check_with=[option])
    Tool(detect="lexicon", check="reference", edit="minimal", check_with=["closed_world=true"])
