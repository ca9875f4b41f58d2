import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medprefkit.errors import SourceError
from medprefkit.records import Dropped, Example
from medprefkit.sources.admit import refuse_duplicates
from medprefkit.sources.table import Columns, read_table

GOOD = {"prompt": "Is there an effusion?", "reference": "No", "answer": "Yes, a large one.", "image": "images/a.png"}
WRITE = Callable[..., str]


def read(root: Path, path: str, **options: Any) -> list[Example | Dropped]:
    return list(read_table(root, path=path, name="mine", licence="CC0-1.0", **options))


def only_drop(root: Path, path: str, **options: Any) -> Dropped:
    (outcome,) = read(root, path, **options)
    assert isinstance(outcome, Dropped), outcome
    assert outcome.stage == "sources"
    assert "\n" not in outcome.detail
    return outcome


def test_a_good_row_arrives_as_it_was_written(root: Path, write_jsonl: WRITE) -> None:
    row = GOOD | {"answer": " Yes,\r\n a\u00a0large one.  ", "n": 3}
    (example,) = read(root, write_jsonl([row]), answer_model="m", modality="X-ray", task="vqa")
    assert isinstance(example, Example)
    assert example.answer == row["answer"]
    assert (example.id, example.group_id, example.task) == ("rows-1", "mine/images/a.png", "vqa")
    assert (example.answer_model, example.modality, example.source.licence) == ("m", "X-ray", "CC0-1.0")
    assert [image.path for image in example.images] == ["images/a.png"]


@pytest.mark.parametrize(
    ("change", "reason", "said"),
    [
        ({"prompt": ""}, "prompt_missing", "no prompt"),
        ({"prompt": None}, "prompt_missing", "no prompt"),
        ({"reference": "  \n"}, "reference_missing", "no reference"),
        ({"reference": None}, "reference_missing", "no reference"),
        ({"answer": ""}, "answer_empty", "''"),
        ({"answer": " \n "}, "answer_empty", r"' \n '"),
        ({"image": "images/none.png"}, "image_missing", "images/none.png"),
        ({"image": "images/cut.png"}, "image_unreadable", "cut.png"),
        ({"image": "rows.jsonl"}, "image_unreadable", "rows.jsonl"),
        ({"image": "../outside.png"}, "image_outside_root", "outside.png"),
        ({"image": "/etc/hostname"}, "image_outside_root", "hostname"),
        ({"image": "https://example.org/a.png"}, "image_outside_root", "example.org"),
        ({"image": 7}, "row_invalid", "'image' holds a number"),
        ({"image": [None]}, "row_invalid", "an image without a path"),
        ({"answer": {"text": "Yes"}}, "row_invalid", "'answer' holds an object"),
        ({"answer": True}, "row_invalid", "'answer' holds true or false"),
        ({"answer": "Yes\0"}, "text_invalid", "the answer"),
        ({"reference": "caf\udce9"}, "text_invalid", "the reference"),
        ({"prompt": "\ud800"}, "text_invalid", "the prompt"),
    ],
)
def test_a_bad_row_is_dropped_with_its_place_and_the_reason(
    root: Path, write_jsonl: WRITE, change: dict[str, object], reason: str, said: str
) -> None:
    drop = only_drop(root, write_jsonl([GOOD | change]))
    assert drop.reason == reason
    assert said in drop.detail
    assert drop.detail.startswith("rows.jsonl, line 1: ")


def test_a_broken_line_is_one_drop_and_not_the_end(root: Path, write_jsonl: WRITE) -> None:
    outcomes = read(root, write_jsonl([GOOD, '{"prompt": "Is', "[1, 2]", "", GOOD, "[" * 100_000]))
    assert [getattr(outcome, "reason", "kept") for outcome in outcomes] == [
        "kept", "row_invalid", "row_invalid", "kept", "row_invalid",
    ]  # fmt: skip
    assert "line 2" in outcomes[1].detail  # type: ignore[union-attr]
    assert "a list, not an object" in outcomes[2].detail  # type: ignore[union-attr]
    assert outcomes[3].id == "rows-5"


def test_bytes_that_are_not_utf8_cost_their_own_row_only(root: Path) -> None:
    lines = [
        json.dumps(GOOD).encode(),
        json.dumps(GOOD).encode().replace(b"large", b"l\xe4rge"),
        json.dumps(GOOD).encode(),
    ]
    (root / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines))
    outcomes = read(root, "rows.jsonl")
    assert [getattr(outcome, "reason", "kept") for outcome in outcomes] == ["kept", "text_invalid", "kept"]


def test_the_second_row_of_an_id_is_dropped_and_names_the_first(root: Path, write_jsonl: WRITE) -> None:
    rows = [GOOD | {"id": "x"}, GOOD | {"id": "y"}, GOOD | {"id": "x", "answer": "No."}]
    outcomes = read(root, write_jsonl(rows), columns=Columns(id="id"))
    assert [outcome.id for outcome in outcomes if isinstance(outcome, Example)] == ["x", "y"]
    assert isinstance(outcomes[2], Dropped)
    assert outcomes[2].reason == "duplicate_id"
    assert "rows.jsonl, line 1" in outcomes[2].detail


def test_two_sources_with_one_id_keep_the_first(root: Path, write_jsonl: WRITE) -> None:
    path = write_jsonl([GOOD])
    outcomes = list(refuse_duplicates([*read(root, path), *read(root, path)]))
    assert [getattr(outcome, "reason", "kept") for outcome in outcomes] == ["kept", "duplicate_id"]


def test_a_missing_column_is_named_with_the_closest_one(root: Path, write_jsonl: WRITE) -> None:
    row = {"question": "q", "refrence": "No"}
    with pytest.raises(SourceError, match=r"rows\.jsonl: no column 'reference'; did you mean 'refrence'\?.*'question'"):
        read(root, write_jsonl([row]), columns=Columns(prompt="question"))
    with pytest.raises(SourceError, match=r"no column 'patient'.*columns\.group"):
        read(root, write_jsonl([GOOD]), columns=Columns(group="patient"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.jsonl", None, "no such file"),
        ("empty.jsonl", b"", "holds no rows"),
        ("rows.json", b'{"a": 1}', "an object; write a list"),
        ("rows.json", b'[{"a": 1},\n', "not JSON .*line 2"),
        ("empty.csv", b"", "no header"),
        ("twice.csv", b"prompt,reference,prompt\n", "'prompt' stands twice"),
        ("rows.parquet", b"PAR1", "not a Parquet file"),
        ("rows.xlsx", b"PK", "convert it"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_says_so(root: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (root / name).write_bytes(content)
    with pytest.raises(SourceError, match=said) as caught:
        read(root, name)
    assert str(caught.value).startswith(name)


@pytest.mark.parametrize("path", ["../rows.jsonl", "/etc/hostname", "https://example.org/rows.jsonl", "images"])
def test_a_table_outside_the_root_is_refused(root: Path, path: str) -> None:
    (root.parent / "rows.jsonl").write_text(json.dumps(GOOD), encoding="utf-8")
    with pytest.raises(SourceError, match=r"outside the data root|a URL|is a folder"):
        read(root, path)


def test_csv_rows_that_do_not_fit_cost_themselves_only(root: Path) -> None:
    good = '"Is there, perhaps, a mass?",No,"Yes,\nit is ""large""."'
    text = (
        f'\ufeffprompt,reference,answer,\n{good},\na,b\na,b,c,d,e\n\n{good},\nq,No,,\nq,No,"x"y,\n{good},\nq,"No,a,\n'
    )
    (root / "rows.csv").write_text(text, encoding="utf-8", newline="")
    outcomes = read(root, "rows.csv")
    assert [getattr(outcome, "reason", "kept") for outcome in outcomes] == [
        "kept", "row_invalid", "row_invalid", "kept", "answer_empty", "row_invalid", "kept", "row_invalid",
    ]  # fmt: skip
    assert isinstance(outcomes[0], Example)
    assert outcomes[0].answer == 'Yes,\nit is "large".'
    assert "2 cells where the header has 4" in outcomes[1].detail  # type: ignore[union-attr]
    assert "line 4" in outcomes[1].detail  # type: ignore[union-attr]  # the row before it takes two lines


def test_numbers_become_text_and_pandas_nulls_are_missing(root: Path) -> None:
    table = pa.table({"prompt": ["How many?"] * 3, "reference": [4.0, float("nan"), None], "answer": [2, 3, None]})
    pq.write_table(table, root / "rows.parquet")
    outcomes = read(root, "rows.parquet")
    assert isinstance(outcomes[0], Example)
    assert (outcomes[0].reference, outcomes[0].answer) == ("4.0", "2.0" if table["answer"].type == "double" else "2")
    assert [getattr(outcome, "reason", "kept") for outcome in outcomes] == ["kept", *["reference_missing"] * 2]


def test_a_null_answer_is_an_example_without_one(root: Path, write_jsonl: WRITE) -> None:
    rows = [GOOD | {"answer": None}, {key: GOOD[key] for key in ("prompt", "reference")}]
    outcomes = read(root, write_jsonl(rows))
    assert [outcome.answer for outcome in outcomes if isinstance(outcome, Example)] == [None, None]


def test_one_prompt_for_all_rows_needs_no_column(root: Path, write_jsonl: WRITE) -> None:
    (example,) = read(root, write_jsonl([{"reference": "Clear."}]), prompt="Describe the chest X-ray.")
    assert isinstance(example, Example)
    assert example.prompt == "Describe the chest X-ray."


def test_masks_belong_to_the_one_image_or_to_their_own(root: Path, write_jsonl: WRITE) -> None:
    two = ["images/a.png", "images/b.png"]
    mask = "images/mask.png"
    rows = [
        GOOD | {"m": mask},
        GOOD | {"m": [mask, "images/absent.png"]},
        GOOD | {"image": two, "m": [None, mask]},
        GOOD | {"image": two, "m": mask},
        GOOD | {"image": [], "m": mask},
        GOOD | {"m": "../outside.png"},
    ]
    outcomes = read(root, write_jsonl(rows), columns=Columns(lesion_mask="m"))
    masks = [[(m.path, m.image_index) for m in o.lesion_masks] for o in outcomes if isinstance(o, Example)]
    assert masks == [[(mask, 0)], [(mask, 0), ("images/absent.png", 0)], [(mask, 1)]]  # a missing mask drops no text
    drops = [outcome for outcome in outcomes if isinstance(outcome, Dropped)]
    assert [drop.reason for drop in drops] == ["row_invalid", "row_invalid", "image_outside_root"]


def test_csv_takes_a_json_list_of_paths(root: Path) -> None:
    text = 'prompt,reference,image\nq,No,"[""images/a.png"", ""images/b.png""]"\nq,No,\nq,No,[x].png\n'
    (root / "rows.csv").write_text(text, encoding="utf-8")
    outcomes = read(root, "rows.csv")
    assert [len(o.images) for o in outcomes if isinstance(o, Example)] == [2, 0]
    assert isinstance(outcomes[2], Dropped)
    assert outcomes[2].reason == "image_missing"


def test_formats_agree(root: Path, write_jsonl: WRITE) -> None:
    rows = [GOOD | {"answer": f"Yes, {number}."} for number in range(600)]
    write_jsonl(rows, "t.jsonl")
    (root / "t.json").write_text(json.dumps(rows), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows), root / "t.parquet")
    expected = read(root, "t.jsonl")
    assert len(expected) == 600
    assert read(root, "t.json") == read(root, "t.parquet") == expected


def test_rows_are_read_as_they_are_asked_for(root: Path, write_jsonl: WRITE) -> None:
    rows = iter(read_table(root, path=write_jsonl([GOOD] * 300), name="mine", licence="CC0-1.0"))
    assert isinstance(next(rows), Example)
    (root / "rows.jsonl").unlink()  # the file stays open, the rest is still to come
    assert len(list(rows)) == 299


CELLS = st.one_of(
    st.none(), st.text(max_size=8), st.integers(), st.booleans(), st.lists(st.text(max_size=3), max_size=2)
)
ROWS = st.one_of(
    st.fixed_dictionaries(dict.fromkeys(("id", "prompt", "reference", "answer", "image"), CELLS)).map(json.dumps),
    st.just(json.dumps(GOOD | {"id": "same"})),
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
        str.strip
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, max_size=12))
def test_every_row_has_one_outcome_and_the_same_twice(root: Path, rows: list[str]) -> None:
    lines = [json.dumps(GOOD | {"id": "first"}), *rows]
    (root / "rows.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="")
    outcomes = read(root, "rows.jsonl", columns=Columns(id="id"))
    assert len(outcomes) == len(lines)
    assert outcomes == read(root, "rows.jsonl", columns=Columns(id="id"))
    kept = Counter(outcome.id for outcome in outcomes if isinstance(outcome, Example))
    assert max(kept.values()) == 1
    for outcome in outcomes:
        assert type(outcome).model_validate_json(outcome.model_dump_json()) == outcome


def test_masks_may_be_annotations_run_lengths_or_classes_and_frames_differ(write_jsonl: WRITE, root: Path) -> None:
    rows = [
        GOOD | {"lesion": {"bbox": [1, 2, 3, 4]}, "frame": 2},
        GOOD | {"lesion": ["images/mask.png", [1]]},
        GOOD | {"lesion": "images/mask.png", "runs": "5 3", "frame": "lesion"},
        GOOD | {"lesion": None, "runs": "-1", "frame": "first"},
        GOOD | {"lesion": [{"rle": "1 2"}, {"rle": "9 1"}], "frame": None},
    ]
    columns = Columns(lesion_mask="lesion", lesion_rle="runs", frame="frame")
    first, listed, both, wrong, two = read(
        root, write_jsonl([{"runs": None, "frame": None} | row for row in rows]), columns=columns,
        mask_classes={"#ff0000": "mass", "2": ""},
    )  # fmt: skip
    assert isinstance(listed, Dropped)
    assert isinstance(wrong, Dropped)
    assert {listed.reason, wrong.reason} == {"row_invalid"}
    assert "`middle` or `lesion`" in wrong.detail
    for outcome in (first, both, two):
        assert isinstance(outcome, Example | Dropped)
    assert isinstance(first, Dropped)  # a picture of one frame has no third
    assert first.reason == "image_unreadable"
    assert isinstance(both, Example)
    assert [(mask.path, mask.classes, mask.label) for mask in both.lesion_masks[:2]] == [
        ("images/mask.png", ("#ff0000",), "mass"), ("images/mask.png", ("2",), ""),
    ]  # fmt: skip
    assert json.loads(both.lesion_masks[2].annotation) == {"rle": "5 3"}
    assert isinstance(two, Example)
    assert len(two.lesion_masks) == 4
