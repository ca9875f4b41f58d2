"""Rows that say the same twice, nearly the same, or the opposite, of one picture."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from medprefkit.audit.texts import words

NEAR = 0.9
"""Cosine of two rows' words, weighted by rarity, from which they are nearly the same."""

MAX_COMPARED = 20_000
"""Rows of one picture (or of none) that are compared for likeness; of more, the first so many."""

_CHUNK = 512


class RowTexts(NamedTuple):
    """What a row says, of which picture; `picture` is None for a row without one."""

    id: str
    prompt: str
    chosen: str
    rejected: str
    picture: Hashable


class Duplicates(NamedTuple):
    """Row ids: those that repeat an earlier row, nearly repeat one, or prefer what an earlier one rejects."""

    exact: tuple[str, ...]
    near: tuple[str, ...]
    contradicting: tuple[str, ...]


def find_duplicates(rows: Sequence[RowTexts]) -> Duplicates:
    """Compare rows about the same picture; rows without one are compared with one another."""
    seen: set[Hashable] = set()
    sides: dict[Hashable, int] = {}
    exact: list[str] = []
    contradicting: list[str] = []
    groups: dict[Hashable, list[RowTexts]] = defaultdict(list)
    for row in rows:
        about = (row.picture, _key(row.prompt))
        whole = (*about, _key(row.chosen), _key(row.rejected))
        if (*about, _key(row.rejected), 1) in sides or (*about, _key(row.chosen), 0) in sides:
            contradicting.append(row.id)
        sides[*about, _key(row.chosen), 1] = sides[*about, _key(row.rejected), 0] = 1
        if whole in seen:
            exact.append(row.id)
        else:
            seen.add(whole)
            groups[row.picture].append(row)
    near = [row_id for group in groups.values() for row_id in _near(group)]
    return Duplicates(tuple(exact), tuple(near), tuple(contradicting))


def _key(text: str) -> str:
    return " ".join(words(text))


def _near(rows: Sequence[RowTexts]) -> list[str]:
    if len(rows) < 2:
        return []
    texts = [f"{row.prompt}\n{row.chosen}\n{row.rejected}" for row in rows[:MAX_COMPARED]]
    vectorizer = TfidfVectorizer(tokenizer=words, token_pattern=None, lowercase=False, ngram_range=(1, 2))
    vectors = vectorizer.fit_transform(texts)
    found: list[str] = []
    for start in range(0, len(texts), _CHUNK):
        likeness = (vectors[start : start + _CHUNK] @ vectors[: start + _CHUNK].T).toarray()
        for offset, line in enumerate(likeness):
            number = start + offset
            if number and float(np.max(line[:number])) >= NEAR:
                found.append(rows[number].id)
    return found
