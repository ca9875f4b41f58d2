"""A folder of images and a folder of lesion masks by stem, with texts from a table that names the files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from medprefkit.errors import SourceError
from medprefkit.records import Dropped, MaskRef, Source, Task
from medprefkit.sources.admit import Draft, InvalidValueError, Outcome, admit, drafts_of, dropped, text_of
from medprefkit.sources.rows import Row, Table, read_rows, source_file, source_folder

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


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
    file_column: str = "filename",
    group_column: str | None = None,
    licence_column: str | None = None,
    answers: str | None = None,
    answer_model: str = "",
    task: Task = "report",
    modality: str = "",
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
        file_column: The table's column of file names, with or without suffix.
        group_column: Its column of patients; by default every image is a group.
        licence_column: Its column of licences, where images differ.
        answers: Table with the columns `file` and `answer`; an image that it does not name has no answer yet.
        answer_model: The model whose words the answers are.
        task: Of every image.
        modality: Of every image.
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
        image_names=_by_stem(source_folder(root, images)),
        mask_folder=masks,
        mask_names=_by_stem(source_folder(root, masks)) if masks is not None else {},
        mask_suffix=mask_suffix,
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
    stem = _stem(file)
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
    )


def _lesion_masks(layout: _Layout, stem: str) -> tuple[MaskRef, ...]:
    if layout.mask_folder is None:
        return ()
    expected = f"{stem}{layout.mask_suffix}"
    name = layout.mask_names.get(expected, f"{expected}.png")
    return (MaskRef(path=str(PurePosixPath(layout.mask_folder, name))),)


def _answers(table: Table) -> dict[str, str]:
    table.require("file", "answer", setting="answers")
    answers: dict[str, str] = {}
    for row in table.rows:
        if not isinstance(row, Row):
            raise SourceError(f"{row.where}: {row.problem}")
        file, answer = text_of(row.values, "file"), text_of(row.values, "answer")
        if not file or answer is None:
            raise SourceError(f"{row.where}: no file or no answer; fill them or take the row out")
        if _stem(file) in answers:
            raise SourceError(f"{row.where}: a second answer for {file!r}; an image takes one, keep either")
        answers[_stem(file)] = answer
    return answers


def _by_stem(folder: Path) -> dict[str, str]:
    """Return stem -> name of the folder's image files, in the order of their names."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _IMAGE_SUFFIXES)
    return {_stem(name): name for name in names}


def _stem(file: str) -> str:
    path = PurePosixPath(file)
    return path.stem if path.suffix.lower() in _IMAGE_SUFFIXES else path.name
