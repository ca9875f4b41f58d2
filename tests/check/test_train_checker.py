"""`medprefkit train-checker` on a tiny BERT: trains, is killed and goes on, calibrates, saves, is measured and used."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medprefkit import train_checker as training
from medprefkit.check.label_map import read_settings
from medprefkit.check.nli import NliChecker
from medprefkit.check.pairs import Pair
from medprefkit.cli.app import app
from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.errors import RecipeError, TrainError
from medprefkit.recipe import Recipe, parse_recipe
from tests.check.test_pairs import TEXTS
from tests.check.test_reference import read
from tests.check.tiny_bert import save_tiny_bert


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    rows = [{"id": f"{k}", "patient": f"p{k}", "reference": f"{TEXTS[k % 6]} Study {k}."} for k in range(36)]
    (folder / "reports.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    save_tiny_bert(folder / "bert", TEXTS)
    return folder


def recipe(data: Path) -> Recipe:
    columns = {"id": "id", "group": "patient", "prompt": None, "image": None, "reference": "reference"}
    source = {"format": "table", "path": "reports.jsonl", "name": "made", "licence": "CC0", "prompt": "Describe it."}
    return parse_recipe(
        {
            "recipe_version": "1.0",
            "name": "tiny",
            "data_root": str(data),
            "sources": [source | {"columns": columns}],
            "publish": {"title": "tiny"},
        },
        where="tiny",
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def test_reports_are_split_by_patient_and_their_words_are_on_one_side(data: Path) -> None:
    reports = training.read_reports(recipe(data), seed=0)
    assert sum(map(len, reports)) == 36
    groups = [{r.group_id for r in part} for part in reports]
    assert len(set.union(*groups)) == sum(map(len, groups)), "a patient is on one side only"
    assert all(reports)


@pytest.fixture(scope="module")
def parts(data: Path) -> tuple[list[Pair], list[Pair], list[Pair]]:
    reports = training.read_reports(recipe(data), seed=0)
    return training.make_parts(reports, LexiconDetector(), seed=0, n_pairs=64, max_reference_words=24)


def test_a_killed_training_goes_on_to_the_same_bytes(
    data: Path, parts: tuple[list[Pair], list[Pair], list[Pair]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    from medprefkit.check.training import Options, train_encoder

    pairs, calibration, held_out = parts
    options = Options(str(data / "bert"), "bert", batch_size=8, save_steps=3, learning_rate=1e-3, max_tokens=64)

    def train(out: Path, options: Options = options, *, resume: bool = False) -> str:
        saved = train_encoder(pairs, calibration, out, options, trained_on="made", resume=resume)
        return training.write_report(training.Trained(out, saved, held_out))

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    tables = train(whole)
    assert "Held-out reports" in tables
    assert "expected calibration error" in tables
    steps = Trainer.training_step

    def dies(self: Trainer, *arguments: object, **options: object) -> object:
        if self.state.global_step >= 5:
            raise KeyboardInterrupt
        return steps(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "training_step", dies)
        with pytest.raises(KeyboardInterrupt):
            train(cut)
    assert (cut / "checkpoints" / "checkpoint-3").is_dir()
    with pytest.raises(TrainError, match="--resume continues it"):
        train(cut)
    with pytest.raises(TrainError, match="begun with other options"):
        train(cut, options._replace(seed=1), resume=True)
    assert train(cut, resume=True) == tables
    assert files(cut) == files(whole)
    assert not (cut / "checkpoints").exists()

    assert {"model.safetensors", "config.json", "checker.json", "report.json", "README.md"} <= set(files(whole))
    settings = read_settings(str(whole))
    assert (settings.claim_form, settings.claim_first, settings.encoder) == ("focus", True, "bert")
    assert json.loads((whole / "report.json").read_text())["held_out"]["accuracy"]["n"] >= 100
    assert str(data) not in (whole / "README.md").read_text()
    (verdicts,) = NliChecker(model=str(whole))([read("There is no effusion.", TEXTS[0])])
    assert len(verdicts) == 1


def test_the_two_commands(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    from medprefkit.recipe import recipe_yaml

    file.write_text(recipe_yaml(recipe(data)))
    out, differing = tmp_path / "checker", tmp_path / "differing.jsonl"
    arguments = [str(file), "--set", f"data_root={data}"]
    options = ["--model", str(data / "bert"), "--pairs", "48", "--max-tokens", "64"]
    trained = CliRunner().invoke(
        app, ["train-checker", *arguments, "--out", str(out), *options], catch_exceptions=False
    )
    assert f"checker    {out}" in trained.output
    command = ["evaluate", "checker", *arguments, "--model", str(out), "--limit", "30", "--differing", str(differing)]
    shown = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "Held-out paraphrases" in shown.output
    for name in ("rules", "model", "ensemble"):
        assert name in shown.output
    for line in differing.read_text().splitlines():
        row = json.loads(line)
        assert row["rules"] != row["model"]


def test_what_cannot_teach_is_refused(data: Path, tmp_path: Path) -> None:
    plain = recipe(data)
    phantoms = parse_recipe(
        {"recipe_version": "1.0", "name": "p", "sources": [{"format": "phantom"}], "publish": {"title": "p"}}, where="p"
    )
    with pytest.raises(RecipeError, match="phantoms have no reports"):
        training.read_reports(phantoms, seed=0)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").write_text("x")
    with pytest.raises(TrainError, match="is not empty"):
        training.train_checker(plain, tmp_path / "used", model=str(data / "bert"), n_pairs=12)
