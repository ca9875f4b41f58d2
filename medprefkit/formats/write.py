"""Writing pairs in the formats of other trainers: the columns that they document, and the pictures as files beside.

What a format has no room for stays behind: only `jsonl` keeps everything, `rrpo` the phrases, `llava` the weight and
the corrupted image. Pictures are written once each, under their checksum, byte for byte.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features, Image, List, Value

from medprefkit.errors import DatasetError
from medprefkit.formats.pair import FormatPair, Mark, Picture, Turn

ExportName = Literal["trl", "llamafactory", "ms-swift", "rrpo", "llava", "jsonl"]

PICTURES = "images"
_BATCH_ROWS = 32
_SUFFIX_OF = {
    b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp", b"BM": ".bmp", b"II*\0": ".tif", b"MM\0*": ".tif",
}  # fmt: skip


class Exported(NamedTuple):
    """What was written: rows by split, and the folder."""

    n_rows: dict[str, int]
    folder: Path


def export_pairs(pairs: Iterable[FormatPair], folder: Path, *, to: ExportName) -> Exported:
    """Write pairs for another tool, a file a split; the memory is that of a few rows.

    Args:
        pairs: Split by split.
        folder: New or empty.
        to: The tool.

    Raises:
        DatasetError: If the folder is used, there is no pair, a picture is missing, or a text holds the format's tags.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DatasetError(f"{folder} is not empty; export into a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    n_rows = _write_trl(pairs, folder) if to == "trl" else _write_json(pairs, folder, to)
    if not n_rows:
        raise DatasetError("there is no pair to export")
    if to == "llamafactory":
        _write_dataset_info(folder, n_rows)
    return Exported(n_rows, folder)


def _write_json(pairs: Iterable[FormatPair], folder: Path, to: ExportName) -> dict[str, int]:
    """Write JSON Lines, or a JSON list where the tool reads one."""
    row_of = _ROWS[to]
    is_list = to in {"llamafactory", "rrpo", "llava"}
    n_rows: dict[str, int] = {}
    with ExitStack() as stack:
        files: dict[str, TextIO] = {}
        for pair in pairs:
            if pair.split not in files:
                path = folder / f"{pair.split}.{'json' if is_list else 'jsonl'}"
                files[pair.split] = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
                n_rows[pair.split] = 0
            line = json.dumps(row_of(pair, folder), ensure_ascii=False)
            files[pair.split].write(_between(n_rows[pair.split]) + line if is_list else line + "\n")
            n_rows[pair.split] += 1
        for file in files.values():
            file.write("\n]\n" if is_list else "")
    return n_rows


def _between(n_before: int) -> str:
    return ",\n" if n_before else "[\n"


def _llamafactory(pair: FormatPair, folder: Path) -> dict[str, Any]:
    return {
        "id": pair.id,
        "conversations": [{"from": _FROM[turn.role], "value": turn.text} for turn in _with_tokens(pair)],
        "chosen": {"from": "gpt", "value": pair.chosen},
        "rejected": {"from": "gpt", "value": pair.rejected},
        "images": _saved(pair.images, folder, pair.where),
    }


def _ms_swift(pair: FormatPair, folder: Path) -> dict[str, Any]:
    messages = [*_with_tokens(pair), Turn("assistant", pair.chosen)]
    return {
        "id": pair.id,
        "messages": [{"role": turn.role, "content": turn.text} for turn in messages],
        "rejected_response": pair.rejected,
        "images": _saved(pair.images, folder, pair.where),
    }


def _rrpo(pair: FormatPair, folder: Path) -> dict[str, Any]:
    images = _saved(pair.images, folder, pair.where)
    _refuse_many_images(images, pair)
    return {
        "question": "\n".join(turn.text for turn in _with_tokens(pair)),
        "answer": pair.chosen,
        "pred": pair.rejected,
        "answer_masked": _tagged(pair.chosen, pair.chosen_marks, pair.where),
        "pred_masked": _tagged(pair.rejected, pair.rejected_marks, pair.where),
        "src": "medprefkit",
        "sample_id": pair.id,
        **({"image": images[0]} if images else {}),
    }


def _llava(pair: FormatPair, folder: Path) -> dict[str, Any]:
    images, corrupted = (_saved(side, folder, pair.where) for side in (pair.images, pair.corrupted))
    _refuse_many_images(images, pair)
    asked = [{"from": _FROM[turn.role], "value": turn.text} for turn in _with_tokens(pair)]
    return {
        "id": pair.id,
        **({"image": images[0]} if images else {}),
        "conversations": [*asked, {"from": "gpt", "value": pair.chosen}],
        "rejected_conversations": [*asked, {"from": "gpt", "value": pair.rejected}],
        "weighted_score": 1.0 if pair.weight is None else pair.weight,
        **({"rejected_image": corrupted[0]} if corrupted else {}),
    }


def _jsonl(pair: FormatPair, folder: Path) -> dict[str, Any]:
    return {
        "id": pair.id,
        "group_id": pair.group_id,
        "prompt": [{"role": turn.role, "content": turn.text} for turn in pair.prompt],
        "chosen": pair.chosen,
        "rejected": pair.rejected,
        "chosen_marks": [mark._asdict() for mark in pair.chosen_marks],
        "rejected_marks": [mark._asdict() for mark in pair.rejected_marks],
        "weight": pair.weight,
        "images": _saved(pair.images, folder, pair.where),
        "corrupted_images": _saved(pair.corrupted, folder, pair.where),
        "control_images": _saved(pair.control, folder, pair.where),
    }


_ROWS: Mapping[ExportName, Callable[[FormatPair, Path], dict[str, Any]]] = {
    "llamafactory": _llamafactory,
    "ms-swift": _ms_swift,
    "rrpo": _rrpo,
    "llava": _llava,
    "jsonl": _jsonl,
}
_FROM = {"user": "human", "assistant": "gpt", "system": "system"}


def _write_trl(pairs: Iterable[FormatPair], folder: Path) -> dict[str, int]:
    """Write Parquet in TRL's conversational form; an all-text split has no `images`, which TRL takes for vision."""
    n_rows: dict[str, int] = {}
    for split, batches in _by_split(pairs):
        writer: pq.ParquetWriter | None = None
        try:
            for batch in batches:
                if writer is None:
                    features = _trl_features(has_images=any(pair.images for pair in batch))
                    path = folder / f"{split}-00000-of-00001.parquet"
                    writer = pq.ParquetWriter(path, features.arrow_schema, write_page_index=True)
                rows = [_trl_row(pair, has_images="images" in writer.schema.names) for pair in batch]
                writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=writer.schema))
                n_rows[split] = n_rows.get(split, 0) + len(batch)
        finally:
            if writer is not None:
                writer.close()
    return n_rows


def _trl_features(*, has_images: bool) -> Features:
    messages = List({"role": Value("string"), "content": Value("string")})
    columns: dict[str, Any] = {"id": Value("string")}
    if has_images:
        columns["images"] = List(Image())
    return Features({**columns, "prompt": messages, "chosen": messages, "rejected": messages})


def _trl_row(pair: FormatPair, *, has_images: bool) -> dict[str, Any]:
    images = [{"bytes": _content(picture, pair.where), "path": Path(picture.name).name} for picture in pair.images]
    if images and not has_images:
        raise DatasetError(f"{pair.where}: a picture in a set that began as all text; export it with --to jsonl")
    return {
        "id": pair.id,
        **({"images": images} if has_images else {}),
        "prompt": [{"role": turn.role, "content": turn.text} for turn in pair.prompt],
        "chosen": [{"role": "assistant", "content": pair.chosen}],
        "rejected": [{"role": "assistant", "content": pair.rejected}],
    }


def _by_split(pairs: Iterable[FormatPair]) -> Iterator[tuple[str, Iterator[list[FormatPair]]]]:
    source = iter(pairs)
    waiting = next(source, None)

    def batches(split: str) -> Iterator[list[FormatPair]]:
        nonlocal waiting
        batch: list[FormatPair] = []
        while waiting is not None and waiting.split == split:
            batch.append(waiting)
            waiting = next(source, None)
            if len(batch) == _BATCH_ROWS:
                yield batch
                batch = []
        if batch:
            yield batch

    while waiting is not None:
        yield waiting.split, batches(waiting.split)


def _write_dataset_info(folder: Path, n_rows: Mapping[str, int]) -> None:
    """Register each split as LLaMA-Factory wants it: copy the entries into its own `dataset_info.json`."""
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected", "images": "images"}
    entries = {
        f"{folder.name}_{split}": {
            "file_name": f"{split}.json",
            "formatting": "sharegpt",
            "ranking": True,
            "columns": columns,
        }
        for split in n_rows
    }
    (folder / "dataset_info.json").write_text(json.dumps(entries, indent=2) + "\n", "utf-8")


def _with_tokens(pair: FormatPair) -> list[Turn]:
    """Put one `<image>` token for each picture before the first question, where these tools look for them."""
    tokens = "<image>\n" * len(pair.images)
    first = next((number for number, turn in enumerate(pair.prompt) if turn.role == "user"), None)
    turns = list(pair.prompt)
    if first is not None:
        turns[first] = Turn("user", tokens + turns[first].text)
    return turns


def _refuse_many_images(images: list[str], pair: FormatPair) -> None:
    if len(images) > 1:
        told = f"{len(images)} images, and the format holds one; use llamafactory or ms-swift"
        raise DatasetError(f"{pair.where}: {told}")


def _saved(pictures: Iterable[Picture], folder: Path, where: str) -> list[str]:
    """Write pictures under their checksums, once each; return their paths below the folder."""
    names: list[str] = []
    for picture in pictures:
        content = _content(picture, where)
        name = f"{PICTURES}/{hashlib.sha256(content).hexdigest()[:32]}{_suffix(content, picture.name)}"
        path = folder / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        names.append(name)
    return names


def _content(picture: Picture, where: str) -> bytes:
    if picture.content is None:
        raise DatasetError(f"{where}: the picture {picture.name!r} is not there; name its folder with --images")
    return picture.content


def _suffix(content: bytes, name: str) -> str:
    known = (suffix for magic, suffix in _SUFFIX_OF.items() if content.startswith(magic))
    return next(known, Path(name).suffix or ".img")


def _tagged(text: str, marks: Iterable[Mark], where: str) -> str:
    if "<MASK>" in text or "</MASK>" in text:
        raise DatasetError(f"{where}: the text itself holds a <MASK> tag, which this format cannot tell from its own")
    pieces: list[str] = []
    cursor = 0
    for mark in sorted(marks):
        pieces += [text[cursor : mark.start_char], "<MASK> ", text[mark.start_char : mark.end_char], " </MASK>"]
        cursor = mark.end_char
    return "".join([*pieces, text[cursor:]])
