"""The contact sheet: clean, lesion-removed and control images of a few pairs as one PNG, for a quick look."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont, ImageOps

from medprefkit.errors import ImageError
from medprefkit.view.pictures import Picture, Trio, trios_of
from medprefkit.view.shown import ShownPair, visible

_CELL_PX, _GAP_PX, _LABEL_PX, _HEAD_PX = 300, 10, 24, 34
_GROUND, _INK, _SOFT, _BOX = (18, 21, 23), (228, 227, 222), (152, 161, 167), (255, 209, 102)
_COLUMNS = ("clean", "lesion removed", "control")


def write_sheet(
    path: Path, pairs: Iterable[ShownPair], *, data_root: Path, run_dir: Path, n_rows: int = 8
) -> int:  # fmt: skip
    """Write the sheet; pairs without a lesion-removed image, or with one that cannot be read, are passed over.

    Args:
        path: The PNG file; its folder exists.
        pairs: In order.
        data_root: What the pairs' images are relative to.
        run_dir: What their corrupted images are relative to.
        n_rows: At most so many rows.

    Returns:
        How many rows the sheet has; 0 where there was nothing to draw, and then no file is written.
    """
    rows = list(islice(_rows(pairs, data_root, run_dir), n_rows))
    if not rows:
        return 0
    width = _GAP_PX + len(_COLUMNS) * (_CELL_PX + _GAP_PX)
    height = _HEAD_PX + len(rows) * (_CELL_PX + _LABEL_PX + _GAP_PX)
    sheet = Pillow.new("RGB", (width, height), _GROUND)
    draw = ImageDraw.Draw(sheet)
    head, small = ImageFont.load_default(16), ImageFont.load_default(13)
    for column, name in enumerate(_COLUMNS):
        draw.text((_left(column), 9), name, _INK, font=head)
    for index, (label, trio) in enumerate(rows):
        top = _HEAD_PX + index * (_CELL_PX + _LABEL_PX + _GAP_PX)
        for column, picture in enumerate(trio):
            if picture is not None:
                _paste(sheet, picture, _left(column), top)
        draw.text((_left(0), top + _CELL_PX + 4), label, _SOFT, font=small)
    sheet.save(path, "PNG")
    return len(rows)


def _rows(pairs: Iterable[ShownPair], data_root: Path, run_dir: Path) -> Iterable[tuple[str, Trio]]:
    for shown in pairs:
        corrupted = shown.pair.corrupted
        if corrupted is None:
            continue
        try:
            trios = trios_of(shown.pair, data_root=data_root, run_dir=run_dir)
        except ImageError:  # the page says which and why
            continue
        share = f"lesion {corrupted.lesion_share:.1%}, changed {corrupted.changed_share:.1%}"
        label = f"{visible(shown.pair.id)[:60]}   {corrupted.name}, {share} of the pixels"
        yield from ((label, trio) for trio in trios if trio.corrupted is not None and trio.clean.region is not None)


def _paste(sheet: Pillow.Image, picture: Picture, left: int, top: int) -> None:
    small = ImageOps.contain(Pillow.fromarray(picture.pixels), (_CELL_PX, _CELL_PX), Pillow.Resampling.LANCZOS)
    x, y = left + (_CELL_PX - small.width) // 2, top + (_CELL_PX - small.height) // 2
    sheet.paste(small, (x, y))
    if picture.region is not None:
        scale = small.width / picture.pixels.shape[1]
        region = picture.region
        corners = (region.left_px, region.top_px, region.right_px, region.bottom_px)
        ImageDraw.Draw(sheet).rectangle(
            [round(origin + scale * corner) for origin, corner in zip((x, y, x, y), corners, strict=True)], outline=_BOX
        )


def _left(column: int) -> int:
    return _GAP_PX + column * (_CELL_PX + _GAP_PX)
