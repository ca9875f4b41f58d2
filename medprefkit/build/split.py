"""Patient- and image-wise splits: rows that share a group or an image, however indirectly, are on one side.

A side is decided by the seed and a name alone, so the order of the rows and the number of shards change nothing, and a
patient keeps its side when other patients are added.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from medprefkit.seeds import share_for

Split = Literal["train", "eval"]


@dataclass(frozen=True, slots=True)
class Member:
    """A row, and everything that must not be on both sides with it.

    Attributes:
        id: Of the row.
        group_id: Patient or study.
        image_keys: Paths and content hashes of its images, in any namespace that keeps them apart.
    """

    id: str
    group_id: str
    image_keys: tuple[str, ...] = ()


def assign_splits(members: Iterable[Member], *, run_seed: int, eval_share: float) -> dict[str, Split]:
    """Decide the side of every row.

    Args:
        members: In any order.
        run_seed: Of the run.
        eval_share: Expected share of groups on the evaluation side, 0 to 1; 0 keeps every row for training.

    Returns:
        Row id -> side. Training is never empty; evaluation is empty only where `eval_share` is 0 or all rows hang
        together.
    """
    rows = list(members)
    forest = _Forest()
    for row in rows:
        for key in row.image_keys:
            forest.join(_group(row), f"image/{key}")
        forest.root(_group(row))
    root_of = {row.id: forest.root(_group(row)) for row in rows}
    names: dict[str, str] = {}  # root -> the smallest group of its component, whatever the order of the rows
    for row in rows:
        root = root_of[row.id]
        names[root] = min(names.get(root, row.group_id), row.group_id)
    sides = _sides({root: share_for(run_seed, "split", name) for root, name in names.items()}, eval_share)
    return {row.id: sides[root_of[row.id]] for row in rows}


def _sides(shares: Mapping[str, float], eval_share: float) -> dict[str, Split]:
    sides: dict[str, Split] = {root: "eval" if share < eval_share else "train" for root, share in shares.items()}
    by_share = sorted(shares, key=shares.__getitem__)
    if not by_share or eval_share == 0:
        return sides
    if sides[by_share[0]] == "train":
        sides[by_share[0]] = "eval"
    if sides[by_share[-1]] == "eval":
        sides[by_share[-1]] = "train"
    return sides


def _group(row: Member) -> str:
    return f"group/{row.group_id}"


class _Forest:
    """Union-find: which names hang together."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def root(self, name: str) -> str:
        self._parents.setdefault(name, name)
        while (parent := self._parents[name]) != name:
            self._parents[name] = self._parents[parent]  # halve the path, so that long chains stay cheap
            name = parent
        return name

    def join(self, one: str, other: str) -> None:
        first, second = self.root(one), self.root(other)
        self._parents[max(first, second)] = min(first, second)
