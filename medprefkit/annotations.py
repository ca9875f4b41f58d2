"""Lesion masks that are written rather than drawn: run lengths, polygons and boxes, as COCO and Kaggle have them.

Knows numbers and shapes; files are `images.read_lesion_mask`'s, which takes a JSON file of one annotation or a list.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw
from PIL.Image import new as new_picture

from medprefkit.errors import ImageError
from medprefkit.protocols import Mask

_MOST_RUNS = 2_000_000


def mask_of_annotation(annotation: Mapping[str, Any] | Sequence[Mapping[str, Any]], shape: tuple[int, int]) -> Mask:
    """Return the mask of an annotation, or of several united.

    An annotation has `segmentation` (COCO polygons `[[x, y, x, y, ...], ...]`, or a COCO run length object with `size`
    and `counts`, a list or a compressed string), or is such a run length object; or has `rle` (Kaggle's string of
    1-based starts and lengths down the columns); or has `bbox` alone (`[left, top, width, height]`), which becomes the
    ellipse inside.

    Args:
        annotation: As parsed from JSON.
        shape: (height, width) of the image, pixels.

    Raises:
        ImageError: `mask_unreadable` for what is none of these; `mask_size_mismatch` if it does not fit the shape.
    """
    if not isinstance(annotation, Mapping):
        if isinstance(annotation, str) or not isinstance(annotation, Sequence) or not annotation:
            raise ImageError("mask_unreadable", "no annotation; give an object or a list of objects")
        masks = [mask_of_annotation(one, shape) for one in annotation]
        united: Mask = np.logical_or.reduce(masks)
        return united
    try:
        return _mask_of(annotation, shape)
    except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        told = " ".join(str(error).split())[:100] or type(error).__name__
        raise ImageError("mask_unreadable", f"annotation is damaged ({told}); export it again") from error


def _mask_of(annotation: Mapping[str, Any], shape: tuple[int, int]) -> Mask:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, Mapping):
        return _coco_runs(segmentation, shape)
    if segmentation:
        return _polygons(segmentation, shape)
    if "counts" in annotation:
        return _coco_runs(annotation, shape)
    if "rle" in annotation:
        return _kaggle_runs(annotation["rle"], shape)
    if "bbox" in annotation:
        return _ellipse(annotation["bbox"], shape)
    raise ImageError("mask_unreadable", "annotation has no segmentation, counts, rle or bbox; add one")


def _coco_runs(runs: Mapping[str, Any], shape: tuple[int, int]) -> Mask:
    size = tuple(int(side) for side in runs["size"])
    if size != shape:
        problem = f"run lengths are of {size} (height, width), the image of {shape}"
        raise ImageError("mask_size_mismatch", f"{problem}; give them the size of the image")
    counts = runs["counts"]
    lengths = np.array(_decompressed(counts) if isinstance(counts, str) else counts, dtype=np.int64)
    if lengths.ndim != 1 or len(lengths) > _MOST_RUNS or (lengths < 0).any() or lengths.sum() != shape[0] * shape[1]:
        raise ImageError("mask_unreadable", "run lengths do not add up to the image's pixels; export them again")
    values = np.arange(len(lengths)) % 2 == 1
    return _down_columns(np.repeat(values, lengths), shape)


def _decompressed(text: str) -> list[int]:
    """Undo COCO's compression: five bits a character, lowest first, and from the fourth on a difference two back."""
    if len(text) > 10 * _MOST_RUNS or any(not 48 <= ord(character) < 112 for character in text):
        raise ValueError("no compressed run lengths")
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("compressed run lengths end in the middle of a number")
    return lengths


def _kaggle_runs(text: object, shape: tuple[int, int]) -> Mask:
    if not isinstance(text, str):
        raise TypeError("rle is no text")
    numbers = np.array([int(word) for word in text.split()], np.int64)
    if len(numbers) % 2 or len(numbers) > 2 * _MOST_RUNS:
        raise ValueError("starts and lengths are not pairs")
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    n_pixels = shape[0] * shape[1]
    if (lengths < 0).any() or (starts < 0).any() or (starts + lengths > n_pixels).any():
        raise ImageError("mask_size_mismatch", f"run lengths leave an image of {shape} (height, width)")
    steps = np.zeros(n_pixels + 1, np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + lengths, -1)
    return _down_columns(np.cumsum(steps[:-1]) > 0, shape)


def _down_columns(flat: NDArray[np.bool_], shape: tuple[int, int]) -> Mask:
    return np.ascontiguousarray(flat.reshape(shape[1], shape[0]).T)


def _polygons(polygons: Sequence[Sequence[float]], shape: tuple[int, int]) -> Mask:
    picture = new_picture("1", (shape[1], shape[0]))
    draw = ImageDraw.Draw(picture)
    for polygon in polygons:
        corners = np.array(polygon, np.float64)
        if corners.ndim != 1 or len(corners) < 6 or len(corners) % 2 or not np.isfinite(corners).all():
            raise ValueError("a polygon needs three or more pairs of numbers")
        _refuse_outside(corners[::2], corners[1::2], shape)
        draw.polygon([(float(x), float(y)) for x, y in corners.reshape(-1, 2)], fill=1)
    return np.asarray(picture).copy()


def _ellipse(bbox: Sequence[float], shape: tuple[int, int]) -> Mask:
    left, top, width, height = (float(number) for number in bbox)
    if not np.isfinite([left, top, width, height]).all() or min(width, height) <= 0:
        raise ValueError("a box needs left, top, and a width and height above 0")
    _refuse_outside(np.array([left, left + width]), np.array([top, top + height]), shape)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    across = (columns + 0.5 - left - width / 2) / (width / 2)
    down = (rows + 0.5 - top - height / 2) / (height / 2)
    inside: Mask = across**2 + down**2 <= 1
    return inside


def _refuse_outside(x: NDArray[np.float64], y: NDArray[np.float64], shape: tuple[int, int]) -> None:
    """A pixel beyond the border is how annotators end a line; more is another image's annotation."""
    if x.min() < -1 or y.min() < -1 or x.max() > shape[1] + 1 or y.max() > shape[0] + 1:
        raise ImageError(
            "mask_size_mismatch", f"annotation leaves an image of {shape} (height, width); check its image"
        )
