"""Thresholds of `vlm` from labelled answers: shown by a bound, none from noise, no error from perfect scores."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from asking import DETECTOR
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import completion, images_of, serve, text_of, top_logprobs
from PIL import Image
from typer.testing import CliRunner

from medprefkit.check.calibration import claims_needed, proven_threshold
from medprefkit.cli import app as cli
from medprefkit.errors import ModelError, RecipeError, SourceError
from medprefkit.evaluate.detection import GoldError, GoldRow
from medprefkit.measure import Tool
from medprefkit.measure_vlm import Labels, ScoredClaim, calibrate, calibration_text, score_labelled, truth_of
from medprefkit.recipe import parse_recipe
from medprefkit.records import Passage


def claims(sure: Any, truth: Any, *, per_answer: int = 1) -> list[ScoredClaim]:
    pairs = enumerate(zip(sure, truth, strict=True))
    return [ScoredClaim(str(k // per_answer), float(p), "true" if is_true else "false") for k, (p, is_true) in pairs]


def test_how_many_claims_a_precision_takes() -> None:
    # the risk of .05 is shared by four looks: n with precision ** n <= .0125
    assert claims_needed(0.95) == 86  # log .0125 / log .95 = 85.4
    assert claims_needed(0.75) == 16  # log .0125 / log .75 = 15.2


@pytest.mark.parametrize(
    ("sure", "right", "threshold"),
    [
        ([0.9] * 16, [True] * 16, 0.9),
        ([0.9] * 15, [True] * 15, None),
        # one error: .75^n + n .75^(n-1) .25 is .0149 for 22, .0116 for 23
        ([0.9] * 22, [False] + [True] * 21, None),
        ([0.9] * 23, [False] + [True] * 22, 0.9),
        # all 32 are right in half of the cases; the surer half is right
        ([0.9] * 16 + [0.8] * 16, [True] * 16 + [False] * 16, 0.9),
        # what is as sure as the last one is taken in: the half is 16, but 17 of which one is wrong share its score
        ([0.9] * 17 + [0.8] * 15, [True] * 16 + [False] * 16, None),
        # never against the odds
        ([0.5] * 100, [True] * 100, None),
        ([], [], None),
    ],
)
def test_a_threshold_is_taken_where_its_precision_is_shown(
    sure: list[float], right: list[bool], threshold: float | None
) -> None:
    assert proven_threshold(np.array(sure), np.array(right, dtype=bool), precision=0.75) == threshold


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(86, 150), st.integers(86, 150), st.sampled_from([0.75, 0.95]))
def test_perfect_scores_leave_nothing_alone_and_make_no_error(
    seed: int, n_wrong: int, n_true: int, precision: float
) -> None:
    rng = np.random.default_rng(seed)
    sure = np.concatenate([rng.uniform(0.0, 0.49, n_wrong), rng.uniform(0.51, 1.0, n_true)])
    truth = np.arange(len(sure)) >= n_wrong
    found = calibrate(claims(sure, truth), precision=precision)
    assert 0.0 < found.contradicted_below <= 0.5 <= found.supported_above < 1.0
    assert ((sure < found.contradicted_below) == ~truth).all()
    assert ((sure > found.supported_above) == truth).all()
    assert (found.called_wrong.value, found.called_right.value, found.left_alone.value) == (1.0, 1.0, 0.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.8, 0.95]))
def test_noise_leaves_everything_alone(seed: int, precision: float) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(400) < 200)
    found = calibrate(claims(rng.uniform(size=400), truth), precision=precision)
    assert (found.contradicted_below, found.supported_above) == (0.0, 1.0)
    assert (found.left_alone.value, found.called_wrong.value) == (1.0, None)
    told = calibration_text(Labels([], 0, 0, 0), found)
    assert all(f"nothing will be called {label}: " in told for label in ("contradicted", "supported"))


def test_the_precision_that_is_shown_holds_on_fresh_claims() -> None:
    # right as often as sure: above a threshold t the precision is (1 + t) / 2, so .9 takes t = .8
    def draw(rng: np.random.Generator) -> tuple[Any, Any]:
        sure = rng.uniform(size=600)
        return sure, rng.uniform(size=600) < sure

    n_below = 0
    for seed in range(60):
        threshold = proven_threshold(*draw(np.random.default_rng(seed)), precision=0.9)
        n_below += threshold is not None and (1.0 + threshold) / 2.0 < 0.9
    assert n_below <= 6  # at most 1 in 20 is promised; 6 or fewer of 60 then come with a probability of .97


def test_the_error_and_its_interval_are_those_of_answers() -> None:
    # 20 wrong ones at .1 and 20 true ones at .9: the gap is .1 everywhere, in every sample of answers
    found = calibrate(claims([0.1] * 20 + [0.9] * 20, [False] * 20 + [True] * 20, per_answer=2), precision=0.75)
    assert [found.error.value, found.error.low, found.error.high] == pytest.approx([0.1] * 3)
    assert (found.wrong_found.value, found.wrong_found.n) == (1.0, 20)
    # 20 of 40 right at .9: a gap of .4, in samples more and less; whole answers are drawn, so four claims move as one
    truth = np.arange(40) < 20
    # a share of 1/2 has a standard error of sqrt(.25 / 40) = .079, and of sqrt(.25 / 10) = .158
    for per_answer, width in ((1, 2 * 1.96 * 0.079), (4, 2 * 1.96 * 0.158)):
        error = calibrate(claims([0.9] * 40, truth, per_answer=per_answer), precision=0.75).error
        assert error.value == pytest.approx(0.4)
        assert (error.high or 0.0) - (error.low or 0.0) == pytest.approx(width, rel=0.2)


def test_denying_what_is_only_on_the_other_side_counts_as_an_error() -> None:
    # 40 false ones and 20 on the wrong side, all at .1: a denial is right in 2 of 3 cases
    sided = [ScoredClaim(f"s{k}", 0.1, "wrong in a detail") for k in range(20)]
    both = claims([0.1] * 40 + [0.9] * 40, [False] * 40 + [True] * 40)
    assert calibrate(both, precision=0.75).contradicted_below == pytest.approx(0.1)
    found = calibrate([*both, *sided], precision=0.75)
    assert found.contradicted_below == 0.0
    assert found.supported_above == pytest.approx(0.9)
    # .1 sure of what is not true in all 60 cases, .9 of what is true in all 40
    assert found.error.value == pytest.approx(0.1)


def test_too_few_claims_and_impossible_precisions_are_one_line() -> None:
    few = [*claims([0.9] * 20, [True] * 20), ScoredClaim("x", None, "false"), *claims([0.1] * 15, [False] * 15)]
    with pytest.raises(SourceError, match=r"20 true and 15 false .* precision of 0\.75 takes at least 16 of each; lab"):
        calibrate(few, precision=0.75)
    for precision in (0.5, 1.0):
        with pytest.raises(RecipeError, match=r"--precision must be above 0\.5 and below 1"):
            calibrate(few, precision=precision)


def test_a_claim_is_wrong_where_a_label_touches_it_and_unknown_where_nothing_speaks_to_it() -> None:
    answer = "There is a left pleural effusion. The heart is enlarged. No pneumothorax. There is a hiatal hernia."
    error = GoldError(answer.index("left"), answer.index("left") + 4, "wrong_laterality", "right")
    insertion = GoldError(len(answer), len(answer), "missing_finding", " A nodule.")
    unknown = (answer.index("hiatal"), answer.index("hernia"))
    row = GoldRow("a", "report", answer, (error, insertion), (unknown,))
    ((read),) = DETECTOR([Passage(id="a", prompt="Describe the image.", text=answer)])
    found = {c.concept: truth_of(c, row) for c in read}
    denied = GoldRow("a", "report", answer, (GoldError(11, 32, "false_finding", "no pleural effusion"),))
    assert truth_of(read[0], denied) == "false"
    assert list(found.values()) == ["wrong in a detail", "true", "true", None]


THINGS = ["pleural effusion", "pneumothorax", "rib fracture", "hiatal hernia", "lung mass"]


def write_labels(folder: Path, n_of_each: int) -> Path:
    """Write answers whose image is bright where their claim is true."""
    for name, tone in (("bright", 200), ("dark", 20)):
        Image.new("RGB", (16, 16), (tone, tone, tone)).save(folder / f"{name}.png")
    rows = []
    for k in range(2 * n_of_each):
        said = f"There is a {THINGS[k % len(THINGS)]}."
        start = said.index(THINGS[k % len(THINGS)])
        wrong = {"start": start, "end": len(said) - 1, "text": said[start:-1], "type": "false_finding"}
        rows.append({
            "id": str(k), "task": "report", "prompt": "Describe the image.", "response": said, "reference": "Film.",
            "image": "bright.png" if k % 2 else "dark.png", "unverifiable": [],
            "errors": [] if k % 2 else [wrong | {"correction": "x"}],
        })  # fmt: skip
    rows += [rows[0] | {"id": "lost", "image": "lost.png"}, {k: v for k, v in rows[0].items() if k != "image"}]
    rows[-1]["id"] = "none"
    (folder / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "gold.jsonl"


def test_the_command_writes_a_section_that_a_recipe_takes_and_that_judges_without_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gold = write_labels(tmp_path, 20)
    seen: list[str] = []

    def answer(body: dict[str, Any]) -> Any:
        (url,) = images_of(body)
        seen.append(url)
        bright = seen.index(url) != 0  # the first answer's image is dark
        assert "Does it show" in text_of(body)
        return completion("Yes", logprobs=top_logprobs(Yes=-1.0 if bright else -3.0, No=-3.0 if bright else -1.0))

    with serve(answer) as server:
        place = [
            "--check-with",
            "model=eye",
            "--check-with",
            f"base_url={server.base_url}",
            "--check-with",
            "concurrency=1",
        ]
        asked = ["evaluate", "detection", "--gold", str(gold), "--images", ".", "--check", "vlm", *place]
        told = CliRunner().invoke(cli.app, [*asked, "--calibrate", "out/t.yaml", "--precision", "0.8"])
        assert told.exit_code == 0, told.output
        few = CliRunner().invoke(cli.app, [*asked, "--calibrate", "few.yaml"])
        text = (tmp_path / "out" / "t.yaml").read_text("utf-8")
        section = yaml.safe_load(text)
        made = parse_recipe(
            {"recipe_version": "1.0", "name": "n", "publish": {"title": "t"},
             "sources": [{"format": "vqa_rad", "path": "q.json", "images": "i"}], **section}, where="test",
        )  # fmt: skip
        options = [f"{name}={json.dumps(value)}" for name, value in made.check.with_.items()]
        tool = Tool(detect="lexicon", check="vlm", edit="minimal", check_with=options, images=tmp_path)
        labels = score_labelled(tool, [gold])
        n_calls = len(server.asked)
    assert "left out: 2 of 42 answers without an image at hand" in told.output
    assert "# left out: 2 of 42 answers" in text
    assert "thresholds: out/t.yaml" in told.output
    assert "nothing will be called" not in text
    # two nats apart: 1 / (1 + e^2) = .1192
    assert section["check"]["with"]["contradicted_below"] == pytest.approx(0.1192, abs=1e-4)
    assert section["check"]["with"]["supported_above"] == pytest.approx(0.8808, abs=1e-4)
    assert {c.truth: round(c.probability or 0.0, 4) for c in labels.claims} == {"false": 0.1192, "true": 0.8808}
    assert n_calls == 2 * len(THINGS), "the second time everything was known"
    assert isinstance(few.exception, SourceError)
    assert re.search("20 true and 20 false .* at least 86 of each", str(few.exception))
    assert not (tmp_path / "few.yaml").exists()


def test_only_vlm_with_a_folder_of_images_is_calibrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    gold = write_labels(tmp_path, 1)
    with pytest.raises(RecipeError, match="add --check vlm"):
        score_labelled(Tool(detect="lexicon", check="reference", edit="minimal", images=tmp_path), [gold])
    blind = Tool(
        detect="lexicon", check="vlm", edit="minimal", check_with=["model=eye", "base_url=http://127.0.0.1:1/v1"]
    )
    with pytest.raises(RecipeError, match="with --images"):
        score_labelled(blind, [gold])


def test_a_credentialed_answer_is_not_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDPREFKIT_KEY_API_EXAMPLE_ORG", "k")
    gold = write_labels(tmp_path, 1)
    rows = [json.loads(line) | {"credentialed": True} for line in gold.read_text().splitlines()]
    gold.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ["model=eye", "base_url=https://api.example.org/v1"]
    tool = Tool(detect="lexicon", check="vlm", edit="minimal", check_with=options, images=tmp_path)
    with pytest.raises(ModelError, match="its source is credentialed"):
        score_labelled(tool, [gold])


def test_a_tiny_model_in_this_process_is_scored_and_knows_too_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_folders: dict[str, Path]
) -> None:
    monkeypatch.chdir(tmp_path)
    gold = write_labels(tmp_path, 5)
    options = [f"model={model_folders['tiny']}", "precision=fp32"]
    tool = Tool(detect="lexicon", check="vlm", edit="minimal", check_with=options, images=tmp_path)
    labels = score_labelled(tool, [gold])
    assert (labels.n_answers, labels.n_without_image, len(labels.claims)) == (12, 2, 10)
    assert all(c.probability is not None and 0.0 < c.probability < 1.0 for c in labels.claims)
    with pytest.raises(SourceError, match="5 true and 5 false"):
        calibrate(labels.claims, precision=0.75)
