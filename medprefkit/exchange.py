"""Between our columns and other tools' formats: a conductor that knows `formats` and the column contract."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from medprefkit import __version__
from medprefkit.build.features import features
from medprefkit.errors import DatasetError
from medprefkit.formats.pair import FormatName, FormatPair, Mark, Picture, Turn, Unreadable
from medprefkit.formats.read import FormatRead, read_pairs
from medprefkit.formats.write import Exported, ExportName, export_pairs

T = TypeVar("T")

_BATCH_ROWS = 32


class Imported(NamedTuple):
    """What came in: rows by split, and the rows that could not be read."""

    n_rows: dict[str, int]
    unreadable: list[Unreadable]


def opened(data: str, format_name: FormatName | None, images: Path | None) -> FormatRead:
    """Open a dataset of any format.

    Raises:
        DatasetError: As `read_pairs`.
    """
    return read_pairs(data, format_name=format_name, image_root=images)


def watched(rows: Iterable[T], name: str) -> Iterator[T]:
    """Yield rows under a progress bar, which is silent where nobody looks."""
    yield from tqdm(rows, desc=name, unit="row", disable=None, leave=False, dynamic_ncols=True)


def export(data: str, out: Path, *, to: ExportName, format_name: FormatName | None, images: Path | None) -> Exported:
    """Write a dataset in another tool's format.

    Raises:
        DatasetError: If a row cannot be read, or as `export_pairs`.
    """
    return export_pairs(watched(_readable(opened(data, format_name, images).rows), "export"), out, to=to)


def import_pairs(
    data: str,
    out: Path,
    *,
    format_name: FormatName | None,
    images: Path | None,
    source: str,
    licence: str,
) -> Imported:
    """Write another tool's pairs as Parquet files of our columns, a file a split.

    Spans come along where the format marks phrases. Rows that cannot be read are left out and named; a picture that is
    not there leaves its row out. Repeated ids get `.2`, `.3` ...

    Raises:
        DatasetError: If `out` is used, no row is left, or as `read_pairs`.
    """
    if out.exists() and any(out.iterdir()):
        raise DatasetError(f"{out} is not empty; import into a new folder")
    read = opened(data, format_name, images)
    out.mkdir(parents=True, exist_ok=True)
    done = Imported({}, [])
    writers: dict[str, _SplitWriter] = {}
    ids: dict[str, int] = {}
    try:
        for pair in watched(read.rows, "import"):
            if isinstance(pair, Unreadable):
                done.unreadable.append(pair)
                continue
            if missing := next((picture.name for picture in _pictures(pair) if picture.content is None), ""):
                done.unreadable.append(Unreadable(pair.where, f"the picture {missing!r} is not there"))
                continue
            ids[pair.id] = ids.get(pair.id, 0) + 1
            row_id = pair.id if ids[pair.id] == 1 else f"{pair.id}.{ids[pair.id]}"
            if pair.split not in writers:
                writers[pair.split] = _SplitWriter(out / f"{pair.split}-00000-of-00001.parquet")
            writers[pair.split].add(_row(pair, row_id, source=source, licence=licence))
            done.n_rows[pair.split] = done.n_rows.get(pair.split, 0) + 1
    finally:
        for writer in writers.values():
            writer.close()
    if not done.n_rows:
        why = f"; the first: {done.unreadable[0].where}: {done.unreadable[0].problem}" if done.unreadable else ""
        raise DatasetError(f"no row of {data} can be imported as {read.format}{why}")
    return done


class _SplitWriter:
    """Rows of one split, a few in memory at a time."""

    def __init__(self, path: Path) -> None:
        self._schema = features().arrow_schema
        self._writer = pq.ParquetWriter(path, self._schema, write_page_index=True)
        self._waiting: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self._waiting.append(row)
        if len(self._waiting) == _BATCH_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._waiting, schema=self._schema))
            self._waiting = []


def _readable(rows: Iterable[FormatPair | Unreadable]) -> Iterator[FormatPair]:
    for row in rows:
        if isinstance(row, Unreadable):
            raise DatasetError(f"{row.where}: {row.problem}")
        yield row


def _pictures(pair: FormatPair) -> tuple[Picture, ...]:
    return (*pair.images, *pair.corrupted, *pair.control)


def _row(pair: FormatPair, row_id: str, *, source: str, licence: str) -> dict[str, Any]:
    return {
        "id": row_id,
        "group_id": pair.group_id or _group(pair, row_id),
        "images": [_embedded(picture) for picture in pair.images],
        "prompt": [_message(turn) for turn in pair.prompt],
        "chosen": [_message(Turn("assistant", pair.chosen))],
        "rejected": [_message(Turn("assistant", pair.rejected))],
        "chosen_spans": [_span(mark) for mark in pair.chosen_marks],
        "rejected_spans": [_span(mark) for mark in pair.rejected_marks],
        "corrupted_images": [_embedded(picture) for picture in pair.corrupted],
        "control_images": [_embedded(picture) for picture in pair.control],
        "corruption": None,
        "weight": 1.0 if pair.weight is None else pair.weight,
        "verdicts": [],
        "provenance": {
            "source": source,
            "licence": licence,
            "credentialed": False,
            "no_derivatives": False,
            "no_redistribution": False,
            "modality": "",
            "model": "",
            "revision": "",
            "sampling": "",
            "recipe_hash": "",
            "package_version": __version__,
        },
    }


def _group(pair: FormatPair, row_id: str) -> str:
    """Name the picture where the format names no patient: rows of one picture belong together."""
    return pair.images[0].name if pair.images else row_id


def _embedded(picture: Picture) -> dict[str, Any]:
    return {"bytes": picture.content, "path": Path(picture.name).name}


def _message(turn: Turn) -> dict[str, str]:
    return {"role": turn.role, "content": turn.text}


def _span(mark: Mark) -> dict[str, Any]:
    return {
        **mark._asdict(),
        "weight": 1.0 if mark.weight is None else mark.weight,
        "lesion_linked": bool(mark.lesion_linked),
    }
