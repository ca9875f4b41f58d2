"""Rows of JSONL, JSON, CSV and Parquet files, one at a time, so that a broken row is one fault and not the end.

CSV is read by the standard library: pandas stops at a row that is too long and fills one that is too short in silence.
Text that is not UTF-8 arrives as lone surrogates, which `admit` refuses row by row.
"""

import csv
import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from medprefkit.errors import SourceError

_SAMPLE_ROWS = 100
"""Rows of a JSON file that are read ahead to learn which keys it has."""

_BATCH_ROWS = 256
"""Rows of a Parquet file in memory at once."""


class Row(NamedTuple):
    """One row: `where` names its file and line for a message, `number` counts from 1."""

    where: str
    number: int
    values: Mapping[str, object]


class BrokenRow(NamedTuple):
    """A row that cannot be read, and why."""

    where: str
    number: int
    problem: str


class Table(NamedTuple):
    """A file's columns (for JSON the keys of its first rows) and its rows, read as they are asked for."""

    name: str
    columns: tuple[str, ...]
    rows: Iterator[Row | BrokenRow]

    def require(self, *wanted: str, setting: str = "columns") -> None:
        """Refuse the file where a column is missing.

        Raises:
            SourceError: Names the column, the closest one and all that there are.
        """
        for column in wanted:
            if column not in self.columns:
                close = difflib.get_close_matches(column, self.columns, n=1, cutoff=0.5)
                guess = f"; did you mean {close[0]!r}?" if close else ""
                there = ", ".join(repr(name) for name in self.columns) or "none"
                raise SourceError(f"{self.name}: no column {column!r}{guess} It has: {there}; set `{setting}`")


def source_file(root: Path, path: str) -> Path:
    """Return the file that a source names, which must lie inside the data root.

    Raises:
        SourceError: If it is outside, missing or a folder.
    """
    if "://" in path:
        raise SourceError(f"{path}: a URL; download it into the data root and give its path there")
    file = (root / path).resolve()
    if not file.is_relative_to(root.resolve()):
        raise SourceError(f"{path}: outside the data root {root}; move it there or change data_root")
    if not file.is_file():
        problem = "is a folder, not a file" if file.is_dir() else "no such file"
        raise SourceError(f"{path}: {problem} under the data root {root}; check the path and data_root")
    return file


def source_folder(root: Path, path: str) -> Path:
    """Return the folder that a source names, which must lie inside the data root.

    Raises:
        SourceError: If it is outside or not a folder.
    """
    folder = (root / path).resolve()
    if "://" in path or not folder.is_relative_to(root.resolve()):
        raise SourceError(f"{path}: outside the data root {root}; move it there or change data_root")
    if not folder.is_dir():
        raise SourceError(f"{path}: no such folder under the data root {root}; check the path and data_root")
    return folder


def read_rows(file: Path) -> Table:
    """Open a .jsonl, .json (a list of objects), .csv or .parquet file.

    JSONL, CSV and Parquet need the memory of a few rows; a JSON list is read whole.

    Raises:
        SourceError: If the file cannot be read as what its name says, or is empty.
    """
    readers: dict[str, Callable[[Path], Table]] = {
        ".jsonl": _read_jsonl,
        ".json": _read_json,
        ".csv": _read_csv,
        ".parquet": _read_parquet,
    }
    suffix = file.suffix.lower()
    if suffix not in readers:
        raise SourceError(f"{file.name}: not a {', '.join(readers)} file; convert it to one of them")
    return readers[suffix](file)


def _read_jsonl(file: Path) -> Table:
    return _with_sampled_columns(file, _jsonl_rows(file))


def _jsonl_rows(file: Path) -> Iterator[Row | BrokenRow]:
    # newline="\n": only a line feed ends a row, a carriage return or U+2028 inside a text does not
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _json_row(line, f"{file.name}, line {number}", number)


def _json_row(line: str, where: str, number: int) -> Row | BrokenRow:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        return BrokenRow(where, number, f"not JSON ({error.msg} at character {error.pos + 1}); mend the line")
    except RecursionError:
        return BrokenRow(where, number, "JSON that is nested too deeply; mend the line")
    return _object_row(values, where, number)


def _object_row(values: object, where: str, number: int) -> Row | BrokenRow:
    if not isinstance(values, dict):
        return BrokenRow(where, number, f"holds {kind_of(values)}, not an object of named values")
    return Row(where, number, values)


def _read_json(file: Path) -> Table:
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig", errors="surrogateescape"))
    except json.JSONDecodeError as error:
        problem = f"not JSON ({error.msg} at line {error.lineno}, column {error.colno})"
        raise SourceError(f"{file.name}: {problem}; mend it, or name it .jsonl if each line is an object") from error
    except RecursionError as error:
        raise SourceError(f"{file.name}: JSON that is nested too deeply; write a list of flat objects") from error
    if not isinstance(values, list):
        raise SourceError(f"{file.name}: holds {kind_of(values)}; write a list of objects, one a row")
    rows = (_object_row(value, f"{file.name}, row {number}", number) for number, value in enumerate(values, 1))
    return _with_sampled_columns(file, rows)


def _with_sampled_columns(file: Path, rows: Iterator[Row | BrokenRow]) -> Table:
    head = list(islice(rows, _SAMPLE_ROWS))
    if not head:
        raise SourceError(f"{file.name}: holds no rows; check that it was written to its end")
    columns = dict.fromkeys(str(key) for row in head if isinstance(row, Row) for key in row.values)
    return Table(file.name, tuple(columns), _chained(head, rows))


def _chained(head: Sequence[Row | BrokenRow], rest: Iterator[Row | BrokenRow]) -> Iterator[Row | BrokenRow]:
    yield from head
    yield from rest


def _read_csv(file: Path) -> Table:
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        try:
            columns = next(csv.reader(lines, strict=True), None)
        except csv.Error as error:
            raise SourceError(f"{file.name}, line 1: not a CSV header ({error}); mend the line") from error
    if not columns:
        raise SourceError(f"{file.name}: no header in its first line; name the columns there")
    named = [column for column in columns if column]  # spreadsheets leave empty columns at the right
    if twice := {column for column in named if named.count(column) > 1}:
        raise SourceError(f"{file.name}: the column {min(twice)!r} stands twice in the header; rename one")
    return Table(file.name, tuple(named), _csv_rows(file, columns))


def _csv_rows(file: Path, columns: Sequence[str]) -> Iterator[Row | BrokenRow]:
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        next(reader)
        number = 0
        while True:
            where = f"{file.name}, line {reader.line_num + 1}"
            try:
                cells = next(reader, None)
            except csv.Error as error:  # the reader goes on with the line after it
                number += 1
                yield BrokenRow(where, number, f"not CSV ({error}); mend its quotes")
                continue
            if cells is None:
                return
            if not cells:
                continue
            number += 1
            if len(cells) == len(columns):
                yield Row(where, number, dict(zip(columns, cells, strict=True)))
            else:
                problem = f"has {len(cells)} cells where the header has {len(columns)}; quote texts that hold commas"
                yield BrokenRow(where, number, problem)


def _read_parquet(file: Path) -> Table:
    try:
        columns = tuple(pq.read_schema(file).names)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{file.name}: not a Parquet file ({_first_line(error)}); check that it is whole") from error
    return Table(file.name, columns, _parquet_rows(file))


def _parquet_rows(file: Path) -> Iterator[Row | BrokenRow]:
    number = 0
    try:
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=_BATCH_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{file.name}, row {number}", number, values)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read after row {number} ({_first_line(error)})"
        raise SourceError(f"{file.name}: {problem}; check that it is whole") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def kind_of(value: object) -> str:
    """Return what a JSON value is, in words for a message."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number"}
    return "nothing" if value is None else names.get(type(value), f"a {type(value).__name__}")
