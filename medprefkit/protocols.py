"""The verbs: what a stage's implementation must be able to do. A registered class satisfies one of these.

Every batch verb returns one result per input, in order; the same object is called by a `for` loop and by a cluster's
workers, so it is built on the worker from plain values (`__init__(**options)`), and holds no state between calls.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from medprefkit.records import Answer, Case, Claim, Dropped, Edit, Example, Passage, Verdict

Image = NDArray[np.uint8]
"""(height, width, 3) RGB, 0 to 255."""

Mask = NDArray[np.bool_]
"""(height, width), True on the lesion."""

In = TypeVar("In")
Out = TypeVar("Out")


class Generator(Protocol):
    """Answers questions in a model's own words."""

    def __call__(self, batch: Sequence[Example]) -> list[Answer | Dropped]: ...


class Detector(Protocol):
    """Finds what a text claims. The empty text has no claims."""

    def __call__(self, batch: Sequence[Passage]) -> list[tuple[Claim, ...]]: ...


class Checker(Protocol):
    """Judges each claim of an answer (`case.claims.answer`); one verdict a claim, in the order of the claims."""

    def __call__(self, batch: Sequence[Case]) -> list[tuple[Verdict, ...]]: ...


class Editor(Protocol):
    """Turns verdicts into the smallest edits, sorted and disjoint; none where nothing is contradicted."""

    def __call__(self, batch: Sequence[Case]) -> list[tuple[Edit, ...] | Dropped]: ...


class Corruption(Protocol):
    """Removes a lesion from an image. Options are the fields of a frozen dataclass, with units."""

    def region(self, lesion_mask: Mask) -> Mask:
        """Return the pixels that may change, (height, width); every other pixel stays identical."""
        ...

    def __call__(self, image: Image, lesion_mask: Mask, rng: np.random.Generator) -> Image:
        """Return a changed copy of `image`, (height, width, 3) uint8; the inputs are not modified."""
        ...


class Engine(Protocol):
    """Runs a step over records in order."""

    def map(
        self,
        make_step: Callable[[], Callable[[Sequence[In]], Sequence[Out]]],
        records: Iterable[In],
        *,
        batch_size: int,
    ) -> Iterator[Out]:
        """Yield one output per record, in the order of the records."""
        ...
