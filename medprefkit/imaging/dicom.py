"""One frame of a DICOM file as an 8-bit image, read by pydicom.

Only pixels, what is needed to show them, and their spacing are read: the tags in which a patient is named are never
parsed, so they can reach no record, row or message. Overlays are not drawn.

- A window that is asked for wins; else a VOI lookup table, else the first of the file's windows. A deep image without
  either is windowed over nearly all of its values. Rescale slope and intercept or the modality table come first.
- MONOCHROME1 is inverted, so that bright is bright; padding becomes black. PALETTE COLOR and YBR become RGB.
- Of a multi-frame file one frame is decoded, with its own window and spacing.
"""

import logging
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import DecompressionBombError, DecompressionBombWarning
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi
from pydicom.pixels.utils import pixel_array
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from medprefkit.errors import ImageError
from medprefkit.imaging.limits import MAX_FILE_BYTES, MAX_PIXELS, name_of, refuse_pixels
from medprefkit.imaging.windows import Frame, Function, ViewChoice, Window, apply_window, window_of_range
from medprefkit.protocols import Image
from medprefkit.records import View

SEGMENTATIONS = {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}
"""SOP classes of masks: Segmentation Storage and Label Map Segmentation Storage."""

_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"

_SHOWING = [
    "SOPClassUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
]
_OVERLAY_BITS = [Tag(group, 0x0102) for group in range(0x6000, 0x6020, 2)]
_FRAME_GROUPS = ("PixelMeasuresSequence", "PixelValueTransformationSequence", "FrameVOILUTSequence")
_INFLATED_BY = 2**20

# What pydicom and its decoders raise on damaged files; anything else is a bug, here or there, and keeps its traceback.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, OverflowError, IndexError, KeyError, TypeError, AttributeError,
           NotImplementedError, RuntimeError, RecursionError, MemoryError, zlib.error, InvalidDicomError,
           BytesLengthException)  # fmt: skip


class OddValueError(Exception):
    """What a file holds cannot be shown; the text names no value that may be a patient's."""


def read_frame(path: Path, choice: ViewChoice) -> Frame:
    """Decode one frame of a DICOM file; `frame` is a number, `middle`, or None for the first.

    Raises:
        ImageError: `image_too_large` before anything of that size is made; `image_unreadable` for what is damaged, is
            no picture, has no such frame, or is compressed in a way that no installed decoder reads.
    """
    header = read_header(path, _SHOWING)
    name = name_of(path)
    with refusing_damage(name):
        if header.get("SOPClassUID") in SEGMENTATIONS:
            raise ImageError("image_unreadable", f"{name}: is a segmentation; name it as the mask, not as the image")
        if header.get("SOPClassUID") == _DOSE:
            raise ImageError("image_unreadable", f"{name}: is a radiation dose and no image; leave it out")
        frame = chosen_frame(header, choice, name)
        stored = read_stored(path, header, frame)
        shown = _of_frame(header, frame)
        spacing = _spacing_of(shown)
        if shown.SamplesPerPixel != 1 or shown.PhotometricInterpretation == "PALETTE COLOR":
            return Frame(_colour(stored, shown), View(frame=frame, spacing_mm=spacing))
        grey, window = _grey(stored, shown, choice.window)
    view = View(frame=frame, window=window, spacing_mm=spacing)
    return Frame(np.repeat(grey[..., None], 3, axis=2), view)


def read_header(path: Path, keywords: list[str]) -> Dataset:
    """Read the named tags of a DICOM file, and nothing else.

    Raises:
        ImageError: `image_unreadable` for what is damaged; `image_too_large` for a deflated file that unpacks to more
            than `MAX_FILE_BYTES`, or an image of more than `MAX_PIXELS`.
    """
    name = name_of(path)
    with refusing_damage(name):
        _refuse_deflated_bomb(path)
        tags = [*(Tag(keyword) for keyword in keywords), *_OVERLAY_BITS]
        header = dcmread(path, specific_tags=tags, stop_before_pixels=True)
        for _ in header.iterall():  # values are parsed when they are first asked for: here, where damage is refused
            pass
        if "Rows" not in header or "Columns" not in header:
            raise ImageError("image_unreadable", f"{name}: a DICOM file without an image; leave it out")
        refuse_pixels(name, int(header.Columns), int(header.Rows))
        if header.get("SamplesPerPixel") not in {1, 3}:
            raise ImageError("image_unreadable", f"{name}: neither 1 nor 3 samples a pixel; convert it")
        if header.get("BitsAllocated") not in {1, 8, 16, 32, 64}:
            raise ImageError("image_unreadable", f"{name}: pixels of {header.get('BitsAllocated')} bits; convert it")
    return header


def chosen_frame(header: Dataset, choice: ViewChoice, name: str) -> int:
    """Return the number of the frame that is asked for.

    Raises:
        ImageError: `image_unreadable` if there is none of that number, or none can be chosen by its lesion.
    """
    n_frames = int(header.get("NumberOfFrames") or 1)
    if choice.frame == "lesion":
        raise ImageError("image_unreadable", f"{name}: no mask says where the lesion is; give `frame` as a number")
    frame = n_frames // 2 if choice.frame == "middle" else choice.frame or 0
    if not 0 <= frame < n_frames:
        raise ImageError("image_unreadable", f"{name}: no frame {frame}, it has {n_frames}, counted from 0")
    return frame


def read_stored(path: Path, header: Dataset, frame: int) -> NDArray[np.generic]:
    """Decode one frame's stored values, (rows, columns) or (rows, columns, 3); YBR becomes RGB.

    Raises:
        ImageError: `image_unreadable` if no installed decoder reads its transfer syntax.
    """
    syntax = header.file_meta.TransferSyntaxUID
    try:
        readable = get_decoder(syntax).is_available
    except NotImplementedError:
        readable = False
    if not readable:
        how = "pip install python-gdcm, pyjpegls or pylibjpeg, or decompress it"
        problem = f"no installed decoder reads its transfer syntax {syntax.name}"
        raise ImageError("image_unreadable", f"{name_of(path)}: {problem}; {how}")
    if syntax == DeflatedExplicitVRLittleEndian:  # one stream, so no frame of it can be read alone
        return pixel_array(dcmread(path), index=frame)
    return pixel_array(path, index=frame)


@contextmanager
def refusing_damage(name: str) -> Iterator[None]:
    """Turn what a damaged file makes pydicom and its decoders raise into one line, and keep their warnings back.

    Raises:
        ImageError: `image_unreadable`; `image_too_large` for an encoded frame that holds more than it declares.
    """
    try:
        with warnings.catch_warnings(), _silent(logging.getLogger("pydicom")):
            warnings.simplefilter("ignore")  # odd values in tags that do not matter: the pixels are good
            warnings.simplefilter("error", DecompressionBombWarning)
            yield
    except (DecompressionBombError, DecompressionBombWarning) as error:
        problem = f"{name}: an encoded frame larger than declared; more than {MAX_PIXELS} pixels are not read"
        raise ImageError("image_too_large", problem) from error
    except FileNotFoundError as error:
        raise ImageError("image_missing", f"{name}: {error.strerror}; check the path") from error
    except OddValueError as error:
        raise ImageError("image_unreadable", f"{name}: {error}; convert it or leave it out") from error
    except _DAMAGE as error:
        # only a decoder's words are passed on: what fails at a tag may quote the tag, or a patient's name in it
        told = " ".join(str(error).split())[:160] if type(error) is RuntimeError else type(error).__name__
        problem = f"{name}: damaged or not decodable ({told})"
        raise ImageError("image_unreadable", f"{problem}; fetch it again, decompress it or leave it out") from None


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Keep back what a library logs of odd values, which may be a patient's, and of errors that it raises as well."""
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def _refuse_deflated_bomb(path: Path) -> None:
    """Unpack a deflated file piece by piece, keeping nothing, since pydicom unpacks it whole."""
    meta = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    unpack, n_bytes = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        file.seek(128 + 4 + 12 + int(meta.FileMetaInformationGroupLength))
        while piece := unpack.unconsumed_tail or file.read(_INFLATED_BY):
            n_bytes += len(unpack.decompress(piece, _INFLATED_BY))
            if n_bytes > MAX_FILE_BYTES:
                problem = f"{name_of(path)}: unpacks to more than {MAX_FILE_BYTES} bytes; leave it out"
                raise ImageError("image_too_large", problem)


def _of_frame(header: Dataset, frame: int) -> Dataset:
    """Lay the functional groups of a frame, and those that all frames share, over the header."""
    shown = Dataset()
    shown.update(header)
    shown.file_meta = header.file_meta  # tables of 16 bits are read in its byte order
    groups = [*(header.get("SharedFunctionalGroupsSequence") or [])[:1]]
    if frames := header.get("PerFrameFunctionalGroupsSequence"):
        groups.append(frames[frame])
    for group in groups:
        for keyword in _FRAME_GROUPS:
            for item in group.get(keyword) or []:
                shown.update(item)
    return shown


def _grey(stored: NDArray[np.generic], shown: Dataset, asked: Window | None) -> tuple[NDArray[np.uint8], Window | None]:
    if shown.PhotometricInterpretation not in {"MONOCHROME1", "MONOCHROME2"}:
        raise OddValueError(f"one sample a pixel of {shown.PhotometricInterpretation}")
    own = _own_window(shown)
    padding = _padding_of(stored, shown)
    stored = _without_overlay_bits(stored, shown)
    values = apply_modality_lut(stored, shown)
    if not np.isfinite(values).all():
        raise OddValueError("a pixel is not a finite number")
    window = asked or own
    if asked is None and shown.get("VOILUTSequence"):
        grey, window = _looked_up(values, shown), None
    elif window is not None:
        grey = apply_window(values, window, _function_of(shown) if window == own else "LINEAR_EXACT")
    elif stored.dtype == np.uint8 and np.array_equal(values, stored):
        grey = stored.astype(np.uint8)
    else:
        window = window_of_range(values[~padding] if not padding.all() else values)
        grey = apply_window(values, window)
    if shown.PhotometricInterpretation == "MONOCHROME1":
        grey = np.invert(grey)
    grey[padding] = 0
    return grey, window


def _own_window(shown: Dataset) -> Window | None:
    """Return the first of the file's windows."""
    center, width = (_first(shown.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    if center is None or width is None or width < (1 if _function_of(shown) == "LINEAR" else 1e-9):
        return None
    return center, width


def _function_of(shown: Dataset) -> Function:
    named = str(shown.get("VOILUTFunction") or "LINEAR").upper()
    functions: dict[str, Function] = {"LINEAR_EXACT": "LINEAR_EXACT", "SIGMOID": "SIGMOID"}
    return functions.get(named, "LINEAR")


def _looked_up(values: NDArray[np.generic], shown: Dataset) -> NDArray[np.uint8]:
    n_entries, _, n_bits = (int(number) for number in shown.VOILUTSequence[0].LUTDescriptor)
    if not 8 <= n_bits <= 16:
        raise OddValueError(f"a VOI table of {n_bits} bits and {n_entries} entries")
    found = apply_voi(np.rint(values).astype(np.int32), shown, index=0)
    grey: NDArray[np.uint8] = np.rint(found.astype(np.float64) * (255 / (2**n_bits - 1))).clip(0, 255).astype(np.uint8)
    return grey


def _padding_of(stored: NDArray[np.generic], shown: Dataset) -> NDArray[np.bool_]:
    """Return where the file pads, outside what was scanned."""
    value = shown.get("PixelPaddingValue")
    if not isinstance(value, int):
        return np.zeros(stored.shape, np.bool_)
    limit = shown.get("PixelPaddingRangeLimit")
    ends = sorted((value, limit if isinstance(limit, int) else value))
    padded: NDArray[np.bool_] = (stored >= ends[0]) & (stored <= ends[1])  # type: ignore[operator]  # any dtype
    return padded


def _without_overlay_bits(stored: NDArray[np.generic], shown: Dataset) -> NDArray[np.generic]:
    """Clear the bits above the values where an old file keeps an overlay in them."""
    n_bits = int(shown.BitsStored)
    if stored.dtype.kind not in "iu" or not any(shown.get(tag) and shown[tag].value for tag in _OVERLAY_BITS):
        return stored
    low = stored.astype(np.int64) & ((1 << n_bits) - 1)
    if shown.PixelRepresentation == 1:
        sign = 1 << (n_bits - 1)
        low = (low ^ sign) - sign
    return low


def _colour(stored: NDArray[np.generic], shown: Dataset) -> Image:
    n_bits = int(shown.BitsStored)
    if shown.PhotometricInterpretation == "PALETTE COLOR":
        stored = apply_color_lut(stored, shown)[..., :3]
        n_bits = 8 * stored.dtype.itemsize
    if stored.ndim != 3 or stored.shape[2] != 3 or stored.dtype.kind != "u":
        raise OddValueError(f"colour of shape {stored.shape} and type {stored.dtype}")
    if n_bits > 8:
        stored = stored >> (n_bits - 8)  # type: ignore[operator]  # unsigned, as just seen
    return np.ascontiguousarray(stored.astype(np.uint8))


def _spacing_of(shown: Dataset) -> tuple[float, float] | None:
    """Return (rows, columns) in mm: in the patient where the file knows it, else on the detector."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        values = shown.get(keyword)
        if values is not None and not isinstance(values, str) and len(values) == 2:
            rows, columns = float(values[0]), float(values[1])
            if 0 < rows < np.inf and 0 < columns < np.inf:
                return rows, columns
    return None


def _first(value: object) -> float | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) and hasattr(value, "__len__"):
        return _first(value[0]) if len(value) else None  # type: ignore[index]  # pydicom's list of numbers
    number = float(value)  # type: ignore[arg-type]  # pydicom's number; anything else raises and is damage
    return number if np.isfinite(number) else None
