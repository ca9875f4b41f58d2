"""A table with every common fault runs to the end: each bad record is one clear line, each good one is a pair."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medprefkit import load_pairs, pipeline, products
from medprefkit.errors import RunError, SourceError
from medprefkit.recipe import Recipe, parse_recipe
from medprefkit.store import RunDir

ANSWER = "There is a large left pleural effusion. The heart size is normal."
REFERENCE = "The heart size is normal. No pleural effusion or pneumothorax."


def draw(path: Path, *, size: tuple[int, int] = (64, 64), box: tuple[int, int, int, int] | None = None) -> None:
    """Draw a textured film, or a mask where a box is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if box is None:
        pixels = np.random.default_rng(0).integers(60, 120, size, dtype=np.uint8)
    else:
        pixels = np.zeros(size, np.uint8)
        pixels[box[0] : box[1], box[2] : box[3]] = 255
    Image.fromarray(pixels).save(path)


def row(name: str, **changes: Any) -> dict[str, Any]:
    given = {"image": "images/good.png", "mask": "masks/good.png", "answer": ANSWER, "reference": REFERENCE}
    return {"id": name, **given, **changes}


ROWS = [
    row("good"),
    row("image_missing", image="images/nowhere.png"),
    row("image_unreadable", image="images/truncated.png"),
    row("image_outside_root", image="../secret.png"),
    row("answer_empty", answer=""),
    row("answer_blank", answer=" \n\t"),
    row("answer_missing", answer=None),
    row("reference_missing", reference=None),
    row("good", answer="Another answer under the same id."),
    row("mask_size_mismatch", mask="masks/small.png"),
    row("mask_empty", mask="masks/empty.png"),
    row("mask_missing", mask="masks/nowhere.png"),
    row("text_invalid", answer="A NUL \x00 byte."),
]
EXPECTED = {
    ("image_missing", "sources", "image_missing"),
    ("image_unreadable", "sources", "image_unreadable"),
    ("image_outside_root", "sources", "image_outside_root"),
    ("answer_empty", "sources", "answer_empty"),
    ("answer_blank", "sources", "answer_empty"),
    ("answer_missing", "generate", "answer_missing"),
    ("reference_missing", "sources", "reference_missing"),
    ("good", "sources", "duplicate_id"),
    ("mask_size_mismatch", "corrupt", "mask_size_mismatch"),
    ("mask_empty", "corrupt", "mask_empty"),
    ("mask_missing", "corrupt", "mask_missing"),
    ("text_invalid", "sources", "text_invalid"),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    draw(root / "images/good.png")
    draw(root / "masks/good.png", box=(20, 30, 20, 30))
    draw(root / "masks/small.png", size=(32, 32), box=(2, 9, 2, 9))
    draw(root / "masks/empty.png", box=(0, 0, 0, 0))
    whole = (root / "images/good.png").read_bytes()
    (root / "images/truncated.png").write_bytes(whole[: len(whole) // 2])
    draw(tmp_path / "secret.png")
    lines = [json.dumps(one) for one in ROWS]
    (root / "table.jsonl").write_text("\n".join([*lines, "{broken", ""]), "utf-8")
    (root / "wrong.csv").write_text("id,prompt,img,reference\n1,Describe.,a.png,None.\n", "utf-8")
    return root


def recipe(root: Path, **changes: Any) -> Recipe:
    columns = {"id": "id", "prompt": None, "lesion_mask": "mask"}
    source = {"format": "table", "path": "table.jsonl", "name": "test", "licence": "CC0-1.0", "prompt": "Describe."}
    whole = {
        "recipe_version": "1.0",
        "name": "faults",
        "shards": 2,
        "data_root": str(root),
        "max_dropped_share": 1.0,
        "sources": [source | {"columns": columns} | changes.pop("source", {})],
        "corrupt": {"use": "telea"},
        "build": {"eval_share": 0.0},
        "publish": {"title": "Faults"},
    }
    return parse_recipe(whole | changes, where="test")


def test_each_fault_is_one_line_and_the_good_rows_become_pairs(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    pipeline.run(recipe(data), run)
    drops = list(products.dropped(RunDir(run, n_shards=2)))
    found = {(drop.id, drop.stage, drop.reason) for drop in drops}
    assert {item for item in found if item[2] != "row_invalid"} == EXPECTED
    assert sum(drop.reason == "row_invalid" for drop in drops) == 1, "the broken line is one drop, not the end"
    for drop in drops:
        assert drop.detail, drop
        assert "\n" not in drop.detail
        assert str(tmp_path) not in drop.detail, "no path of this machine in what is written"
    pairs = load_pairs(run)["train"]
    assert sorted(pairs["id"]) == ["good", "mask_empty", "mask_missing", "mask_size_mismatch"]
    assert {name: bool(images) for name, images in zip(pairs["id"], pairs["corrupted_images"], strict=True)} == {
        "good": True, "mask_empty": False, "mask_missing": False, "mask_size_mismatch": False,
    }  # fmt: skip


def test_too_many_faults_stop_the_run_and_say_where_to_look(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"sources dropped \d+ of 14 .*more than max_dropped_share 0\.1; read .*jsonl"):
        pipeline.run(recipe(data, max_dropped_share=0.1), tmp_path / "run")


def test_a_wrong_header_names_the_column_and_those_that_are_there(data: Path, tmp_path: Path) -> None:
    source = {"path": "wrong.csv", "columns": {"image": "image_path"}, "prompt": None}
    with pytest.raises(SourceError) as caught:
        pipeline.run(recipe(data, source=source), tmp_path / "run")
    assert "wrong.csv" in str(caught.value)
    assert "image_path" in str(caught.value)
    assert "img" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_source_that_is_not_there_is_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.jsonl"):
        pipeline.run(recipe(data, source={"path": "nowhere.jsonl"}), tmp_path / "run")
