"""One slice of a NIfTI volume as an 8-bit image, and slices of NIfTI masks on the same grid, read by nibabel.

A slice is turned as a radiologist looks at it, by the file's affine: patient's right on the left, front or head on
top; sagittal slices face left. It is counted in the file's own order. Only the slice is in memory, and no value of it
may be NaN or infinite. The spacing is the affine's zooms in mm.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.fileholders import FileHolder
from nibabel.nifti1 import Nifti1Image
from nibabel.nifti2 import Nifti2Image
from nibabel.orientations import io_orientation
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from medprefkit.errors import ImageError
from medprefkit.imaging.limits import MAX_VOLUME_BYTES, name_of, refuse_pixels
from medprefkit.imaging.nifti_head import GZIP, HEADER_BYTES, is_nifti
from medprefkit.imaging.windows import Frame, ViewChoice, Window, apply_window, window_of_range
from medprefkit.protocols import Mask
from medprefkit.records import Axis, View

_KINDS = {348: Nifti1Image, 540: Nifti2Image}
"""Size of a header -> what is read by it."""

_MM = {"mm": 1.0, "meter": 1000.0, "micron": 0.001, "unknown": 1.0}
_FIXED: dict[Axis, int] = {"sagittal": 0, "coronal": 1, "axial": 2}
_ACROSS: dict[Axis, tuple[int, int]] = {"sagittal": (2, 1), "coronal": (2, 0), "axial": (1, 0)}
"""Which directions of the patient (right, front, head) the rows and the columns of a slice run along."""

_MOST_EXTENSION_BYTES = 64 * 2**20
_GRID_MM = 0.05  # corners of two volumes on one grid are this near
_FLAT = 1e-12  # volume of a voxel, in cubes of the file's unit, below which the affine has no three directions
_HALF = 0.5
_DAMAGE = (OSError, ValueError, EOFError, OverflowError, IndexError, KeyError, TypeError, MemoryError, zlib.error,
           ImageFileError, HeaderDataError)  # fmt: skip


class _Plane(NamedTuple):
    """How a slice lies in the array: axis that is fixed, axes of rows and columns, and which of them to reverse."""

    fixed: int
    rows: int
    columns: int
    reverse_rows: bool
    reverse_columns: bool


def read_slice(path: Path, choice: ViewChoice) -> Frame:
    """Decode one slice; `frame` is a number in the file's own order, or `middle`, which None is too.

    Raises:
        ImageError: `image_too_large` before anything of that size is made; `image_unreadable` for what is damaged, has
            more than three dimensions, no such slice, or values that are not finite numbers.
    """
    name = name_of(path)
    with _opened(path) as volume:
        plane = _plane_of(volume, choice.axis)
        n_slices = volume.shape[plane.fixed]
        if choice.frame == "lesion":
            raise ImageError("image_unreadable", f"{name}: no mask says where the lesion is; give `frame` as a number")
        frame = n_slices // 2 if choice.frame in {"middle", None} else int(cast("int", choice.frame))
        if not 0 <= frame < n_slices:
            raise ImageError("image_unreadable", f"{name}: no {choice.axis} slice {frame} of {n_slices}, from 0")
        values = _slice_of(volume, plane, frame, name).astype(np.float64, copy=False)
        window = choice.window or _window_of(volume, values)
        grey = apply_window(values, window) if window is not None else values.astype(np.uint8)
        view = View(frame=frame, axis=choice.axis, window=window, spacing_mm=_spacing_of(volume, plane))
    return Frame(np.repeat(grey[..., None], 3, axis=2), view)


def read_mask_slice(path: Path, image: Path, view: View, labels: Sequence[int]) -> Mask:
    """Return the slice of a mask that lies on an image's slice.

    Args:
        path: The mask: whole numbers, or probabilities, of which more than a half is lesion.
        image: A NIfTI file on the same grid.
        view: Of the image.
        labels: Which numbers are lesion; all but 0 where empty.

    Raises:
        ImageError: As `read_slice`; `mask_size_mismatch` if the grids differ.
    """
    name = name_of(path)
    with _opened(path) as volume, _opened(image) as pictured:
        if volume.shape != pictured.shape or not _same_grid(volume, pictured):
            shapes = f"{volume.shape} voxels, the image {pictured.shape}"
            raise ImageError("mask_size_mismatch", f"{name}: on another grid ({shapes}); resample it to its image's")
        plane = _plane_of(volume, view.axis)
        return _lesion_of(_slice_of(volume, plane, view.frame, name), labels)


def lesion_slice(path: Path, axis: Axis, labels: Sequence[int]) -> int | None:
    """Return the number of the slice on which a mask is largest, the first of equals; None for an empty mask.

    Raises:
        ImageError: As `read_slice`.
    """
    name = name_of(path)
    with _opened(path) as volume:
        fixed = _plane_of(volume, axis).fixed
        areas = np.zeros(volume.shape[fixed], np.int64)
        for k in range(volume.shape[2]):  # along the last axis, in which the file is written: one slab in memory
            lesion = _lesion_of(_finite(volume.slab(k), name), labels)
            if fixed == 2:
                areas[k] = np.count_nonzero(lesion)
            else:
                areas += np.count_nonzero(lesion, axis=1 - fixed)
    return int(areas.argmax()) if areas.any() else None


class _Volume(NamedTuple):
    """An opened volume; its values are read slab by slab along the last axis, in which the file is written."""

    data: Any
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    shown: tuple[float, float]
    """`cal_min` and `cal_max`: what the file wants to be black and white; equal where it does not say."""
    unit_mm: float

    def slab(self, k: int) -> NDArray[np.generic]:
        """Return the values at `k` of the third axis, (first, second)."""
        return np.asanyarray(self.data[(slice(None), slice(None), k, *[0] * (len(self.data.shape) - 3))])


@contextmanager
def _opened(path: Path) -> Iterator[_Volume]:
    """Open a volume without reading its values."""
    name = name_of(path)
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP
            raw.seek(0)
            yield _volume_of(cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw, name)
    except FileNotFoundError as error:
        raise ImageError("image_missing", f"{name}: {error.strerror}; check the path") from error
    except _DAMAGE as error:
        told = " ".join(str(error).split())[:120] or type(error).__name__
        raise ImageError("image_unreadable", f"{name}: damaged ({told}); fetch it again or leave it out") from error


def _volume_of(stream: IO[bytes], name: str) -> _Volume:
    head = stream.read(HEADER_BYTES)
    if not is_nifti(head):
        raise ImageError("image_unreadable", f"{name}: no NIfTI file of one part; convert it or leave it out")
    size = min(int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big"))
    kind: Any = _KINDS[size]
    header = kind.header_class(head[:size], check=True)
    shape = tuple(int(side) for side in header.get_data_shape())
    n_values = float(np.prod(shape, dtype=np.float64))
    stored = header.get_data_dtype()
    if len(shape) not in range(3, 8) or n_values != np.prod(shape[:3], dtype=np.float64) or stored.kind not in "iuf":
        problem = f"{'x'.join(map(str, shape))} of {stored}, not one volume of numbers"
        raise ImageError("image_unreadable", f"{name}: {problem}; split it")
    for width, height in (shape[:2], shape[1:3], (shape[0], shape[2])):
        refuse_pixels(name, width, height)
    if n_values * stored.itemsize > MAX_VOLUME_BYTES or header.get_data_offset() > _MOST_EXTENSION_BYTES:
        raise ImageError("image_too_large", f"{name}: declares more than {MAX_VOLUME_BYTES} bytes; crop it")
    stream.seek(0)
    volume = kind.from_file_map({"image": FileHolder(fileobj=cast("Any", stream))}, mmap=False)
    affine = np.asarray(volume.affine, np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < _FLAT:
        raise ImageError("image_unreadable", f"{name}: its affine gives no orientation; write one")
    shown = float(header["cal_min"]), float(header["cal_max"])
    unit = _MM.get(header.get_xyzt_units()[0], 1.0)
    return _Volume(volume.dataobj, (shape[0], shape[1], shape[2]), affine, shown, unit)


def _plane_of(volume: _Volume, axis: Axis) -> _Plane:
    """Find which array axes run across, down and along a slice, by the nearest directions of the patient."""
    found: NDArray[np.float64] = io_orientation(volume.affine)  # type: ignore[no-untyped-call]  # nibabel has no types
    array_axis = {int(direction): k for k, (direction, _) in enumerate(found)}
    rows, columns = (array_axis[direction] for direction in _ACROSS[axis])
    # rows run down and columns to the right; the patient's head, front and right come first
    return _Plane(array_axis[_FIXED[axis]], rows, columns, found[rows, 1] > 0, found[columns, 1] > 0)


def _slice_of(volume: _Volume, plane: _Plane, frame: int, name: str) -> NDArray[np.generic]:
    """Read a slice and turn it, (rows, columns) as it is looked at."""
    if plane.fixed == 2:
        values = volume.slab(frame)
    else:
        values = np.stack([np.take(volume.slab(k), frame, axis=plane.fixed) for k in range(volume.shape[2])], axis=-1)
    if plane.rows > plane.columns:
        values = values.T
    values = values[:: -1 if plane.reverse_rows else 1, :: -1 if plane.reverse_columns else 1]
    return np.ascontiguousarray(_finite(values, name))


def _finite(values: NDArray[np.generic], name: str) -> NDArray[np.generic]:
    if not np.isfinite(values).all():
        raise ImageError("image_unreadable", f"{name}: holds NaN or infinite values; write finite ones")
    return values


def _window_of(volume: _Volume, values: NDArray[np.float64]) -> Window | None:
    low, high = volume.shown
    if np.isfinite([low, high]).all() and high > low:
        return (low + high) / 2, high - low
    if volume.data.dtype == np.uint8 and values.max() > 1 and np.array_equal(values, np.rint(values).clip(0, 255)):
        return None  # grey levels already; deeper values that happen to be small are not
    return window_of_range(values)


def _lesion_of(values: NDArray[np.generic], labels: Sequence[int]) -> Mask:
    numbers = values.astype(np.float64, copy=False)
    if labels:
        return np.isin(numbers, labels)
    lesion: Mask = numbers > _HALF
    return lesion


def _spacing_of(volume: _Volume, plane: _Plane) -> tuple[float, float]:
    zooms = np.linalg.norm(volume.affine[:3, :3], axis=0) * volume.unit_mm
    return float(zooms[plane.rows]), float(zooms[plane.columns])


def _same_grid(one: _Volume, other: _Volume) -> bool:
    ends = np.array(np.meshgrid(*[(0, side - 1) for side in one.shape], [1])).reshape(4, -1)
    apart: NDArray[np.float64] = np.abs((one.affine * one.unit_mm - other.affine * other.unit_mm) @ ends)[:3]
    return bool(apart.max() <= _GRID_MM)
