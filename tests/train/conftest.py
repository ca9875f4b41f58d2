"""A tiny model, and rows by the column contract."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict, disable_progress_bars
from PIL import Image
from transformers import AutoProcessor

from medprefkit.build.features import features
from medprefkit.lab.model import build_tiny_llava

CHOSEN = "There is a small left pleural effusion and no pneumothorax."
REJECTED = "There is a small right pleural effusion and a large pneumothorax."
TEXTS = [CHOSEN, REJECTED, "Describe the image.", "Heart size is normal.", "Fluid on the right. No air."]

disable_progress_bars()
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_llava(tmp_path_factory.mktemp("tiny"), TEXTS)


@pytest.fixture(scope="session")
def processor(tiny_model: Path) -> Any:
    return AutoProcessor.from_pretrained(tiny_model)


def png(seed: int, size_px: tuple[int, int] = (80, 96)) -> dict[str, Any]:
    pixels = np.random.default_rng(seed).integers(0, 255, (*size_px, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": None}


def span(text: str, words: str, phrase_id: int, *, weight: float = 1.0, linked: bool = True) -> dict[str, Any]:
    start = text.index(words)
    return {
        "start_char": start,
        "end_char": start + len(words),
        "phrase_id": phrase_id,
        "error_type": "wrong_laterality",
        "severity": "significant",
        "weight": weight,
        "lesion_linked": linked,
    }


def pair(index: int = 0, **changes: Any) -> dict[str, Any]:
    row = {
        "id": f"row{index}",
        "group_id": f"group{index}",
        "images": [png(index)],
        "prompt": [{"role": "user", "content": "Describe the image."}],
        "chosen": [{"role": "assistant", "content": CHOSEN}],
        "rejected": [{"role": "assistant", "content": REJECTED}],
        "chosen_spans": [span(CHOSEN, "left", 1), span(CHOSEN, "no", 2, weight=0.5, linked=False)],
        "rejected_spans": [span(REJECTED, "right", 1), span(REJECTED, "a large", 2, weight=0.5, linked=False)],
        "corrupted_images": [png(100 + index)],
        "control_images": [],
        "corruption": None,
        "weight": 1.0,
        "verdicts": [],
        "provenance": None,
    }
    return {**row, **changes}


def text_pair(index: int = 0, **changes: Any) -> dict[str, Any]:
    return pair(index, images=[], corrupted_images=[], **changes)


@pytest.fixture(scope="session")
def make_pair() -> Callable[..., dict[str, Any]]:
    return pair


@pytest.fixture(scope="session")
def make_text_pair() -> Callable[..., dict[str, Any]]:
    return text_pair


@pytest.fixture(scope="session")
def make_span() -> Callable[..., dict[str, Any]]:
    return span


@pytest.fixture(scope="session")
def make_png() -> Callable[..., dict[str, Any]]:
    return png


@pytest.fixture(scope="session")
def save_pairs() -> Callable[..., Path]:
    def save(folder: Path, **splits: list[dict[str, Any]]) -> Path:
        columns = features()
        made = {
            name: Dataset.from_dict({column: [row[column] for row in rows] for column in columns}, features=columns)
            for name, rows in splits.items()
        }
        DatasetDict(made).save_to_disk(str(folder))
        return folder

    return save
