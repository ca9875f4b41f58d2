"""Reading any preference dataset: a file, a folder, a run or a Hub repository, in whatever format its columns tell."""

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from datasets import IterableDatasetDict, load_dataset, load_from_disk
from datasets.exceptions import DatasetNotFoundError
from httpx2 import TransportError

from medprefkit.errors import DatasetError, SourceError
from medprefkit.formats.layouts import LayoutError, format_of, pair_of
from medprefkit.formats.pair import FormatName, FormatPair, Picture, Unreadable
from medprefkit.sources.rows import BrokenRow, read_rows

_SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")
_INFO = "dataset_info.json"
_MAX_PICTURE_BYTES = 256 * 2**20


class FormatRead(NamedTuple):
    """A dataset: the format of its rows, and its rows as they are asked for."""

    format: FormatName
    rows: Iterator[FormatPair | Unreadable]


class _RawRow(NamedTuple):
    where: str
    split: str
    values: Mapping[str, Any]
    folder: Path


def read_pairs(data: str, *, format_name: FormatName | None = None, image_root: Path | None = None) -> FormatRead:
    """Open a preference dataset.

    Args:
        data: A JSON, JSONL, CSV or Parquet file; a folder of them, also one of LLaMA-Factory with `dataset_info.json`;
            a run or dataset of ours; or `user/name` on the Hub.
        format_name: Of its rows; None to tell it by the columns.
        image_root: What image paths are relative to; None for the folder of the file.

    Raises:
        DatasetError: If it cannot be read, or its columns are of no known format.
    """
    rows = _raw_rows(data)
    first = next(rows, None)
    while isinstance(first, Unreadable):
        first = next(rows, None)
    if first is None:
        raise DatasetError(f"{data} holds no rows")
    name = format_name or format_of(first.values)
    if name is None:
        columns = ", ".join(sorted(map(str, first.values)))
        raise DatasetError(f"{data} has the columns {columns}, of no known preference format; name it with --from")
    return FormatRead(name, _parsed(name, itertools.chain([first], rows), image_root))


def _parsed(
    name: FormatName, rows: Iterator[_RawRow | Unreadable], image_root: Path | None
) -> Iterator[FormatPair | Unreadable]:
    for row in rows:
        if isinstance(row, Unreadable):
            yield row
            continue
        find = _Finder(image_root or row.folder)
        try:
            yield pair_of(name, row.values, find, where=row.where, split=row.split)
        except LayoutError as error:
            yield Unreadable(row.where, str(error))
        except (KeyError, TypeError, AttributeError) as error:
            yield Unreadable(row.where, f"not a row of {name}: {type(error).__name__} {error}")


class _Finder:
    """Makes pictures of paths and of embedded bytes; a path may not leave the root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, item: object) -> Picture:
        if isinstance(item, Mapping):
            content = item.get("bytes")
            if content is not None:
                return Picture(Path(str(item.get("path") or "")).name, bytes(content))
            item = item.get("path")
        name = str(item)
        path = self._root / name
        try:
            inside = path.resolve().is_relative_to(self._root.resolve())
            if inside and path.is_file() and path.stat().st_size <= _MAX_PICTURE_BYTES:
                return Picture(name, path.read_bytes())
        except (OSError, ValueError):
            return Picture(name, None)
        return Picture(name, None)


def _raw_rows(data: str) -> Iterator[_RawRow | Unreadable]:
    path = Path(data)
    if path.is_file():
        return _file_rows(path, path.parent, "train")
    if not path.is_dir():
        return _dataset_rows(_from_hub(data), Path())
    saved = _saved(path)
    return _folder_rows(path) if saved is None else _dataset_rows(saved, path)


def _saved(path: Path) -> IterableDatasetDict | None:
    """Open what `datasets` saved, or a run's or a shared folder's Parquet files; None for a folder of other files."""
    for folder in (path, path / "dataset", path / "build" / "dataset"):
        is_dict = (folder / "dataset_dict.json").is_file()
        if is_dict or (folder / "state.json").is_file():
            try:
                loaded = load_from_disk(str(folder))
            except (OSError, ValueError, IndexError) as error:
                raise DatasetError(f"{folder} is not a whole saved dataset; save it again") from error
            splits = loaded if is_dict else {"train": loaded}
            return IterableDatasetDict({split: rows.to_iterable_dataset() for split, rows in splits.items()})
    for folder in (path / "parquet", path / "build" / "parquet"):
        files: dict[str, list[str]] = {}
        for file in sorted(folder.glob("*.parquet")):
            files.setdefault(file.stem.split("-", 1)[0], []).append(str(file))
        if files:
            return load_dataset("parquet", data_files=files, streaming=True)
    return None


def _folder_rows(folder: Path) -> Iterator[_RawRow | Unreadable]:
    files = [file for file in sorted(folder.iterdir()) if file.suffix in _SUFFIXES and file.name != _INFO]
    if (folder / _INFO).is_file():
        try:
            told = json.loads((folder / _INFO).read_text("utf-8"))
            named = [folder / entry["file_name"] for entry in told.values() if entry.get("ranking")]
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise DatasetError(f"{folder / _INFO} is not a description of datasets") from error
        files = [file for file in named if file.is_file()]
    if not files:
        raise DatasetError(f"{folder} holds no JSON, JSONL, CSV or Parquet file of pairs")
    for file in files:
        yield from _file_rows(file, folder, file.stem.split("-", 1)[0])


def _file_rows(file: Path, folder: Path, split: str) -> Iterator[_RawRow | Unreadable]:
    try:
        for row in read_rows(file).rows:
            if isinstance(row, BrokenRow):
                yield Unreadable(row.where, row.problem)
            else:
                yield _RawRow(row.where, split, row.values, folder)
    except SourceError as error:
        raise DatasetError(str(error)) from error


def _from_hub(name: str) -> IterableDatasetDict:
    try:
        return load_dataset(name, streaming=True)
    except (DatasetNotFoundError, TransportError, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DatasetError(f"{name!r} is neither a file or folder here nor could the Hub give it: {reason}") from error


def _dataset_rows(splits: IterableDatasetDict, folder: Path) -> Iterator[_RawRow | Unreadable]:
    for split, rows in splits.items():
        for number, values in enumerate(rows.decode(False), 1):
            yield _RawRow(f"{split}, row {number}", str(split), values, folder)
