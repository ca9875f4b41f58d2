"""Masks written as numbers become the drawn ones, and damaged ones are refused in one line."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medprefkit.annotations import Box, boxes_of, mask_of_annotation
from medprefkit.errors import ImageError
from medprefkit.images import lesion_mask_of, read_lesion_mask
from medprefkit.imaging.lesions import Pictured
from medprefkit.protocols import Mask

# 3 rows, 4 columns, True at column 1, rows 1 and 2, and column 2, row 0: down the columns 4 False, 3 True, 5 False
MASK = np.zeros((3, 4), np.bool_)
MASK[1:, 1] = MASK[0, 2] = True


def runs_of(mask: Mask) -> list[int]:
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(int))) + 1
    lengths = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *lengths] if flat[0] else lengths


def compressed(lengths: list[int]) -> str:
    text = ""
    for k, length in enumerate(lengths):
        rest = length - (lengths[k - 2] if k > 2 else 0)
        while True:
            bits, rest = rest & 0x1F, rest >> 5
            more = rest != (-1 if bits & 0x10 else 0)
            text += chr(48 + bits + (0x20 if more else 0))
            if not more:
                break
    return text


def test_every_way_of_writing_by_hand() -> None:
    # 4 -> chr(52) "4", 3 -> "3", 5 -> "5": no difference before the fourth number
    for written in (
        {"size": [3, 4], "counts": [4, 3, 5]},
        {"size": [3, 4], "counts": "435"},
        {"segmentation": {"size": [3, 4], "counts": "435"}, "bbox": [0, 0, 1, 1]},
        {"rle": "5 3"},
        {"rle": "5 1 6 2"},
    ):
        assert np.array_equal(mask_of_annotation(written, (3, 4)), MASK), written
        assert np.array_equal(lesion_mask_of(written, (3, 4)), MASK)


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(lambda shape: arrays(np.bool_, shape)))
def test_run_lengths_give_the_mask_back(mask: Mask) -> None:
    shape = (mask.shape[0], mask.shape[1])
    lengths = runs_of(mask)
    starts = np.cumsum([0, *lengths])[1:-1:2] + 1
    kaggle = " ".join(f"{start} {n}" for start, n in zip(starts, lengths[1::2], strict=True))
    for written in (
        {"size": list(shape), "counts": lengths},
        {"size": list(shape), "counts": compressed(lengths)},
        {"rle": kaggle},
    ):
        assert np.array_equal(mask_of_annotation(written, shape), mask)


def test_polygons_and_boxes() -> None:
    square = mask_of_annotation({"segmentation": [[10, 20, 30, 20, 30, 40, 10, 40]]}, (60, 50))
    assert square[21:39, 11:29].all()
    assert not square[:19].any()
    ellipse = mask_of_annotation({"bbox": [10, 20, 20, 10]}, (60, 50))
    assert ellipse[20:30, 10:30].sum() == ellipse.sum() == pytest.approx(np.pi * 10 * 5, rel=0.03)
    assert not ellipse[20, 10]
    both = mask_of_annotation([{"bbox": [10, 20, 20, 10]}, {"bbox": [30, 40, 4, 4]}], (60, 50))
    assert both.sum() > ellipse.sum()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({}, "mask_unreadable"),
        ([], "mask_unreadable"),
        ("435", "mask_unreadable"),
        ({"size": [3, 4], "counts": [4, 3]}, "mask_unreadable"),
        ({"size": [3, 4], "counts": [-4, 3, 13]}, "mask_unreadable"),
        ({"size": [3, 4], "counts": "é"}, "mask_unreadable"),
        ({"size": [3, 4], "counts": "T"}, "mask_unreadable"),
        ({"size": [4, 3], "counts": [4, 3, 5]}, "mask_size_mismatch"),
        ({"size": None, "counts": [12]}, "mask_unreadable"),
        ({"rle": "5"}, "mask_unreadable"),
        ({"rle": "a b"}, "mask_unreadable"),
        ({"rle": "11 3"}, "mask_size_mismatch"),
        ({"rle": 5}, "mask_unreadable"),
        ({"segmentation": [[1, 2, 3]]}, "mask_unreadable"),
        ({"segmentation": [[0, 0, 9, 0, 9, 9]]}, "mask_size_mismatch"),
        ({"segmentation": [[0, 0, 1, float("nan"), 1, 1]]}, "mask_unreadable"),
        ({"bbox": [0, 0, 0, 2]}, "mask_unreadable"),
        ({"bbox": [0, 0, 2, 30]}, "mask_size_mismatch"),
        ({"bbox": [0, 0, 2]}, "mask_unreadable"),
    ],
)
def test_damaged_annotations_are_refused(written: Any, reason: str) -> None:
    with pytest.raises(ImageError) as error:
        mask_of_annotation(written, (3, 4))
    assert error.value.reason == reason
    assert "\n" not in str(error.value)


def test_a_file_of_annotations_is_a_mask(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps([{"rle": "5 3"}]), "utf-8")
    assert np.array_equal(read_lesion_mask(path, (3, 4)), MASK)
    for text, reason in [
        ("{", "mask_unreadable"),
        ('{"rle": ""}', "mask_empty"),
        ('{"rle": "90 3"}', "mask_size_mismatch"),
    ]:
        path.write_text(text, "utf-8")
        with pytest.raises(ImageError, match="json") as error:
            read_lesion_mask(path, (3, 4))
        assert error.value.reason == reason
    path.unlink()
    with pytest.raises(ImageError) as error:
        read_lesion_mask(path, (3, 4))
    assert error.value.reason == "mask_missing"


# --- whole COCO files, classes, and run lengths of other sets

COCO = {
    "images": [{"id": 1, "file_name": "train/a.png"}, {"id": 2, "file_name": "b.png"}, {"id": 3, "file_name": "c.png"}],
    "annotations": [
        {"image_id": 1, "category_id": 7, "segmentation": {"size": [3, 4], "counts": [4, 3, 5]}, "bbox": [0, 0, 1, 1]},
        {"image_id": 1, "category_id": 8, "segmentation": {"size": [3, 4], "counts": [0, 1, 11]}},
        {"image_id": 2, "category_id": 8, "segmentation": {"size": [3, 4], "counts": [11, 1]}},
    ],
    "categories": [{"id": 7, "name": "Polyp"}, {"id": 8, "name": "Ulcer"}],
}


def test_a_whole_coco_file_is_searched_by_image_and_by_category(tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(COCO), "utf-8")

    def read(image: str, *classes: str) -> Mask:
        return read_lesion_mask(path, (3, 4), classes=classes, of=Pictured(tmp_path / image, None))

    corner = np.zeros((3, 4), np.bool_)
    corner[0, 0] = True
    assert np.array_equal(read("a.png"), MASK | corner)
    assert np.array_equal(read("a.png", "polyp"), MASK)
    assert np.array_equal(read("a.png", "8"), corner)
    assert read("b.png").sum() == 1
    for image, classes, reason in [
        ("a.png", ("Tumour",), "mask_empty"),
        ("c.png", (), "mask_empty"),
        ("d.png", (), "mask_unreadable"),
    ]:
        with pytest.raises(ImageError) as error:
            read(image, *classes)
        assert error.value.reason == reason
    with pytest.raises(ImageError, match="no COCO file"):
        mask_of_annotation({"annotations": [{}], "images": [{"id": 1}]}, (3, 4), image="a.png")


def test_annotations_are_chosen_by_their_own_classes() -> None:
    listed = [{"rle": "5 3", "label": "Mass"}, {"rle": "1 1", "class": "Scar"}]
    assert mask_of_annotation(listed, (3, 4), classes=["mass"]).sum() == 3
    assert mask_of_annotation(listed, (3, 4)).sum() == 4
    with pytest.raises(ImageError, match="not of class"):
        mask_of_annotation(listed[0], (3, 4), classes=["Scar"])


def test_starts_that_are_counted_from_the_run_before() -> None:
    # 4 skipped, 2 taken (5, 6), 0 skipped, 1 taken (7): the mask's "5 3"
    assert np.array_equal(mask_of_annotation({"rle_gaps": "4 2 0 1"}, (3, 4)), MASK)
    assert not mask_of_annotation({"rle": "-1"}, (3, 4)).any()
    with pytest.raises(ImageError):
        mask_of_annotation({"rle_gaps": "4 2 9 1"}, (3, 4))


def test_boxes_are_filled_by_what_is_given() -> None:
    def whole(box: Box, shape: tuple[int, int]) -> Mask:
        filled = np.zeros(shape, np.bool_)
        left, top, width, height = (int(side) for side in box)
        filled[top : top + height, left : left + width] = True
        return filled

    listed = [{"bbox": [1, 1, 4, 5], "label": "a"}, {"bbox": [10, 2, 3, 3], "label": "b"}, {"rle": "1 1", "label": "a"}]
    assert mask_of_annotation(listed, (20, 30), fill_box=whole).sum() == 20 + 9 + 1
    assert boxes_of(listed, ["a"], None) == [(1, 1, 4, 5)]
    assert boxes_of([{"bbox": [1, 2]}], [], None) == []


KEYS = ["segmentation", "size", "counts", "rle", "rle_gaps", "bbox", "images", "annotations", "image_id", "id", "label"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.floats() | st.sampled_from(["-1", "5 3", "435", "a"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_any_json_is_a_mask_or_one_line(written: Any) -> None:
    with contextlib.suppress(ImageError):  # anything else, a warning too, fails the test
        assert mask_of_annotation(written, (6, 8), image="a.png").shape == (6, 8)
    assert isinstance(boxes_of(written, ["x"], "a.png"), list)
