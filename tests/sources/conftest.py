"""Small files of the kinds that people bring, good and bad."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from PIL import Image

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared data folder is not there")
    return SHARED


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with two good images, a mask, a truncated one, and a file outside of it."""
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    for name, grey in (("a.png", 80), ("b.png", 160), ("mask.png", 255)):
        Image.new("L", (24, 16), grey).save(data / "images" / name)
    whole = (data / "images" / "a.png").read_bytes()
    (data / "images" / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.new("L", (24, 16)).save(tmp_path / "outside.png")
    return data


@pytest.fixture
def write_jsonl(root: Path) -> Callable[..., str]:
    def write(rows: Iterable[object], name: str = "rows.jsonl") -> str:
        lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
        (root / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return name

    return write
