"""From scans to rows: DICOM with a segmentation, NIfTI with a mask, and annotations, through a whole run."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_dicom import BORN, NAME, PATIENT, image, segmentation, uid_of
from PIL import Image as Pillow
from pydicom.sequence import Sequence

from medprefkit import corrupt_image, load_pairs, measure_images, pipeline
from medprefkit.errors import ImageError
from medprefkit.images import read_image
from medprefkit.recipe import Recipe, parse_recipe
from medprefkit.records import Case, CorruptedImage, Example, ImageRef, MaskRef, Source, View
from medprefkit.wiring import make_step

nib = pytest.importorskip("nibabel")

NOTES = "filename,notes\nct,The heart size is normal. No pleural effusion.\nvolume,Small left pleural effusion.\n"
ANSWERS = {
    "scans-ct": "The heart size is normal. There is a large left pleural effusion.",
    "scans-volume": "There is a large left pleural effusion.",
}


def grain(shape: tuple[int, ...], seed: int = 0) -> np.ndarray[Any, Any]:
    return (40 + 30 * np.random.default_rng(seed).normal(0, 1, shape)).astype(np.int16)


def disc(shape: tuple[int, int], row: int, column: int, radius: int) -> np.ndarray[Any, Any]:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    found: np.ndarray[Any, Any] = np.hypot(rows - row, columns - column) <= radius
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    for name in ("images", "masks"):
        (data / name).mkdir(parents=True)
    lesion = disc((96, 120), 40, 50, 9)
    values = grain((96, 120))
    values[lesion] += 150
    ct = image(
        data / "images" / "ct.dcm", values, PixelSpacing=[0.5, 0.5], WindowCenter=[40, -600], WindowWidth=[400, 1500],
        ReferringPhysicianName=NAME, OtherPatientIDs=PATIENT, PatientComments=f"{NAME} {BORN}",
    )  # fmt: skip
    segmentation(data / "masks" / "ct.dcm", [(lesion, 1, {"image": uid_of(ct)})], {1: "Effusion"})
    cube = grain((90, 100, 6), 1)
    labels = np.zeros(cube.shape, np.uint8)
    labels[disc((90, 100), 30, 60, 8), 4] = 2
    labels[disc((90, 100), 60, 40, 5), 4] = 1  # another structure
    cube[labels == 2] += 150
    affine = np.diag([0.8, 0.8, 5.0, 1.0])
    nib.save(nib.Nifti1Image(cube, affine), data / "images" / "volume.nii.gz")
    nib.save(nib.Nifti1Image(labels, affine), data / "masks" / "volume.nii.gz")
    (data / "notes.csv").write_text(NOTES, "utf-8")
    return data


def recipe(root: Path, **source: Any) -> Recipe:
    return parse_recipe(
        {
            "recipe_version": "1.0", "name": "scans", "data_root": str(root), "shards": 1,
            "max_dropped_share": 1.0,
            "sources": [
                {
                    "format": "image_folder", "name": "scans", "licence": "CC0-1.0", "images": "images",
                    "masks": "masks", "references": "notes.csv", "reference_column": "notes", "modality": "CT",
                    "prompt": "Describe the scan.", "window": [40, 400], **source,
                }
            ],
            "generate": {"use": "scripted", "with": {"answers": ANSWERS}},
            "corrupt": {"use": "telea", "with": {"margin_mm": 3.0}},
            "build": {"eval_share": 0.0},
            "publish": {"title": "Scans"},
        },
        where="test",
    )  # fmt: skip


def test_scans_become_pngs_with_their_windows_and_no_patient(root: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    pipeline.run(recipe(root), run)
    rows = {row["id"]: row for row in load_pairs(run)["train"]}
    assert set(rows) == set(ANSWERS)
    views = {key: json.loads(row["provenance"]["views"])[0] for key, row in rows.items()}
    assert views["scans-ct"] == {"axis": "axial", "frame": 0, "spacing_mm": [0.5, 0.5], "window": [40, 400]}
    assert views["scans-volume"]["frame"] == 4
    assert views["scans-volume"]["spacing_mm"] == pytest.approx([0.8, 0.8])
    for row in rows.values():
        clean, corrupted = np.asarray(row["images"][0]), np.asarray(row["corrupted_images"][0])
        assert clean.shape == corrupted.shape
        assert (clean != corrupted).any()
    # a lesion of radius 9 px and a margin of 3 mm at 0.5 mm a pixel: 15 px to each side of its middle
    region = rows["scans-ct"]["corruption"]["region"]
    assert (region["left_px"], region["right_px"]) == (50 - 15, 50 + 15 + 1)
    for path in run.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(word.encode() in content for word in (NAME, "Zzyzx", PATIENT, BORN)), path


def test_without_masks_a_scan_is_still_a_png_of_its_window(root: Path, tmp_path: Path) -> None:
    plain = recipe(root, masks=None, frame="middle").model_copy(update={"corrupt": None})
    run = tmp_path / "run"
    pipeline.run(plain, run)
    table = json.dumps([row["provenance"]["views"] for row in load_pairs(run)["train"]])
    assert '\\"frame\\": 3' in table
    import pyarrow.parquet as pq

    (file,) = (run / "build" / "parquet").glob("*.parquet")
    images = [image for row in pq.read_table(file).to_pylist() for image in row["images"]]
    assert sorted(image["path"] for image in images) == ["ct.png", "volume.png"]
    for stored in images:
        picture = Pillow.open(io.BytesIO(stored["bytes"]))
        assert (picture.format, picture.mode) == ("PNG", "L")
        if stored["path"] == "ct.png":
            shown = read_image(root / "images" / "ct.dcm", View(window=(40, 400)))
            assert np.array_equal(np.asarray(picture), shown[..., 0])


def test_classes_of_a_mask_and_boxes_by_grabcut(root: Path, tmp_path: Path) -> None:
    volume = ImageRef(path="images/volume.nii.gz", view=View(frame=4, window=(40.0, 400.0)))
    boxed = MaskRef(path="", annotation=json.dumps({"bbox": [40, 50, 20, 18]}))
    areas = {}
    for key, masks, boxes in (
        ("both", (MaskRef(path="masks/volume.nii.gz"),), "ellipse"),
        ("two", (MaskRef(path="masks/volume.nii.gz", classes=("2",)),), "ellipse"),
        ("ellipse", (boxed,), "ellipse"),
        ("grabcut", (boxed,), "grabcut"),
    ):
        example = Example(
            id=key, group_id="g", task="report", prompt="p", reference="r", images=(volume,), lesion_masks=masks,
            source=Source(name="s", licence="CC0"),
        )  # fmt: skip
        base = recipe(root)
        assert base.corrupt is not None
        spec = base.model_copy(update={"corrupt": base.corrupt.model_copy(update={"boxes": boxes, "with_": {}})})
        (made,) = make_step("corrupt", spec, tmp_path / "run")([Case(example)])
        assert isinstance(made, CorruptedImage)
        areas[key] = round(made.lesion_share * 90 * 100)
    assert areas["both"] == areas["two"] + int(disc((90, 100), 60, 40, 5).sum())
    assert areas["two"] == int(disc((90, 100), 30, 60, 8).sum())
    assert areas["ellipse"] == pytest.approx(np.pi * 10 * 9, rel=0.05)
    assert areas["grabcut"] > 0


def test_evaluate_corruption_pairs_and_reads_every_kind(root: Path) -> None:
    Pillow.fromarray(np.clip(grain((80, 90), 3), 0, 255).astype(np.uint8)).save(root / "images" / "film.png")
    (root / "masks" / "film.json").write_text(json.dumps({"bbox": [30, 30, 20, 16]}), "utf-8")
    pairs = measure_images.pair_files(root / "images", root / "masks", window=(40, 400), boxes="grabcut")
    assert [pair.name for pair in pairs] == ["ct.dcm", "film.png", "volume.nii.gz"]
    shapes = []
    for pair in pairs:
        clean, lesion = pair.read()
        assert lesion.any()
        shapes.append((clean.shape[:2], lesion.shape))
    assert shapes == [((96, 120), (96, 120)), ((80, 90), (80, 90)), ((100, 90), (100, 90))]


def test_bad_scans_are_dropped_one_line_each(root: Path, tmp_path: Path) -> None:
    (root / "notes.csv").write_text(
        NOTES + "".join(f"{name},Clear.\n" for name in ("cut", "nan", "bomb", "swapped")), "utf-8"
    )
    whole = (root / "images" / "ct.dcm").read_bytes()
    (root / "images" / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    nib.save(nib.Nifti1Image(np.full((5, 5, 5), np.nan, np.float32), np.eye(4)), root / "images" / "nan.nii")
    image(root / "images" / "bomb.dcm", grain((4, 4)), Rows=60_000, Columns=60_000, PatientName=NAME)
    (root / "images" / "swapped.dcm").write_bytes((root / "masks" / "ct.dcm").read_bytes())
    run = tmp_path / "run"
    pipeline.run(recipe(root), run)
    lines = [json.loads(line) for line in (run / "build" / "dropped.jsonl").read_text("utf-8").splitlines()]
    lines += [
        json.loads(line)
        for path in (run / "sources").rglob("*dropped*")
        if path.is_file()
        for line in path.read_text("utf-8").splitlines()
    ]
    reasons = {line["id"]: line["reason"] for line in lines}
    assert reasons["scans-cut"] == reasons["scans-nan"] == reasons["scans-swapped"] == "image_unreadable"
    assert reasons["scans-bomb"] == "image_too_large"
    assert all("\n" not in line["detail"] and "Zzyzx" not in line["detail"] for line in lines)


def test_a_film_whose_least_is_white_has_its_lesion_removed_as_it_is_seen(root: Path, tmp_path: Path) -> None:
    values = (2000 + grain((96, 120))).astype(np.uint16)
    image(
        root / "images" / "dx.dcm", values, PhotometricInterpretation="MONOCHROME1", ImagerPixelSpacing=[0.2, 0.2],
        VOILUTSequence=Sequence([]),
    )  # fmt: skip
    shown = read_image(root / "images" / "dx.dcm")
    assert np.corrcoef(shown[..., 0].ravel(), values.ravel())[0, 1] < -0.95


def test_corrupt_image_takes_scans_with_their_masks(root: Path) -> None:
    removed = corrupt_image(root / "images" / "volume.nii.gz", root / "masks" / "volume.nii.gz", corruption="telea")
    assert removed.image.shape == (100, 90, 3)
    assert removed.region.sum() > disc((90, 100), 30, 60, 8).sum()
    removed = corrupt_image(root / "images" / "ct.dcm", root / "masks" / "ct.dcm", corruption="telea", margin_px=2)
    assert removed.region.sum() == pytest.approx(np.pi * 11**2, rel=0.06)  # radius 9 and a margin of 2


def test_a_mask_in_the_image_s_place_is_refused(tmp_path: Path) -> None:
    mask = np.where(disc((90, 100), 30, 60, 8), 255, 0).astype(np.uint8)
    with pytest.raises(ImageError, match="swapped"):
        corrupt_image(mask, mask)
