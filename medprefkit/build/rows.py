"""Rows: a pair and the bytes of its images as the columns of `features`.

Pictures are passed on as they are, never re-encoded; of a DICOM or NIfTI file the one picture that was made of it, and
nothing else that it holds. Where a corrupted image names a clean copy, that copy stands for the
original, so that the codec tells nothing.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medprefkit.build.split import Member
from medprefkit.errors import DatasetError
from medprefkit.images import n_stored_bytes, resolve, stored_bytes, stored_name
from medprefkit.records import CorruptedImage, ImageRef, PhraseSpan, PreferencePair, Verdict


def member_of(pair: PreferencePair, *, data_root: Path) -> Member:
    """Return what decides the side of a pair: its group, and the paths and contents of its original images.

    Raises:
        ImageError: If an image is missing or outside the data root.
    """
    keys: list[str] = []
    for ref in pair.images:
        with resolve(data_root, ref.path).open("rb") as file:
            keys += [f"path/{ref.path}", f"content/{hashlib.file_digest(file, 'sha256').hexdigest()}"]
    return Member(id=pair.id, group_id=pair.group_id, image_keys=tuple(keys))


def n_image_bytes(pair: PreferencePair, *, data_root: Path, run_dir: Path) -> int:
    """Return the size of a row's images.

    Raises:
        ImageError: If one is missing or outside its root.
        DatasetError: If the corrupted images do not match the clean ones in number.
    """
    return sum(n_stored_bytes(root, ref) for refs in _files(pair, data_root, run_dir).values() for root, ref in refs)


def row_of(pair: PreferencePair, *, data_root: Path, run_dir: Path) -> dict[str, Any]:
    """Return a row, images embedded; an image keeps its file's name and nothing of its folder.

    Args:
        pair: The pair.
        data_root: What `pair.images` are relative to.
        run_dir: What the images of `pair.corrupted` are relative to.

    Raises:
        ImageError: If an image is missing or outside its root.
        DatasetError: If the corrupted images do not match the clean ones in number.
    """
    embedded = {
        column: [{"bytes": stored_bytes(root, ref), "path": stored_name(ref)} for root, ref in refs]
        for column, refs in _files(pair, data_root, run_dir).items()
    }
    return {
        "id": pair.id,
        "group_id": pair.group_id,
        "prompt": [{"role": "user", "content": pair.prompt}],
        "chosen": [{"role": "assistant", "content": pair.chosen}],
        "rejected": [{"role": "assistant", "content": pair.rejected}],
        "chosen_spans": [_span(span) for span in pair.chosen_spans],
        "rejected_spans": [_span(span) for span in pair.rejected_spans],
        "corruption": _corruption(pair.corrupted) if pair.corrupted is not None else None,
        "weight": pair.weight,
        "verdicts": [_verdict(verdict) for verdict in pair.verdicts],
        "provenance": pair.provenance.model_dump(),
        **embedded,
    }


def _files(pair: PreferencePair, data_root: Path, run_dir: Path) -> dict[str, list[tuple[Path, ImageRef]]]:
    """Return by column what its images are, and what their paths are relative to."""
    corrupted = pair.corrupted
    if corrupted is None:
        return {"images": _under(data_root, pair.images), "corrupted_images": [], "control_images": []}
    files = {
        "images": _under(run_dir, corrupted.clean) or _under(data_root, pair.images),
        "corrupted_images": _under(run_dir, corrupted.corrupted),
        "control_images": _under(run_dir, corrupted.control),
    }
    for column, refs in files.items():
        if len(refs) not in {len(pair.images), 0 if column == "control_images" else len(pair.images)}:
            raise DatasetError(f"{pair.id}: {len(refs)} {column} for {len(pair.images)} images; corrupt it again")
    return files


def _under(root: Path, refs: Sequence[ImageRef]) -> list[tuple[Path, ImageRef]]:
    return [(root, ref) for ref in refs]


def _span(span: PhraseSpan) -> dict[str, Any]:
    return span.model_dump()


def _corruption(corrupted: CorruptedImage) -> dict[str, Any]:
    return corrupted.model_dump(include={"name", "options", "seed", "lesion_share", "changed_share", "region"})


def _verdict(verdict: Verdict) -> dict[str, Any]:
    target = verdict.target
    return {
        **verdict.model_dump(exclude={"target"}),
        "start_char": target.start_char if target is not None else None,
        "end_char": target.end_char if target is not None else None,
    }
