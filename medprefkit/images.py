"""Image files and arrays: the front door to everything that knows formats, BGR, PNG, EXIF, DICOM, NIfTI and bombs.

An image is (height, width, 3) uint8 RGB, whatever the file held; `imaging/` knows how each format becomes that. Which
format a file has is decided by its content, and only those are opened that are listed there.

The codec must not tell a clean image from a corrupted one. So wherever an image has a corrupted partner, the clean
copy, the corrupted image and the control are all written by `encode_png` with the same `grey`; original bytes stay only
where there is no partner and the file is one picture. The clean copy decodes to exactly the pixels that `read_image`
gave.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.Image import Image as PillowImage

from medprefkit.annotations import Box, boxes_of
from medprefkit.errors import ImageError
from medprefkit.imaging.boxes import BoxRegions, Ellipses
from medprefkit.imaging.formats import format_of, read_volume_frame
from medprefkit.imaging.lesions import (
    Pictured,
    largest_frame,
    lesion_mask_of,
    mask_of_text,
    read_annotation,
    read_lesion_mask,
)
from medprefkit.imaging.pictures import FORMATS, decode_picture, rgb_of
from medprefkit.imaging.windows import ViewChoice, choice_of
from medprefkit.protocols import Image, Mask
from medprefkit.records import ImageRef, MaskRef, View

__all__ = [
    "FORMATS",
    "ImageInfo",
    "Kind",
    "ViewChoice",
    "boxes_of_refs",
    "decode_image",
    "encode_png",
    "image_and_lesion",
    "image_of",
    "is_grey",
    "lesion_mask_of",
    "n_stored_bytes",
    "read_image",
    "read_lesion",
    "read_lesion_mask",
    "read_ref",
    "resolve",
    "shrink_image",
    "stored_bytes",
    "stored_name",
    "verify_image",
]

Kind = Literal["image", "mask"]


class ImageInfo(NamedTuple):
    """What a file holds. The size is that of the upright image. WebP counts as lossy, since it may be.

    `view` is what was made of a DICOM or NIfTI file, or of a picture file of several pages; else None.
    """

    width_px: int
    height_px: int
    format: str
    lossless: bool
    view: View | None = None


def resolve(root: Path, ref_path: str, *, kind: Kind = "image") -> Path:
    """Return the file that a record names, inside the data root.

    Args:
        root: The data root.
        ref_path: Relative to the root, with forward slashes. May pass through symbolic links that stay inside.
        kind: What the file is to be, for the message and the reason.

    Raises:
        ImageError: `image_outside_root` for an absolute path, a URL, a `..`, a NUL, or a link that leaves the root;
            `image_missing` or `mask_missing` where there is no such file.
    """
    shown = ascii(ref_path[:200])
    windows = PureWindowsPath(ref_path)  # also knows `/`; so a drive or a `..\` of another system is seen
    unsafe = "\0" in ref_path or "://" in ref_path or bool(windows.anchor) or ".." in windows.parts
    if unsafe:
        raise ImageError(
            "image_outside_root", f"{shown}: not a path below the data root; name the {kind} relative to it"
        )
    try:
        path = root / ref_path
        if not path.resolve().is_relative_to(root.resolve()):
            detail = f"{shown}: a symbolic link leads out of the data root; copy the {kind} into it"
            raise ImageError("image_outside_root", detail)
        found = path.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name that the system cannot hold
        raise ImageError(f"{kind}_missing", f"{shown}: cannot be looked up ({error}); rename the {kind}") from error
    if not found:
        raise ImageError(f"{kind}_missing", f"{shown}: no such file below the data root; check the path and data_root")
    return path


def verify_image(
    path: Path, choice: ViewChoice | None = None, lesion_masks: Sequence[tuple[Path, Sequence[str]]] = ()
) -> ImageInfo:
    """Decode a file to its end, at the least cost, and say what it holds.

    Args:
        path: The file.
        choice: Which frame, slice and window; the defaults of `ViewChoice` where None.
        lesion_masks: File and classes of each of its masks, by which a slice may be chosen.

    Raises:
        ImageError: As `read_image`, and as `read_lesion_mask` where a slice is chosen by its mask.
    """
    choice = choice or ViewChoice()
    kind = format_of(path)
    if kind == "picture":
        frame = choice.frame if isinstance(choice.frame, int) else None
        found = decode_picture(path, frame=frame, reduced=True)
        deep = choice.window is not None and found.picture.mode[0] in "IF"
        view = View(frame=frame or 0, window=choice.window if deep else None) if found.n_frames > 1 or deep else None
        return ImageInfo(found.width_px, found.height_px, found.format, found.lossless, view)
    if choice.frame in {None, "lesion"} and (largest := largest_frame(path, choice, lesion_masks)) is not None:
        choice = choice._replace(frame=largest)
    shown = read_volume_frame(path, choice)
    height, width = shown.image.shape[:2]
    return ImageInfo(width, height, "DICOM" if kind == "dicom" else "NIFTI", lossless=True, view=shown.view)


def read_image(path: Path, view: View | None = None) -> Image:
    """Decode an image file.

    Args:
        path: The file.
        view: Which picture of it, as `verify_image` found it; of a DICOM file the first, of a NIfTI file the middle
            one where None.

    Returns:
        (height, width, 3) RGB, uint8, upright.

    Raises:
        ImageError: `image_missing`; `image_too_large` beyond the limits of `imaging.limits`, before anything of that
            size is made; `image_unreadable` for what is damaged, cut short, or none of the formats.
    """
    if format_of(path) == "picture":
        window = view.window if view is not None else None
        return rgb_of(decode_picture(path, frame=view.frame if view is not None else None).picture, window)
    return read_volume_frame(path, choice_of(view)).image


def read_ref(root: Path, ref: ImageRef) -> Image:
    """Decode the image that a record names.

    Raises:
        ImageError: As `resolve` and `read_image`.
    """
    return read_image(resolve(root, ref.path), ref.view)


def read_lesion(
    root: Path, ref: ImageRef, masks: Sequence[MaskRef], image: Image, regions: BoxRegions | None = None
) -> Mask:
    """Read and unite the masks of one image.

    Args:
        root: The data root.
        ref: The image's file.
        masks: Its masks, at least one. An empty one beside others says that its kind of lesion is absent.
        image: Its pixels.
        regions: Makes regions of boxes; ellipses where None.

    Returns:
        (height, width), True on the lesion; at least one pixel is True.

    Raises:
        ImageError: As `resolve` and `read_lesion_mask`; `image_unreadable` for a mask in the image's place.
    """
    _refuse_mask_as_image(image)
    shape = (image.shape[0], image.shape[1])
    of = Pictured(resolve(root, ref.path), ref.view)
    fill = (regions or Ellipses()).fill_for(image)
    lesion = np.zeros(shape, np.bool_)
    empty: ImageError | None = None
    for mask in masks:
        try:
            if mask.annotation:
                lesion |= mask_of_text(mask.annotation, shape, mask.classes, of, fill)
            else:
                path = resolve(root, mask.path, kind="mask")
                lesion |= read_lesion_mask(
                    path, shape, place_px=mask.place_px, classes=mask.classes, of=of, fill_box=fill
                )
        except ImageError as error:
            if error.reason != "mask_empty":
                raise
            empty = error
    if empty is not None and not lesion.any():
        raise empty
    return lesion


def boxes_of_refs(root: Path, ref: ImageRef, masks: Sequence[MaskRef]) -> list[Box]:
    """Return the boxes among an image's masks, for what makes regions of many at once.

    Raises:
        ImageError: As `read_lesion`.
    """
    name = Path(ref.path).name
    found: list[Box] = []
    for mask in masks:
        path = None if mask.annotation else resolve(root, mask.path, kind="mask")
        if path is None or path.suffix.lower() == ".json":
            found += boxes_of(read_annotation(path or mask.annotation), mask.classes, name)
    return found


def stored_name(ref: ImageRef) -> str:
    """Return the file name under which an image goes into a dataset: its own, or that of a PNG."""
    name = PurePosixPath(ref.path).name
    return name if ref.view is None else f"{name.split('.')[0]}.png"


def n_stored_bytes(root: Path, ref: ImageRef) -> int:
    """Return how many bytes `stored_bytes` will be; of one that is made of its file, at most how many its file has.

    Raises:
        ImageError: As `resolve`.
    """
    return resolve(root, ref.path).stat().st_size


def stored_bytes(root: Path, ref: ImageRef) -> bytes:
    """Return an image as it goes into a dataset: its file's own bytes, or a PNG of what was made of the file.

    Raises:
        ImageError: As `resolve` and `read_image`.
    """
    path = resolve(root, ref.path)
    if ref.view is None and format_of(path) == "picture":
        return path.read_bytes()
    image = read_image(path, ref.view)
    return encode_png(image, grey=is_grey(image))


def decode_image(content: bytes) -> Image:
    """Decode the bytes of an image file.

    Returns:
        (height, width, 3) RGB, uint8, upright.

    Raises:
        ImageError: As `read_image`.
    """
    return rgb_of(decode_picture(content).picture)


def image_of(value: NDArray[np.uint8] | PillowImage | Path | str) -> Image:
    """Return what a caller has in hand as an image: a uint8 array (grey or RGB), a Pillow image, or a file's path.

    Raises:
        ImageError: As `read_image`; `image_unreadable` for an array of another type or shape.
    """
    if isinstance(value, str | Path):
        return read_image(Path(value))
    if isinstance(value, PillowImage):
        return rgb_of(ImageOps.exif_transpose(value))
    array = np.asarray(value)
    if array.dtype != np.uint8 or array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        found = f"an array of {array.dtype} and shape {array.shape}"
        raise ImageError(
            "image_unreadable", f"{found} is no image; pass uint8 of (height, width) or (height, width, 3)"
        )
    return np.ascontiguousarray(array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2))


def image_and_lesion(
    image: NDArray[np.uint8] | PillowImage | Path | str,
    lesion_mask: NDArray[np.generic] | PillowImage | Path | str | Mapping[str, Any],
    *,
    choice: ViewChoice | None = None,
    regions: BoxRegions | None = None,
) -> tuple[Image, Mask]:
    """Return an image and its mask, each as a caller has it in hand; of a volume the slice with the most lesion.

    Args:
        image: As `image_of` takes it.
        lesion_mask: As `lesion_mask_of` takes it; a segmentation or a NIfTI mask needs the image as a file.
        choice: Which picture of a file that could give several, and its window.
        regions: Makes regions of boxes; ellipses where None.

    Raises:
        ImageError: As `verify_image`, `image_of` and `read_lesion_mask`.
    """
    of: Pictured | None = None
    if isinstance(image, str | Path):
        masks = [(Path(lesion_mask), ())] if isinstance(lesion_mask, str | Path) else []
        of = Pictured(Path(image), verify_image(Path(image), choice, masks).view)
    pixels = read_image(of.path, of.view) if of is not None else image_of(image)
    fill = (regions or Ellipses()).fill_for(pixels)
    _refuse_mask_as_image(pixels)
    return pixels, lesion_mask_of(lesion_mask, (pixels.shape[0], pixels.shape[1]), of=of, fill_box=fill)


def _refuse_mask_as_image(image: Image) -> None:
    """Refuse what is black and white and nothing between: no medical image is.

    Raises:
        ImageError: `image_unreadable`.
    """
    if np.isin(image, (0, 255)).all() and len(np.unique(image)) == 2:
        problem = "the image is black and white and nothing between, as masks are"
        raise ImageError("image_unreadable", f"{problem}; are image and mask swapped?")


def is_grey(image: Image) -> bool:
    """Tell whether the three channels are equal everywhere, so that one holds all there is."""
    first = image[..., 0]
    return bool(np.array_equal(first, image[..., 1]) and np.array_equal(first, image[..., 2]))


def shrink_image(image: Image, *, max_side_px: int) -> Image:
    """Return the image, or a smaller copy whose longer side is `max_side_px`; each pixel is the mean of its area."""
    height, width = image.shape[:2]
    if max(height, width) <= max_side_px:
        return image
    scale = max_side_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def encode_png(image: Image, *, grey: bool) -> bytes:
    """Write an image as PNG: no metadata, compression level 1, the same bytes for the same pixels.

    Args:
        image: (height, width, 3) RGB, uint8.
        grey: Write one channel, the first; for a clean image and its partners the same, `is_grey` of the clean one.
    """
    pixels = image[..., 0] if grey else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    written, buffer = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not written:
        raise ValueError(f"OpenCV cannot write an image of shape {image.shape}")
    return bytes(buffer)
