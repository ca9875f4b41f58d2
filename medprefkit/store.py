"""The run directory: shards per stage, written to a temporary name and renamed, the completion marker last.

Record i of a run lies in shard i mod n, so a merge that takes one record of each shard in turn gives the order of the
sources back, whatever n is. What a reader finds under a final name is whole; a marker says that a shard is done.
"""

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

from medprefkit.errors import RunError
from medprefkit.records import Dropped, Example, Record

R = TypeVar("R", bound=Record)


class Counts(NamedTuple):
    """What a stage did: `dropped` is reason -> records."""

    kept: int
    dropped: Counter[str]


class RunDir:
    """One run on disk. Knows files and markers; knows nothing of what a stage does."""

    def __init__(self, root: Path, *, n_shards: int) -> None:
        self.root = root
        self.n_shards = n_shards

    def open(self, identity: dict[str, str], files: dict[str, str], *, resume: bool) -> None:
        """Create the directory, or continue one that the same recipe began.

        Args:
            identity: What must be the same to continue, such as the recipe's hash and the package's version.
            files: Name -> text of what is written beside it, such as the resolved recipe.
            resume: Continue where a run stopped; without it a used directory is refused.

        Raises:
            RunError: If the directory is used and `resume` is false, belongs to another run, or cannot be written.
        """
        marker = self.root / "run.json"
        if marker.exists():
            if not resume:
                raise RunError(f"{self.root} holds a run; --resume continues it, or choose another --run-dir")
            began = json.loads(marker.read_text("utf-8"))
            for key, value in identity.items():
                if began.get(key) != value:
                    was = began.get(key)
                    raise RunError(f"{self.root} was begun with {key} {was!r}, not {value!r}; choose another --run-dir")
            return
        if self.root.exists() and any(path.name != ".lock" for path in self.root.iterdir()):
            raise RunError(f"{self.root} is not empty and holds no run; choose another --run-dir")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                write_text(self.root / name, text)
            write_text(marker, json.dumps(identity, indent=2) + "\n")
        except OSError as error:
            raise RunError(f"{self.root} cannot be written: {error.strerror}; choose another --run-dir") from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for this process alone.

        Raises:
            RunError: If another process holds it.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = (self.root / ".lock").open("w")
        except OSError as error:
            raise RunError(f"{self.root} cannot be written: {error.strerror}; choose another --run-dir") from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunError(f"another process is at work in {self.root}; wait for it or choose another") from error
            yield

    def is_done(self, stage: str, shard: int) -> bool:
        """Tell whether this shard of the stage is complete."""
        return self._marker(stage, shard).exists()

    def stage_done(self, stage: str) -> bool:
        """Tell whether every shard of the stage is complete."""
        return all(self.is_done(stage, shard) for shard in range(self.n_shards))

    def counts(self, stage: str) -> Counts:
        """Return what the complete shards of a stage kept and dropped; zero for a stage that has not run."""
        kept, dropped = 0, Counter[str]()
        for shard in range(self.n_shards):
            counts = self.shard_counts(stage, shard)
            kept, dropped = kept + counts.kept, dropped + counts.dropped
        return Counts(kept, dropped)

    def shard_counts(self, stage: str, shard: int) -> Counts:
        """Return what a stage kept and dropped of one shard; zero while it is not complete."""
        if not self.is_done(stage, shard):
            return Counts(0, Counter())
        done = json.loads(self._marker(stage, shard).read_text("utf-8"))
        return Counts(done["kept"], Counter(done["dropped"]))

    def write_shards(self, stage: str, outcomes: Iterable[tuple[int, Record]], shards: Iterable[int]) -> None:
        """Write outcomes to their shards, `Dropped` ones beside the others, then each shard's marker.

        Args:
            stage: The stage's folder.
            outcomes: (shard, record), each shard in its own order.
            shards: The shards that these outcomes complete, also those that get none.
        """
        folder = self.root / stage
        folder.mkdir(exist_ok=True)
        writers = {shard: _ShardWriter(folder, self._stem(shard)) for shard in shards}
        with contextlib.ExitStack() as stack:
            for writer in writers.values():
                stack.enter_context(writer)
            for shard, record in outcomes:
                writers[shard].write(record)
        for shard, writer in writers.items():
            write_text(self._marker(stage, shard), json.dumps(writer.summary(), indent=2) + "\n")

    def read_shard(self, stage: str, shard: int, kind: type[R]) -> Iterator[R]:
        """Yield the records that a stage kept in one shard.

        Raises:
            RunError: If the shard is not complete, or a line is not such a record; names the file and the line.
        """
        yield from self._read(stage, shard, f"{self._stem(shard)}.jsonl", kind)

    def in_order(self, stage: str, kind: type[R]) -> Iterator[R]:
        """Yield what a stage kept, of all shards, in the order of the sources.

        Raises:
            RunError: As `read_shard`; if a record is not where the order of the sources would have it.
        """
        shards = [self.read_shard(stage, shard, kind) for shard in range(self.n_shards)]
        heads = [next(shard, None) for shard in shards]
        for position, example in enumerate(self._sources_in_order()):
            turn = position % self.n_shards
            if (head := heads[turn]) is not None and _id(head) == example.id:  # else it was dropped on the way
                yield head
                heads[turn] = next(shards[turn], None)
        for head in heads:
            if head is not None:
                where = self.root / stage
                raise RunError(f"{where} holds {_id(head)!r} out of the order of the sources; it is damaged")

    def _sources_in_order(self) -> Iterator[Example]:
        shards = [self.read_shard("sources", shard, Example) for shard in range(self.n_shards)]
        for turn in itertools.cycle(shards):
            if (example := next(turn, None)) is None:
                return  # the first shard to end is the one whose turn it was
            yield example

    def dropped(self, stage: str) -> Iterator[Dropped]:
        """Yield what a stage dropped.

        Raises:
            RunError: As `read_shard`.
        """
        for shard in range(self.n_shards):
            yield from self._read(stage, shard, f"{self._stem(shard)}.dropped.jsonl", Dropped)

    @contextlib.contextmanager
    def folder_of(self, stage: str, *, keep_begun: bool = False) -> Iterator[Path]:
        """Give a temporary folder for a stage that writes a tree; it gets the stage's name when all went well.

        Args:
            stage: Its name.
            keep_begun: Hand over what a stopped run left in it, for a stage that knows how to go on.
        """
        temporary, final = self.root / f"{stage}.tmp", self.root / stage
        if not keep_begun:
            shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(exist_ok=True)
        yield temporary
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)

    def tree_done(self, stage: str) -> bool:
        """Tell whether a stage that writes a tree is complete."""
        return (self.root / stage).is_dir()

    def discard(self, stage: str) -> None:
        """Remove what a stage that writes a tree left, so that it is made again."""
        shutil.rmtree(self.root / stage, ignore_errors=True)

    def _read(self, stage: str, shard: int, name: str, kind: type[R]) -> Iterator[R]:
        if not self.is_done(stage, shard):
            raise RunError(f"{self.root / stage} is not complete; run `medprefkit {stage}` first, or `run --resume`")
        path = self.root / stage / name
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield kind.model_validate_json(line)
                except ValueError as error:
                    raise RunError(f"{path}, line {number}: not a {kind.__name__}; the run is damaged") from error

    def _stem(self, shard: int) -> str:
        return f"{shard:05d}-of-{self.n_shards:05d}"

    def _marker(self, stage: str, shard: int) -> Path:
        return self.root / stage / f"{self._stem(shard)}.done"


def write_text(path: Path, text: str) -> None:
    """Write a file so that its name never shows half of it."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        _to_disk(file)
    temporary.replace(path)


def _id(record: Record) -> str:
    return str(record.id)  # type: ignore[attr-defined]  # every record that a stage writes has one


def _to_disk(file: IO[str]) -> None:
    file.flush()
    os.fsync(file.fileno())


class _ShardWriter:
    """The kept and the dropped records of one shard, under temporary names until they are whole."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._paths = {"kept": folder / f"{stem}.jsonl", "dropped": folder / f"{stem}.dropped.jsonl"}
        self._digests = {name: hashlib.sha256() for name in self._paths}
        self._files: dict[str, IO[str]] = {}
        self._kept = 0
        self._dropped: Counter[str] = Counter()

    def __enter__(self) -> "_ShardWriter":
        self._files = {
            name: path.with_name(f"{path.name}.tmp").open("w", encoding="utf-8", newline="\n")
            for name, path in self._paths.items()
        }
        return self

    def write(self, record: Record) -> None:
        name = "dropped" if isinstance(record, Dropped) else "kept"
        if isinstance(record, Dropped):
            self._dropped[record.reason] += 1
        else:
            self._kept += 1
        line = record.model_dump_json() + "\n"
        self._digests[name].update(line.encode())
        self._files[name].write(line)

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        for name, file in self._files.items():
            if failure is None:
                _to_disk(file)
            file.close()
            if failure is None:
                Path(file.name).replace(self._paths[name])

    def summary(self) -> dict[str, object]:
        return {
            "kept": self._kept,
            "dropped": dict(sorted(self._dropped.items())),
            "sha256": {path.name: self._digests[name].hexdigest() for name, path in self._paths.items()},
        }
