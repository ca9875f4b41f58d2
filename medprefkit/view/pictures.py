"""Pictures small enough for a page: thumbnails of the clean, the lesion-removed and the control image of a pair."""

import base64
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow

from medprefkit.images import read_ref
from medprefkit.protocols import Image
from medprefkit.records import ImageRef, PreferencePair, Region

_JPEG_QUALITY = 86


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
    trios: list[Trio] = []
    for index, ref in enumerate(pair.images):
        clean = read_ref(data_root, ref)
        if corrupted is None or index >= len(corrupted.corrupted):
            trios.append(Trio(Picture(clean, None), None, None))
            continue
        without = read_ref(run_dir, corrupted.corrupted[index])
        control = _control(corrupted.control[index : index + 1], run_dir)
        region = None if np.array_equal(clean, without) else corrupted.region  # the lesion is on another image
        trios.append(Trio(Picture(clean, region), Picture(without, region), control))
    return trios


def data_uri(pixels: Image, side_px: int) -> str:
    """Return a copy that fits into a square as a `data:` address; a smaller image keeps its size."""
    picture = Pillow.fromarray(pixels)
    picture.thumbnail((side_px, side_px), Pillow.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _control(refs: tuple[ImageRef, ...], run_dir: Path) -> Picture | None:
    return Picture(read_ref(run_dir, refs[0]), None) if refs else None
