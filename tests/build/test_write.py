"""Files: round trips through every form, the same bytes for the same pairs, original image bytes, refusals."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict, Value, load_dataset, load_from_disk
from made_pairs import corrupt, draw, make

from medprefkit.build import write
from medprefkit.build.features import check_schema, features, load_pairs, schema_version
from medprefkit.build.write import read_index, write_dataset
from medprefkit.errors import DatasetError
from medprefkit.records import SCHEMA_VERSION, Dropped, PreferencePair


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def build(
    tmp_path: Path, pairs: Iterable[PreferencePair | Dropped], *, name: str = "out", eval_share: float = 0.3
) -> Path:
    out = tmp_path / name
    out.mkdir()
    write_dataset(
        pairs, out, data_root=tmp_path / "data", run_dir=tmp_path / "run", run_seed=0, eval_share=eval_share
    )  # fmt: skip
    return out


def pictured(tmp_path: Path, n: int = 6) -> list[PreferencePair]:
    """Pairs with an image; those of even number with a corrupted one, those of number 0 and 4 with a clean copy."""
    return [
        make(
            f"r{number}",
            images=[draw(tmp_path / f"data/i{number}.png", number)],
            corrupted=corrupt(tmp_path / "run", f"r{number}", clean=number % 4 == 0) if number % 2 == 0 else None,
        )
        for number in range(n)
    ]


def texts(n: int = 5) -> list[PreferencePair]:
    return [make(f"t{number}") for number in range(n)]


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(dataset: Dataset) -> list[object]:
    undecoded = dataset
    for column in ("images", "corrupted_images", "control_images"):
        feature = features()[column]
        feature.feature.decode = False
        undecoded = undecoded.cast_column(column, feature)
    return list(undecoded)


def test_every_form_gives_the_same_rows_back(tmp_path: Path) -> None:
    out = build(tmp_path, pictured(tmp_path))
    saved = load_from_disk(str(out / "dataset"))
    files = {split: str(out / f"parquet/{split}-*.parquet") for split in ("train", "eval")}
    parquet = load_dataset("parquet", data_files=files)
    assert len(saved["train"]) + len(saved["eval"]) == 6
    for split in ("train", "eval"):
        assert saved[split].features == features() == parquet[split].features
        assert rows_of(saved[split]) == rows_of(parquet[split])
        check_schema(saved[split])
    for place in (out, out / "dataset", out / "parquet"):
        assert list(load_pairs(place)) == ["train", "eval"]
        assert rows_of(load_pairs(place)["train"]) == rows_of(saved["train"])


def test_images_are_the_original_bytes_or_the_lossless_copy_and_bear_no_folder(tmp_path: Path) -> None:
    rows = rows_of(load_pairs(build(tmp_path, pictured(tmp_path), eval_share=0.0))["train"])
    by_id = {row["id"]: row for row in rows}  # type: ignore[index]  # a row is a mapping
    assert by_id["r1"]["images"] == [{"bytes": (tmp_path / "data/i1.png").read_bytes(), "path": "i1.png"}]
    copy = (tmp_path / "run/corrupt/r0.clean.png").read_bytes()
    assert by_id["r0"]["images"] == [{"bytes": copy, "path": "r0.clean.png"}]
    assert by_id["r2"]["images"][0]["path"] == "i2.png"
    assert by_id["r2"]["corruption"]["region"] == {"left_px": 6, "top_px": 4, "right_px": 12, "bottom_px": 8}
    assert by_id["r2"]["corruption"]["seed"] == 2**63 + 1
    assert by_id["r1"]["corruption"] is None or by_id["r1"]["corruption"]["name"] is None
    assert by_id["r1"]["corrupted_images"] == by_id["r1"]["control_images"] == []


def test_spans_index_the_last_message(tmp_path: Path) -> None:
    row = load_pairs(build(tmp_path, texts(1)))["train"][0]
    for side, pieces in (("chosen", ["right", "no effusion"]), ("rejected", ["left", "a large effusion"])):
        text = row[side][-1]["content"]
        assert [text[span["start_char"] : span["end_char"]] for span in row[f"{side}_spans"]] == pieces
    assert row["verdicts"][0]["start_char"] == 4


def test_the_same_pairs_give_the_same_bytes_and_no_file_tells_where_it_was_made(tmp_path: Path) -> None:
    pairs = pictured(tmp_path)
    first, second = build(tmp_path, pairs, name="one"), build(tmp_path, iter(pairs), name="two")
    assert digests(first) == digests(second)
    assert not any(str(tmp_path).encode() in path.read_bytes() for path in first.rglob("*") if path.is_file())


def test_the_order_of_rows_does_not_decide_their_side(tmp_path: Path) -> None:
    pairs = texts(12)
    sides = [
        {built.pair.id: built.split for built in read_index(build(tmp_path, order, name=name))}
        for name, order in (("forward", pairs), ("backward", pairs[::-1]))
    ]
    assert sides[0] == sides[1]
    assert [built.pair for built in read_index(tmp_path / "forward")] == pairs


def test_two_names_of_one_picture_are_one_picture(tmp_path: Path) -> None:
    draw(tmp_path / "data/same-a.png", 1)
    draw(tmp_path / "data/same-b.png", 1)
    for n in range(10):
        draw(tmp_path / f"data/{n}.png", n + 2)
    shared = [make("a", images=["same-a.png"]), make("b", images=["same-b.png"])]
    others = [make(f"o{n}", images=[f"{n}.png"]) for n in range(10)]
    sides = {built.pair.id: built.split for built in read_index(build(tmp_path, [*shared, *others], eval_share=0.5))}
    assert sides["a"] == sides["b"]


def test_all_text_leaves_the_images_column_out_and_the_loader_adds_it_back(tmp_path: Path) -> None:
    out = build(tmp_path, texts())
    assert "images" not in load_from_disk(str(out / "dataset"))["train"].column_names
    loaded = load_pairs(out)["train"]
    assert loaded.column_names == list(features())
    assert loaded[0]["images"] == []


def test_shards_and_row_groups_hold_every_row_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = pictured(tmp_path, 7)
    size = sum((tmp_path / "data" / ref.path).stat().st_size for pair in pairs for ref in pair.images)
    monkeypatch.setattr(write, "_SHARD_BYTES", size // 3)
    monkeypatch.setattr(write, "_BATCH_ROWS", 2)
    out = build(tmp_path, pairs, eval_share=0.0)
    files = sorted((out / "parquet").iterdir())
    assert len(files) > 2
    assert files[-1].name == f"train-{len(files) - 1:05d}-of-{len(files):05d}.parquet"
    assert all(pq.ParquetFile(file).metadata.row_group(0).num_rows <= 2 for file in files)
    assert load_pairs(out)["train"]["id"] == load_pairs(out / "parquet")["train"]["id"] == [pair.id for pair in pairs]


def test_what_cannot_be_written_is_dropped_with_a_reason(tmp_path: Path) -> None:
    lost, outside = make("lost", images=["no.png"]), make("outside", images=["../secret.png"])
    earlier = Dropped(id="x", stage="build", reason="nothing_checkable")
    (tmp_path / "data").mkdir()
    out = tmp_path / "out"
    out.mkdir()
    built = write_dataset(
        [lost, earlier, make("good"), outside],
        out,
        data_root=tmp_path / "data",
        run_dir=tmp_path,
        run_seed=0,
        eval_share=0.5,
    )
    assert (built.n_train, built.n_eval) == (1, 0)
    assert built.dropped == {"image_missing": 1, "nothing_checkable": 1, "image_outside_root": 1}
    reasons = [json.loads(line)["reason"] for line in (out / "dropped.jsonl").read_text("utf-8").splitlines()]
    assert reasons == ["image_missing", "nothing_checkable", "image_outside_root"]


@pytest.mark.parametrize("pairs", [[], [Dropped(id="x", stage="build", reason="no_error_found")]])
def test_an_empty_dataset_is_refused(tmp_path: Path, pairs: list[Dropped]) -> None:
    with pytest.raises(DatasetError, match="no pair is left"):
        build(tmp_path, pairs)


def test_an_id_comes_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="two pairs have the id 'a'"):
        build(tmp_path, [make("a"), make("a")])


def _remarked(dataset: Dataset, mark: str | None) -> Dataset:
    changed = dataset.features.copy()
    changed["id"] = Value("string", id=mark)
    return dataset.cast(changed)


def test_the_version_survives_and_a_newer_major_is_refused(tmp_path: Path) -> None:
    dataset = load_pairs(build(tmp_path, texts()))["train"]
    again = dataset.filter(lambda row: row["weight"] > 0).map(lambda row: {"weight": row["weight"] / 2})
    assert schema_version(again) == SCHEMA_VERSION
    check_schema(_remarked(dataset, "medprefkit:1.9"))
    DatasetDict(train=_remarked(dataset, "medprefkit:2.0")).save_to_disk(str(tmp_path / "newer"))
    with pytest.raises(DatasetError, match=r"schema version 2\.0.*upgrade"):
        load_pairs(tmp_path / "newer")
    with pytest.raises(DatasetError, match="bears no medprefkit schema version"):
        check_schema(_remarked(dataset, None))
    with pytest.raises(DatasetError, match="not of the form"):
        check_schema(_remarked(dataset, "medprefkit:new"))


def test_a_missing_or_mistyped_column_is_named(tmp_path: Path) -> None:
    dataset = load_pairs(build(tmp_path, texts()))["train"]
    check_schema(dataset.add_column("extra", [1] * len(dataset)))
    with pytest.raises(DatasetError, match="'chosen_spans' is missing"):
        check_schema(dataset.remove_columns("chosen_spans"))
    with pytest.raises(DatasetError, match="'weight' is Value"):
        check_schema(dataset.cast_column("weight", Value("string")))


def test_nothing_to_load_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no dataset"):
        load_pairs(tmp_path)
    with pytest.raises(DatasetError, match="neither a folder here"):
        load_pairs("nobody/nothing-of-this-name")
