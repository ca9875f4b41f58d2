"""Lesion masks that are written rather than drawn: run lengths, polygons and boxes, as COCO and Kaggle have them.

Knows numbers and shapes; files are `imaging.lesions`', which takes a JSON file of one annotation, a list, or COCO's
whole `{"images": [...], "annotations": [...], "categories": [...]}`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw
from PIL.Image import new as new_picture

from medprefkit.errors import ImageError
from medprefkit.protocols import Mask

Box = tuple[float, float, float, float]
"""(left, top, width, height), pixels; the sides are above 0."""

FillBox = Callable[[Box, tuple[int, int]], Mask]
"""Makes a region of a box in an image of (height, width); what it returns has that shape."""

_MOST_RUNS = 2_000_000
_CLASS_KEYS = ("category_id", "category", "category_name", "label", "class")


def fill_ellipse(box: Box, shape: tuple[int, int]) -> Mask:
    """Return the ellipse inside a box: lesions are rounder than boxes, whose corners are healthy."""
    left, top, width, height = box
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    across = (columns + 0.5 - left - width / 2) / (width / 2)
    down = (rows + 0.5 - top - height / 2) / (height / 2)
    inside: Mask = across**2 + down**2 <= 1
    return inside


def mask_of_annotation(
    annotation: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    shape: tuple[int, int],
    *,
    classes: Sequence[str] = (),
    image: str | None = None,
    fill_box: FillBox = fill_ellipse,
) -> Mask:
    """Return the mask of an annotation, or of several united.

    An annotation has `segmentation` (COCO polygons `[[x, y, x, y, ...], ...]`, or a COCO run length object with `size`
    and `counts`, a list or a compressed string), or is such a run length object; or has `rle` (Kaggle's string of
    1-based starts and lengths down the columns; -1 or empty for none) or `rle_gaps` (the same, but each start counted
    from the end of the run before, from 0, as SIIM-ACR's); or has `bbox` alone (`[left, top, width, height]`).

    Args:
        annotation: As parsed from JSON.
        shape: (height, width) of the image, pixels.
        classes: Which are lesion, by `category_id`, `category`, `label` or `class`; all where empty.
        image: File name of the image, by which a whole COCO file is searched.
        fill_box: Makes a region of a box.

    Raises:
        ImageError: `mask_unreadable` for what is none of these; `mask_size_mismatch` if it does not fit the shape;
            `mask_empty` if none is of these classes, or of this image.
    """
    if isinstance(annotation, Mapping) and isinstance(annotation.get("annotations"), Sequence):
        annotation = _of_image(annotation, image)
    if not isinstance(annotation, Mapping):
        if isinstance(annotation, str) or not isinstance(annotation, Sequence) or not annotation:
            raise ImageError("mask_unreadable", "no annotation; give an object or a list of objects")
        chosen = [one for one in annotation if _is_of(one, classes)]
        united = np.zeros(shape, np.bool_)
        for one in chosen:
            united |= _checked_mask_of(one, shape, fill_box)
        if not chosen:
            raise ImageError("mask_empty", f"no annotation is of class {', '.join(classes)}; check the classes")
        return united
    if not _is_of(annotation, classes):
        raise ImageError("mask_empty", f"the annotation is not of class {', '.join(classes)}; check the classes")
    return _checked_mask_of(annotation, shape, fill_box)


def boxes_of(annotation: Any, classes: Sequence[str], image: str | None) -> list[Box]:
    """Return the boxes that `mask_of_annotation` would fill, in order; none for what it would refuse."""
    try:
        if isinstance(annotation, Mapping) and isinstance(annotation.get("annotations"), Sequence):
            annotation = _of_image(annotation, image)
        listed = annotation if isinstance(annotation, Sequence) else [annotation]
        alone = [one for one in listed if isinstance(one, Mapping) and _is_of(one, classes) and _has_box_alone(one)]
        return [_box_of(one["bbox"]) for one in alone]
    except (ImageError, TypeError, ValueError):  # reading the mask itself will say what is wrong
        return []


def _of_image(coco: Mapping[str, Any], image: str | None) -> list[Mapping[str, Any]]:
    """Return one image's annotations out of a whole COCO file, each with the name of its category."""
    try:
        ids = {one["id"] for one in coco["images"] if str(one["file_name"]).replace("\\", "/").split("/")[-1] == image}
        names = {one["id"]: one.get("name", "") for one in coco.get("categories", [])}
        found: list[Mapping[str, Any]] = [
            {**one, "category_name": names.get(one.get("category_id"), "")}
            for one in coco["annotations"]
            if one["image_id"] in ids
        ]
    except (TypeError, KeyError, AttributeError) as error:
        raise ImageError("mask_unreadable", f"no COCO file ({error} is missing or odd); export it again") from error
    if not ids:
        raise ImageError("mask_unreadable", f"its `images` do not name {image!r}; check the file names in it")
    if not found:
        raise ImageError("mask_empty", f"no annotation of {image!r}; leave it out")
    return found


def _is_of(annotation: object, classes: Sequence[str]) -> bool:
    if not classes or not isinstance(annotation, Mapping):
        return True
    wanted = {name.casefold() for name in classes}
    return any(str(annotation[key]).casefold() in wanted for key in _CLASS_KEYS if key in annotation)


def _checked_mask_of(annotation: Mapping[str, Any], shape: tuple[int, int], fill_box: FillBox) -> Mask:
    try:
        return _mask_of(annotation, shape, fill_box)
    except (TypeError, ValueError, KeyError, IndexError, OverflowError, AttributeError) as error:
        told = " ".join(str(error).split())[:100] or type(error).__name__
        raise ImageError("mask_unreadable", f"annotation is damaged ({told}); export it again") from error


def _mask_of(annotation: Mapping[str, Any], shape: tuple[int, int], fill_box: FillBox) -> Mask:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, Mapping):
        return _coco_runs(segmentation, shape)
    if segmentation:
        return _polygons(segmentation, shape)
    if "counts" in annotation:
        return _coco_runs(annotation, shape)
    if "rle" in annotation:
        return _kaggle_runs(annotation["rle"], shape)
    if "rle_gaps" in annotation:
        return _kaggle_runs(_absolute(annotation["rle_gaps"]), shape)
    if "bbox" in annotation:
        box = _box_of(annotation["bbox"])
        _refuse_outside(np.array([box[0], box[0] + box[2]]), np.array([box[1], box[1] + box[3]]), shape)
        return fill_box(box, shape)
    raise ImageError("mask_unreadable", "annotation has no segmentation, counts, rle, rle_gaps or bbox; add one")


def _has_box_alone(annotation: Mapping[str, Any]) -> bool:
    others = ("counts", "rle", "rle_gaps")
    return "bbox" in annotation and not annotation.get("segmentation") and not any(key in annotation for key in others)


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
    numbers = _run_numbers(text)
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


def _run_numbers(text: object) -> NDArray[np.int64]:
    if not isinstance(text, str):
        raise TypeError("rle is no text")
    if text.strip() == "-1":  # the writing of some challenges for an image without a lesion
        return np.zeros(0, np.int64)
    if len(text) > 20 * _MOST_RUNS:
        raise ValueError("too many runs")
    return np.array([int(word) for word in text.split()], np.int64)


def _absolute(text: object) -> str:
    """Turn starts that are counted from the end of the run before into 1-based ones."""
    numbers = _run_numbers(text).copy()
    if (numbers < 0).any():
        raise ValueError("a negative gap or length")
    ends = np.cumsum(numbers)
    starts = ends[::2] + 1
    return " ".join(f"{start} {length}" for start, length in zip(starts, numbers[1::2], strict=True))


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


def _box_of(bbox: Sequence[float]) -> Box:
    left, top, width, height = (float(number) for number in bbox)
    if not np.isfinite([left, top, width, height]).all() or min(width, height) <= 0:
        raise ValueError("a box needs left, top, and a width and height above 0")
    return left, top, width, height


def _refuse_outside(x: NDArray[np.float64], y: NDArray[np.float64], shape: tuple[int, int]) -> None:
    """A pixel beyond the border is how annotators end a line; more is another image's annotation."""
    if x.min() < -1 or y.min() < -1 or x.max() > shape[1] + 1 or y.max() > shape[0] + 1:
        raise ImageError(
            "mask_size_mismatch", f"annotation leaves an image of {shape} (height, width); check its image"
        )
