"""VQA-RAD's own `questions.json` and its image folder: clinicians' questions, their answers as references."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from medprefkit.sources.admit import Draft, InvalidValueError, Outcome, admit, drafts_of, text_of
from medprefkit.sources.licences import VQA_RAD
from medprefkit.sources.rows import Row, read_rows, source_file, source_folder


def read_vqa_rad(root: Path, *, path: str, images: str) -> Iterator[Outcome]:
    """Read VQA-RAD, one outcome a question, in the file's order; a group is an image.

    The dataset's official split is by question, so that each test image is in its training part too: split by group.

    Args:
        root: The data root.
        path: `questions.json` under it, a list of objects with `qid`, `image_name`, `question` and `answer`.
        images: The folder of the images under it.

    Raises:
        SourceError: If the file or the folder is missing, or the file is not VQA-RAD's.
    """
    table = read_rows(source_file(root, path))
    table.require("qid", "image_name", "question", "answer", setting="path")
    source_folder(root, images)
    return admit(drafts_of(table, VQA_RAD.name, partial(_draft, images)), root)


def _draft(images: str, row: Row) -> Draft:
    qid, image = text_of(row.values, "qid"), text_of(row.values, "image_name")
    if not qid or not image:
        raise InvalidValueError("no qid or no image_name; fill them")
    return Draft(
        where=row.where,
        id=f"{VQA_RAD.name}-{qid}",
        group_id=f"{VQA_RAD.name}/{PurePosixPath(image).stem}",
        task="vqa",
        prompt=text_of(row.values, "question"),
        reference=text_of(row.values, "answer"),
        source=VQA_RAD,
        images=(str(PurePosixPath(images, image)),),
    )
