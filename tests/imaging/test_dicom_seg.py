"""Frames of a segmentation go to the image that they belong to, by name or by place, and to no other."""

import contextlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from made_dicom import image, segmentation, uid_of
from pydicom import dcmread

from medprefkit.errors import ImageError
from medprefkit.images import ViewChoice, read_lesion_mask, verify_image
from medprefkit.imaging.lesions import Pictured
from medprefkit.records import View

A, B, C = (np.zeros((6, 10), np.bool_) for _ in range(3))
A[1:3, 2:5] = B[4, 7:] = C[0, 0] = True
LABELS = {1: "Tumour", 2: "Oedema"}
REAL = Path(pydicom.__file__).parent / "data" / "test_files" / "liver_1frame.dcm"


def slices(folder: Path, *, n: int = 2) -> list[Path]:
    return [
        image(folder / f"slice{k}.dcm", np.zeros((6, 10), np.int16), ImagePositionPatient=[0.0, 0.0, 5.0 * k])
        for k in range(n)
    ]


def read(mask: Path, of: Path, *classes: str, view: View | None = None) -> np.ndarray:
    return read_lesion_mask(mask, (6, 10), classes=classes, of=Pictured(of, view))


def refusal(mask: Path, of: Path, *classes: str) -> ImageError:
    with pytest.raises(ImageError) as error:
        read(mask, of, *classes)
    assert "\n" not in str(error.value)
    return error.value


def test_frames_name_their_image_and_segments_are_chosen_by_number_or_label(tmp_path: Path) -> None:
    first, second = slices(tmp_path)
    mask = segmentation(
        tmp_path / "m.dcm",
        [(A, 1, {"image": uid_of(first)}), (B, 2, {"image": uid_of(first)}), (C, 1, {"image": uid_of(second)})],
        LABELS,
    )
    assert np.array_equal(read(mask, first), A | B)
    assert np.array_equal(read(mask, second), C)
    assert np.array_equal(read(mask, first, "tumour"), A)
    assert np.array_equal(read(mask, first, "2"), B)
    assert refusal(mask, second, "Oedema").reason == "mask_empty"
    assert "it has 1 'Tumour', 2 'Oedema'" in str(refusal(mask, first, "necrosis"))


def test_frames_without_names_go_by_their_place(tmp_path: Path) -> None:
    first, second = slices(tmp_path)
    mask = segmentation(
        tmp_path / "m.dcm", [(A, 1, {"position": [0.0, 0, 0]}), (B, 1, {"position": [0.0, 0, 5.01]})], LABELS
    )
    assert np.array_equal(read(mask, first), A)
    assert np.array_equal(read(mask, second), B)
    third = image(tmp_path / "far.dcm", np.zeros((6, 10), np.int16), ImagePositionPatient=[0.0, 0, 30.0])
    assert refusal(mask, third).reason == "mask_empty"  # of the same scan, without a lesion on this slice
    elsewhere = image(tmp_path / "other.dcm", np.zeros((6, 10), np.int16), FrameOfReferenceUID="1.2.3")
    assert "segments of another image" in str(refusal(mask, elsewhere))


def test_frames_of_a_multi_frame_image_and_the_one_with_most_lesion(tmp_path: Path) -> None:
    film = image(tmp_path / "film.dcm", np.zeros((4, 6, 10), np.int16))
    uid = uid_of(film)
    mask = segmentation(
        tmp_path / "m.dcm", [(C, 1, {"image": uid, "frame": 1}), (A, 1, {"image": uid, "frame": 3})], LABELS
    )
    assert np.array_equal(read(mask, film, view=View(frame=3)), A)
    assert np.array_equal(read(mask, film, view=View(frame=1)), C)
    info = verify_image(film, ViewChoice(), [(mask, ())])
    assert info.view is not None
    assert info.view.frame == 3


def test_another_size_or_orientation_is_refused(tmp_path: Path) -> None:
    (first, _) = slices(tmp_path)
    small = segmentation(tmp_path / "s.dcm", [(A[:5], 1, {"image": uid_of(first)})], LABELS)
    assert refusal(small, first).reason == "mask_size_mismatch"
    turned = image(
        tmp_path / "t.dcm", np.zeros((6, 10), np.int16), ImageOrientationPatient=[0, 1.0, 0, 1.0, 0, 0]
    )  # fmt: skip
    mask = segmentation(tmp_path / "m.dcm", [(A, 1, {"image": uid_of(turned)})], LABELS)
    assert "turned" in str(refusal(mask, turned))


def test_fractions_above_a_half_and_label_maps(tmp_path: Path) -> None:
    (first, _) = slices(tmp_path)
    mask = segmentation(tmp_path / "m.dcm", [(A, 1, {"image": uid_of(first)})], LABELS)
    made = dcmread(mask)
    made.SegmentationType, made.MaximumFractionalValue = "FRACTIONAL", 100
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.PixelData = np.where(A, 51, np.where(B, 50, 0)).astype(np.uint8).tobytes()
    made.save_as(mask)
    assert np.array_equal(read(mask, first), A)
    made.SegmentationType = "LABELMAP"
    made.PixelData = (1 * A + 2 * B).astype(np.uint8).tobytes()
    del made.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence
    made.save_as(mask)
    assert np.array_equal(read(mask, first), A | B)
    assert np.array_equal(read(mask, first, "Oedema"), B)


def test_a_segmentation_needs_a_dicom_image_and_a_mask_stored_as_an_image_does_not(tmp_path: Path) -> None:
    (first, _) = slices(tmp_path)
    mask = segmentation(tmp_path / "m.dcm", [(A, 1, {"image": uid_of(first)})], LABELS)
    with pytest.raises(ImageError, match="lies on a DICOM image"):
        read_lesion_mask(mask, (6, 10))
    drawn = image(tmp_path / "d.dcm", np.where(A, 255, 0).astype(np.uint8))
    assert np.array_equal(read_lesion_mask(drawn, (6, 10)), A)


def test_a_real_segmentation_of_a_liver(tmp_path: Path) -> None:
    made = dcmread(REAL)
    groups = made.PerFrameFunctionalGroupsSequence
    uids = [g.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID for g in groups]
    areas = []
    # the file was cut to its first frame, and describes three
    for uid, group in zip(uids, groups, strict=True):
        ct = image(
            tmp_path / f"{uid}.dcm", np.zeros((512, 512), np.int16), FrameOfReferenceUID=made.FrameOfReferenceUID
        )
        placed = dcmread(ct)
        placed.SOPInstanceUID = placed.file_meta.MediaStorageSOPInstanceUID = uid
        placed.ImagePositionPatient = group.PlanePositionSequence[0].ImagePositionPatient
        placed.save_as(ct)
        try:
            areas.append(int(read_lesion_mask(REAL, (512, 512), classes=["liver"], of=Pictured(ct, None)).sum()))
        except ImageError as error:
            areas.append(0)
            last = error.reason
    assert areas == [int(dcmread(REAL).pixel_array.sum()), 0, 0]
    assert last == "mask_empty"


def test_a_damaged_segmentation_is_read_or_refused_and_never_crashes(tmp_path: Path) -> None:
    first, _ = slices(tmp_path)
    mask = segmentation(
        tmp_path / "m.dcm", [(A, 1, {"image": uid_of(first)}), (B, 2, {"position": [0.0, 0, 0]})], LABELS
    )
    whole = np.frombuffer(mask.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(120):
        content = whole.copy()
        places = rng.integers(132, len(content), rng.integers(1, 5))
        content[places] = rng.integers(0, 256, len(places))
        mask.write_bytes(content.tobytes())
        with contextlib.suppress(ImageError):  # anything else, a warning too, fails the test
            assert read(mask, first).any()
