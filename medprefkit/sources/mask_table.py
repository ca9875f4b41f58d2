"""A table of lesion masks, a row each: where cropped ones lie, or the masks themselves as run lengths or boxes.

What comes as such a table: offsets of masks that were cropped, Kaggle's run lengths, the boxes of detection sets.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from medprefkit.errors import SourceError
from medprefkit.imaging.names import stem_of
from medprefkit.records import MaskRef
from medprefkit.sources.admit import InvalidValueError, text_of
from medprefkit.sources.rows import Row, read_rows, source_file

_NONE = {"", "-1", "nan"}  # how run lengths say that there is no lesion


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskTable:
    """Which columns of the table hold what. One of `mask`, `rle`, `rle_gaps`, `box` and `corners` is set.

    Attributes:
        path: CSV, JSON, JSONL or Parquet, under the data root.
        image: File name of the image; its folder and its suffix do not matter.
        mask: File name in the source's folder of masks.
        left: With `top` where a cropped mask lies in its image, pixels.
        top: As `left`.
        rle: Kaggle's run lengths.
        rle_gaps: SIIM-ACR's, whose starts are counted from the run before.
        box: Four columns: left, top, width, height.
        corners: Four columns: left, top, right, bottom.
        label: What the mask shows.
        lesion_labels: Which of these are lesions; the others' rows are left out. Empty for all.
    """

    path: str
    image: str = "image"
    mask: str | None = None
    left: str | None = None
    top: str | None = None
    rle: str | None = None
    rle_gaps: str | None = None
    box: tuple[str, ...] = field(default=())
    corners: tuple[str, ...] = field(default=())
    label: str | None = None
    lesion_labels: tuple[str, ...] = ()


def read_mask_table(root: Path, table: MaskTable, mask_folder: str | None) -> dict[str, tuple[MaskRef, ...]]:
    """Return the masks of each image, by its stem.

    Args:
        root: The data root.
        table: What its columns are.
        mask_folder: Folder of the files that `mask` names.

    Raises:
        SourceError: If the file or a column is missing, a row is damaged, or the settings exclude each other.
    """
    columns = _columns(table, mask_folder)
    rows = read_rows(source_file(root, table.path))
    rows.require(*columns, setting="mask_table")
    found: dict[str, list[MaskRef]] = {}
    for row in rows.rows:
        if not isinstance(row, Row):
            raise SourceError(f"{row.where}: {row.problem}")
        try:
            image, mask = text_of(row.values, table.image), _mask(row.values, table, mask_folder)
        except (InvalidValueError, ValueError) as error:
            raise SourceError(f"{row.where}: {error}; mend the row or take it out") from error
        if not image:
            raise SourceError(f"{row.where}: no image in the column {table.image!r}; fill it or take the row out")
        masks = found.setdefault(stem_of(image), [])
        if mask is not None:
            masks.append(mask)
    return {stem: tuple(masks) for stem, masks in found.items()}


def _columns(table: MaskTable, mask_folder: str | None) -> list[str]:
    kinds = {
        "mask": [table.mask] if table.mask else [],
        "rle": [table.rle] if table.rle else [],
        "rle_gaps": [table.rle_gaps] if table.rle_gaps else [],
        "box": list(table.box),
        "corners": list(table.corners),
    }
    named = [kind for kind, columns in kinds.items() if columns]
    if len(named) != 1:
        raise SourceError(f"mask_table: set one of {', '.join(kinds)}; {' and '.join(named) or 'none'} is set")
    columns = kinds[named[0]]
    if named[0] in {"box", "corners"} and len(columns) != 4:
        raise SourceError(f"mask_table: {named[0]} names four columns, not {len(columns)}")
    if (table.left is None) != (table.top is None) or (table.left is not None and not table.mask):
        raise SourceError("mask_table: left and top go together, and with mask")
    if table.mask and mask_folder is None:
        raise SourceError("mask_table: mask names files of the folder `masks`; set it")
    return [table.image, *columns, *(name for name in (table.left, table.top, table.label) if name)]


def _mask(values: Mapping[str, object], table: MaskTable, mask_folder: str | None) -> MaskRef | None:
    """Return the mask of a row; None for one that says there is no lesion."""
    label = text_of(values, table.label) or ""
    if table.lesion_labels and label not in table.lesion_labels:
        return None
    if table.mask and mask_folder is not None:
        name = text_of(values, table.mask)
        if not name:
            return None
        place = None
        if table.left is not None and table.top is not None:
            place = int(_number(values, table.left)), int(_number(values, table.top))
        path = str(PurePosixPath(mask_folder, PurePosixPath(name).name))
        return MaskRef(path=path, label=label, place_px=place)
    for kind, column in (("rle", table.rle), ("rle_gaps", table.rle_gaps)):
        if column is not None:
            runs = (text_of(values, column) or "").strip()
            return None if runs.lower() in _NONE else _written({kind: runs}, label)
    names = table.box or table.corners
    if any(not (text_of(values, name) or "").strip() for name in names):
        return None
    a, b, c, d = (_number(values, name) for name in names)
    return _written({"bbox": [a, b, c, d] if table.box else [a, b, c - a, d - b]}, label)


def _number(values: Mapping[str, object], column: str) -> float:
    return float(text_of(values, column) or "")


def _written(annotation: Mapping[str, str | Sequence[float]], label: str) -> MaskRef:
    return MaskRef(path="", annotation=json.dumps(annotation, sort_keys=True), label=label)
