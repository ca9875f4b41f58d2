"""Rows as they come from a stream, a Hub repository's above all: nothing is downloaded whole, nothing is counted first.

A stream has no length and no place to go back to. So rows are shuffled within blocks, a row that cannot train is left
out when it is met, and a checkpoint holds where the block in hand began.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch.utils.data
from datasets import IterableDataset
from datasets.distributed import split_dataset_by_node
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from medprefkit.errors import DatasetError, TrainError
from medprefkit.train.rows import COLUMNS, TOKEN_WEIGHTS
from medprefkit.train.tokens import RowEncoder, RowRefusedError

logger = logging.getLogger(__name__)

BLOCK_ROWS = 256
"""Rows that are shuffled together, and held at a time."""

_EDGE_BYTES = 1 << 16


class Position(NamedTuple):
    """Where a stream stands: enough to go on with the very next row, and to count on."""

    epoch: int
    block: int
    taken: int
    """Rows of the block that were looked at."""
    at_block: dict[str, Any]
    """What `datasets` says of the block's start."""
    n_kept: int
    refused: dict[str, int]


class StreamedRows(torch.utils.data.IterableDataset[dict[str, Any]]):
    """Rows of a stream that can train, as plain values with the images' stored bytes.

    Attributes:
        n_kept: Rows given in the first pass over the stream, so far.
        refused: Rows left out in it, by reason.
    """

    def __init__(
        self,
        dataset: IterableDataset,
        encoder: RowEncoder,
        *,
        needs_spans: bool,
        split: str,
        seed: int | None,
        process: tuple[int, int] = (0, 1),
    ) -> None:
        """Take a stream.

        Args:
            dataset: By the column contract.
            encoder: Of the model to be trained.
            needs_spans: Whether a row without an edit span is refused.
            split: For messages.
            seed: Of the order within blocks; rows then go round without end. With None: once, in the stream's order.
            process: (rank, of how many): each reads its own part.
        """
        further = [name for name in TOKEN_WEIGHTS if name in (dataset.column_names or ())]
        self._whole = dataset.select_columns([*COLUMNS, *further]).with_format("arrow")
        self._encoder = encoder
        self._needs_spans = needs_spans
        self._split = split
        self._seed = seed
        self._process = process
        self._position = Position(0, 0, 0, {}, 0, {})
        self._begin: Position | None = None
        self.n_kept = 0
        self.refused: Counter[str] = Counter()

    def part(self, rank: int, n_processes: int) -> "StreamedRows":
        """Return the rows that fall to one of several processes."""
        return StreamedRows(
            self._whole,
            self._encoder,
            needs_spans=self._needs_spans,
            split=self._split,
            seed=self._seed,
            process=(rank, n_processes),
        )

    def first(self) -> dict[str, Any]:
        """Return the first row that can train, without moving.

        Raises:
            TrainError: If no row can.
        """
        once = StreamedRows(
            self._whole, self._encoder, needs_spans=self._needs_spans, split=self._split, seed=None
        )  # fmt: skip
        return next(iter(once))

    def position(self) -> Position:
        """Return where the next row is read from, as plain values for a checkpoint."""
        return self._position._replace(n_kept=self.n_kept, refused=dict(self.refused))

    def go_on_from(self, position: Position) -> None:
        """Let the next iteration begin at a position of this stream."""
        self._begin = position

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield rows.

        Raises:
            TrainError: If a whole pass has no row that can train.
        """
        begin, self._begin = self._begin, None
        taken = 0
        self.n_kept, self.refused = 0, Counter()
        if begin is not None:
            self.n_kept, self.refused, taken = begin.n_kept, Counter(begin.refused), begin.taken
        epoch, block = (begin.epoch, begin.block) if begin is not None else (0, 0)
        while True:
            for rows, at_block in self._blocks(None if begin is None else begin.at_block):
                order = self._order(epoch, block, len(rows))
                for at in range(taken, len(rows)):
                    self._position = Position(epoch, block, at + 1, at_block, 0, {})
                    if self._is_kept(rows[order[at]], count=epoch == 0):
                        yield rows[order[at]]
                block, taken = block + 1, 0
            if self.n_kept == 0:
                why = f": {', '.join(sorted(self.refused))}" if self.refused else ": it has no rows"
                raise TrainError(f"split {self._split!r} has nothing to train on{why}")
            if self._seed is None:
                return
            epoch, block, begin = epoch + 1, 0, None

    def _blocks(self, start: dict[str, Any] | None) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
        """Yield the stream's rows, so many at a time, with the place where they began."""
        stream = split_dataset_by_node(self._whole, *self._process)  # anew: a place to start at outlives its pass
        if start:
            stream.load_state_dict(start)
        at_block = stream.state_dict()
        block: list[dict[str, Any]] = []
        for table in stream:
            block.append(table.to_pylist()[0])
            if len(block) == BLOCK_ROWS:
                yield block, at_block
                at_block, block = stream.state_dict(), []
        if block:
            yield block, at_block

    def _order(self, epoch: int, block: int, n_rows: int) -> list[int]:
        if self._seed is None:
            return list(range(n_rows))
        order: list[int] = (
            np.random.default_rng((self._seed, self._process[0], epoch, block)).permutation(n_rows).tolist()
        )
        return order

    def _is_kept(self, row: dict[str, Any], *, count: bool) -> bool:
        try:
            self._encoder.encode(row, needs_spans=self._needs_spans)
        except RowRefusedError as error:
            if count:
                if error.reason not in self.refused:
                    logger.warning("%s: row %r cannot train (%s): %s", self._split, row["id"], error.reason, error)
                self.refused[error.reason] += 1
            return False
        self.n_kept += count
        return True


def stream_fingerprint(path_or_repo: str | Path) -> str:
    """Return what tells a stream from another without reading it: a Hub commit, or the ends of a folder's files.

    Raises:
        DatasetError: If the Hub does not know the repository.
    """
    folder = Path(path_or_repo)
    if not folder.exists():
        try:
            return str(HfApi().dataset_info(str(path_or_repo)).sha)
        except (HfHubHTTPError, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DatasetError(f"the Hub gives no commit of {str(path_or_repo)!r}: {reason}") from error
    digest = blake2b(digest_size=8)
    for path in sorted(each for each in folder.rglob("*") if each.suffix in {".parquet", ".arrow"}):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_EDGE_BYTES))
            file.seek(max(0, size - _EDGE_BYTES))
            digest.update(file.read())
    return digest.hexdigest()
