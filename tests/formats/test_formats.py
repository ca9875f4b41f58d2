"""Every format there and back: what it has room for survives, and the columns are those that its tool documents."""

import json
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from datasets import Dataset, DatasetDict, load_dataset
from hypothesis import given
from hypothesis import strategies as st
from made_pairs import corrupt, draw, make
from trl_steps import train_two_steps

from medprefkit.build.features import load_pairs
from medprefkit.build.write import write_dataset
from medprefkit.errors import DatasetError
from medprefkit.exchange import export, import_pairs
from medprefkit.formats.layouts import LayoutError, format_of, pair_of
from medprefkit.formats.pair import FormatName, FormatPair, Mark, Picture, Turn, Unreadable
from medprefkit.formats.read import read_pairs
from medprefkit.formats.write import ExportName, export_pairs

TARGETS: tuple[ExportName, ...] = get_args(ExportName)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("ours")
    pairs = [
        make(
            f"r{number}",
            images=[draw(tmp_path / f"data/i{number}.png", number)],
            corrupted=corrupt(tmp_path / "run", f"r{number}") if number % 2 else None,
        )
        for number in range(6)
    ]
    out = tmp_path / "out"
    out.mkdir()
    write_dataset(pairs, out, data_root=tmp_path / "data", run_dir=tmp_path / "run", run_seed=0, eval_share=0.3)
    return out


def pairs_of(data: Path | str, **options: Any) -> dict[str, FormatPair]:
    rows = list(read_pairs(str(data), **options).rows)
    assert not any(isinstance(row, Unreadable) for row in rows), rows
    return {row.id: cast("FormatPair", row) for row in rows}


def written(ours: Path, tmp_path: Path, to: ExportName) -> Path:
    export(str(ours), tmp_path / to, to=to, format_name=None, images=None)
    return tmp_path / to


def contents(pictures: tuple[Picture, ...]) -> list[bytes | None]:
    return [picture.content for picture in pictures]


@pytest.mark.parametrize("to", TARGETS)
def test_there_and_back(ours: Path, tmp_path: Path, to: ExportName) -> None:
    before, after = pairs_of(ours), pairs_of(written(ours, tmp_path, to), format_name=to)
    assert set(before) == set(after)
    for row_id, old in before.items():
        new = after[row_id]
        assert (new.prompt, new.chosen, new.rejected, new.split) == (old.prompt, old.chosen, old.rejected, old.split)
        assert contents(new.images) == contents(old.images)
        if to in {"jsonl", "rrpo"}:
            for side in ("chosen_marks", "rejected_marks"):
                assert [mark[:3] for mark in getattr(new, side)] == [mark[:3] for mark in getattr(old, side)]
        if to in {"jsonl", "llava"}:
            assert new.weight == old.weight
            assert contents(new.corrupted) == contents(old.corrupted)
        if to == "jsonl":
            assert (new.group_id, new.chosen_marks) == (old.group_id, old.chosen_marks)
            assert contents(new.control) == contents(old.control)


@pytest.mark.parametrize("to", TARGETS)
def test_a_format_is_told_by_its_columns(ours: Path, tmp_path: Path, to: ExportName) -> None:
    # LLaVA's and MMedPO's pairs differ by nothing but the score, which the export has
    assert read_pairs(str(written(ours, tmp_path, to))).format == {"llava": "mmedpo"}.get(to, to)


@pytest.mark.parametrize(
    "to", [pytest.param(to, marks=[] if to in {"jsonl", "rrpo"} else [pytest.mark.slow]) for to in TARGETS]
)
def test_what_was_exported_is_imported_and_trains_as_ours(ours: Path, tmp_path: Path, to: ExportName) -> None:
    folder = written(ours, tmp_path, to)
    done = import_pairs(
        str(folder), tmp_path / "back", format_name=to, images=None, source="back", licence="CC0-1.0"
    )  # fmt: skip
    assert done.unreadable == []
    back, there = load_pairs(tmp_path / "back"), load_pairs(ours)
    assert {split: len(rows) for split, rows in back.items()} == {split: len(rows) for split, rows in there.items()}
    for split in there:
        for old, new in zip(there[split], back[split], strict=True):
            assert (old["id"], old["prompt"], old["chosen"], old["rejected"]) == (
                new["id"], new["prompt"], new["chosen"], new["rejected"],
            )  # fmt: skip
            assert old["images"] == new["images"]
            if to == "jsonl":
                assert old["chosen_spans"] == new["chosen_spans"]


def test_the_columns_are_the_documented_ones(ours: Path, tmp_path: Path) -> None:
    folder = written(ours, tmp_path, "llamafactory")
    (row, *_) = json.loads((folder / "train.json").read_text("utf-8"))
    assert [turn["from"] for turn in row["conversations"]] == ["human"]
    assert row["conversations"][0]["value"].count("<image>") == len(row["images"]) == 1
    assert set(row["chosen"]) == set(row["rejected"]) == {"from", "value"}
    assert (folder / row["images"][0]).is_file()
    told = json.loads((folder / "dataset_info.json").read_text("utf-8"))["llamafactory_train"]
    assert (told["file_name"], told["formatting"], told["ranking"]) == ("train.json", "sharegpt", True)
    assert set(told["columns"].values()) <= set(row)

    swift = json.loads((written(ours, tmp_path, "ms-swift") / "train.jsonl").read_text("utf-8").splitlines()[0])
    assert [message["role"] for message in swift["messages"]] == ["user", "assistant"]
    assert isinstance(swift["rejected_response"], str)
    assert swift["messages"][0]["content"].startswith("<image>\n")

    (rrpo, *_) = json.loads((written(ours, tmp_path, "rrpo") / "train.json").read_text("utf-8"))
    assert {"question", "answer", "pred", "answer_masked", "pred_masked", "src", "sample_id"} <= set(rrpo)
    assert rrpo["pred_masked"].startswith("The <MASK> left </MASK> lung shows <MASK> a large effusion </MASK>.")

    (llava, *_) = json.loads((written(ours, tmp_path, "llava") / "train.json").read_text("utf-8"))
    assert {"id", "image", "conversations", "rejected_conversations", "weighted_score"} <= set(llava)
    assert [turn["from"] for turn in llava["conversations"]] == ["human", "gpt"]


def test_trl_loads_its_export_as_images_and_messages(ours: Path, tmp_path: Path) -> None:
    rows = load_dataset(str(written(ours, tmp_path, "trl")))["train"]
    assert rows.column_names == ["id", "images", "prompt", "chosen", "rejected"]
    assert rows[0]["images"][0].size == (24, 16)
    texts = [
        FormatPair(where="t", id=str(n), split="train", prompt=(Turn("user", "Q?"),), chosen="a", rejected="b")
        for n in range(3)
    ]
    export_pairs(texts, tmp_path / "texts", to="trl")
    assert "images" not in load_dataset(str(tmp_path / "texts"))["train"].column_names


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # TRL's are not ours to mend
def test_trl_trains_two_steps_on_its_export(ours: Path, tmp_path: Path) -> None:
    rows = load_dataset(str(written(ours, tmp_path, "trl")))["train"]
    assert train_two_steps(rows, tmp_path) == 2


def find(item: object) -> Picture:
    return Picture(str(item), None)


def read(name: FormatName, **values: Any) -> FormatPair:
    return pair_of(name, values, find, where="row 1", split="train")


def test_peers_rows_as_they_publish_them() -> None:
    turns = [{"from": "human", "value": "<image>\nIs it so?"}, {"from": "gpt", "value": " Yes"}]
    wrong = [turns[0], {"from": "gpt", "value": " It is not so."}]
    scored = {
        "id": 7,
        "image": "a/b.png",
        "conversations": turns,
        "rejected_conversations": wrong,
        "weighted_score": 0.5,
    }
    assert format_of(scored) == "mmedpo"
    row = read("mmedpo", **scored)
    assert (row.id, row.question, row.chosen, row.rejected, row.weight) == (
        "7",
        "Is it so?",
        "Yes",
        "It is not so.",
        0.5,
    )
    assert row.images == (Picture("a/b.png", None),)
    assert read("llava", **scored).chosen == " Yes"

    alpaca = {"instruction": "<image>Is it", "input": "so?", "chosen": "Yes", "rejected": "No", "images": ["a.png"],
              "system": "Be brief.", "history": [["Hello", "Hi"]]}  # fmt: skip
    assert format_of(alpaca) == "llamafactory"
    assert [turn.role for turn in read("llamafactory", **alpaca).prompt] == ["system", "user", "assistant", "user"]
    assert read("llamafactory", **alpaca).prompt[-1].text == "Is it\nso?"

    said_so = json.dumps({"question": "Q", "chosen": "c", "rejected": "r"})
    hub = {"image": {"bytes": b"x", "path": "a.png"}, "text": said_so, "origin_dataset": "x", "idx": 3}
    assert format_of(hub) == "rlhfv"
    assert (read("rlhfv", **hub).id, read("rlhfv", **hub).chosen) == ("3", "c")

    parts = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Q"}]}]
    said = [{"role": "assistant", "content": "c"}]
    assert read("trl", prompt=parts, chosen=said, rejected=said, images=["a"]).question == "Q"
    assert read("trl", chosen=[*parts, *said], rejected=[*parts, *said]).question == "Q"
    assert read("trl", prompt="Q", chosen="c", rejected="r").chosen == "c"

    other = [*parts, {"role": "assistant", "content": "r"}]
    swift = {"messages": [*parts, *said], "rejected_messages": other, "images": ["a"], "rejected_images": ["b"]}
    assert format_of(swift) == "ms-swift"
    assert (read("ms-swift", **swift).rejected, read("ms-swift", **swift).corrupted[0].name) == ("r", "b")
    assert format_of({"text": ""}) is None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("trl", {"prompt": "Q", "chosen": [{"role": "user", "content": "x"}], "rejected": []}),
        ("ms-swift", {"messages": [{"role": "user", "content": "x"}], "rejected_response": "r"}),
        ("llava", {"conversations": [{"from": "robot", "value": "x"}], "rejected_conversations": []}),
        ("rlhfv", {"text": "{", "image": "a"}),
        (
            "rrpo",
            {"question": "Q", "answer": "a b", "pred": "a c", "answer_masked": "a <MASK> b", "pred_masked": "a c"},
        ),
        (
            "rrpo",
            {"question": "Q", "answer": "a b", "pred": "a c", "answer_masked": "<MASK> x </MASK>", "pred_masked": ""},
        ),
        ("rrpo", {"question": "Q", "answer": None, "pred": "a c"}),
    ],
)
def test_a_row_of_another_layout_is_refused(name: FormatName, values: dict[str, Any]) -> None:
    with pytest.raises(LayoutError):
        read(name, **values)


LETTERS = st.characters(codec="utf-8", exclude_characters="<>", exclude_categories=["Cs"])


@given(st.lists(st.tuples(st.text(LETTERS, max_size=6), st.text(LETTERS, max_size=6)), max_size=4), st.text(LETTERS))
def test_phrases_survive_their_tags(pieces: list[tuple[str, str]], end: str) -> None:
    text, marks = "", []
    for number, (before, phrase) in enumerate(pieces, 1):
        text += before
        marks.append(Mark(len(text), len(text) + len(phrase), number))
        text += phrase
    text += end
    from medprefkit.formats.write import _tagged

    tagged = _tagged(text, marks, "row")
    row = read("rrpo", question="Q", answer=text, pred=text, answer_masked=tagged, pred_masked=tagged)
    assert row.chosen_marks == tuple(marks)


def test_a_text_with_tags_of_its_own_is_not_written(tmp_path: Path) -> None:
    row = FormatPair(where="w", id="a", split="train", prompt=(), chosen="a <MASK> b", rejected="c")
    with pytest.raises(DatasetError, match="itself holds a <MASK> tag"):
        export_pairs([row], tmp_path / "out", to="rrpo")


def test_pictures_do_not_leave_their_folder_and_are_needed(ours: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "data").mkdir()
    line = {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "c"}],
            "rejected_response": "r", "images": ["../secret.png"]}  # fmt: skip
    (tmp_path / "data/train.jsonl").write_text(json.dumps(line) + "\n", "utf-8")
    (row,) = read_pairs(str(tmp_path / "data")).rows
    assert isinstance(row, FormatPair)
    assert row.images[0].content is None
    with pytest.raises(DatasetError, match="is not there; name its folder with --images"):
        export(str(tmp_path / "data"), tmp_path / "out", to="jsonl", format_name=None, images=None)
    with pytest.raises(DatasetError, match=r"no row of .* can be imported"):
        import_pairs(str(tmp_path / "data"), tmp_path / "in", format_name=None, images=None, source="s", licence="l")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('[{"text": "a"}]', "utf-8")
    with pytest.raises(DatasetError, match="of no known preference format; name it with --from"):
        read_pairs(str(tmp_path / "x.json"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no JSON"):
        read_pairs(str(tmp_path / "empty"))
    with pytest.raises(DatasetError, match="neither a file or folder here"):
        read_pairs("nobody/nothing-of-this-name")
    (tmp_path / "used").mkdir()
    (tmp_path / "used/x").touch()
    with pytest.raises(DatasetError, match="is not empty"):
        export_pairs([], tmp_path / "used", to="jsonl")


def test_what_datasets_saved_is_read(tmp_path: Path) -> None:
    rows = Dataset.from_list([{"prompt": "Q", "chosen": "c", "rejected": "r"}])
    rows.save_to_disk(str(tmp_path / "one"))
    DatasetDict(train=rows, test=rows).save_to_disk(str(tmp_path / "two"))
    for name, splits in (("one", ["train"]), ("two", ["train", "test"])):
        read = read_pairs(str(tmp_path / name))
        assert read.format == "trl"
        assert [cast("FormatPair", row).split for row in read.rows] == splits


def test_repeated_ids_are_told_apart_on_import(tmp_path: Path) -> None:
    line = json.dumps({"id": "a", "prompt": "Q", "chosen": "c", "rejected": "r"}) + "\n"
    (tmp_path / "pairs.jsonl").write_text(line * 3, "utf-8")
    import_pairs(str(tmp_path / "pairs.jsonl"), tmp_path / "in", format_name=None, images=None, source="s", licence="l")
    assert load_pairs(tmp_path / "in")["train"]["id"] == ["a", "a.2", "a.3"]
