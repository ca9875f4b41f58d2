"""The index: what may be shared of rows that may not: ids, offsets, replacements and seeds, and no other text.

Who has the source, and the answers, rebuilds the rows from it: `rebuild` proves by a hash that the answer is the same.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from medprefkit.errors import DatasetError
from medprefkit.records import ErrorType, PreferencePair, Record, Severity


class IndexedEdit(Record):
    """One edit: characters [start_char, end_char) of the answer become `replacement`."""

    phrase_id: Annotated[int, Field(ge=1)]
    start_char: Annotated[int, Field(ge=0)]
    end_char: int
    replacement: str
    error_type: ErrorType
    severity: Severity


class IndexedPair(Record):
    """A row without its texts and images."""

    id: str
    group_id: str
    split: str
    source: str
    licence: str
    model: str
    recipe_hash: str
    answer_sha256: str
    """Of the answer in UTF-8; `chosen_sha256` likewise of the edited text."""
    chosen_sha256: str
    edits: tuple[IndexedEdit, ...]
    corruption: str = ""
    """Name of the corruption, `corruption_options` its options as canonical JSON; empty without a corrupted image."""
    corruption_options: str = ""
    corruption_seed: int = 0


def index_of(pair: PreferencePair, split: str) -> IndexedPair:
    """Return what may be shared of a pair."""
    right = {span.phrase_id: pair.chosen[span.start_char : span.end_char] for span in pair.chosen_spans}
    corrupted = pair.corrupted
    return IndexedPair(
        id=pair.id,
        group_id=pair.group_id,
        split=split,
        source=pair.provenance.source,
        licence=pair.provenance.licence,
        model=pair.provenance.model,
        recipe_hash=pair.provenance.recipe_hash,
        answer_sha256=_digest(pair.rejected),
        chosen_sha256=_digest(pair.chosen),
        edits=tuple(
            IndexedEdit(
                phrase_id=span.phrase_id,
                start_char=span.start_char,
                end_char=span.end_char,
                replacement=right[span.phrase_id],
                error_type=span.error_type,
                severity=span.severity,
            )
            for span in pair.rejected_spans
        ),
        corruption=corrupted.name if corrupted is not None else "",
        corruption_options=corrupted.options if corrupted is not None else "",
        corruption_seed=corrupted.seed if corrupted is not None else 0,
    )


def write_index(path: Path, pairs: Iterable[tuple[str, PreferencePair]]) -> int:
    """Write one `IndexedPair` a line, in the order of the pairs; return how many.

    Args:
        path: The file; its folder exists.
        pairs: (split, pair).
    """
    n_pairs = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for split, pair in pairs:
            file.write(index_of(pair, split).model_dump_json() + "\n")
            n_pairs += 1
    return n_pairs


def read_index_only(path: Path) -> Iterator[IndexedPair]:
    """Yield the lines of an index.

    Raises:
        DatasetError: If a line is damaged.
    """
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield IndexedPair.model_validate_json(line)
            except ValueError as error:
                raise DatasetError(f"{path}, line {number}: not an index of a pair; fetch it again") from error


def rebuild(indexed: IndexedPair, answer: str) -> str:
    """Return the chosen text of a row from the answer that its owner has.

    Raises:
        DatasetError: If the answer is not the one that was edited.
    """
    if _digest(answer) != indexed.answer_sha256:
        raise DatasetError(f"{indexed.id}: the answer is not the one that was edited; use the same model and settings")
    pieces: list[str] = []
    cursor = 0  # first character of `answer` not yet copied
    for edit in indexed.edits:
        pieces += [answer[cursor : edit.start_char], edit.replacement]
        cursor = edit.end_char
    chosen = "".join([*pieces, answer[cursor:]])
    if _digest(chosen) != indexed.chosen_sha256:
        raise DatasetError(f"{indexed.id}: the edits do not make the text that was indexed; fetch the index again")
    return chosen


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
