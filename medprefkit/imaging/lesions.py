"""Lesion masks from files of every kind, brought to one image's size: drawn, written as numbers, DICOM, NIfTI.

Knows which reader a mask needs and turns what it refuses into a mask's reasons.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image as PillowImage

from medprefkit.annotations import FillBox, fill_ellipse, mask_of_annotation
from medprefkit.errors import ImageError
from medprefkit.imaging.drawn import COLOUR_THRESHOLD, GREY_THRESHOLD, lesion_of, numbers_of
from medprefkit.imaging.formats import format_of, needing_extra, read_volume_frame
from medprefkit.imaging.limits import name_of
from medprefkit.imaging.pictures import decode_picture, numbers_of_picture, rgb_of
from medprefkit.imaging.windows import ViewChoice
from medprefkit.protocols import Mask
from medprefkit.records import View

MAX_ANNOTATION_BYTES = 32 * 2**20


class Pictured(NamedTuple):
    """The image that a mask belongs to: its file and, of a DICOM or NIfTI file, the view that was made of it."""

    path: Path
    view: View | None


def read_lesion_mask(
    path: Path,
    shape: tuple[int, int],
    *,
    place_px: tuple[int, int] | None = None,
    classes: Sequence[str] = (),
    of: Pictured | None = None,
    fill_box: FillBox = fill_ellipse,
) -> Mask:
    """Read a lesion mask.

    Args:
        path: A picture; a DICOM segmentation or picture; a NIfTI file; or a `.json` file of annotations as
            `annotations.mask_of_annotation` takes.
        shape: (height, width) of the image that it belongs to, pixels.
        place_px: (left, top) of a mask that was cropped, pixels of the image; None for one of the image's size.
        classes: Which of its classes are lesion: numbers, colours, segments or categories; all where empty.
        of: Its image, which a segmentation or a NIfTI mask is laid on, and a COCO file is searched for.
        fill_box: Makes a region of a box.

    Returns:
        (height, width), True on the lesion; at least one pixel is True.

    Raises:
        ImageError: `mask_missing`, `mask_unreadable`, `mask_size_mismatch`, `mask_empty`.
    """
    name = name_of(path)
    try:
        lesion = _lesion_in(path, shape, classes, of, fill_box)
    except ImageError as error:
        raise _as_mask(error, name) from error
    return placed(lesion, shape, f"mask {name}", place_px)


def placed(lesion: Mask, shape: tuple[int, int], name: str, place_px: tuple[int, int] | None = None) -> Mask:
    """Return a mask in its image's frame.

    Raises:
        ImageError: `mask_size_mismatch` if it does not fit, `mask_empty` if no pixel is lesion.
    """
    height, width = shape
    left, top = place_px or (0, 0)
    bottom, right = top + lesion.shape[0], left + lesion.shape[1]
    fits = min(top, left) >= 0 and bottom <= height and right <= width
    if not fits or (place_px is None and lesion.shape != shape):
        at = f" at {place_px}" if place_px else ""
        lies = place_px is None and lesion.shape == shape[::-1]
        how = "turn it, it lies on its side" if lies else "give it the size of its image"
        problem = f"{lesion.shape[1]}x{lesion.shape[0]} pixels{at}, the image has {width}x{height}"
        raise ImageError("mask_size_mismatch", f"{name}: {problem}; {how}")
    if not lesion.any():
        drawn = f"a drawn one is lesion above grey {GREY_THRESHOLD} or where a colour is above {COLOUR_THRESHOLD}"
        raise ImageError("mask_empty", f"{name}: no pixel is lesion; {drawn}, another value needs its class named")
    whole = np.zeros(shape, np.bool_)
    whole[top:bottom, left:right] = lesion
    return whole


def lesion_mask_of(
    value: NDArray[np.generic] | PillowImage | Path | str | Mapping[str, Any],
    shape: tuple[int, int],
    *,
    of: Pictured | None = None,
    fill_box: FillBox = fill_ellipse,
) -> Mask:
    """Return what a caller has in hand as a mask.

    That is a boolean or number array (True where not 0), a Pillow image, a file's path, or an annotation as
    `annotations.mask_of_annotation` takes.

    Raises:
        ImageError: As `read_lesion_mask`.
    """
    if isinstance(value, str | Path):
        return read_lesion_mask(Path(value), shape, of=of, fill_box=fill_box)
    if isinstance(value, Mapping):
        return mask_of_annotation(value, shape, fill_box=fill_box)
    lesion = _drawn(value, ()) if isinstance(value, PillowImage) else np.asarray(value) != 0
    if lesion.shape != shape:
        raise ImageError(
            "mask_size_mismatch", f"the mask's shape is {lesion.shape}, the image's {shape}; make them equal"
        )
    return lesion


def largest_frame(of: Path, choice: ViewChoice, masks: Sequence[tuple[Path, Sequence[str]]]) -> int | None:
    """Return the frame or slice of an image file on which its masks are largest.

    Args:
        of: A DICOM or NIfTI file.
        choice: Its `axis` counts.
        masks: File and classes of each; those that are not there, or no segmentations of slices, say nothing.

    Returns:
        None where no mask says anything, and for a DICOM file of one frame.

    Raises:
        ImageError: As the readers of masks.
    """
    kind = format_of(of)
    for path, classes in masks:
        if not path.is_file() or path.suffix.lower() == ".json" or format_of(path) != kind:
            continue
        try:
            frame = _largest_of(kind == "nifti", of, choice, path, classes)
        except ImageError as error:
            raise _as_mask(error, name_of(path)) from error
        if frame is not None:
            return frame
    return None


def _largest_of(is_nifti: bool, of: Path, choice: ViewChoice, mask: Path, classes: Sequence[str]) -> int | None:
    if is_nifti:
        with needing_extra(mask):
            from medprefkit.imaging.nifti import lesion_slice
        return lesion_slice(mask, choice.axis, numbers_of(classes))
    with needing_extra(mask):
        from medprefkit.imaging.dicom_seg import is_segmentation, lesion_frame
    return lesion_frame(mask, of, classes) if is_segmentation(mask) else None


def _lesion_in(
    path: Path, shape: tuple[int, int], classes: Sequence[str], of: Pictured | None, fill_box: FillBox
) -> Mask:
    if path.suffix.lower() == ".json":
        image = of.path.name if of is not None else None
        return mask_of_annotation(read_annotation(path), shape, classes=classes, image=image, fill_box=fill_box)
    kind = format_of(path)
    if kind == "picture":
        return _drawn(decode_picture(path).picture, classes)
    image_kind = format_of(of.path) if of is not None else "picture"
    view = of.view if of is not None and of.view is not None else View()
    if kind == "nifti":
        if of is None or image_kind != "nifti":
            raise ImageError("mask_unreadable", "a NIfTI mask lies on a NIfTI image; give both, or a drawn mask")
        with needing_extra(path):
            from medprefkit.imaging.nifti import read_mask_slice
        return read_mask_slice(path, of.path, view, numbers_of(classes))
    with needing_extra(path):
        from medprefkit.imaging.dicom_seg import is_segmentation, read_segments
    if not is_segmentation(path):  # a mask that was stored as an image
        return lesion_of(read_volume_frame(path, ViewChoice()).image, None, classes)
    if of is None or image_kind != "dicom":
        raise ImageError("mask_unreadable", "a DICOM segmentation lies on a DICOM image; give both, or a drawn mask")
    return read_segments(path, of.path, view.frame, classes)


def _as_mask(error: ImageError, name: str) -> ImageError:
    """Return what a reader refused as a fault of the mask."""
    reason = error.reason if error.reason.startswith("mask_") else "mask_unreadable"
    told = str(error)
    return ImageError(
        "mask_missing" if error.reason == "image_missing" else reason,
        f"mask {told if told.startswith(name) else f'{name}: {told}'}",
    )


def _drawn(picture: PillowImage, classes: Sequence[str]) -> Mask:
    return lesion_of(rgb_of(picture), numbers_of_picture(picture), classes)


def mask_of_text(
    annotation: str, shape: tuple[int, int], classes: Sequence[str], of: Pictured | None, fill_box: FillBox
) -> Mask:
    """Return the mask of an annotation that a record holds; `read_lesion_mask` says of what.

    Raises:
        ImageError: `mask_unreadable`, `mask_size_mismatch`, `mask_empty`.
    """
    image = of.path.name if of is not None else None
    found = mask_of_annotation(read_annotation(annotation), shape, classes=classes, image=image, fill_box=fill_box)
    return placed(found, shape, "the annotation")


def read_annotation(source: Path | str) -> Any:
    """Read a JSON file, or JSON text.

    Raises:
        ImageError: `mask_missing`, `mask_unreadable`.
    """
    try:
        if isinstance(source, str):
            return json.loads(source)
        if source.stat().st_size > MAX_ANNOTATION_BYTES:
            raise ImageError("mask_unreadable", f"more than {MAX_ANNOTATION_BYTES} bytes; split it by image")
        return json.loads(source.read_bytes())
    except FileNotFoundError as error:
        raise ImageError("mask_missing", f"{error.strerror}; check the path") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ImageError("mask_unreadable", "no JSON; export it again") from error
