"""Image files and arrays: the only place that knows formats, BGR, PNG, EXIF, colour modes and decompression bombs.

An image is (height, width, 3) uint8 RGB, whatever the file held. How a file becomes that, always in the same way:

- the EXIF orientation is applied; only the first frame or page is read; colour profiles are not applied;
- transparency is laid over black, the background of medical images;
- 16-bit, 32-bit and float grey is stretched linearly from its own smallest to its own largest finite value;
- grey, 1-bit, palette and CMYK become RGB.

The codec must not tell a clean image from a corrupted one. So wherever an image has a corrupted partner, the clean
copy, the corrupted image and the control are all written by `encode_png` with the same `grey`; original bytes stay only
where there is no partner. The clean copy decodes to exactly the pixels that `read_image` gave.
"""

import json
import struct
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps, UnidentifiedImageError
from PIL.Image import DecompressionBombError, DecompressionBombWarning, alpha_composite
from PIL.Image import Image as PillowImage
from PIL.Image import new as new_picture
from PIL.Image import open as open_picture

from medprefkit.annotations import mask_of_annotation
from medprefkit.errors import ImageError
from medprefkit.protocols import Image, Mask

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
"""What is opened, decided by the file's content and not by its name."""

MAX_FILE_BYTES = 256 * 2**20
MAX_ANNOTATION_BYTES = 32 * 2**20
MAX_PIXELS = 80_000_000
"""Larger images are refused before they are decoded; below the number at which Pillow warns."""

GREY_THRESHOLD = 127
"""A grey mask is True above this: half of white, so that resampling and JPEG noise fall away."""

COLOUR_THRESHOLD = 60
"""A colour mask is True where any channel is above this; two channels this far apart make a mask a colour mask."""

_LOSSLESS_TIFF = {
    "raw",
    "packbits",
    "tiff_lzw",
    "tiff_deflate",
    "tiff_adobe_deflate",
    "group3",
    "group4",
    "lzma",
    "zstd",
}
_DEEP_MODES = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
# What Pillow's decoders raise on damaged files; anything else is a bug, here or there, and keeps its traceback.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, OverflowError, IndexError, KeyError,
           TypeError)  # fmt: skip

_ORIENTATION = 0x0112  # the EXIF tag
_LYING = {5, 6, 7, 8}  # its values for a picture on its side

Kind = Literal["image", "mask"]


class ImageInfo(NamedTuple):
    """What a file holds. The size is that of the upright image. WebP counts as lossy, since it may be."""

    width_px: int
    height_px: int
    format: str
    lossless: bool


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


def verify_image(path: Path) -> ImageInfo:
    """Decode a file to its end, at the least cost, and say what it holds.

    Raises:
        ImageError: As `read_image`.
    """
    return _decoded(path, reduced=True).info


def read_image(path: Path) -> Image:
    """Decode an image file.

    Returns:
        (height, width, 3) RGB, uint8, upright.

    Raises:
        ImageError: `image_missing`; `image_too_large` beyond `MAX_FILE_BYTES` or `MAX_PIXELS`, before decoding;
            `image_unreadable` for what is damaged, cut short, or none of `FORMATS`.
    """
    return _rgb_of(_decoded(path).picture)


def read_lesion_mask(path: Path, shape: tuple[int, int], *, place_px: tuple[int, int] | None = None) -> Mask:
    """Decode a lesion mask: grey above 127, or any channel of a colour mask above 60, and nowhere transparent.

    A grey mask of two values of which one is 0, such as 0 and 1, is True at the other one.

    Args:
        path: A file of any of `FORMATS`, or a `.json` file of annotations as `annotations.mask_of_annotation` takes.
        shape: (height, width) of the image that it belongs to, pixels.
        place_px: (left, top) of a mask that was cropped, pixels of the image; None for one of the image's size.

    Returns:
        (height, width), True on the lesion; at least one pixel is True.

    Raises:
        ImageError: `mask_missing`, `mask_unreadable`, `mask_size_mismatch`, `mask_empty`.
    """
    try:
        annotated = path.suffix.lower() == ".json"
        lesion = _annotated(path, shape) if annotated else _lesion_of(_decoded(path).picture)
    except ImageError as error:
        renamed = {"image_missing": "mask_missing", "mask_size_mismatch": "mask_size_mismatch"}
        reason = renamed.get(error.reason, "mask_unreadable")
        raise ImageError(reason, f"mask {error}") from error
    height, width = shape
    left, top = place_px or (0, 0)
    bottom, right = top + lesion.shape[0], left + lesion.shape[1]
    fits = min(top, left) >= 0 and bottom <= height and right <= width
    if not fits or (place_px is None and lesion.shape != shape):
        placed = f" at {place_px}" if place_px else ""
        problem = f"{lesion.shape[1]}x{lesion.shape[0]} pixels{placed}, the image has {width}x{height}"
        raise ImageError("mask_size_mismatch", f"mask {_name(path)}: {problem}; give it the size of its image")
    if not lesion.any():
        problem = f"no pixel is lesion (grey above {GREY_THRESHOLD}, or a colour channel above {COLOUR_THRESHOLD})"
        raise ImageError("mask_empty", f"mask {_name(path)}: {problem}; leave it out or draw it in white")
    whole = np.zeros(shape, np.bool_)
    whole[top:bottom, left:right] = lesion
    return whole


def image_of(value: NDArray[np.uint8] | PillowImage | Path | str) -> Image:
    """Return what a caller has in hand as an image: a uint8 array (grey or RGB), a Pillow image, or a file's path.

    Raises:
        ImageError: As `read_image`; `image_unreadable` for an array of another type or shape.
    """
    if isinstance(value, str | Path):
        return read_image(Path(value))
    if isinstance(value, PillowImage):
        return _rgb_of(ImageOps.exif_transpose(value))
    array = np.asarray(value)
    if array.dtype != np.uint8 or array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        found = f"an array of {array.dtype} and shape {array.shape}"
        raise ImageError(
            "image_unreadable", f"{found} is no image; pass uint8 of (height, width) or (height, width, 3)"
        )
    return np.ascontiguousarray(array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2))


def lesion_mask_of(
    value: NDArray[np.generic] | PillowImage | Path | str | Mapping[str, Any], shape: tuple[int, int]
) -> Mask:
    """Return what a caller has in hand as a mask.

    That is a boolean or number array (True where not 0), a Pillow image, a file's path, or an annotation as
    `annotations.mask_of_annotation` takes.

    Raises:
        ImageError: As `read_lesion_mask`.
    """
    if isinstance(value, str | Path):
        return read_lesion_mask(Path(value), shape)
    if isinstance(value, Mapping):
        return mask_of_annotation(value, shape)
    lesion = _lesion_of(value) if isinstance(value, PillowImage) else np.asarray(value) != 0
    if lesion.shape != shape:
        raise ImageError(
            "mask_size_mismatch", f"the mask's shape is {lesion.shape}, the image's {shape}; make them equal"
        )
    return lesion


def is_grey(image: Image) -> bool:
    """Tell whether the three channels are equal everywhere, so that one holds all there is."""
    first = image[..., 0]
    return bool(np.array_equal(first, image[..., 1]) and np.array_equal(first, image[..., 2]))


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


class _Decoded(NamedTuple):
    """A decoded, upright picture; `width_px` and `height_px` are the file's also where a reduced one was decoded."""

    picture: PillowImage
    info: ImageInfo


def _decoded(path: Path, *, reduced: bool = False) -> _Decoded:
    """Open a file, refuse what can be refused before decoding, and decode it.

    Args:
        path: The file.
        reduced: A JPEG may be decoded at an eighth of its size: all its data are read, few pixels made.
    """
    try:
        n_bytes = path.stat().st_size
    except OSError as error:
        raise ImageError("image_missing", f"{_name(path)}: {error.strerror}; check the path") from error
    if n_bytes > MAX_FILE_BYTES:
        raise ImageError("image_too_large", f"{_name(path)}: {n_bytes} bytes, more than {MAX_FILE_BYTES}; shrink it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF and the like: the pixels are good
            warnings.simplefilter("error", DecompressionBombWarning)
            with open_picture(path, formats=FORMATS) as picture:
                width, height = picture.size
                _refuse_bomb(width, height)
                if reduced and picture.format in {"JPEG", "MPO"}:
                    picture.draft("L", (max(1, width // 8), max(1, height // 8)))
                picture.load()
                upright = ImageOps.exif_transpose(picture)
                if picture.getexif().get(_ORIENTATION) in _LYING:
                    width, height = height, width
                return _Decoded(upright, ImageInfo(width, height, picture.format or "", _is_lossless(picture)))
    except (DecompressionBombError, DecompressionBombWarning) as error:
        raise ImageError("image_too_large", f"{_name(path)}: {error}; more than {MAX_PIXELS} are not read") from error
    except UnidentifiedImageError as error:
        known = ", ".join(FORMATS)
        raise ImageError("image_unreadable", f"{_name(path)}: none of {known}; convert it or leave it out") from error
    except _DAMAGE as error:
        told = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(
            "image_unreadable", f"{_name(path)}: damaged ({told}); fetch it again or leave it out"
        ) from error


def _annotated(path: Path, shape: tuple[int, int]) -> Mask:
    try:
        if path.stat().st_size > MAX_ANNOTATION_BYTES:
            raise ImageError("image_too_large", f"{_name(path)}: more than {MAX_ANNOTATION_BYTES} bytes; split it")
        annotation = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ImageError("image_missing", f"{_name(path)}: {error.strerror}; check the path") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ImageError("image_unreadable", f"{_name(path)}: no JSON; export it again") from error
    try:
        return mask_of_annotation(annotation, shape)
    except ImageError as error:
        raise ImageError(error.reason, f"{_name(path)}: {error}") from error


def _refuse_bomb(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DecompressionBombError(f"{width}x{height} pixels")


def _is_lossless(picture: PillowImage) -> bool:
    tiff_codec = picture.info.get("compression", "raw")
    return picture.format in {"PNG", "BMP"} or (picture.format == "TIFF" and tiff_codec in _LOSSLESS_TIFF)


def _rgb_of(picture: PillowImage) -> Image:
    if picture.mode in _DEEP_MODES:
        grey = _stretched(np.asarray(picture))
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        on_top = picture.convert("RGBA")
        ground = new_picture("RGBA", on_top.size, (0, 0, 0, 255))
        picture = alpha_composite(ground, on_top)
    try:
        return np.array(picture.convert("RGB"))
    except ValueError as error:
        raise ImageError("image_unreadable", f"colour mode {picture.mode} is not read; convert it to RGB") from error


def _stretched(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Map the finite range of `values` to 0 to 255; a constant image, NaN and -inf become 0."""
    numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    if low == high:
        return np.zeros(numbers.shape, np.uint8)
    shares = (np.nan_to_num(numbers, nan=low, posinf=high, neginf=low) - low) / (high - low)
    grey: NDArray[np.uint8] = np.rint(shares * 255).astype(np.uint8)
    return grey


def _lesion_of(picture: PillowImage) -> Mask:
    rgb = _rgb_of(picture)  # transparent is black from here on
    brightest = rgb.max(axis=2)
    if int((brightest - rgb.min(axis=2)).max()) > COLOUR_THRESHOLD:
        coloured: Mask = brightest > COLOUR_THRESHOLD
        return coloured
    values = np.flatnonzero(np.bincount(brightest.ravel(), minlength=256))
    is_label_map = len(values) == 2 and values[0] == 0
    lesion: Mask = brightest > (0 if is_label_map else GREY_THRESHOLD)
    return lesion


def _name(path: Path) -> str:
    """Folder and file name: enough to find it, and nothing of where the data lie."""
    return "/".join(path.parts[-2:])
