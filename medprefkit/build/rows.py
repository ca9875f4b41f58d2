"""Rows: a pair and the bytes of its images as the columns of `features`.

Files are passed on as they are, never re-encoded. Where a corrupted image names a clean copy, that copy stands for the
original, so that the codec tells nothing.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medprefkit.build.split import Member
from medprefkit.errors import DatasetError
from medprefkit.images import resolve
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
    return sum(path.stat().st_size for files in _files(pair, data_root, run_dir).values() for path in files)


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
        column: [{"bytes": path.read_bytes(), "path": path.name} for path in files]
        for column, files in _files(pair, data_root, run_dir).items()
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


def _files(pair: PreferencePair, data_root: Path, run_dir: Path) -> dict[str, list[Path]]:
    corrupted = pair.corrupted
    if corrupted is None:
        return {"images": _resolved(pair.images, data_root), "corrupted_images": [], "control_images": []}
    files = {
        "images": _resolved(corrupted.clean, run_dir) or _resolved(pair.images, data_root),
        "corrupted_images": _resolved(corrupted.corrupted, run_dir),
        "control_images": _resolved(corrupted.control, run_dir),
    }
    for column, paths in files.items():
        if len(paths) not in {len(pair.images), 0 if column == "control_images" else len(pair.images)}:
            raise DatasetError(f"{pair.id}: {len(paths)} {column} for {len(pair.images)} images; corrupt it again")
    return files


def _resolved(refs: Sequence[ImageRef], root: Path) -> list[Path]:
    return [resolve(root, ref.path) for ref in refs]


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
