"""What a run lends to a plug-in that needs more than its records: images, the call store, the recipe's other plug-ins.

A plug-in is built from the recipe's plain values alone. One that has a method `attach` is then handed the context of
its run, once, before its first call; a plug-in made of others hands it on to them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from medprefkit.models.calls import CallStore
from medprefkit.models.requests import Asker, Request
from medprefkit.protocols import Checker, Detector, Image
from medprefkit.records import Case, Example, Stage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunContext:
    """One stage of one run, as a plug-in sees it.

    Attributes:
        run_seed: With a record's id it decides every random choice.
        stage: The stage that the plug-in works in.
        calls: What models have said so far.
        images: Example -> its images as (height, width, 3) RGB; raises `ImageError` where one cannot be read.
        without_lesion: Example -> the same images with the lesion removed as the recipe says; None where the example
            has no mask or the recipe removes none.
        policy: Adapter of the model that answers; None for the bare model.
        member: Builds a checker by its registered name and options, for a checker that is made of others.
        detector: The recipe's, for an editor that reads its own text again; None for any other plug-in.
        checker: The recipe's, for an editor that has its own text judged; None for any other plug-in.
    """

    run_seed: int
    stage: Stage
    calls: CallStore
    images: Callable[[Example], tuple[Image, ...]]
    without_lesion: Callable[[Example], tuple[Image, ...] | None]
    policy: Path | None
    member: Callable[[str, Mapping[str, Any]], Checker]
    detector: Detector | None = None
    checker: Checker | None = None


def attached(part: T | None) -> T:
    """Return what `attach` made of the context.

    Raises:
        ValueError: If it was not called.
    """
    if part is None:
        raise ValueError("attach the context of a run first")
    return part


@runtime_checkable
class UsesContext(Protocol):
    """A plug-in that wants the context of its run."""

    def attach(self, context: RunContext) -> None:
        """Take what the run lends; called once, before the first batch."""
        ...


@runtime_checkable
class AsksModels(Protocol):
    """A plug-in that asks models: which, where, and at what price."""

    @property
    def models(self) -> frozenset[tuple[str, str]]:
        """(place, model) of every model that it may ask; the place is empty for one in this process."""
        ...

    def forecast(self, batch: Sequence[Case]) -> list[tuple[Asker, Request]]:
        """Return what it would ask, at most, about these cases, and whom; asks nothing."""
        ...
