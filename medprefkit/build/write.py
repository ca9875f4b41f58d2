"""Pairs become files: an Arrow-backed dataset, the same rows as Parquet, and an index of the pairs as JSON lines.

    dataset/              datasets.load_from_disk
    parquet/              {split}-00000-of-0000N.parquet, images embedded: what is shared
    pairs.jsonl           one `BuiltPair` a line, in the order of the sources, for the card and the page
    dropped.jsonl         what did not become a pair, and why

The layout of `save_to_disk` is written directly, batch by batch: `Dataset.save_to_disk` would take a thousand rows of
images into memory at a time and give every run another fingerprint. The same pairs give the same bytes.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import DatasetInfo, Features

from medprefkit.build.features import features
from medprefkit.build.rows import member_of, n_image_bytes, row_of
from medprefkit.build.split import Member, Split, assign_splits
from medprefkit.errors import DatasetError, ImageError
from medprefkit.records import Dropped, PreferencePair, Record

_SPLITS: tuple[Split, ...] = ("train", "eval")
_SHARD_BYTES = 500 * 2**20
_BATCH_BYTES = 64 * 2**20  # of images in memory at a time, give or take one row
_BATCH_ROWS = 100  # a Parquet row group: what a viewer fetches for one page


class BuiltPair(Record):
    """A pair and its side."""

    split: Split
    pair: PreferencePair


class Built(NamedTuple):
    """What was written; `dropped` is reason -> rows."""

    n_train: int
    n_eval: int
    dropped: Counter[str]


class _Plan(NamedTuple):
    """What one pass over the pairs found out, so that a second one can write."""

    members: list[Member]
    n_bytes: dict[str, int]
    dropped: Counter[str]
    has_images: bool


def write_dataset(
    outcomes: Iterable[PreferencePair | Dropped],
    out: Path,
    *,
    data_root: Path,
    run_dir: Path,
    run_seed: int,
    eval_share: float,
) -> Built:
    """Write everything; memory does not grow with the images.

    Args:
        outcomes: In the order of the sources; ids are unique.
        out: An existing folder.
        data_root: What the pairs' images are relative to.
        run_dir: What their corrupted images are relative to.
        run_seed: Decides the split.
        eval_share: Expected share of groups kept for evaluation, 0 to 1.

    Returns:
        Rows per split, and drops by reason: those that came in and rows whose images cannot be read.

    Raises:
        DatasetError: If no pair is left, an id comes twice, or corrupted images do not match the clean ones.
    """
    plan = _survey(outcomes, out, data_root, run_dir)
    if not plan.members:
        reasons = ", ".join(f"{reason} {n}" for reason, n in plan.dropped.most_common()) or "none came in"
        raise DatasetError(f"no pair is left to write ({reasons}); read what each stage dropped")
    sides = assign_splits(plan.members, run_seed=run_seed, eval_share=eval_share)
    _write_index(out, sides)
    columns = features()
    if not plan.has_images:
        del columns["images"]
    counts = Counter(sides.values())
    for split in _SPLITS:
        if counts[split]:
            sizes = [plan.n_bytes[member.id] for member in plan.members if sides[member.id] == split]
            _write_split(out, split, sizes, columns, data_root=data_root, run_dir=run_dir)
    _write_json(out / "dataset" / "dataset_dict.json", {"splits": [split for split in _SPLITS if counts[split]]})
    return Built(n_train=counts["train"], n_eval=counts["eval"], dropped=plan.dropped)


def read_index(out: Path) -> Iterator[BuiltPair]:
    """Yield the pairs of a folder that `write_dataset` wrote, in the order of the sources.

    Raises:
        DatasetError: If it is not there, or a line is damaged.
    """
    path = out / "pairs.jsonl"
    if not path.is_file():
        raise DatasetError(f"{path} is missing; run `medprefkit build` first")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield BuiltPair.model_validate_json(line)
            except ValueError as error:
                raise DatasetError(f"{path}, line {number}: not a pair; build it again") from error


def _survey(outcomes: Iterable[PreferencePair | Dropped], out: Path, data_root: Path, run_dir: Path) -> _Plan:
    """Write pairs and drops to two files as they come, and remember of each pair what the split and the shards need."""
    plan_members: list[Member] = []
    n_bytes: dict[str, int] = {}
    dropped: Counter[str] = Counter()
    has_images = False
    with ExitStack() as stack:
        kept_file = stack.enter_context((out / "pairs.tmp").open("w", encoding="utf-8", newline="\n"))
        dropped_file = stack.enter_context((out / "dropped.jsonl").open("w", encoding="utf-8", newline="\n"))
        for outcome in outcomes:
            lost = outcome if isinstance(outcome, Dropped) else None
            if isinstance(outcome, PreferencePair):
                if outcome.id in n_bytes:
                    raise DatasetError(f"two pairs have the id {outcome.id!r}; ids are unique in a dataset")
                try:
                    member = member_of(outcome, data_root=data_root)
                    size = n_image_bytes(outcome, data_root=data_root, run_dir=run_dir)
                except ImageError as error:
                    found = {"id": outcome.id, "stage": "build", "reason": error.reason, "detail": str(error)}
                    lost = Dropped.model_validate(found)
                else:
                    kept_file.write(outcome.model_dump_json() + "\n")
                    plan_members.append(member)
                    n_bytes[outcome.id] = size
                    has_images = has_images or bool(outcome.images)
            if lost is not None:
                dropped_file.write(lost.model_dump_json() + "\n")
                dropped[lost.reason] += 1
    return _Plan(plan_members, n_bytes, dropped, has_images)


def _write_index(out: Path, sides: dict[str, Split]) -> None:
    spool = out / "pairs.tmp"
    with spool.open(encoding="utf-8") as lines, (out / "pairs.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            pair = PreferencePair.model_validate_json(line)
            file.write(BuiltPair(split=sides[pair.id], pair=pair).model_dump_json() + "\n")
    spool.unlink()


def _write_split(
    out: Path, split: Split, sizes: Sequence[int], columns: Features, *, data_root: Path, run_dir: Path
) -> None:
    """Write one split as Arrow and as Parquet, in shards of about equal numbers of rows."""
    folder, parquet = out / "dataset" / split, out / "parquet"
    folder.mkdir(parents=True)
    parquet.mkdir(exist_ok=True)
    schema = columns.arrow_schema
    rows = (
        row_of(built.pair, data_root=data_root, run_dir=run_dir) for built in read_index(out) if built.split == split
    )
    n_shards = min(len(sizes), max(1, math.ceil(sum(sizes) / _SHARD_BYTES)))
    content = hashlib.sha256()
    names: list[str] = []
    for shard in range(n_shards):
        name = f"{shard:05d}-of-{n_shards:05d}"
        names.append(f"data-{name}.arrow")
        n_rows = len(sizes) * (shard + 1) // n_shards - len(sizes) * shard // n_shards
        with (
            (folder / names[-1]).open("wb") as sink,
            pa.ipc.new_stream(sink, schema) as arrow_writer,
            pq.ParquetWriter(
                parquet / f"{split}-{name}.parquet",
                schema,
                write_page_index=True,
                use_content_defined_chunking=True,  # the Hub stores only what is new of a change
            ) as parquet_writer,
        ):
            for batch in _batches(rows, n_rows, schema):
                arrow_writer.write_batch(batch)
                parquet_writer.write_batch(batch)
                del batch  # before the next one is made
        with (folder / names[-1]).open("rb") as written:
            content.update(hashlib.file_digest(written, "sha256").digest())
    DatasetInfo(features=columns).write_to_directory(str(folder))
    state: dict[str, object] = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": content.hexdigest()[:16],  # of the content, so that caches keyed by it hold across machines
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
    _write_json(folder / "state.json", state)


def _batches(rows: Iterator[dict[str, Any]], n_rows: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Cut the next `n_rows` rows into batches of at most so many rows and bytes."""
    batch: list[dict[str, Any]] = []
    n_bytes = 0
    for _ in range(n_rows):
        row = next(rows)
        batch.append(row)
        n_bytes += sum(len(image["bytes"]) for column in _IMAGE_COLUMNS for image in row[column])
        if len(batch) == _BATCH_ROWS or n_bytes >= _BATCH_BYTES:
            yield _emptied(batch, schema)
            n_bytes = 0
    if batch:
        yield _emptied(batch, schema)


def _emptied(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Return the rows as one batch, and let go of them: the images are in memory once while it is written."""
    batch = pa.RecordBatch.from_pylist(rows, schema=schema)
    rows.clear()
    return batch


_IMAGE_COLUMNS = ("images", "corrupted_images", "control_images")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
