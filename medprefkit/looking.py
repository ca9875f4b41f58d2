"""Looking: the page of a run, or of a dataset of ours wherever it is; its pictures are read when they are drawn."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from datasets import DatasetDict
from pydantic import ValidationError

from medprefkit.build.features import load_pairs
from medprefkit.errors import DatasetError, RunError
from medprefkit.images import decode_image
from medprefkit.products import n_pairs as n_built
from medprefkit.products import opened_run, picture_folder, write_view
from medprefkit.records import (
    CorruptedImage,
    ImageRef,
    PhraseSpan,
    PreferencePair,
    Provenance,
    Record,
    Region,
    Span,
    Verdict,
)
from medprefkit.view.page import write_page
from medprefkit.view.pictures import Trio, trios_of_images
from medprefkit.view.shown import ShownPair

_INSIDE_AT_MOST = 200  # pairs: some twenty megabytes of page with pictures
_IMAGE_COLUMNS = ("images", "corrupted_images", "control_images")


class Viewed(NamedTuple):
    """The page that was written, and how many pairs there are."""

    page: Path
    n_pairs: int


def view(data: str, out: Path | None, *, n_pairs: int, beside: bool | None) -> Viewed:
    """Write the page of a run or a dataset.

    Args:
        data: A run, a folder of our datasets or Parquet files, or a Hub repository.
        out: Folder of the page, made where it is missing; None for the run's own `view`, or `view` here.
        n_pairs: At most so many pairs are shown, so that every kind is seen.
        beside: Whether the pictures lie in a folder beside the page; None for that where there are many pairs.

    Raises:
        RunError: If the run has not come to its pairs, or another process is at work in it.
        DatasetError: If nothing of the kind is there, or a row is not of our columns.
    """
    run = Path(data)
    if (run / "recipe.yaml").is_file() and (run / "run.json").is_file():
        return _view_run(run, out, n_pairs, beside)
    folder = _folder(out or Path("view"))
    rows = _Rows(load_pairs(data))
    many = min(len(rows), n_pairs) > _INSIDE_AT_MOST
    counts = write_page(
        folder / "index.html",
        rows.pairs(),
        title=_title(run),
        read=rows.pictures,
        n_pairs=n_pairs,
        folder=picture_folder(folder) if (many if beside is None else beside) else None,
    )
    return Viewed(folder / "index.html", counts.n_pairs)


def _view_run(run: Path, out: Path | None, n_pairs: int, beside: bool | None) -> Viewed:
    recipe, store = opened_run(run)
    many = min(n_built(store), n_pairs) > _INSIDE_AT_MOST
    chosen = many if beside is None else beside
    if out is not None:
        counts = write_view(recipe, store, _folder(out), n_pairs=n_pairs, beside=chosen)
        return Viewed(out / "index.html", counts.n_pairs)
    with store.lock(), store.folder_of("view") as folder:
        counts = write_view(recipe, store, folder, n_pairs=n_pairs, beside=chosen)
    return Viewed(run / "view" / "index.html", counts.n_pairs)


def _title(data: Path) -> str:
    """Name a dataset by what a person called it, not by the folders that a run has."""
    return next((part for part in reversed(data.absolute().parts) if part not in {"build", "dataset", "parquet"}), "")


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out} cannot be made: {error.strerror}; choose another --out") from error
    return out


class _Rows:
    """The rows of a dataset as pairs; images stay where they are, encoded, until they are drawn."""

    def __init__(self, splits: DatasetDict) -> None:
        self._splits = {str(name): rows.with_format("arrow") for name, rows in splits.items()}
        self._places: dict[str, tuple[str, int]] = {}

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._splits.values())

    def pairs(self) -> Iterator[ShownPair]:
        """Yield the pairs, split by split.

        Raises:
            DatasetError: If a row is none of ours.
        """
        for split, rows in self._splits.items():
            for number in range(len(rows)):
                row: pa.Table = rows[number : number + 1]
                try:
                    pair = _pair(row)
                except (ValidationError, KeyError, TypeError) as error:
                    said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else repr(error)
                    raise DatasetError(f"row {number} of the split {split!r} cannot be shown: {said}") from error
                self._places[pair.id] = (split, number)
                yield ShownPair(pair, split)

    def pictures(self, shown: ShownPair) -> list[Trio]:
        """Decode the pictures of a pair that `pairs` yielded.

        Raises:
            ImageError: If one cannot be decoded.
        """
        split, number = self._places[shown.pair.id]
        row: pa.Table = self._splits[split][number : number + 1]
        clean, corrupted, control = (
            [decode_image(image["bytes"]) for image in row[column][0].as_py() or []] for column in _IMAGE_COLUMNS
        )
        return trios_of_images(shown.pair, clean, corrupted, control)


def _pair(table: pa.Table) -> PreferencePair:
    images, corrupted_images, control_images = (_refs(table[column][0]) for column in _IMAGE_COLUMNS)
    (row,) = table.drop_columns(list(_IMAGE_COLUMNS)).to_pylist()
    rejected = _last(row["rejected"])
    corruption = row["corruption"]
    corrupted = None
    if corruption is not None and corruption["name"] is not None and corrupted_images:
        corrupted = CorruptedImage(
            id=row["id"],
            corrupted=corrupted_images,
            control=control_images,
            **{name: corruption[name] for name in ("name", "options", "seed", "lesion_share", "changed_share")},
            region=Region(**corruption["region"]),
        )
    return PreferencePair(
        id=row["id"],
        group_id=row["group_id"],
        prompt="\n".join(turn["content"] for turn in row["prompt"]),
        chosen=_last(row["chosen"]),
        rejected=rejected,
        chosen_spans=tuple(PhraseSpan(**span) for span in row["chosen_spans"]),
        rejected_spans=tuple(PhraseSpan(**span) for span in row["rejected_spans"]),
        images=images,
        corrupted=corrupted,
        weight=row["weight"],
        verdicts=tuple(_verdict(verdict, rejected) for verdict in row["verdicts"]),
        provenance=Provenance(**_known(row["provenance"], Provenance)),
    )


def _verdict(verdict: dict[str, Any], rejected: str) -> Verdict:
    start, end = verdict["start_char"], verdict["end_char"]
    target = Span(start_char=start, end_char=end, text=rejected[start:end]) if start is not None else None
    return Verdict(**_known(verdict, Verdict), target=target)


def _known(struct: dict[str, Any], record: type[Record]) -> dict[str, Any]:
    """Return the fields of a struct that the record has too; what an older or a peer's row lacks keeps its default."""
    return {name: value for name, value in struct.items() if name in record.model_fields and value is not None}


def _refs(images: pa.ListScalar) -> tuple[ImageRef, ...]:
    return tuple(ImageRef(path=str(number)) for number in range(len(images.values or [])))


def _last(messages: list[dict[str, str]]) -> str:
    return messages[-1]["content"]
