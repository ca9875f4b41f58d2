"""Training on a stream: the rows of a whole read, in blocks, to each process its own, and back to the very row."""

import json
import logging
import shutil
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, Features, Value
from hub_server import Client, HubServer
from safetensors.torch import load_file

from medprefkit.build.features import features, load_pairs
from medprefkit.errors import DatasetError, TrainError
from medprefkit.train import stream as stream_module
from medprefkit.train.run import train
from medprefkit.train.stream import Position, StreamedRows, stream_fingerprint
from medprefkit.train.tokens import RowEncoder
from medprefkit.train.trainer import PreferenceTrainer

MakePair = Callable[..., dict[str, Any]]

QUICK: dict[str, Any] = {
    "max_steps": 4, "batch_size": 2, "gradient_accumulation": 1, "lora_r": 4, "lora_alpha": 8, "learning_rate": 1e-2,
    "precision": "fp32", "streaming": True,
}  # fmt: skip


def write_parquet(folder: Path, rows: list[dict[str, Any]], *, split: str = "train", n_files: int = 2) -> None:
    folder.mkdir(exist_ok=True)
    columns = features()
    for number in range(n_files):
        part = rows[number * len(rows) // n_files : (number + 1) * len(rows) // n_files]
        made = Dataset.from_dict({name: [row[name] for row in part] for name in columns}, features=columns)
        made.to_parquet(str(folder / f"{split}-{number:05d}.parquet"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_pair: MakePair, make_text_pair: MakePair) -> Path:
    """Eleven rows in two files, two of which cannot train: images and texts, with and without a corrupted image."""
    rows = [(make_text_pair if index % 3 == 2 else make_pair)(index, weight=1.0 + index) for index in range(11)]
    rows[4] = make_pair(4, weight=0.0)
    rows[7] = make_pair(7, chosen_spans=[], rejected_spans=[])
    folder = tmp_path_factory.mktemp("stream")
    write_parquet(folder, rows)
    write_parquet(folder, rows[:2], split="eval", n_files=1)
    return folder


def streamed(folder: Path, processor: Any, *, seed: int | None = 0, split: str = "train") -> StreamedRows:
    rows = load_pairs(folder, streaming=True)[split]
    return StreamedRows(rows, RowEncoder(processor), needs_spans=True, split=split, seed=seed)


def ids(rows: Any) -> list[str]:
    return [row["id"] for row in rows]


KEPT = [f"row{index}" for index in range(11) if index not in (4, 7)]


def test_a_stream_gives_every_row_that_can_train_once_a_pass(
    folder: Path, processor: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rows = streamed(folder, processor)
    with caplog.at_level(logging.WARNING):
        two_passes = ids(islice(rows, 18))
    assert len(caplog.messages) == 2  # an example a reason
    assert sorted(two_passes[:9]) == sorted(two_passes[9:]) == sorted(KEPT)
    assert two_passes[:9] != KEPT  # shuffled
    assert two_passes[:9] != two_passes[9:]  # and each pass otherwise
    assert two_passes == ids(islice(streamed(folder, processor), 18))
    assert (rows.n_kept, rows.refused) == (9, {"weight_zero": 1, "no_spans": 1})  # the second pass counts nothing twice
    assert ids(streamed(folder, processor, seed=None)) == KEPT  # to measure on: once, in order


def test_its_rows_are_those_of_the_whole_dataset_with_their_stored_bytes(folder: Path, processor: Any) -> None:
    from medprefkit.train.rows import PairRows

    whole = PairRows(load_pairs(folder)["train"])
    by_id = {row["id"]: row for row in (whole[index] for index in range(len(whole)))}
    for row in streamed(folder, processor, seed=None):
        assert row == by_id[row["id"]]


@pytest.mark.parametrize(("block_rows", "n_seen"), [(4, 0), (4, 5), (4, 12), (256, 9)])
def test_it_goes_on_with_the_very_next_row(
    folder: Path, processor: Any, monkeypatch: pytest.MonkeyPatch, n_seen: int, block_rows: int
) -> None:
    monkeypatch.setattr(stream_module, "BLOCK_ROWS", block_rows)
    rows = streamed(folder, processor)
    expected = ids(islice(rows, 20))
    before = streamed(folder, processor)
    assert ids(islice(before, n_seen)) == expected[:n_seen]
    position = Position(**json.loads(json.dumps(before.position()._asdict())))
    after = streamed(folder, processor)
    after.go_on_from(position)
    assert ids(islice(after, 20 - n_seen)) == expected[n_seen:]
    assert (after.n_kept, after.refused) == (rows.n_kept, rows.refused)


@pytest.mark.parametrize("n_processes", [2, 3])
def test_processes_share_the_rows(folder: Path, processor: Any, n_processes: int) -> None:
    parts = [ids(streamed(folder, processor, seed=None).part(rank, n_processes)) for rank in range(n_processes)]
    assert sorted(chain(*parts)) == sorted(KEPT)
    assert all(parts)


def test_a_killed_run_on_a_stream_resumes_to_the_adapter_of_one_that_was_not(
    folder: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "BLOCK_ROWS", 4)  # several blocks
    told = {"model": str(tiny_model), "save_steps": 1, **QUICK}
    result = train(folder, tmp_path / "one", **told)
    assert (result.n_rows, result.refused, result.steps) == (8, {"weight_zero": 1, "no_spans": 1}, 4)
    assert "eval_margin" in result.metrics
    log = PreferenceTrainer.log

    def die_at_the_third_step(self: Any, logs: dict[str, float], start_time: float | None = None) -> None:
        if self.state.global_step == 3:
            raise KeyboardInterrupt
        log(self, logs, start_time)

    monkeypatch.setattr(PreferenceTrainer, "log", die_at_the_third_step)
    with pytest.raises(KeyboardInterrupt):
        train(folder, tmp_path / "two", **told)
    monkeypatch.setattr(PreferenceTrainer, "log", log)
    assert train(folder, tmp_path / "two", resume=True, **told).metrics == result.metrics
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)


@pytest.mark.slow
def test_a_stream_trains_the_adapter_that_its_rows_train(
    folder: Path, tmp_path: Path, tiny_model: Path, make_pair: MakePair
) -> None:
    """One row, so that both orders are the same: the stream's batches are the dataset's batches."""
    write_parquet(tmp_path / "single", [make_pair(0)], n_files=1)
    told = {"model": str(tiny_model), **QUICK, "batch_size": 1}
    train(tmp_path / "single", tmp_path / "stream", **told)
    train(tmp_path / "single", tmp_path / "whole", **{**told, "streaming": False})
    one, two = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("stream", "whole"))
    assert all(bool((one[name] == two[name]).all()) for name in one)


def test_another_folder_is_another_stream(folder: Path, tmp_path: Path, make_pair: MakePair) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert stream_fingerprint(copy) == stream_fingerprint(folder)
    write_parquet(copy, [make_pair(0, weight=3.0)], split="eval", n_files=1)
    assert stream_fingerprint(copy) != stream_fingerprint(folder)


def test_a_stream_without_a_row_that_can_train_is_one_line(
    tmp_path: Path, tiny_model: Path, make_pair: MakePair
) -> None:
    write_parquet(tmp_path / "pairs", [make_pair(0, weight=0.0)], n_files=1)
    with pytest.raises(TrainError, match="split 'train' has nothing to train on: weight_zero"):
        train(tmp_path / "pairs", tmp_path / "adapter", model=str(tiny_model), **QUICK)


def test_a_stream_of_a_newer_schema_is_refused(tmp_path: Path, tiny_model: Path, make_pair: MakePair) -> None:
    columns = Features({**features(), "id": Value("string", id="medprefkit:9.0")})
    row = make_pair(0)
    made = Dataset.from_dict({name: [row[name]] for name in columns}, features=columns)
    (tmp_path / "pairs").mkdir()
    made.to_parquet(str(tmp_path / "pairs" / "train-00000.parquet"))
    with pytest.raises(DatasetError, match=r"schema version 9\.0, this medprefkit reads 1\.x; upgrade it"):
        train(tmp_path / "pairs", tmp_path / "adapter", model=str(tiny_model), **QUICK)


def test_a_row_whose_edit_would_be_cut_is_left_out_of_a_stream(
    tmp_path: Path, tiny_model: Path, processor: Any, make_pair: MakePair
) -> None:
    encoding = RowEncoder(processor).encode(make_pair(0), needs_spans=True)
    last = max(
        at for side in (encoding.chosen, encoding.rejected) for at, phrase in enumerate(side.phrase_ids) if phrase
    )
    short = "There is a small {} effusion."
    words = [short.format(word) for word in ("left", "right")]
    spans = [[{**make_pair(0)["chosen_spans"][0], "start_char": 17, "end_char": len(w) - 10}] for w in words]
    kept = make_pair(
        1,
        chosen=[{"role": "assistant", "content": words[0]}], rejected=[{"role": "assistant", "content": words[1]}],
        chosen_spans=spans[0], rejected_spans=spans[1],
    )  # fmt: skip
    write_parquet(tmp_path / "pairs", [make_pair(0), kept], n_files=1)
    result = train(
        tmp_path / "pairs",
        tmp_path / "adapter",
        model=str(tiny_model),
        max_answer_tokens=last,
        **{**QUICK, "max_steps": 1},
    )
    assert (result.n_rows, result.refused) == (1, {"span_beyond_limit": 1})


CARD = b"""---
configs:
- config_name: default
  data_files: [{split: train, path: train-*.parquet}, {split: eval, path: eval-*.parquet}]
---
"""

FROM_HUB = """
import json
from pathlib import Path
from medprefkit.errors import MedPrefKitError
from medprefkit.train.run import train

options = json.loads({options!r})
result = train("user/pairs", Path({out!r}) / "adapter", **options)
assert (result.n_rows, result.refused) == (8, {{"weight_zero": 1, "no_spans": 1}}), result
assert "eval_margin" in result.metrics
for name, says in (("user/nothing", "could the Hub give it"), ("user/newer", "schema version 9.0")):
    try:
        train(name, Path({out!r}) / "other", **options)
    except MedPrefKitError as error:
        assert says in str(error) and "\\n" not in str(error), error
    else:
        raise SystemExit(name + " was trained on")
"""


@pytest.mark.slow
def test_a_hub_repository_trains_without_being_downloaded(folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    with HubServer(tmp_path / "hub") as hub:
        files = {path.name: path.read_bytes() for path in folder.glob("*.parquet")}
        hub.put_files("user/pairs", {"README.md": CARD, **files})
        newer = Features({**features(), "id": Value("string", id="medprefkit:9.0")})
        made = Dataset.from_dict({name: [] for name in newer}, features=newer)
        made.to_parquet(str(tmp_path / "newer.parquet"))
        hub.put_files("user/newer", {"train-00000.parquet": (tmp_path / "newer.parquet").read_bytes()})
        client = Client(hub, tmp_path / "home")
        options = json.dumps({"model": str(tiny_model), **QUICK})
        done = client.python(FROM_HUB.format(options=options, out=str(tmp_path)))
        assert done.returncode == 0, done.stderr
        # nothing whole: neither the client's cache of datasets nor its cache of files holds a Parquet or Arrow file
        assert not [path for kind in ("parquet", "arrow") for path in (tmp_path / "home").rglob(f"*.{kind}")]
        assert len(json.loads((tmp_path / "adapter" / "settings.json").read_text())["dataset_fingerprint"]) == 40
