"""What the reference says of every response token, on disk: from the second epoch on it is not asked again.

Its last hidden states where a KL is taken: the head is fixed, so they are as exact as logits and V / D times smaller.
Its log-probabilities everywhere else. A cache belongs to rows, model, processor, precision, the answers that have KLs
and this package's way from characters to tokens; beside anything else it is refused.
"""

import json
import os
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.utils.data
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoConfig

from medprefkit.errors import TrainError
from medprefkit.train.rows import TrainableRows
from medprefkit.train.settings import ObjectiveSettings

TOKEN_MAPPING_VERSION = 2
"""Raised whenever the same row could become other tokens, or other sequences."""

SHARD_ROWS = 64

KEY = "key.json"

ROLES = ("chosen", "rejected", "corrupted")


class Rows(Protocol):
    """Rows by index, each by the column contract."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...


class CachedRows(torch.utils.data.Dataset[dict[str, Any]]):
    """Rows, each with what the reference says of its answers as `reference`: {role: states (T, D) or logps (T,)}."""

    def __init__(self, rows: Rows, folder: Path) -> None:
        self._rows = rows
        self._folder = folder

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one row; what the reference says is read from its shard."""
        path = _shard_path(self._folder, index // SHARD_ROWS)
        with safe_open(str(path), framework="pt") as shard:
            names = set(shard.keys())
            said = {role: shard.get_tensor(f"{index}.{role}") for role in ROLES if f"{index}.{role}" in names}
        return {**self._rows[index], "reference": said}


def cache_key(
    rows: TrainableRows, model: str, processor: Any, *, precision: str, settings: ObjectiveSettings
) -> dict[str, str]:
    """Return what a cache depends on, by name.

    Args:
        rows: Those that can train, which an objective decides too.
        model: Folder or Hub name.
        processor: Its tokenizer, template and image settings all decide what the model sees.
        precision: Of the weights.
        settings: The objective: it decides which answer is scored on which image.
    """
    tokenizer = getattr(processor, "tokenizer", processor)
    images = getattr(processor, "image_processor", None)
    return {
        "dataset_fingerprint": rows.fingerprint,
        "rows": _digest(json.dumps(rows.kept)),
        "corrupted": str(settings.grounding_weight > 0).lower(),
        "corrupted_answer": settings.ground_against,
        "answers_with_kl": ", ".join(settings.answers_with_kl),
        "model_weights": _weights_hash(model) if Path(model).is_dir() else _revision(model),
        "tokenizer": _digest(tokenizer.backend_tokenizer.to_str()),
        "chat_template": _digest(json.dumps(processor.chat_template, sort_keys=True)),
        "image_processor": _digest(images.to_json_string() if images is not None else ""),
        "dtype": precision,
        "token_mapping_version": str(TOKEN_MAPPING_VERSION),
    }


def open_cache(folder: Path, key: Mapping[str, str]) -> None:
    """Begin a cache, or find one of the same key.

    Raises:
        TrainError: If the folder holds another cache; names the first field that differs.
    """
    path = folder / KEY
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(path, json.dumps(dict(key), indent=2, sort_keys=True).encode() + b"\n")
        return
    try:
        before = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise TrainError(f"{path} cannot be read: {error}; delete the cache") from error
    for name in sorted({*before, *key}):
        if before.get(name) != key.get(name):
            raise TrainError(
                f"the reference cache {folder} was made with {name} {before.get(name)!r}, not {key.get(name)!r}; "
                "choose another folder or delete it"
            )


def missing_shards(folder: Path, n_rows: int) -> Iterator[tuple[Path, range]]:
    """Yield each shard that is not there yet, with the rows it is to hold."""
    for number, start in enumerate(range(0, n_rows, SHARD_ROWS)):
        path = _shard_path(folder, number)
        if not path.exists():
            yield path, range(start, min(start + SHARD_ROWS, n_rows))


def write_shard(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write one shard under a temporary name, then give it its own: a shard is whole or absent."""
    temporary = path.with_suffix(f".{os.getpid()}.part")
    save_file(dict(tensors), str(temporary))
    temporary.replace(path)


def row_reference(states: Tensor, logps: Tensor, batch: Mapping[str, Any], index: int) -> dict[str, Tensor]:
    """Name what the reference says of a batch of one row, without padding.

    Args:
        states: (K, T, D) of the K answers that have KLs.
        logps: (S, T), of which those of the other answers are kept.
        batch: Of the row.
        index: The row's place in the dataset.
    """
    lengths = batch["label_mask"].sum(-1).tolist()
    said = [*states, *logps[len(states) :]]
    return {
        f"{index}.{role}": each[:length].contiguous().cpu()
        for role, each, length in zip(ROLES, said, lengths, strict=False)  # two roles where nothing is corrupted
    }


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"states-{number:05d}.safetensors"


def _weights_hash(model: str) -> str:
    digest = blake2b(digest_size=8)
    for path in sorted(Path(model).glob("*.safetensors")) or sorted(Path(model).glob("*.bin")):
        with path.open("rb") as file:
            while block := file.read(1 << 24):
                digest.update(block)
    return digest.hexdigest()


def _revision(model: str) -> str:
    """Return the commit of a model from the Hub."""
    return str(AutoConfig.from_pretrained(model)._commit_hash)


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _write_whole(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_bytes(content)
    temporary.replace(path)
