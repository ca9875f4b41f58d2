"""What a run trains on and measures on: a dataset that is read to its end before weights load, or a stream."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from medprefkit.build.features import load_pairs
from medprefkit.errors import TrainError
from medprefkit.train.collate import PreferenceCollator
from medprefkit.train.rows import TOKEN_WEIGHTS, PairRows, TrainableRows, trainable_rows
from medprefkit.train.stream import BLOCK_ROWS, StreamedRows, stream_fingerprint

Splits = Mapping[str, Any]
"""`datasets`' splits by name: with a length, or streamed."""


class TrainingData(NamedTuple):
    """Rows to train on and to measure on, and what tells them from others."""

    train: PairRows | StreamedRows
    eval: PairRows | StreamedRows | None
    fingerprint: str
    longest: dict[str, Any]
    """A row that takes the most memory; of a stream, the first."""
    scanned: TrainableRows | None
    """What a look at every row of `train` found; None of a stream."""


def open_splits(path_or_repo: str | Path, *, streaming: bool, token_weights: bool) -> Splits:
    """Open a dataset and refuse what cannot train, without a look at its rows.

    Args:
        path_or_repo: As `load_pairs`.
        streaming: Read rows as they are asked for.
        token_weights: Whether the objective needs a weight of every token.

    Raises:
        TrainError: If there is nothing to train on, or no weights of tokens.
        DatasetError: As `load_pairs`.
    """
    splits: Splits = load_pairs(path_or_repo, streaming=True) if streaming else load_pairs(path_or_repo)
    if "train" not in splits:
        raise TrainError(f"{path_or_repo} has no split 'train', only {', '.join(sorted(splits))}")
    missing = [name for name in TOKEN_WEIGHTS if name not in splits["train"].features]
    if token_weights and missing:
        raise TrainError(f"edit_weights 'tokens' (preset tisdpo) needs the column {missing[0]!r} in the dataset")
    return splits


def texts_of(splits: Splits) -> Iterator[str]:
    """Yield the texts that are trained on; of a stream, those of its first block."""
    rows = splits["train"].select_columns(["prompt", "chosen", "rejected"])
    if not hasattr(rows, "__len__"):
        rows = rows.take(BLOCK_ROWS)
    return (message["content"] for row in rows for column in row.values() for message in column)


def open_rows(
    path_or_repo: str | Path, splits: Splits, collator: PreferenceCollator, *, streaming: bool, seed: int
) -> TrainingData:
    """Prepare the rows of the splits `train` and, where there is one, `eval`.

    Args:
        path_or_repo: Where the splits are from.
        splits: As `open_splits` gave them.
        collator: Of the model to be trained.
        streaming: Whether they are streams.
        seed: Of a stream's order.

    Raises:
        TrainError: If no row can train.
    """
    if streaming:
        streams = {
            split: StreamedRows(
                splits[split],
                collator.encoder,
                needs_spans=collator.needs_spans,
                split=split,
                seed=seed if split == "train" else None,
            )
            for split in ("train", "eval")
            if split in splits
        }
        first = streams["train"].first()
        return TrainingData(streams["train"], streams.get("eval"), stream_fingerprint(path_or_repo), first, None)
    scanned = {
        split: trainable_rows(splits[split], collator.encoder, needs_spans=collator.needs_spans, split=split)
        for split in ("train", "eval")
        if split in splits and (split == "train" or len(splits[split]) > 0)
    }
    train = scanned["train"]
    longest = max(range(len(train.n_tokens)), key=train.n_tokens.__getitem__)
    evaluation = scanned["eval"].rows if "eval" in scanned else None
    return TrainingData(train.rows, evaluation, train.fingerprint, train.rows[longest], train)
