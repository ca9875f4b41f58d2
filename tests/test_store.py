"""The run directory: what is under a final name is whole, order survives any number of shards, drops are kept."""

from pathlib import Path

import pytest

from medprefkit.errors import RunError
from medprefkit.records import Answer, Dropped, Example, Record, Source
from medprefkit.store import RunDir

IDENTITY = {"recipe_hash": "abc"}


def example(number: int) -> Example:
    source = Source(name="test", licence="CC0")
    return Example(id=f"e{number}", group_id="g", task="vqa", prompt="?", reference="yes", source=source)


def store_with_sources(root: Path, n_shards: int, n: int = 10) -> RunDir:
    store = RunDir(root, n_shards=n_shards)
    store.open(IDENTITY, {}, resume=False)
    store.write_shards("sources", ((i % n_shards, example(i)) for i in range(n)), range(n_shards))
    return store


@pytest.mark.parametrize("n_shards", [1, 3, 7, 20])
def test_order_survives_any_number_of_shards_and_any_drops(tmp_path: Path, n_shards: int) -> None:
    store = store_with_sources(tmp_path / "run", n_shards)
    for shard in range(n_shards):
        examples = list(store.read_shard("sources", shard, Example))
        outcomes: list[Record] = [
            Answer(id=e.id, text="x", model="m")
            if int(e.id[1:]) % 3
            else Dropped(id=e.id, stage="generate", reason="answer_empty")
            for e in examples
        ]
        store.write_shards("generate", ((shard, outcome) for outcome in outcomes), [shard])
    kept = [answer.id for answer in store.in_order("generate", Answer)]
    assert kept == [f"e{i}" for i in range(10) if i % 3]
    assert sorted(drop.id for drop in store.dropped("generate")) == ["e0", "e3", "e6", "e9"]
    assert store.counts("generate").kept == 6
    assert store.counts("generate").dropped == {"answer_empty": 4}


def test_a_stage_that_fails_midway_leaves_nothing_under_a_final_name(tmp_path: Path) -> None:
    store = store_with_sources(tmp_path / "run", 1)

    def outcomes() -> object:
        yield 0, Answer(id="e0", text="x", model="m")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.write_shards("generate", outcomes(), [0])  # type: ignore[arg-type]
    assert not store.is_done("generate", 0)
    assert [path.name for path in (tmp_path / "run/generate").iterdir() if not path.name.endswith(".tmp")] == []


def test_a_used_directory_is_refused_without_resume_and_for_another_recipe(tmp_path: Path) -> None:
    store = store_with_sources(tmp_path / "run", 1)
    with pytest.raises(RunError, match="--resume"):
        store.open(IDENTITY, {}, resume=False)
    store.open(IDENTITY, {}, resume=True)
    with pytest.raises(RunError, match="recipe_hash 'abc', not 'def'"):
        store.open({"recipe_hash": "def"}, {}, resume=True)


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="is not empty and holds no run"):
        RunDir(tmp_path, n_shards=1).open(IDENTITY, {}, resume=True)


def test_a_stage_that_is_not_complete_says_which_command_completes_it(tmp_path: Path) -> None:
    store = store_with_sources(tmp_path / "run", 2)
    with pytest.raises(RunError, match="medprefkit generate"):
        list(store.in_order("generate", Answer))


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    store = store_with_sources(tmp_path / "run", 1)
    path = tmp_path / "run/sources/00000-of-00001.jsonl"
    path.write_text(path.read_text().replace('"id":"e4"', '"id":4'))
    with pytest.raises(RunError, match="line 5: not a Example"):
        list(store.read_shard("sources", 0, Example))


def test_two_processes_do_not_share_a_run(tmp_path: Path) -> None:
    store = store_with_sources(tmp_path / "run", 1)
    with store.lock(), pytest.raises(RunError, match="another process"), RunDir(tmp_path / "run", n_shards=1).lock():
        pass


def test_a_tree_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    store = store_with_sources(tmp_path / "run", 1)

    def fail_halfway() -> None:
        with store.folder_of("build") as folder:
            (folder / "half").write_text("x")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail_halfway()
    assert not store.tree_done("build")
    with store.folder_of("build") as folder:
        assert not (folder / "half").exists()
        (folder / "whole").write_text("x")
    assert store.tree_done("build")
