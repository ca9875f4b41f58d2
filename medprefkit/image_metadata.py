"""What an image file says beside its pixels: EXIF, PNG and TIFF text, XMP, comments, and whether it is a DICOM file.

Reads, never writes, and decodes no pixels. Knows names and texts; what they give away is for others to judge.
"""

import io
import struct
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from PIL import ExifTags, TiffTags
from PIL.Image import open as open_picture

from medprefkit.images import FORMATS

_SUB_IFDS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_MUTE = {"icc_profile", "exif", "dpi", "gamma", "jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "mp"}
_MAX_TEXT = 2_000


class MetadataText(NamedTuple):
    """One field of a file: its name and its text."""

    name: str
    text: str


def is_dicom(content: bytes) -> bool:
    """Tell whether bytes are a DICOM file, which holds the patient's identity beside the pixels."""
    return content[128:132] == b"DICM"


def metadata_of(content: bytes) -> tuple[MetadataText, ...]:
    """Return the texts that a file holds beside its pixels, sorted; empty for one without, or that cannot be opened.

    Args:
        content: The file.
    """
    found: set[MetadataText] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged EXIF: what can be read of it is read
        try:
            with open_picture(io.BytesIO(content), formats=FORMATS) as picture:
                found.update(_texts(picture.info))
                exif = picture.getexif()
                found.update(_named(exif, ExifTags.TAGS))
                for ifd in _SUB_IFDS:
                    names = ExifTags.GPSTAGS if ifd == ExifTags.IFD.GPSInfo else ExifTags.TAGS
                    found.update(_named(exif.get_ifd(ifd), names))
                if picture.format == "TIFF":
                    found.update(
                        _named(dict(picture.getexif()), {tag: info.name for tag, info in TiffTags.TAGS_V2.items()})
                    )
        except (OSError, SyntaxError, ValueError, struct.error, TypeError, KeyError, IndexError):
            return tuple(sorted(found))  # an unreadable picture is the audit's to report; its texts so far are kept
    found.update(_late_png_texts(content))
    return tuple(sorted(found))


def _texts(info: Mapping[Any, Any]) -> Iterator[MetadataText]:
    for name, value in info.items():
        if str(name) not in _MUTE and (text := _text(value)):
            yield MetadataText(str(name), text)


def _named(fields: Mapping[int, Any], names: Mapping[int, str]) -> Iterator[MetadataText]:
    for tag, value in fields.items():
        if (text := _text(value)) and not isinstance(value, int | float):
            yield MetadataText(str(names.get(tag, f"tag {tag}")), text)


def _text(value: object) -> str:
    """Return a field's words; numbers, geometry and bare bytes have none."""
    if isinstance(value, bytes):
        value = value.removeprefix(b"ASCII\0\0\0").removeprefix(b"UNICODE\0").replace(b"\0", b"")
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            return ""
    if isinstance(value, tuple | list) and value and all(isinstance(part, str) for part in value):
        value = " ".join(value)
    if not isinstance(value, str):
        return ""
    words = "".join(char if char.isprintable() else " " for char in value)
    return " ".join(words.split())[:_MAX_TEXT]


def _late_png_texts(content: bytes) -> Iterator[MetadataText]:
    """Yield text chunks that stand after a PNG's pixels, which Pillow sees only once it has decoded them."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return
    position, seen_pixels = 8, False
    while position + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[position : position + 8])
        body = content[position + 8 : position + 8 + length]
        seen_pixels = seen_pixels or kind == b"IDAT"
        if seen_pixels and kind in {b"tEXt", b"iTXt"}:
            name, _, text = body.partition(b"\0")
            yield MetadataText(name.decode("latin-1"), _text(text))
        position += 12 + length
