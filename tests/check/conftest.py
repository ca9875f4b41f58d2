"""Tiny models, built once."""

from pathlib import Path

import pytest
from made_models import build_qwen, build_tiny


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    tiny = build_tiny(folder / "tiny")
    return {"tiny": tiny, "qwen": build_qwen(folder / "qwen", tiny)}
