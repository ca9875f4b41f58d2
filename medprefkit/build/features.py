"""The column contract between building and training: which columns a dataset has, of which types, in which version.

Training reads this file and nothing else of `build`, so it imports nothing but `datasets`. A row trains as it is in
TRL's DPOTrainer. The version travels in the `id` of the feature of the column `id`: alone of a dataset's metadata it
survives `save_to_disk`, Parquet, a push, `map`, `filter`, `concatenate_datasets` and streaming.
"""

from pathlib import Path
from typing import Any, Literal, overload

from datasets import (
    Dataset,
    DatasetDict,
    Features,
    Image,
    IterableDataset,
    IterableDatasetDict,
    List,
    Value,
    load_dataset,
    load_from_disk,
)
from datasets.exceptions import DatasetNotFoundError
from httpx2 import TransportError
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from pyarrow.dataset import ParquetFragmentScanOptions

from medprefkit.errors import DatasetError
from medprefkit.records import SCHEMA_VERSION

_MARK = "medprefkit:"

_ONE_ROW_GROUP: dict[str, Any] = {"fragment_scan_options": ParquetFragmentScanOptions(pre_buffer=False)}
"""Streaming holds one row group of a Parquet file; Arrow's buffering would keep every group that was read."""

_IMAGES = "images"
"""Left out of an all-text dataset's files: TRL takes the mere column for a vision dataset and wants a processor."""


def features() -> Features:
    """Return the columns, in order. Offsets are half-open, in Unicode code points of the last assistant message."""
    messages = List({"role": Value("string"), "content": Value("string")})
    spans = List(
        {
            "start_char": Value("int32"),
            "end_char": Value("int32"),
            "phrase_id": Value("int32"),
            "error_type": Value("string"),
            "severity": Value("string"),
            "weight": Value("float64"),
            "lesion_linked": Value("bool"),
        }
    )
    return Features(
        {
            "id": Value("string", id=f"{_MARK}{SCHEMA_VERSION}"),
            "group_id": Value("string"),
            _IMAGES: List(Image()),
            "prompt": messages,
            "chosen": messages,
            "rejected": messages,
            "chosen_spans": spans,
            "rejected_spans": spans,
            "corrupted_images": List(Image()),
            "control_images": List(Image()),
            "corruption": {
                "name": Value("string"),
                "options": Value("string"),
                "seed": Value("uint64"),
                "lesion_share": Value("float64"),
                "changed_share": Value("float64"),
                "region": {
                    "left_px": Value("int32"),
                    "top_px": Value("int32"),
                    "right_px": Value("int32"),
                    "bottom_px": Value("int32"),
                },
            },
            "weight": Value("float64"),
            "verdicts": List(
                {
                    "claim_id": Value("string"),
                    "label": Value("string"),
                    "checker": Value("string"),
                    "rule": Value("string"),
                    "score": Value("float64"),
                    "evidence": Value("string"),
                    "error_type": Value("string"),
                    "severity": Value("string"),
                    "start_char": Value("int32"),
                    "end_char": Value("int32"),
                    "truth": Value("string"),
                    "grounding": Value("float64"),
                }
            ),
            "provenance": {
                "source": Value("string"),
                "licence": Value("string"),
                "credentialed": Value("bool"),
                "no_derivatives": Value("bool"),
                "no_redistribution": Value("bool"),
                "modality": Value("string"),
                "model": Value("string"),
                "revision": Value("string"),
                "sampling": Value("string"),
                "prompts": Value("string"),
                "views": Value("string"),
                "recipe_hash": Value("string"),
                "package_version": Value("string"),
            },
        }
    )


def schema_version(dataset: Dataset | IterableDataset) -> str:
    """Return the version of the contract that a dataset was built to.

    Raises:
        DatasetError: If it bears none.
    """
    mark = getattr((dataset.features or {}).get("id"), "id", None)
    if not isinstance(mark, str) or not mark.startswith(_MARK):
        raise DatasetError("the dataset bears no medprefkit schema version; build it with `medprefkit build`")
    return mark.removeprefix(_MARK)


def check_schema(dataset: Dataset | IterableDataset) -> None:
    """Refuse a dataset that does not honour the contract. Further columns and further struct fields are welcome.

    Raises:
        DatasetError: If the version is missing or of a newer major, or a column is missing or of another type.
    """
    version = schema_version(dataset)
    if _major(version) > _major(SCHEMA_VERSION):
        raise DatasetError(
            f"the dataset has schema version {version}, this medprefkit reads {_major(SCHEMA_VERSION)}.x; upgrade it: "
            "pip install -U medprefkit"
        )
    for name, wanted in features().items():
        if name not in dataset.features:
            raise DatasetError(f"the column {name!r} is missing; the dataset has {', '.join(dataset.column_names)}")
        if not _fits(dataset.features[name], wanted):
            raise DatasetError(f"the column {name!r} is {dataset.features[name]}, not {wanted}")


@overload
def load_pairs(
    path_or_repo: str | Path,
    *,
    config: str | None = None,
    revision: str | None = None,
    streaming: Literal[False] = False,
) -> DatasetDict: ...
@overload
def load_pairs(
    path_or_repo: str | Path, *, config: str | None = None, revision: str | None = None, streaming: Literal[True]
) -> IterableDatasetDict: ...
def load_pairs(
    path_or_repo: str | Path, *, config: str | None = None, revision: str | None = None, streaming: bool = False
) -> DatasetDict | IterableDatasetDict:
    """Load a dataset of pairs: a run, a folder of `save_to_disk`, a folder of Parquet files, or a Hub repository.

    An all-text dataset, whose files have no column of images, gets it back as empty lists.

    Args:
        path_or_repo: A folder, or `user/name` on the Hub.
        config: A configuration of a Hub repository that holds several; None for its only or default one.
        revision: A branch, tag or commit of a Hub repository; None for its newest.
        streaming: Read rows as they are asked for, from the Hub too: nothing is downloaded beforehand, no cache is
            written, and the memory is that of a few rows.

    Raises:
        DatasetError: If nothing of the kind is there, or as `check_schema`.
    """
    if streaming:
        stream = IterableDatasetDict(
            {split: _stream_with_images(rows) for split, rows in _stream(str(path_or_repo), config, revision).items()}
        )
        for rows in stream.values():
            check_schema(rows)
        return stream
    loaded = _load(str(path_or_repo), config, revision)
    complete = DatasetDict({split: _with_images(dataset) for split, dataset in loaded.items()})
    for dataset in complete.values():
        check_schema(dataset)
    return complete


def _load(path_or_repo: str, config: str | None, revision: str | None) -> DatasetDict:
    if (saved := _saved(path_or_repo)) is not None:
        return saved
    if files := _parquet_files(path_or_repo):
        try:
            return load_dataset("parquet", data_files=files)
        except ValueError as error:
            raise DatasetError(f"{path_or_repo} cannot be read: {_first_line(error)}") from error
    return _from_hub(path_or_repo, config, revision, streaming=False)


def _stream(path_or_repo: str, config: str | None, revision: str | None) -> IterableDatasetDict:
    if files := _parquet_files(path_or_repo):
        return load_dataset("parquet", data_files=files, streaming=True, **_ONE_ROW_GROUP)
    if (saved := _saved(path_or_repo)) is not None:
        return IterableDatasetDict({split: dataset.to_iterable_dataset() for split, dataset in saved.items()})
    return _from_hub(path_or_repo, config, revision, streaming=True)


def _saved(path_or_repo: str) -> DatasetDict | None:
    path = Path(path_or_repo)
    for folder in (path, path / "dataset", path / "build" / "dataset"):
        if (folder / "dataset_dict.json").is_file():
            try:
                return load_from_disk(str(folder))
            except IndexError as error:  # `datasets` writes a split without rows and cannot read it
                raise DatasetError(f"{folder}: a split has no rows; leave it out or build it again") from error
    return None


def _parquet_files(path_or_repo: str) -> dict[str, list[str]]:
    path = Path(path_or_repo)
    for folder in (path, path / "parquet", path / "build" / "parquet"):
        if files := _parquet_splits(folder):
            return files
    return {}


def _from_hub(repo: str, config: str | None, revision: str | None, *, streaming: bool) -> Any:
    if Path(repo).exists():
        raise DatasetError(f"{repo} holds no dataset: neither dataset_dict.json nor Parquet files named by split")
    try:
        options = _ONE_ROW_GROUP if streaming else {}
        return load_dataset(repo, config, revision=revision, streaming=streaming, **options)
    except (
        DatasetNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, TransportError, OSError, ValueError
    ) as error:  # fmt: skip
        raise DatasetError(
            f"{repo!r} is neither a folder here nor could the Hub give it: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _parquet_splits(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in sorted(folder.glob("*.parquet")):
        found.setdefault(file.stem.split("-", 1)[0], []).append(str(file))
    return dict(sorted(found.items(), key=_train_first))


def _train_first(item: tuple[str, list[str]]) -> tuple[bool, str]:
    return item[0] != "train", item[0]


def _with_images(dataset: Dataset) -> Dataset:
    if _IMAGES in dataset.column_names:
        return dataset
    order = [name for name in features() if name in dataset.column_names or name == _IMAGES]
    rest = [name for name in dataset.column_names if name not in order]
    empty: list[list[str]] = [[]] * len(dataset)
    return dataset.add_column(_IMAGES, empty, feature=features()[_IMAGES]).select_columns(order + rest)


def _stream_with_images(rows: IterableDataset) -> IterableDataset:
    if rows.features is None or _IMAGES in rows.features:
        return rows
    known = {**features(), **rows.features}
    order = [name for name in known if name in rows.features or name == _IMAGES]
    return rows.map(_add_no_images, features=Features({name: known[name] for name in order})).select_columns(order)


def _add_no_images(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, _IMAGES: []}


def _fits(have: Any, wanted: Any) -> bool:
    """Tell whether a feature can be read as another, string widths and image decoding apart; more fields are fine."""
    if isinstance(wanted, dict):
        return isinstance(have, dict) and all(key in have and _fits(have[key], wanted[key]) for key in wanted)
    if isinstance(wanted, List):
        return isinstance(have, List) and _fits(have.feature, wanted.feature)
    if isinstance(wanted, Image):
        return isinstance(have, Image)
    return isinstance(have, Value) and have.dtype.removeprefix("large_") == wanted.dtype.removeprefix("large_")


def _major(version: str) -> int:
    major = version.split(".", 1)[0]
    if not major.isdecimal():
        raise DatasetError(f"the schema version {version!r} is not of the form 1.0")
    return int(major)
