"""Picture files by Pillow: PNG, JPEG, TIFF, WebP, BMP, decoded upright, refused before they can fill the memory.

How a file becomes RGB of 8 bits, always in the same way:

- the EXIF orientation is applied; colour profiles are not applied;
- transparency is laid over black, the background of medical images;
- 16-bit, 32-bit and float grey is stretched linearly from its own smallest to its own largest finite value, or as far
  as a window says; 16-bit colour keeps its upper 8 bits;
- 1-bit, palette and CMYK become RGB;
- of several pages or frames one is read, which has to be chosen: the first of them may be a thumbnail or a cover.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps, UnidentifiedImageError
from PIL.Image import DecompressionBombError, DecompressionBombWarning, alpha_composite
from PIL.Image import Image as PillowImage
from PIL.Image import fromarray as picture_of_array
from PIL.Image import new as new_picture
from PIL.Image import open as open_picture
from PIL.TiffImagePlugin import TiffImageFile

from medprefkit.errors import ImageError
from medprefkit.imaging.limits import MAX_FILE_BYTES, MAX_PIXELS, name_of, refuse_pixels
from medprefkit.imaging.windows import Window, apply_window
from medprefkit.protocols import Image

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
"""What is opened, decided by the file's content and not by its name."""

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
_PHOTOMETRIC, _SAMPLE_FORMAT, _SIGNED = 0x0106, 0x0153, 2  # TIFF tags, and a value of the second
_SUBFILE_TYPE = 0x00FE  # the TIFF tag whose lowest bit marks a smaller copy of another page


class Decoded(NamedTuple):
    """A decoded, upright picture; `width_px` and `height_px` are the file's also where a reduced one was decoded."""

    picture: PillowImage
    width_px: int
    height_px: int
    format: str
    lossless: bool
    n_frames: int


def decode_picture(source: Path | bytes, *, frame: int | None = None, reduced: bool = False) -> Decoded:
    """Open a file, refuse what can be refused before decoding, and decode it.

    Args:
        source: The file, or its bytes.
        frame: Which of several pages or frames, from 0; None for a file of one.
        reduced: A JPEG may be decoded at an eighth of its size: all its data are read, few pixels made.

    Raises:
        ImageError: `image_missing`; `image_too_large` beyond `MAX_FILE_BYTES` or `MAX_PIXELS`, before decoding;
            `image_unreadable` for what is damaged, cut short, none of `FORMATS`, or of several pages with none chosen.
    """
    name = name_of(source) if isinstance(source, Path) else "image"
    _refuse_large_file(source, name)
    with _refusing_damage(name), open_picture(_stream(source), formats=FORMATS) as picture:
        n_frames = _n_frames(picture)
        if frame is None and n_frames > 1:
            problem = f"{name}: holds {n_frames} pages or frames; give `frame`, from 0, or save the one that is meant"
            raise ImageError("image_unreadable", problem)
        if not 0 <= (frame or 0) < n_frames:
            raise ImageError("image_unreadable", f"{name}: no frame {frame}, it has {n_frames}, counted from 0")
        if frame:
            picture.seek(frame)
        width, height = picture.size
        refuse_pixels(name, width, height)
        if reduced and picture.format in {"JPEG", "MPO"}:
            picture.draft("L", (max(1, width // 8), max(1, height // 8)))
        picture.load()
        upright = ImageOps.exif_transpose(_black_is_least(picture, name))
        if picture.getexif().get(_ORIENTATION) in _LYING:
            width, height = height, width
        return Decoded(upright, width, height, picture.format or "", _is_lossless(picture), n_frames)


def rgb_of(picture: PillowImage, window: Window | None = None) -> Image:
    """Return a picture's pixels, (height, width, 3) uint8.

    Args:
        picture: Upright.
        window: Of deep grey; nothing to a picture of 8 bits.

    Raises:
        ImageError: `image_unreadable` for a colour mode that has no RGB.
    """
    if picture.mode in _DEEP_MODES:
        values = np.asarray(picture)
        grey = _stretched(values) if window is None else apply_window(_finite_or_least(values), window)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        on_top = picture.convert("RGBA")
        ground = new_picture("RGBA", on_top.size, (0, 0, 0, 255))
        picture = alpha_composite(ground, on_top)
    try:
        return np.array(picture.convert("RGB"))
    except ValueError as error:
        raise ImageError("image_unreadable", f"colour mode {picture.mode} is not read; convert it to RGB") from error


def numbers_of_picture(picture: PillowImage) -> NDArray[np.generic] | None:
    """Return the stored values of a grey, 1-bit or palette picture, (height, width); None for one in colour."""
    return np.asarray(picture) if picture.mode in _DEEP_MODES | {"1", "L", "P"} else None


def _stream(source: Path | bytes) -> Path | io.BytesIO:
    return source if isinstance(source, Path) else io.BytesIO(source)


def _refuse_large_file(source: Path | bytes, name: str) -> None:
    try:
        n_bytes = len(source) if isinstance(source, bytes) else source.stat().st_size
    except OSError as error:
        raise ImageError("image_missing", f"{name}: {error.strerror}; check the path") from error
    if n_bytes > MAX_FILE_BYTES:
        raise ImageError("image_too_large", f"{name}: {n_bytes} bytes, more than {MAX_FILE_BYTES}; shrink it")


@contextmanager
def _refusing_damage(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF and the like: the pixels are good
            warnings.simplefilter("error", DecompressionBombWarning)
            yield
    except (DecompressionBombError, DecompressionBombWarning) as error:
        raise ImageError("image_too_large", f"{name}: {error}; more than {MAX_PIXELS} are not read") from error
    except UnidentifiedImageError as error:
        known = ", ".join((*FORMATS, "DICOM", "NIfTI"))
        raise ImageError("image_unreadable", f"{name}: none of {known}; convert it or leave it out") from error
    except _DAMAGE as error:
        told = " ".join(str(error).split()) or type(error).__name__
        raise ImageError("image_unreadable", f"{name}: damaged ({told}); fetch it again or leave it out") from error


def _n_frames(picture: PillowImage) -> int:
    """Count pages and frames; a phone's previews beside a JPEG and smaller copies in a TIFF are none."""
    n_frames: int = getattr(picture, "n_frames", 1)
    if picture.format == "MPO":
        return 1
    if picture.format != "TIFF" or n_frames == 1:
        return n_frames
    n_whole = 0
    for k in range(n_frames):
        picture.seek(k)
        n_whole += not int(picture.getexif().get(_SUBFILE_TYPE, 0)) & 1
        if n_whole > 1:
            break
    picture.seek(0)
    return n_frames if n_whole > 1 else 1


def _is_lossless(picture: PillowImage) -> bool:
    tiff_codec = picture.info.get("compression", "raw")
    return picture.format in {"PNG", "BMP"} or (picture.format == "TIFF" and tiff_codec in _LOSSLESS_TIFF)


def _black_is_least(picture: PillowImage, name: str) -> PillowImage:
    """Undo what Pillow leaves of a TIFF file's own sense of grey: deep values whose least is white, and signed bytes.

    Raises:
        ImageError: `image_unreadable` for signed bytes, which Pillow takes for unsigned ones.
    """
    if not isinstance(picture, TiffImageFile):
        return picture
    if picture.mode == "L" and _SIGNED in tuple(picture.tag_v2.get(_SAMPLE_FORMAT, ())):
        raise ImageError("image_unreadable", f"{name}: grey of signed bytes; write it with 16 bits or unsigned")
    if picture.mode not in _DEEP_MODES or picture.tag_v2.get(_PHOTOMETRIC) != 0:
        return picture
    values = np.asarray(picture)
    greatest = np.iinfo(values.dtype).max if values.dtype.kind == "u" else values.max() + values.min()
    return picture_of_array(greatest - values)


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


def _finite_or_least(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Let NaN be black, and infinities the ends of the window."""
    numbers = values.astype(np.float64)
    return np.nan_to_num(numbers, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
