"""Which state of a model answers: digests of files, so that a call is never taken for another model's."""

import hashlib
import json
from pathlib import Path

from medprefkit.errors import ModelError

_DECIDES = {".safetensors", ".bin", ".json", ".jinja", ".model", ".txt"}
"""Endings of the files that decide what a model says; a README does not."""


def model_name(model: str) -> str:
    """Return a Hub name as it is, and of a folder its last part."""
    folder = Path(model).expanduser()
    return folder.resolve().name if folder.is_dir() else model


def model_revision(model: str) -> str:
    """Return the Hub's commit of a model, or 16 hex digits over the files of a model folder.

    Raises:
        ModelError: If neither is to be had.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _digest_of(sorted(path for path in folder.iterdir() if path.suffix in _DECIDES))
    from transformers import AutoConfig  # heavy

    try:
        commit = getattr(AutoConfig.from_pretrained(model), "_commit_hash", None)
    except (OSError, ValueError) as error:
        raise ModelError(f"there is no model {model!r}: {str(error).splitlines()[0]}") from error
    return str(commit or "")


def adapter_revision(adapter: Path) -> str:
    """Return 16 hex digits over an adapter's weights and settings; where its base model lies is left out.

    Raises:
        ModelError: If the folder holds no adapter.
    """
    weights, settings = adapter / "adapter_model.safetensors", adapter / "adapter_config.json"
    if not (weights.is_file() and settings.is_file()):
        raise ModelError(f"{adapter} holds no adapter; `medprefkit train` leaves one in its --out folder")
    told = json.loads(settings.read_text("utf-8"))
    kept = {key: told.get(key) for key in ("peft_type", "r", "lora_alpha", "target_modules", "use_rslora")}
    digest = hashlib.blake2b(json.dumps(kept, sort_keys=True).encode(), digest_size=8)
    digest.update(bytes.fromhex(_digest_of([weights])))
    return digest.hexdigest()


def _digest_of(paths: list[Path]) -> str:
    whole = hashlib.blake2b(digest_size=8)
    for path in paths:
        with path.open("rb") as file:
            whole.update(path.name.encode() + hashlib.file_digest(file, "blake2b").digest())
    return whole.hexdigest()
