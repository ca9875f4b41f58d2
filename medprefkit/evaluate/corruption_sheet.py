"""A contact sheet of one corruption: clean, mask, corrupted, control and difference, one image a row."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont, ImageOps

from medprefkit.protocols import Image, Mask

_CELL_PX, _GAP_PX, _LABEL_PX, _HEAD_PX = 256, 6, 20, 26
_GROUND, _INK, _OUTLINE = (18, 21, 23), (228, 227, 222), (255, 60, 60)
_COLUMNS = ("clean", "mask", "corrupted", "control", "difference x 4")


class SheetRow(NamedTuple):
    """One image, already of a size for a look; see `shrink`."""

    label: str
    pictures: tuple[Image | None, ...]
    """As many as there are columns."""


def row_of(
    label: str, clean: Image, lesion_mask: Mask, corrupted: Image | None, control: Image | None
) -> SheetRow:  # fmt: skip
    """Shrink the pictures of one image; what there is none of stays empty."""
    small = _small(clean)
    outlined = small.copy()
    mask = np.asarray(_fit(Pillow.fromarray(lesion_mask))) > 0
    inner = mask.copy()
    inner[1:-1, 1:-1] &= mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    outlined[mask & ~inner] = _OUTLINE
    changed = None if corrupted is None else _small(corrupted)
    apart = None
    if corrupted is not None:
        difference = 4 * np.abs(clean.astype(np.int16) - corrupted)
        apart = _small(np.clip(difference, 0, 255).astype(np.uint8))
    return SheetRow(label, (small, outlined, changed, None if control is None else _small(control), apart))


def write_sheet(path: Path, rows: Sequence[SheetRow]) -> None:
    """Write the rows as one PNG; its folder exists."""
    step_px = _CELL_PX + _LABEL_PX + _GAP_PX
    width = _GAP_PX + len(_COLUMNS) * (_CELL_PX + _GAP_PX)
    sheet = Pillow.new("RGB", (width, _HEAD_PX + len(rows) * step_px), _GROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for column, name in enumerate(_COLUMNS):
        draw.text((_GAP_PX + column * (_CELL_PX + _GAP_PX), 6), name, _INK, font=font)
    for index, row in enumerate(rows):
        top = _HEAD_PX + index * step_px
        for column, picture in enumerate(row.pictures):
            if picture is not None:
                sheet.paste(Pillow.fromarray(picture), (_GAP_PX + column * (_CELL_PX + _GAP_PX), top))
        draw.text((_GAP_PX, top + _CELL_PX + 3), row.label.encode("ascii", "replace").decode()[:180], _INK, font=font)
    sheet.save(path, "PNG")


def _small(image: Image) -> Image:
    return np.asarray(_fit(Pillow.fromarray(image))).copy()


def _fit(picture: Pillow.Image) -> Pillow.Image:
    resampling = Pillow.Resampling.NEAREST if picture.mode == "1" else Pillow.Resampling.BOX
    return ImageOps.contain(picture, (_CELL_PX, _CELL_PX), resampling)
