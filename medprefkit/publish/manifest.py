"""The manifest: what a shared dataset consists of, file by file with its checksum. It travels in the same commit."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from medprefkit.errors import DatasetError
from medprefkit.records import SCHEMA_VERSION, Record

MANIFEST = "medprefkit.json"

Form = Literal["rows", "index"]
"""`rows`: Parquet files; `index`: `index.jsonl` alone, where the rows may not be shared."""


class ManifestFile(Record):
    """One file: its path below the manifest's folder, with forward slashes."""

    path: str
    sha256: str
    n_bytes: Annotated[int, Field(ge=0)]
    n_rows: Annotated[int, Field(ge=0)] | None = None
    """Of a Parquet file; None for others."""


class Manifest(Record):
    """Everything that was shared together."""

    schema_version: str
    package_version: str
    recipe_hash: str
    form: Form
    files: tuple[ManifestFile, ...]
    rebuilt_files: tuple[ManifestFile, ...] = ()
    """Of an index: the Parquet files that `medprefkit rebuild` makes of it and the owner's copy."""


def write_manifest(
    folder: Path, *, form: Form, package_version: str, recipe_hash: str, rows_folder: Path | None = None
) -> Manifest:
    """Write the manifest of everything in a folder but itself and the card; the same files give the same bytes.

    The card stays out since a repository of several configurations has one card, which changes with each of them.

    Args:
        folder: What is shared.
        form: What it holds.
        package_version: Of the package that made it.
        recipe_hash: Of its recipe.
        rows_folder: For an index the folder whose `parquet` holds the whole rows, so that a rebuilt copy can be
            compared; None for rows.

    Raises:
        DatasetError: If a Parquet file is damaged.
    """
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        package_version=package_version,
        recipe_hash=recipe_hash,
        form=form,
        files=tuple(_entries(folder, folder)),
        rebuilt_files=tuple(_entries(rows_folder, rows_folder / "parquet")) if rows_folder is not None else (),
    )
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, sort_keys=True)
    (folder / MANIFEST).write_text(text + "\n", "utf-8")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder.

    Raises:
        DatasetError: If there is none, or it is damaged, or names a file outside the folder.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"{folder} has no {MANIFEST}: nothing that medprefkit shared lies there") from error
    except ValueError as error:
        raise DatasetError(f"{path} is not a manifest; pull it again") from error
    for file in manifest.files:
        if not is_inside(file.path):
            raise DatasetError(f"{path} names {file.path!r}, which is not below it; do not use this dataset")
    return manifest


def is_inside(path: str) -> bool:
    """Tell whether a relative path with forward slashes stays below the folder that it is relative to."""
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts and "\\" not in path and ":" not in path


def faulty_files(folder: Path, files: tuple[ManifestFile, ...]) -> dict[str, str]:
    """Return path -> what is wrong with it, for every file that is not as its manifest says; empty if all are."""
    found: dict[str, str] = {}
    for file in files:
        path = folder / file.path
        if not path.is_file():
            found[file.path] = "missing"
        elif path.stat().st_size != file.n_bytes:
            found[file.path] = f"{path.stat().st_size} bytes instead of {file.n_bytes}"
        elif sha256_of(path) != file.sha256:
            found[file.path] = "another checksum"
    return found


def sha256_of(path: Path) -> str:
    """Return the checksum of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entries(root: Path, folder: Path) -> Iterator[ManifestFile]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name in {MANIFEST, "README.md"}:
            continue
        yield ManifestFile(
            path=path.relative_to(root).as_posix(),
            sha256=sha256_of(path),
            n_bytes=path.stat().st_size,
            n_rows=_n_rows(path) if path.suffix == ".parquet" else None,
        )


def _n_rows(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} is not a whole Parquet file; build it again") from error
