"""Pictures small enough for a page: thumbnails of the clean, the lesion-removed and the control image of a pair."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow

from medprefkit.images import read_ref
from medprefkit.protocols import Image
from medprefkit.records import PreferencePair, Region

_JPEG_QUALITY = 86
_OVERLAY = (255, 209, 102)


class Picture(NamedTuple):
    """A picture and where on it the lesion is; `region` None where it is not known to be on this one."""

    pixels: Image
    region: Region | None


class Trio(NamedTuple):
    """One image of a pair beside its partners; None where there is none."""

    clean: Picture
    corrupted: Picture | None
    control: Picture | None


def trios_of(pair: PreferencePair, *, data_root: Path, run_dir: Path) -> list[Trio]:
    """Read the pictures of a pair, one entry per image of the example; none for a text-only pair.

    Args:
        pair: The pair.
        data_root: What `pair.images` are relative to.
        run_dir: What the images of `pair.corrupted` are relative to.

    Raises:
        ImageError: If a file is missing, outside its root or unreadable.
    """
    corrupted = pair.corrupted
    return trios_of_images(
        pair,
        [read_ref(data_root, ref) for ref in pair.images],
        [read_ref(run_dir, ref) for ref in corrupted.corrupted] if corrupted is not None else [],
        [read_ref(run_dir, ref) for ref in corrupted.control] if corrupted is not None else [],
    )


def trios_of_images(
    pair: PreferencePair, clean: Sequence[Image], corrupted: Sequence[Image], control: Sequence[Image]
) -> list[Trio]:
    """Match the pictures of a pair, one entry per image of the example; partners may be missing."""
    trios: list[Trio] = []
    for index, picture in enumerate(clean):
        if pair.corrupted is None or index >= len(corrupted):
            trios.append(Trio(Picture(picture, None), None, None))
            continue
        without = corrupted[index]
        region = None if np.array_equal(picture, without) else pair.corrupted.region  # the lesion is on another image
        beside = Picture(control[index], None) if index < len(control) else None
        trios.append(Trio(Picture(picture, region), Picture(without, region), beside))
    return trios


def jpeg(pixels: Image, side_px: int) -> bytes:
    """Return a JPEG copy that fits into a square; a smaller image keeps its size."""
    picture = Pillow.fromarray(pixels)
    picture.thumbnail((side_px, side_px), Pillow.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def changed_png(clean: Picture, corrupted: Picture, side_px: int) -> bytes | None:
    """Return the changed pixels as an overlay, yellow on nothing, as `jpeg` sizes a picture.

    Returns:
        A PNG; None where no pixel changed, or the two are not of one size.
    """
    if clean.pixels.shape != corrupted.pixels.shape:
        return None
    changed = (clean.pixels != corrupted.pixels).any(axis=-1)
    if not changed.any():
        return None
    overlay = Pillow.fromarray(changed.astype(np.uint8) * 255)
    overlay.thumbnail((side_px, side_px), Pillow.Resampling.BOX)
    small = Pillow.fromarray((np.asarray(overlay) > 0).astype(np.uint8)).convert("P")
    small.putpalette([0, 0, 0, *_OVERLAY])
    buffer = io.BytesIO()
    small.save(buffer, "PNG", transparency=0, bits=1, optimize=True)
    return buffer.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """Return a picture as a `data:` address; `kind` is the ending of its file's name."""
    media = "jpeg" if kind == "jpg" else kind
    return f"data:image/{media};base64,{base64.b64encode(content).decode('ascii')}"
