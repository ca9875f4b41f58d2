"""How large a file or an image may be, and how a file is named in a message."""

from pathlib import Path

from medprefkit.errors import ImageError

MAX_FILE_BYTES = 256 * 2**20
"""Of a picture, which is read whole."""

MAX_VOLUME_BYTES = 4 * 2**30
"""Of a DICOM or NIfTI file, of which one frame or slice is read, and of what a compressed one unpacks to."""

MAX_PIXELS = 80_000_000
"""Larger images are refused before they are decoded; below the number at which Pillow warns."""


def refuse_pixels(name: str, width: int, height: int) -> None:
    """Refuse a declared size before anything of that size is made.

    Raises:
        ImageError: `image_too_large` above `MAX_PIXELS`, `image_unreadable` for a side below 1.
    """
    if min(width, height) < 1:
        raise ImageError(
            "image_unreadable", f"{name}: declares {width}x{height} pixels; fetch it again or leave it out"
        )
    if width * height > MAX_PIXELS:
        raise ImageError("image_too_large", f"{name}: {width}x{height} pixels; more than {MAX_PIXELS} are not read")


def name_of(path: Path) -> str:
    """Folder and file name: enough to find it, and nothing of where the data lie."""
    return "/".join(path.parts[-2:])
