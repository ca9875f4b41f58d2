"""The rows that can train: read once before any weight is loaded, the others counted by reason."""

import json
import logging
from collections import Counter
from hashlib import blake2b
from typing import Any, NamedTuple

import torch.utils.data
from datasets import Dataset

from medprefkit.errors import TrainError
from medprefkit.train.tokens import RefusalReason, RowEncoder, RowRefusedError

logger = logging.getLogger(__name__)

IMAGE_COLUMNS = ("images", "corrupted_images")

COLUMNS = (
    "id", *IMAGE_COLUMNS, "prompt", "chosen", "rejected", "chosen_spans", "rejected_spans", "weight",
)  # fmt: skip
"""What training reads of the column contract."""

TOKEN_WEIGHTS = ("chosen_token_weights", "rejected_token_weights")
"""Columns that a dataset may have beside it: a ranking weight for every response token of the model to be trained."""


class PairRows(torch.utils.data.Dataset[dict[str, Any]]):
    """A dataset's rows with their images as stored bytes: decoding waits for the batch, and nothing is copied."""

    def __init__(self, dataset: Dataset) -> None:
        further = [name for name in TOKEN_WEIGHTS if name in dataset.column_names]
        self._rows = dataset.select_columns([*COLUMNS, *further]).with_format("arrow")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one row as plain values, an image as {"bytes", "path"}."""
        row: dict[str, Any] = self._rows[index].to_pylist()[0]
        return row


class TrainableRows(NamedTuple):
    """A split's rows that can train, why the others cannot, and what the split is."""

    rows: PairRows
    n_tokens: list[int]
    """Of each row that is kept: of its prompt, without what images become, and of its longer answer."""
    kept: list[int]
    """Which rows of the split they are."""
    refused: dict[RefusalReason, int]
    fingerprint: str
    """Of the content of every column that training reads: the same rows give the same, wherever they lie."""


def trainable_rows(dataset: Dataset, encoder: RowEncoder, *, needs_spans: bool, split: str) -> TrainableRows:
    """Keep the rows that can train; the reasons of the others are logged with their counts and one example each.

    Args:
        dataset: By the column contract.
        encoder: Of the model to be trained.
        needs_spans: Whether a row without an edit span is refused.
        split: For messages.

    Raises:
        TrainError: If no row is left.
    """
    rows = PairRows(dataset)
    kept: list[int] = []
    n_tokens: list[int] = []
    refused: Counter[RefusalReason] = Counter()
    digest = blake2b(digest_size=8)
    for index in range(len(rows)):
        row = rows[index]
        _add_to(digest, row)
        try:
            encoding = encoder.encode(row, needs_spans=needs_spans)
        except RowRefusedError as error:
            if error.reason not in refused:
                logger.warning("%s: row %r cannot train (%s): %s", split, row["id"], error.reason, error)
            refused[error.reason] += 1
        else:
            kept.append(index)
            n_answer = max(len(encoding.chosen.input_ids), len(encoding.rejected.input_ids))
            n_tokens.append(len(encoder.tokenizer(encoding.prompt_text)["input_ids"]) + n_answer)
    if refused:
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(refused.items()))
        logger.warning("%s: %d of %d rows left out: %s", split, sum(refused.values()), len(rows), counts)
    if not kept:
        why = f": {', '.join(sorted(refused))}" if refused else ": it has no rows"
        raise TrainError(f"split {split!r} has nothing to train on{why}")
    return TrainableRows(PairRows(dataset.select(kept)), n_tokens, kept, dict(refused), digest.hexdigest())


def _add_to(digest: Any, row: dict[str, Any]) -> None:
    texts = {name: value for name, value in row.items() if name not in IMAGE_COLUMNS}
    digest.update(json.dumps(texts, sort_keys=True).encode())
    for column in IMAGE_COLUMNS:
        for image in row[column] or []:
            digest.update(image["bytes"] or str(image["path"]).encode())
