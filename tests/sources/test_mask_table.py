"""Tables of masks: offsets of cropped ones, run lengths, boxes; and what of them is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from medprefkit.errors import SourceError
from medprefkit.images import read_image, read_lesion
from medprefkit.records import Example, ImageRef, MaskRef
from medprefkit.sources.image_folder import read_image_folder
from medprefkit.sources.mask_table import MaskTable, read_mask_table


def table(root: Path, text: str, masks: str | None = None, **columns: Any) -> dict[str, tuple[MaskRef, ...]]:
    (root / "masks.csv").write_text(text, "utf-8")
    return read_mask_table(root, MaskTable(path="masks.csv", **columns), masks)


def test_cropped_masks_have_their_place_and_only_lesions_are_kept(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "image,mask,cls,top,left\nimages/a.jpg,masks/1.png,Lung,2,3\nimages/a.jpg,masks/2.png,Opacity,215,389\n"
        "images/b.jpg,masks/3.png,Effusion,0,0\nimages/a.jpg,,Opacity,0,0\n",
        "folder/masks", mask="mask", left="left", top="top", label="cls", lesion_labels=("Opacity", "Effusion"),
    )  # fmt: skip
    assert found == {
        "a": (MaskRef(path="folder/masks/2.png", label="Opacity", place_px=(389, 215)),),
        "b": (MaskRef(path="folder/masks/3.png", label="Effusion", place_px=(0, 0)),),
    }


def test_run_lengths_and_boxes_are_annotations_and_no_lesion_is_none(tmp_path: Path) -> None:
    runs = table(tmp_path, "ImageId,Runs\na.png,5 3\nb.png,-1\nc.png,\na.png,9 1\n", image="ImageId", rle="Runs")
    assert [json.loads(mask.annotation) for mask in runs["a"]] == [{"rle": "5 3"}, {"rle": "9 1"}]
    assert runs["b"] == runs["c"] == ()
    boxes = table(tmp_path, "image,x,y,w,h\na.dcm,1,2,30,40\nb.dcm,,,,\n", box=("x", "y", "w", "h"))
    assert json.loads(boxes["a"][0].annotation) == {"bbox": [1.0, 2.0, 30.0, 40.0]}
    assert boxes["b"] == ()
    corners = table(tmp_path, "image,l,t,r,b\na,1,2,31,42\n", corners=("l", "t", "r", "b"))
    assert corners["a"] == boxes["a"]


@pytest.mark.parametrize(
    ("columns", "masks", "said"),
    [
        ({}, None, "set one of mask, rle"),
        ({"rle": "r", "mask": "m"}, "masks", "mask and rle is set"),
        ({"box": ("a", "b")}, None, "four columns, not 2"),
        ({"mask": "m", "left": "l"}, "masks", "left and top go together"),
        ({"mask": "m"}, None, "files of the folder `masks`"),
        ({"rle": "runs"}, None, "no column 'runs'"),
        ({"box": ("image", "m", "l", "r")}, None, "line 2: could not convert"),
    ],
)
def test_settings_and_rows_that_cannot_be_meant(
    tmp_path: Path, columns: dict[str, Any], masks: str | None, said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        table(tmp_path, "image,m,l,r\na.png,x,y,z\n", masks, **columns)


def test_the_originals_of_real_masks_unite_to_the_ones_that_were_pasted(shared: Path) -> None:
    home = "images/cxr_covid_gb"
    lesions = ("Ground Glass Opacities", "Consolidation", "Pleural Effusion", "Pneumothorax")
    outcomes = read_image_folder(
        shared, images=f"{home}/images", masks=f"{home}/masks", references=f"{home}/metadata.csv",
        reference_column="clinical_notes", name="cxr", licence="x", prompt="p",
        mask_table=MaskTable(
            path=f"{home}/index.csv", mask="mask", left="left", top="top", label="cls", lesion_labels=lesions
        ),
    )  # fmt: skip
    examples = [outcome for outcome in outcomes if isinstance(outcome, Example)]
    assert len(examples) == 13
    for example in examples[:2]:
        (ref,) = example.images
        image = read_image(shared / ref.path)
        united = read_lesion(shared, ref, example.lesion_masks, image)
        whole = MaskRef(path=f"{home}/lesion_masks_fullsize/{Path(ref.path).stem}.png")
        assert (united != read_lesion(shared, ImageRef(path=ref.path), [whole], image)).mean() < 0.002
