"""A run that is killed and continued ends in the same bytes; so does one of another number of shards."""

import functools
import hashlib
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from medprefkit import pipeline
from medprefkit.errors import RunError
from medprefkit.recipe import Recipe, parse_recipe
from medprefkit.store import RunDir

RECIPE: dict[str, Any] = {
    "recipe_version": "1.0",
    "name": "killed",
    "shards": 3,
    "max_dropped_share": 0.5,
    "sources": [{"format": "phantom", "n": 8}],
    "corrupt": {"use": "noise", "batch_size": 2},
    "publish": {"title": "Killed and continued"},
    "view": {"pairs": 8},
}


def recipe(**changes: Any) -> Recipe:
    return parse_recipe(RECIPE | changes, where="test")


def tree(root: Path, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not (name := path.relative_to(root).as_posix()).startswith((".lock", *without))
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    root = tmp_path_factory.mktemp("undisturbed") / "run"
    pipeline.run(recipe(), tmp_path_factory.mktemp("warm") / "run")  # imports and caches are not the run's time
    started = time.perf_counter()
    pipeline.run(recipe(), root)
    return root, time.perf_counter() - started


def kill_after(seconds: float, work: Any) -> bool:
    """Run `work` in a forked process and SIGKILL it; tell whether it was still at work."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(seconds)
    if child.is_alive():
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("n_kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_and_resumed_gives_the_same_bytes(
    undisturbed: tuple[Path, float], tmp_path: Path, n_kills: int
) -> None:
    expected, duration = undisturbed
    moments = random.Random(n_kills)
    n_killed = 0
    for number in range(n_kills):
        root = tmp_path / f"run{number}"
        work = functools.partial(pipeline.run, recipe(), root, resume=True)
        n_killed += kill_after(moments.uniform(0.02, 0.95) * duration, work)
        pipeline.run(recipe(), root, resume=True)
        assert tree(root) == tree(expected), f"kill {number}"
    assert n_killed >= 0.7 * n_kills, "too few runs were still at work when they were killed to prove anything"


def test_completed_work_is_not_repeated(undisturbed: tuple[Path, float], tmp_path: Path) -> None:
    root = tmp_path / "run"
    pipeline.run(recipe(), root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file() and path.name != ".lock"}
    pipeline.run(recipe(), root, resume=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_one_shard_or_seven_give_the_same_dataset_card_and_page(tmp_path: Path) -> None:
    trees = []
    for n_shards in (1, 7):
        root = tmp_path / f"of{n_shards}"
        pipeline.run(recipe(shards=n_shards), root)
        assert len(list((root / "edit").glob("*.done"))) == n_shards
        whole = tree(root)
        trees.append(
            {k: v for k, v in whole.items() if k.startswith(("build/", "corrupt/images/", "view/", "publish/README"))}
        )
    assert trees[0] == trees[1]
    assert any(name.endswith(".parquet") for name in trees[0])


def test_records_that_are_not_the_sources_are_damage_and_not_silence(tmp_path: Path) -> None:
    root = tmp_path / "run"
    pipeline.run(recipe(shards=1), root)
    shard = root / "detect" / "00000-of-00001.jsonl"
    shard.write_text(shard.read_text("utf-8").replace('"id":"phantom-00001"', '"id":"stray"', 1), "utf-8")
    store = RunDir(root, n_shards=1)
    for one in (0, None):
        with pytest.raises(RunError, match="'stray' out of the order"):
            list(pipeline.cases(store, recipe(shards=1), shard=one))
