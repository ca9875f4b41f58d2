"""A whole run with models in it: killed and resumed without a second call, counted, private, estimated beforehand."""

import json
import multiprocessing
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, completion, serve, text_of

from medprefkit import pipeline, products
from medprefkit.build.write import read_index
from medprefkit.errors import RecipeError, RunError
from medprefkit.estimate import describe, dry_run
from medprefkit.recipe import Recipe, parse_recipe
from medprefkit.records import Answer
from medprefkit.store import RunDir
from medprefkit.wiring import call_store

ROWS = [
    ("Is there a pleural effusion?", "No"),
    ("Is the heart enlarged?", "Yes"),
    ("Which lobe is affected?", "Right upper lobe"),
    ("Is there a pneumothorax?", "No"),
    ("Is there a rib fracture?", "Yes"),
    ("Describe the film.", "The heart is normal in size. There is no pleural effusion."),
]
SAID = {
    "Is there a pleural effusion?": "Yes, there is a pleural effusion.",
    "Is the heart enlarged?": "No.",
    "Which lobe is affected?": "Left upper lobe.",
    "Is there a pneumothorax?": "Yes.",
    "Is there a rib fracture?": "No, there is no rib fracture.",
    "Describe the film.": "The heart is enlarged. There is a hiatal hernia.",
}
UNSURE = json.dumps(
    {"verdicts": [{"claim_id": "c0", "label": "unverifiable", "quote": "", "error_type": "", "truth": ""}]}
)


def answer(body: dict[str, Any]) -> Any:
    words = text_of(body)
    if body["model"] == "policy":
        return completion(SAID[words])
    if body["model"] == "judge":
        return completion(UNSURE)
    return completion('{"rewrite": "Right upper lobe."}')


def recipe(root: Path, base_url: str, **changes: Any) -> Recipe:
    (root / "data").mkdir(exist_ok=True)
    with (root / "data" / "rows.jsonl").open("w") as file:
        file.writelines(
            json.dumps({"id": f"q{k}", "prompt": p, "reference": r}) + "\n" for k, (p, r) in enumerate(ROWS)
        )
    source = {
        "format": "table", "path": "rows.jsonl", "name": "rows", "licence": "CC0", "task": "vqa",
        "columns": {"id": "id", "image": None, "answer": None},
    }  # fmt: skip
    place = {"base_url": base_url, "concurrency": 1}
    judge = {"use": "llm", "with": {"model": "judge", **place}}
    data = {
        "recipe_version": "1.0",
        "name": "loop",
        "shards": 2,
        "data_root": str(root / "data"),
        "sources": [source],
        "generate": {"use": "openai", "batch_size": 2, "with": {"model": "policy", **place}},
        "check": {"use": "panel", "with": {"members": [{"use": "reference"}, judge]}},
        "edit": {"use": "model", "with": {"model": "writer", "first": "model", **place}},
        "build": {"max_edited_share": 1.0},
        "publish": {"title": "Loop"},
        "max_dropped_share": 0.5,
    }
    return parse_recipe(data | changes, where="test")


SECRET = "sk-never-to-be-seen"
KEY = "MEDPREFKIT_KEY_127_0_0_1"


def run_to_edit(made: Recipe, root: Path) -> None:
    """Run every stage that asks a model; what follows is the same as ever."""
    for stage in ("sources", "generate", "detect", "check", "edit"):
        pipeline.run_stage(stage, made, root)  # type: ignore[arg-type]  # five of the stages


def asked(server: Loopback) -> Counter[tuple[str, str]]:
    return Counter((body["model"], text_of(body)) for body in server.asked)


def tree(root: Path) -> dict[str, bytes]:
    folders = ("generate", "detect", "check", "edit")
    return {
        str(p.relative_to(root)): p.read_bytes() for f in folders for p in sorted((root / f).rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counter[tuple[str, str]]]:
    root = tmp_path_factory.mktemp("whole")
    with serve(answer) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY, SECRET)
        pipeline.run(recipe(root, server.base_url), root / "run")
        return root / "run", asked(server)


@pytest.mark.parametrize("moment", [pytest.param(3, marks=pytest.mark.slow), 9])
def test_killed_in_the_middle_no_answered_call_is_made_again(
    tmp_path: Path, whole: tuple[Path, Counter[tuple[str, str]]], moment: int
) -> None:
    child = multiprocessing.get_context("fork")
    running: list[Any] = []

    def deadly(body: dict[str, Any]) -> Any:
        if len(server.asked) == moment and running[0].is_alive():
            os.kill(running[0].pid, signal.SIGKILL)  # while this very call is under way
        return answer(body)

    with serve(deadly) as server:
        made = recipe(tmp_path, server.base_url)
        running.append(child.Process(target=run_to_edit, args=(made, tmp_path / "run")))
        running[0].start()
        running[0].join()
        assert running[0].exitcode == -signal.SIGKILL
        assert len(server.asked) == moment
        run_to_edit(made, tmp_path / "run")
        counted = asked(server)
    expected = whole[1]
    assert set(counted) == set(expected)
    assert counted.total() == expected.total() + 1, "only the call that was under way is made again"
    (policy,) = [c for c in call_store(made, tmp_path / "run").counts() if c.model == "policy"]
    assert (policy.requests, policy.calls, policy.sent) == (6, 6, 6)


def test_the_run_says_what_it_asked_and_its_rows_by_which_prompts(whole: tuple[Path, Any], tmp_path: Path) -> None:
    root, counted = whole
    lines = products.asked(recipe(tmp_path, "http://127.0.0.1:1/v1"), root)
    assert [line.split(":")[0].split()[-1] for line in lines[:3]] == ["judge", "policy", "writer"]
    assert lines[3].startswith("rewrites  ")
    assert "policy: 6 questions, 6 calls" in lines[1]
    card = (root / "publish" / "README.md").read_text("utf-8")
    assert "Models were asked: judge (" in card
    assert "policy (6 questions, 6 calls, 42 + 18 tokens)" in card
    prompts = next(iter(read_index(root / "build"))).pair.provenance.prompts
    assert set(json.loads(prompts)) == {"check_llm.v1", "edit_clause.v1"}
    assert sum(n for (model, _), n in counted.items() if model == "policy") == 6
    records = list(RunDir(root, n_shards=2).in_order("generate", Answer))
    assert [record.text for record in records] == list(SAID.values())
    assert {(record.model, record.revision, record.finish_reason) for record in records} == {("policy", "fp-1", "stop")}
    assert all(record.sampling is not None and record.sampling.max_new_tokens == 256 for record in records)


def test_a_shared_store_serves_another_run(tmp_path: Path) -> None:
    store = str(tmp_path / "shared.sqlite")
    with serve(answer) as server:
        made = recipe(tmp_path, server.base_url, calls=store)
        run_to_edit(made, tmp_path / "one")
        n_calls = len(server.asked)
        run_to_edit(made, tmp_path / "two")
        assert len(server.asked) == n_calls
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    counts = call_store(made, tmp_path / "two").counts()
    assert {c.sent for c in counts} == {0}
    assert not (tmp_path / "two" / "calls.sqlite").exists()


def test_a_dry_run_sends_and_writes_nothing_and_promises_no_less_than_is_asked(
    tmp_path: Path, whole: tuple[Path, Counter[tuple[str, str]]]
) -> None:
    with serve(answer) as server:
        estimate = dry_run(recipe(tmp_path, server.base_url), tmp_path / "run")
        assert server.asked == []
    assert not (tmp_path / "run").exists()
    real = Counter(model for model, _ in whole[1].elements())
    by_model = {one.model: one for one in estimate.estimates}
    assert by_model["policy"].calls == real["policy"] == estimate.n_examples
    assert all(by_model[model].calls >= 1 and not by_model[model].remote for model in ("judge", "writer"))
    assert describe(estimate)[0] == "6 examples; nothing was sent"
    # "Is the heart enlarged?" and the like: four characters a token
    assert by_model["policy"].prompt_tokens == sum(-(-len(prompt) // 4) for prompt, _ in ROWS)


def test_samples_of_one_example_share_its_group_and_differ_in_seed(tmp_path: Path) -> None:
    with serve(answer) as server:
        place = {"model": "policy", "base_url": server.base_url, "temperature": 1.0}
        made = recipe(tmp_path, server.base_url, generate={"use": "openai", "samples": 2, "with": place})
        pipeline.run(made, tmp_path / "run")
        server.asked[:] = [body for body in server.asked if body["model"] == "policy"]
        assert len({(text_of(body), body["seed"]) for body in server.asked}) == 12
    records = list(RunDir(tmp_path / "run", n_shards=2).in_order("generate", Answer))
    assert [record.id for record in records[:4]] == ["q0", "q0#2", "q1", "q1#2"]
    repeated = [d for d in products.dropped(RunDir(tmp_path / "run", n_shards=2)) if d.reason == "answer_repeated"]
    assert "q0#2" in {drop.id for drop in repeated}
    assert all(drop.detail == f"the same answer to the same question as {drop.id[:2]}" for drop in repeated)


def test_secrets_are_in_no_file_and_no_log(
    whole: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(KEY, SECRET)
    caplog.set_level("DEBUG")
    with serve(answer) as server:
        run_to_edit(recipe(tmp_path, server.base_url), tmp_path / "run")
        assert server.headers[0]["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in caplog.text
    files = [path for root in (whole[0], tmp_path) for path in root.rglob("*") if path.is_file()]
    assert any(path.name == "calls.sqlite" for path in files)
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path


def test_a_credentialed_source_and_a_remote_endpoint_are_refused_before_any_work(tmp_path: Path) -> None:
    source = {"format": "table", "path": "rows.jsonl", "name": "mimic", "licence": "PhysioNet", "credentialed": True}
    with pytest.raises(RecipeError, match=r"edit.with.base_url: the source 'mimic' is credentialed, and"):
        recipe(tmp_path, "https://api.example.org/v1", sources=[source], generate={"use": "scripted"})
    recipe(tmp_path, "http://localhost:8000/v1", sources=[source])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rounds": 2}, "rounds need a train section"),
        ({"generate": {"use": "scripted", "samples": 2}}, "scripted has one answer"),
        (
            {"generate": {"use": "openai", "samples": 2, "with": {"model": "m", "base_url": "http://localhost:1/v1"}}},
            "a generate.with.temperature above 0",
        ),
        (
            {"check": {"use": "panel", "with": {"members": [{"use": "reference"}, {"use": "nobody"}]}}},
            "no checker named",
        ),
        (
            {"check": {"use": "panel", "with": {"members": [{"use": "llm", "with": {"model": "m", "modl": "x"}}]}}},
            r"check.with.members.0.with: .*modl",
        ),
    ],
)
def test_a_recipe_that_cannot_work_is_one_line(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        recipe(tmp_path, "http://localhost:1/v1", **changes)


def test_a_policy_is_part_of_what_a_run_is(tmp_path: Path) -> None:
    made = recipe(tmp_path, "http://localhost:1/v1", generate={"use": "scripted"})
    pipeline.run_stage("sources", made, tmp_path / "run")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    (adapter / "adapter_config.json").write_text("{}")
    with pytest.raises(RunError, match="was begun with policy '', not"):
        pipeline.run_stage("sources", made.model_copy(update={"policy": str(adapter)}), tmp_path / "run")
