"""Indiana University chest X-rays: the reports as references, with a model's answers joined to them by study.

`XXXX`, which stands for a de-identified word, is left as it is: no checker may read a meaning into it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from medprefkit.errors import SourceError
from medprefkit.records import Dropped
from medprefkit.sources.admit import Draft, InvalidValueError, Outcome, admit, drafts_of, dropped, text_of
from medprefkit.sources.licences import IU_XRAY
from medprefkit.sources.rows import Row, Table, read_rows, source_file, source_folder

_STUDY = re.compile(r"(?:CXR)?(\d+)(?:[_/].*)?")
"""A study as answers files name it: `1000`, `CXR1000`, `CXR1000_IM-0003`."""


def read_iu_xray(
    root: Path,
    *,
    path: str,
    projections: str | None = None,
    images: str | None = None,
    answers: str | None = None,
    answer_model: str = "",
    prompt: str = "Describe the chest X-ray.",
) -> Iterator[Outcome]:
    """Read reports, one outcome a report; with `answers`, one outcome an answer, each with the report of its study.

    A reference is the findings and the impression. A group is a study: the collection holds one a patient.

    Args:
        root: The data root.
        path: The reports, CSV with `uid`, `findings` and `impression`.
        projections: The projections, CSV with `uid`, `filename` and `projection`; goes with `images`.
        images: The folder of the images; an example gets its study's frontal ones, in the file's order.
        answers: JSON, JSONL, CSV or Parquet with `id` (the study's number, or `CXR` and it) and `answer`.
        answer_model: The model whose words the answers are.
        prompt: What every answer answers; an answers file's own `prompt` goes before it.

    Raises:
        SourceError: If a file is missing or has not these columns, or `projections` and `images` are not both given.
    """
    if (projections is None) != (images is None):
        raise SourceError("iu_xray: `projections` names the files in `images`; give both or neither")
    reports = read_rows(source_file(root, path))
    reports.require("uid", "findings", "impression", setting="path")
    frontal: Mapping[str, list[str]] = {}
    if projections is not None and images is not None:
        source_folder(root, images)
        frontal = _frontal_images(read_rows(source_file(root, projections)), images)
    if answers is None:
        return admit(drafts_of(reports, IU_XRAY.name, partial(_report_draft, frontal, prompt)), root)
    given = read_rows(source_file(root, answers))
    given.require("id", "answer", setting="answers")
    make = partial(_answer_draft, _references(reports), frontal, prompt, answer_model)
    return admit(drafts_of(given, IU_XRAY.name, make), root)


def _report_draft(frontal: Mapping[str, list[str]], prompt: str, row: Row) -> Draft:
    uid = text_of(row.values, "uid")
    if not uid:
        raise InvalidValueError("no uid; fill it")
    return Draft(
        where=row.where,
        id=f"{IU_XRAY.name}-{uid}",
        group_id=f"{IU_XRAY.name}/CXR{uid}",
        task="report",
        prompt=prompt,
        reference=_report(row),
        source=IU_XRAY,
        images=tuple(frontal.get(uid, ())),
        modality="X-ray",
    )


def _answer_draft(
    references: Mapping[str, str], frontal: Mapping[str, list[str]], prompt: str, answer_model: str, row: Row
) -> Draft | Dropped:
    answer_id = text_of(row.values, "id") or ""
    study = _STUDY.fullmatch(answer_id)
    if study is None:
        raise InvalidValueError(f"the id {answer_id!r} names no study; write its number, or CXR and its number")
    uid = study.group(1)
    if uid not in references:
        problem = f"the reports hold no findings or impression of study {uid}; give the reports that have it"
        return dropped(f"{IU_XRAY.name}-{answer_id}", "reference_missing", f"{row.where}: {problem}")
    if (answer := text_of(row.values, "answer")) is None:
        return dropped(f"{IU_XRAY.name}-{answer_id}", "answer_missing", f"{row.where}: no answer; fill it")
    return Draft(
        where=row.where,
        id=f"{IU_XRAY.name}-{answer_id}",
        group_id=f"{IU_XRAY.name}/CXR{uid}",
        task="report",
        prompt=text_of(row.values, "prompt") or prompt,
        reference=references[uid],
        source=IU_XRAY,
        images=tuple(frontal.get(uid, ())),
        answer=answer,
        answer_model=answer_model,
        modality="X-ray",
    )


def _report(row: Row) -> str:
    """Return findings and impression on one line each; the empty text where both are missing."""
    parts = [text_of(row.values, "findings"), text_of(row.values, "impression")]
    return "\n".join(part for part in parts if part and part.strip())


def _references(reports: Table) -> dict[str, str]:
    """Return the report of every study that has one; of a study that stands twice the first."""
    references: dict[str, str] = {}
    for row in reports.rows:
        if isinstance(row, Row) and (report := _report(row)):
            references.setdefault(text_of(row.values, "uid") or "", report)
    return references


def _frontal_images(projections: Table, images: str) -> dict[str, list[str]]:
    """Return the frontal images of every study, as paths under the data root."""
    projections.require("uid", "filename", "projection", setting="projections")
    frontal: dict[str, list[str]] = defaultdict(list)
    for row in projections.rows:
        if not isinstance(row, Row):
            raise SourceError(f"{row.where}: {row.problem}")
        uid, name = text_of(row.values, "uid"), text_of(row.values, "filename")
        if uid and name and text_of(row.values, "projection") == "Frontal":
            frontal[uid].append(str(PurePosixPath(images, name)))
    return dict(frontal)
