"""A table of your own: JSONL, JSON, CSV or Parquet, one question a row."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Literal, cast

from medprefkit.images import ViewChoice
from medprefkit.records import Axis, MaskRef, Source, Task
from medprefkit.sources.admit import Draft, InvalidValueError, Outcome, admit, drafts_of, text_of
from medprefkit.sources.rows import Row, Table, kind_of, read_rows, source_file

_TASKS: tuple[Task, ...] = ("report", "vqa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column holds what; None where the table has none.

    `prompt` and `reference` must be there (a fixed prompt stands in for the first), and so must every column that is
    named otherwise than here; `image` and `answer` may be absent under these names.

    Attributes:
        id: Unique; by default the file's stem and the row's number.
        group: Patient or study; by default the image, else the row.
        image: A path under the data root, or a list of paths (in CSV a JSON list).
        lesion_mask: As `image`: every mask belongs to the one image, or the k-th, which may be null, to the k-th. In
            the place of a path there may be an annotation (in CSV as JSON), see `annotations.mask_of_annotation`.
        lesion_rle: Kaggle's run lengths of the one image; empty or -1 for none.
        frame: Frame, page or slice of the row's images, where rows differ.
        task: `report` or `vqa`, where rows differ.
    """

    id: str | None = None
    group: str | None = None
    prompt: str | None = "prompt"
    image: str | None = "image"
    lesion_mask: str | None = None
    lesion_rle: str | None = None
    frame: str | None = None
    reference: str | None = "reference"
    answer: str | None = "answer"
    modality: str | None = None
    task: str | None = None


def read_table(
    root: Path,
    *,
    path: str,
    name: str,
    licence: str,
    columns: Columns | None = None,
    prompt: str | None = None,
    task: Task = "report",
    answer_model: str = "",
    modality: str = "",
    mask_classes: Mapping[str, str] | None = None,
    frame: int | Literal["middle", "lesion"] | None = None,
    axis: Axis = "axial",
    window: tuple[float, float] | None = None,
    credentialed: bool = False,
    no_derivatives: bool = False,
    no_redistribution: bool = False,
) -> Iterator[Outcome]:
    """Read a table, one outcome a row, in the file's order; JSON lists excepted, in the memory of a few rows.

    A null answer is an example without one; an empty cell of CSV is an empty answer, and is dropped as that.

    Args:
        root: The data root that `path` and the images' paths are relative to.
        path: .jsonl, .json (a list of objects), .csv or .parquet.
        name: What the source is called in cards and ids.
        licence: Of texts and images.
        columns: By default `Columns()`.
        prompt: One prompt for every row, instead of a column.
        task: Of every row, unless a column says it.
        answer_model: The model whose words the answers are.
        modality: Of every row, unless a column says it.
        mask_classes: Class in the masks -> what it shows, see `read_image_folder`; None: all classes are lesion.
        frame: Of every row, unless a column says it, see `ViewChoice`.
        axis: What the slices of NIfTI volumes stand across.
        window: (center, width) of deep images, in their own units; None for each file's own.
        credentialed: Under a data use agreement.
        no_derivatives: Edited texts may not be shared.
        no_redistribution: Nothing of it may be passed on.

    Raises:
        SourceError: If the file is missing, is not what its name says, or lacks a column.
    """
    table = read_rows(source_file(root, path))
    layout = _layout(table, columns or Columns(), prompt)
    source = Source(
        name=name,
        licence=licence,
        credentialed=credentialed,
        no_derivatives=no_derivatives,
        no_redistribution=no_redistribution,
    )
    choice = ViewChoice(frame, axis, window)
    fixed = _Fixed(prompt, task, answer_model, modality, source, Path(path).stem, mask_classes or {}, choice)
    return admit(drafts_of(table, fixed.stem, partial(_draft, layout, fixed)), root)


@dataclass(frozen=True, slots=True)
class _Fixed:
    """What is the same for all rows."""

    prompt: str | None
    task: Task
    answer_model: str
    modality: str
    source: Source
    stem: str
    mask_classes: Mapping[str, str]
    choice: ViewChoice


def _layout(table: Table, columns: Columns, prompt: str | None) -> Columns:
    """Return the columns that the table has; those that it may lack become None."""
    needed = {"reference"} | (set() if prompt is not None else {"prompt"})
    chosen: dict[str, str | None] = {}
    for field in fields(columns):
        column: str | None = getattr(columns, field.name)
        optional = field.name not in needed and column == field.default
        chosen[field.name] = column if not optional or column in table.columns else None
        if field.name in needed and column is None:
            table.require(field.name, setting=f"columns.{field.name}")
        elif chosen[field.name] is not None:
            table.require(str(column), setting=f"columns.{field.name}")
    if prompt is not None:
        chosen["prompt"] = None
    return Columns(**chosen)


def _draft(columns: Columns, fixed: _Fixed, row: Row) -> Draft:
    images = _paths(row.values, columns.image)
    if None in images:
        raise InvalidValueError(f"column {columns.image!r} holds an image without a path")
    row_id = text_of(row.values, columns.id) if columns.id else f"{fixed.stem}-{row.number}"
    group = (
        text_of(row.values, columns.group)
        if columns.group
        else f"{fixed.source.name}/{images[0] if images else row_id}"
    )
    return Draft(
        where=row.where,
        id=row_id or "",
        group_id=group or "",
        task=_task(row.values, columns.task, fixed.task),
        prompt=fixed.prompt if fixed.prompt is not None else text_of(row.values, columns.prompt),
        reference=text_of(row.values, columns.reference),
        source=fixed.source,
        images=cast("tuple[str, ...]", images),
        lesion_masks=_masks(row.values, columns, fixed.mask_classes, len(images)),
        answer=text_of(row.values, columns.answer),
        answer_model=fixed.answer_model,
        modality=text_of(row.values, columns.modality) or fixed.modality,
        choice=_choice(row.values, columns.frame, fixed.choice),
    )


def _task(values: Mapping[str, object], column: str | None, default: Task) -> Task:
    text = text_of(values, column)
    if text is None:
        return default
    for task in _TASKS:
        if text == task:
            return task
    raise InvalidValueError(f"column {column!r} holds {text!r}; write report or vqa")


def _choice(values: Mapping[str, object], column: str | None, default: ViewChoice) -> ViewChoice:
    text = text_of(values, column)
    if not text:
        return default
    if text in {"middle", "lesion"}:
        return default._replace(frame=cast("Literal['middle', 'lesion']", text))
    if not text.removesuffix(".0").isdecimal():  # pandas writes numbers beside empty cells so
        raise InvalidValueError(f"column {column!r} holds {text!r}; write a number from 0, `middle` or `lesion`")
    return default._replace(frame=int(text.removesuffix(".0")))


def _masks(
    values: Mapping[str, object], columns: Columns, classes: Mapping[str, str], n_images: int
) -> tuple[MaskRef, ...]:
    masks = _mask_cells(values, columns.lesion_mask)
    if n_images > 1 and masks and len(masks) != n_images:
        raise InvalidValueError(f"{len(masks)} masks for {n_images} images; give one mask or null for each image")
    chosen_classes: list[tuple[tuple[str, ...], str]] = [((one,), label) for one, label in classes.items()]
    chosen_classes = chosen_classes or [((), "")]
    found = [
        mask.model_copy(update={"image_index": position if n_images > 1 else 0, "classes": chosen, "label": label})
        for position, mask in enumerate(masks)
        if mask is not None
        for chosen, label in chosen_classes
    ]
    runs = (text_of(values, columns.lesion_rle) or "").strip()
    if runs not in {"", "-1"}:
        found.append(MaskRef(path="", annotation=json.dumps({"rle": runs})))
    return tuple(found)


def _mask_cells(values: Mapping[str, object], column: str | None) -> list[MaskRef | None]:
    """Return a cell's masks: a path or an annotation, or a list of them; in CSV both as JSON."""
    value = values.get(column) if column is not None else None
    if isinstance(value, str) and value.startswith(("[", "{")):
        value = _listed(value)
    if value is None or value == "":
        return []
    listed = value if isinstance(value, list) else [value]
    masks: list[MaskRef | None] = []
    for item in listed:
        if isinstance(item, dict):
            masks.append(MaskRef(path="", annotation=json.dumps(item, sort_keys=True)))
        elif item is None or isinstance(item, str):
            masks.append(MaskRef(path=item) if item else None)
        else:
            raise InvalidValueError(f"column {column!r} holds {kind_of(item)}; write a path, an annotation, or a list")
    return masks


def _paths(values: Mapping[str, object], column: str | None) -> tuple[str | None, ...]:
    """Return a cell's paths: one text, a list, or in CSV a JSON list; an empty cell has none."""
    value = values.get(column) if column is not None else None
    if isinstance(value, str) and value.startswith("["):
        value = _listed(value)
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) or item is None for item in value):
        return tuple(item or None for item in value)
    raise InvalidValueError(
        f"column {column!r} holds {kind_of(value)}; write a path under the data root, or a list of paths"
    )


def _listed(text: str) -> object:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return text  # a file whose name starts with a bracket
