"""Slices of NIfTI volumes lie as a radiologist looks at them, whatever way the file stores them; masks lie on them."""

import gzip
import itertools
import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medprefkit.errors import ImageError
from medprefkit.images import ViewChoice, read_image, read_lesion_mask, verify_image
from medprefkit.imaging import nifti
from medprefkit.imaging.lesions import Pictured
from medprefkit.records import View

# 6 voxels to the right (2 mm), 8 to the front (3 mm), 5 to the head (4 mm); one is bright: right 4, front 6, head 1
SHAPE = (6, 8, 5)
ZOOMS = (2.0, 3.0, 4.0)
SPOT = (4, 6, 1)


def volume() -> NDArray[np.float32]:
    values = np.zeros(SHAPE, np.float32)
    values[SPOT] = 100
    return values


def saved(path: Path, values: NDArray[Any], affine: NDArray[np.float64] | None = None, **header: Any) -> Path:
    image = nib.Nifti1Image(values, np.diag([*ZOOMS, 1.0]) if affine is None else affine)
    for key, value in header.items():
        image.header[key] = value
    nib.save(image, path)
    return path


def refusal(path: Path, choice: ViewChoice | None = None) -> ImageError:
    with pytest.raises(ImageError) as error:
        verify_image(path, choice)
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)
    return error.value


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product([1, -1], repeat=3)))
def test_every_storage_order_shows_the_same_picture(
    tmp_path: Path, axes: tuple[int, int, int], flips: tuple[int, int, int]
) -> None:
    image = nib.Nifti1Image(volume(), np.diag([*ZOOMS, 1.0]))
    turned = image.as_reoriented(np.column_stack([np.argsort(axes), flips]))
    path = tmp_path / "a.nii"
    nib.save(turned, path)
    at = {"axial": (1, 1), "coronal": (3, 1), "sagittal": (3, 1)}  # rows from front or head, columns from the right
    spacing = {"axial": (3.0, 2.0), "coronal": (4.0, 2.0), "sagittal": (4.0, 3.0)}
    for axis, direction in (("axial", 2), ("coronal", 1), ("sagittal", 0)):
        stored = int(np.argsort(axes)[direction])
        frame = int(np.argwhere(np.asanyarray(turned.dataobj) == 100)[0][stored])
        choice = ViewChoice(frame=frame, axis=axis, window=(50, 100))
        view = verify_image(path, choice).view
        assert view == View(frame=frame, axis=axis, window=(50, 100), spacing_mm=spacing[axis])
        shown = read_image(path, view)[..., 0]
        assert np.argwhere(shown == 255).tolist() == [list(at[axis])]
        assert (shown == 0).sum() == shown.size - 1


def test_a_mask_lies_on_its_slice_and_chooses_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = saved(tmp_path / "a.nii.gz", rng.normal(0, 1, SHAPE).astype(np.float32))
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:3, 2:4, 3] = 1
    labels[4, 5, 3] = 2
    labels[:3, :3, 2] = 2
    mask = saved(tmp_path / "m.nii.gz", labels)
    for classes, frame, area in (((), 2, 9), (("1",), 3, 4), (("2",), 2, 9)):
        view = verify_image(image, ViewChoice(), [(mask, classes)]).view
        assert view is not None
        assert view.frame == frame
        found = read_lesion_mask(mask, (8, 6), classes=classes, of=Pictured(image, view))
        assert found.sum() == area
        rows, columns = np.nonzero(found)
        right, front = np.nonzero(np.isin(labels[..., frame], [int(c) for c in classes] or [1, 2]))
        assert sorted(zip(7 - rows, 5 - columns, strict=True)) == sorted(zip(front, right, strict=True))
    assert verify_image(image, ViewChoice()).view.frame == 2  # type: ignore[union-attr]  # the middle one
    with pytest.raises(ImageError) as error:
        read_lesion_mask(mask, (8, 6), classes=["1"], of=Pictured(image, View(frame=2)))
    assert error.value.reason == "mask_empty"
    with pytest.raises(ImageError, match="no number"):
        read_lesion_mask(mask, (8, 6), classes=["tumour"], of=Pictured(image, View(frame=2)))


def test_probabilities_above_a_half_are_lesion(tmp_path: Path) -> None:
    image = saved(tmp_path / "a.nii", volume())
    mask = saved(tmp_path / "m.nii", np.where(volume() > 0, 0.6, 0.5).astype(np.float32))
    assert read_lesion_mask(mask, (8, 6), of=Pictured(image, View(frame=1))).sum() == 1


def test_a_mask_on_another_grid_is_refused(tmp_path: Path) -> None:
    image = saved(tmp_path / "a.nii", volume())
    moved = np.diag([*ZOOMS, 1.0])
    moved[0, 3] = 5
    for name, mask in {
        "moved": saved(tmp_path / "m.nii", volume(), moved),
        "flipped": saved(tmp_path / "f.nii", volume(), np.diag([-2.0, 3, 4, 1])),
        "cut": saved(tmp_path / "c.nii", volume()[:5]),
    }.items():
        with pytest.raises(ImageError) as error:
            read_lesion_mask(mask, (8, 6), of=Pictured(image, View(frame=1)))
        assert error.value.reason == "mask_size_mismatch", name
    with pytest.raises(ImageError, match="lies on a NIfTI image"):
        read_lesion_mask(tmp_path / "m.nii", (8, 6))


def test_windows(tmp_path: Path) -> None:
    hu = np.array([-1000, 0, 40, 80, 3000], np.int16).reshape(5, 1, 1)
    head = verify_image(saved(tmp_path / "a.nii", hu), ViewChoice(window=(40, 80))).view
    assert read_image(tmp_path / "a.nii", head)[0, ::-1, 0].tolist() == [0, 0, 128, 255, 255]
    said = saved(tmp_path / "b.nii", hu, cal_min=0, cal_max=80)
    assert verify_image(said).view.window == (40.0, 80.0)  # type: ignore[union-attr]
    grey = saved(tmp_path / "c.nii", np.array([0, 7, 255], np.uint8).reshape(3, 1, 1))
    assert verify_image(grey).view.window is None  # type: ignore[union-attr]
    assert read_image(grey)[0, ::-1, 0].tolist() == [0, 7, 255]
    dim = saved(tmp_path / "d.nii", np.array([0, 40, 80], np.int16).reshape(3, 1, 1))  # small is not dark
    assert read_image(dim)[0, ::-1, 0].tolist() == [0, 128, 255]


def test_the_scale_of_stored_values_and_the_unit_of_the_affine_count(tmp_path: Path) -> None:
    # stored 220 is 220 / 2 - 10 = 100
    image = nib.Nifti1Image((volume() * 2.2).astype(np.int16), np.diag([0.002, 0.003, 0.004, 1.0]))
    image.header.set_slope_inter(0.5, -10)
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "a.nii.gz")
    view = verify_image(tmp_path / "a.nii.gz", ViewChoice(frame=1, window=(50, 100))).view
    assert view is not None
    assert view.spacing_mm == pytest.approx((3.0, 2.0))
    assert np.argwhere(read_image(tmp_path / "a.nii.gz", view)[..., 0] > 250).tolist() == [[1, 1]]


def header_of(path: Path, **change: Any) -> Path:
    """Write a header that lies."""
    header = nib.Nifti1Header()
    header.set_data_dtype(change.get("dtype", np.int16))
    header["dim"] = change["dim"]
    header["magic"] = b"n+1"
    header["vox_offset"] = change.get("vox_offset", 352)
    header["srow_x"], header["srow_y"], header["srow_z"] = (
        [change.get("across", 1), 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
    )
    header["sform_code"] = 1
    path.write_bytes(header.binaryblock + b"\0" * 400)
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dim": [3, 32_000, 32_000, 5, 1, 1, 1, 1]}, "image_too_large"),
        ({"dim": [3, 8_000, 8_000, 32_000, 1, 1, 1, 1]}, "image_too_large"),
        ({"dim": [3, 2, 2, 2, 1, 1, 1, 1], "vox_offset": 1e9}, "image_too_large"),
        ({"dim": [3, 600, 600, 600, 1, 1, 1, 1]}, "image_unreadable"),
        ({"dim": [3, -5, 5, 5, 1, 1, 1, 1]}, "image_unreadable"),
        ({"dim": [3, 0, 5, 5, 1, 1, 1, 1]}, "image_unreadable"),
        ({"dim": [4, 5, 5, 5, 30, 1, 1, 1]}, "image_unreadable"),
        ({"dim": [2, 5, 5, 1, 1, 1, 1, 1]}, "image_unreadable"),
        ({"dim": [3, 5, 5, 5, 1, 1, 1, 1], "dtype": np.complex64}, "image_unreadable"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    assert refusal(header_of(tmp_path / "a.nii", **change)).reason == reason


def test_values_that_are_no_numbers_and_affines_that_say_nothing(tmp_path: Path) -> None:
    for bad in (np.nan, np.inf):
        values = volume()
        values[0, 0, 2] = bad
        assert "NaN" in str(refusal(saved(tmp_path / "n.nii", values)))
        assert read_image(tmp_path / "n.nii", View(frame=0)).shape == (8, 6, 3)  # another slice is good
    assert "orientation" in str(refusal(header_of(tmp_path / "z.nii", dim=[3, 2, 2, 2, 1, 1, 1, 1], across=0)))
    assert "no axial slice 5 of 5" in str(refusal(saved(tmp_path / "a.nii", volume()), ViewChoice(frame=5)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_never_crashes(data: st.DataObject) -> None:
    content = bytearray(_WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, 400))] = data.draw(st.integers(0, 255))
    path = _FOLDER[0] / "fuzz.nii"
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), 360, 300]))])
    try:
        shown = read_image(path)
    except ImageError:
        return
    assert shown.ndim == 3


_WHOLE = nib.Nifti1Image(volume(), np.diag([*ZOOMS, 1.0])).to_bytes()
_FOLDER: list[Path] = []


@pytest.fixture(autouse=True, scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> None:
    _FOLDER.append(tmp_path_factory.mktemp("fuzz"))


def test_a_packed_file_that_is_cut_and_a_pair_of_files_are_refused(tmp_path: Path) -> None:
    packed = gzip.compress(_WHOLE)
    for share in (0.3, 0.6):
        path = tmp_path / "cut.nii.gz"
        path.write_bytes(packed[: int(share * len(packed))])
        assert refusal(path).reason == "image_unreadable"
    pair = tmp_path / "pair.hdr"
    pair.write_bytes(struct.pack("<i", 348) + _WHOLE[4:344] + b"ni1\0" + b"\0" * 200)
    assert refusal(pair).reason == "image_unreadable"


def test_only_a_slab_of_a_packed_volume_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.nii.gz", np.ones((40, 50, 60), np.int16))
    sizes: list[int] = []
    slab = nifti._Volume.slab

    def watched(self: nifti._Volume, k: int) -> NDArray[np.generic]:
        values = slab(self, k)
        sizes.append(values.size)
        return values

    monkeypatch.setattr(nifti._Volume, "slab", watched)
    for axis in ("axial", "coronal", "sagittal"):
        read_image(path, View(frame=3, axis=axis))  # type: ignore[arg-type]
    assert set(sizes) == {40 * 50}
