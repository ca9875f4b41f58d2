"""A folder of images and a folder of lesion masks by stem, with texts from a table that names the files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from medprefkit.errors import SourceError
from medprefkit.images import ViewChoice
from medprefkit.imaging.names import IMAGE_SUFFIXES, MASK_SUFFIXES, by_stem, stem_of
from medprefkit.records import Axis, Dropped, MaskRef, Source, Task
from medprefkit.sources.admit import Draft, InvalidValueError, Outcome, admit, drafts_of, dropped, text_of
from medprefkit.sources.mask_table import MaskTable, read_mask_table
from medprefkit.sources.rows import Row, Table, read_rows, source_file, source_folder


def read_image_folder(
    root: Path,
    *,
    images: str,
    references: str,
    reference_column: str,
    name: str,
    licence: str,
    prompt: str,
    masks: str | None = None,
    mask_suffix: str = "",
    mask_classes: Mapping[str, str] | None = None,
    mask_table: MaskTable | None = None,
    file_column: str = "filename",
    group_column: str | None = None,
    licence_column: str | None = None,
    answers: str | None = None,
    answer_model: str = "",
    task: Task = "report",
    modality: str = "",
    frame: int | Literal["middle", "lesion"] | None = None,
    axis: Axis = "axial",
    window: tuple[float, float] | None = None,
    credentialed: bool = False,
    no_derivatives: bool = False,
    no_redistribution: bool = False,
) -> Iterator[Outcome]:
    """Read a folder of images: one outcome a row of `references`, then one an image or answer that no row names.

    An image whose mask is not there keeps the name that it should have: its texts are good, and `corrupt` says which
    file is missing.

    Args:
        root: The data root that every path is relative to.
        images: Folder of the images.
        references: Table (CSV, JSON, JSONL or Parquet) with a row an image.
        reference_column: Its column of what is known of the image.
        name: What the source is called in cards and ids.
        licence: Of texts and images, unless a column says it.
        prompt: What every answer answers.
        masks: Folder of the masks; None where there are none.
        mask_suffix: What a mask's stem has behind its image's, for instance `_segmentation`.
        mask_classes: Class in the masks (a number, a colour `#rrggbb`, a segment, a category) -> what it shows; other
            classes are no lesion. None: all of them are.
        mask_table: A table of masks, instead of masks of the images' stems.
        file_column: The table's column of file names, with or without suffix.
        group_column: Its column of patients; by default every image is a group.
        licence_column: Its column of licences, where images differ.
        answers: Table with the columns `file` and `answer`; an image that it does not name has no answer yet.
        answer_model: The model whose words the answers are.
        task: Of every image.
        modality: Of every image.
        frame: Which frame, page or slice of every file that has several, see `ViewChoice`.
        axis: What the slices of NIfTI volumes stand across.
        window: (center, width) of deep images, in their own units; None for each file's own.
        credentialed: Under a data use agreement.
        no_derivatives: Edited texts may not be shared.
        no_redistribution: Nothing of it may be passed on.

    Raises:
        SourceError: If a file, folder or column is missing, or a file is named twice in `answers`.
    """
    table = read_rows(source_file(root, references))
    columns = [column for column in (group_column, licence_column) if column is not None]
    table.require(file_column, reference_column, *columns, setting="file_column, reference_column ...")
    layout = _Layout(
        image_folder=images,
        image_names=by_stem(source_folder(root, images), IMAGE_SUFFIXES),
        mask_folder=masks,
        mask_names=by_stem(source_folder(root, masks), MASK_SUFFIXES) if masks is not None else {},
        mask_suffix=mask_suffix,
        mask_classes=mask_classes or {},
        tabled=read_mask_table(root, mask_table, masks) if mask_table is not None else None,
        choice=ViewChoice(frame, axis, window),
        file_column=file_column,
        reference_column=reference_column,
        group_column=group_column,
        licence_column=licence_column,
        answers=_answers(read_rows(source_file(root, answers))) if answers is not None else {},
        prompt=prompt,
        answer_model=answer_model,
        task=task,
        modality=modality,
        source=Source(
            name=name,
            licence=licence,
            credentialed=credentialed,
            no_derivatives=no_derivatives,
            no_redistribution=no_redistribution,
        ),
    )
    return admit(_drafts(table, layout), root)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """The settings, the files that are there by stem, and the answers by stem."""

    image_folder: str
    image_names: Mapping[str, str]
    mask_folder: str | None
    mask_names: Mapping[str, str]
    mask_suffix: str
    mask_classes: Mapping[str, str]
    tabled: Mapping[str, tuple[MaskRef, ...]] | None
    choice: ViewChoice
    file_column: str
    reference_column: str
    group_column: str | None
    licence_column: str | None
    answers: Mapping[str, str]
    prompt: str
    answer_model: str
    task: Task
    modality: str
    source: Source


def _drafts(table: Table, layout: _Layout) -> Iterator[Draft | Dropped]:
    named: set[str] = set()
    yield from drafts_of(table, layout.source.name, partial(_draft, layout, named))
    for stem, file in layout.image_names.items():
        if stem not in named:
            problem = f"{table.name} has no row for this image; add one or take the image out of the folder"
            yield dropped(f"{layout.source.name}-{stem}", "reference_missing", f"{file}: {problem}")
    for stem in layout.answers:
        if stem not in named and stem not in layout.image_names:
            problem = f"the answers name {stem!r}, which is neither in the folder nor in {table.name}"
            yield dropped(f"{layout.source.name}-{stem}", "image_missing", f"{layout.image_folder}: {problem}")


def _draft(layout: _Layout, named: set[str], row: Row) -> Draft:
    file = text_of(row.values, layout.file_column)
    if not file:
        raise InvalidValueError(f"no file name in the column {layout.file_column!r}; fill it")
    stem = stem_of(file)
    named.add(stem)
    group = text_of(row.values, layout.group_column) or stem
    source = layout.source
    if licence := text_of(row.values, layout.licence_column):
        source = source.model_copy(update={"licence": licence})
    return Draft(
        where=row.where,
        id=f"{source.name}-{stem}",
        group_id=f"{source.name}/{group}",
        task=layout.task,
        prompt=layout.prompt,
        reference=text_of(row.values, layout.reference_column),
        source=source,
        images=(str(PurePosixPath(layout.image_folder, layout.image_names.get(stem, file))),),
        lesion_masks=_lesion_masks(layout, stem),
        answer=layout.answers.get(stem),
        answer_model=layout.answer_model,
        modality=layout.modality,
        choice=layout.choice,
    )


def _lesion_masks(layout: _Layout, stem: str) -> tuple[MaskRef, ...]:
    if layout.tabled is not None:
        return layout.tabled.get(stem, ())
    if layout.mask_folder is None:
        return ()
    expected = f"{stem}{layout.mask_suffix}"
    name = layout.mask_names.get(expected, f"{expected}.png")
    path = str(PurePosixPath(layout.mask_folder, name))
    if not layout.mask_classes:
        return (MaskRef(path=path),)
    return tuple(MaskRef(path=path, classes=(one,), label=label) for one, label in layout.mask_classes.items())


def _answers(table: Table) -> dict[str, str]:
    table.require("file", "answer", setting="answers")
    answers: dict[str, str] = {}
    for row in table.rows:
        if not isinstance(row, Row):
            raise SourceError(f"{row.where}: {row.problem}")
        file, answer = text_of(row.values, "file"), text_of(row.values, "answer")
        if not file or answer is None:
            raise SourceError(f"{row.where}: no file or no answer; fill them or take the row out")
        if stem_of(file) in answers:
            raise SourceError(f"{row.where}: a second answer for {file!r}; an image takes one, keep either")
        answers[stem_of(file)] = answer
    return answers
