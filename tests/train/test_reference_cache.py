"""The cache of the reference: what is read from it equals what it replaces, and another's is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from medprefkit.errors import TrainError
from medprefkit.train import reference_cache
from medprefkit.train.run import train

MakePair = Callable[..., dict[str, Any]]
SavePairs = Callable[..., Path]

QUICK: dict[str, Any] = {
    "epochs": 2.0,
    "batch_size": 1,
    "gradient_accumulation": 2,
    "lora_r": 4,
    "lora_alpha": 8,
    "learning_rate": 1e-2,
    "precision": "fp32",
}


@pytest.fixture(scope="module")
def pairs(
    tmp_path_factory: pytest.TempPathFactory, save_pairs: SavePairs, make_pair: MakePair, make_text_pair: MakePair
) -> Path:
    rows = [make_pair(0), make_pair(1, corrupted_images=[]), make_text_pair(2), make_pair(3, weight=0.0), make_pair(4)]
    return save_pairs(tmp_path_factory.mktemp("pairs"), train=rows, eval=rows[:1])


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def test_a_cached_reference_trains_the_same_adapter_is_resumed_and_belongs_to_its_rows_and_model(
    pairs: Path,
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    save_pairs: SavePairs,
    make_pair: MakePair,
) -> None:
    monkeypatch.setattr(reference_cache, "SHARD_ROWS", 2)
    options = {"model": str(tiny_model), **QUICK}
    cache = tmp_path / "cache"
    train(pairs, tmp_path / "plain", **options)
    train(pairs, tmp_path / "cached", reference_cache=str(cache), **options)
    # a row a batch, as the cache is made: the same numbers to the last bit
    plain, cached = adapter(tmp_path / "plain"), adapter(tmp_path / "cached")
    assert all(torch.equal(plain[name], cached[name]) for name in plain)
    assert (tmp_path / "plain" / "log.jsonl").read_bytes() == (tmp_path / "cached" / "log.jsonl").read_bytes()

    shards = sorted(cache.glob("*.safetensors"))
    assert [path.name for path in shards] == ["states-00000.safetensors", "states-00001.safetensors"]
    states = load_file(shards[0])
    assert set(states) == {"0.chosen", "0.rejected", "0.corrupted", "1.chosen", "1.rejected"}
    assert states["0.chosen"].shape[1] == 64  # states, since its KLs are taken
    assert states["0.rejected"].dim() == states["0.corrupted"].dim() == 1  # log-probabilities

    # killed between two shards: only what is missing is made
    kept, before = shards[0].stat().st_mtime_ns, shards[1].read_bytes()
    shards[1].unlink()
    train(pairs, tmp_path / "again", reference_cache=str(cache), **options)
    assert shards[0].stat().st_mtime_ns == kept
    assert shards[1].read_bytes() == before

    other_rows = save_pairs(tmp_path / "other", train=[make_pair(7)])
    with pytest.raises(TrainError, match="was made with dataset_fingerprint '"):
        train(other_rows, tmp_path / "x", reference_cache=str(cache), **options)
    with pytest.raises(TrainError, match="was made with dtype 'fp32', not 'bf16'"):
        train(pairs, tmp_path / "y", reference_cache=str(cache), **{**options, "precision": "bf16"})
    with pytest.raises(TrainError, match="was made with corrupted 'true', not 'false'"):
        train(pairs, tmp_path / "z", reference_cache=str(cache), **{**options, "preset": "rrpo"})
    with pytest.raises(TrainError, match="was made with answers_with_kl 'chosen', not 'chosen, rejected'"):
        train(pairs, tmp_path / "u", reference_cache=str(cache), **{**options, "objective": ON_BOTH})
    with pytest.raises(TrainError, match="was made with corrupted_answer 'chosen', not 'rejected'"):
        train(pairs, tmp_path / "v", reference_cache=str(cache), **{**options, "objective": AGAINST_REJECTED})
    key = json.loads((cache / "key.json").read_text())
    (cache / "key.json").write_text(json.dumps({**key, "model_weights": "0"}))
    with pytest.raises(TrainError, match="was made with model_weights '0'"):
        train(pairs, tmp_path / "w", reference_cache=str(cache), **options)
    (cache / "key.json").write_text("{")
    with pytest.raises(TrainError, match="cannot be read"):
        train(pairs, tmp_path / "w", reference_cache=str(cache), **options)


AGAINST_REJECTED = {"ground_against": "rejected"}
ON_BOTH = {"reverse_on": "both"}


def test_batches_of_a_cache_are_as_close_as_batches_are(pairs: Path, tmp_path: Path, tiny_model: Path) -> None:
    options = {"model": str(tiny_model), **QUICK, "batch_size": 4, "epochs": 1.0, "gradient_accumulation": 1}
    train(pairs, tmp_path / "plain", **options)
    train(pairs, tmp_path / "cached", reference_cache=str(tmp_path / "cache"), **options)
    first, second = (
        json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[0])["loss"] for name in ("plain", "cached")
    )
    assert first == pytest.approx(second, abs=1e-5)
