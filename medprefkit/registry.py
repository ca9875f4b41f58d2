"""What a recipe may name: classes under the entry points `medprefkit.<kind>`, ours and third parties' alike."""

from collections.abc import Callable
from importlib.metadata import entry_points
from operator import attrgetter
from typing import Literal, NamedTuple, cast

from medprefkit.errors import RecipeError

Kind = Literal["generators", "detectors", "checkers", "editors", "corruptions"]

KINDS: tuple[Kind, ...] = ("generators", "detectors", "checkers", "editors", "corruptions")


def installed(kind: Kind) -> dict[str, str]:
    """Return name -> `module:class` of everything installed of this kind, sorted by name; nothing is imported."""
    return {point.name: point.value for point in sorted(entry_points(group=f"medprefkit.{kind}"), key=lambda p: p.name)}


class Installed(NamedTuple):
    """One entry point: its name, what it loads, and the package that brought it."""

    name: str
    target: str
    package: str
    version: str


def listed(kind: Kind) -> list[Installed]:
    """Return everything installed of this kind with its package, sorted by name; nothing is imported."""
    points = sorted(entry_points(group=f"medprefkit.{kind}"), key=attrgetter("name"))
    return [
        Installed(p.name, p.value, p.dist.name if p.dist else "unknown", p.dist.version if p.dist else "")
        for p in points
    ]


def load(kind: Kind, name: str) -> Callable[..., object]:
    """Import the class registered as `name` in the group `medprefkit.<kind>`.

    Raises:
        RecipeError: If nothing of that name is installed, with what is; if its own imports are missing, with the extra.
    """
    found = {point.name: point for point in entry_points(group=f"medprefkit.{kind}")}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise RecipeError(f"no {kind[:-1]} named {name!r}; installed: {known}")
    try:
        return cast("Callable[..., object]", found[name].load())
    except ModuleNotFoundError as error:
        raise RecipeError(
            f"{kind[:-1]} {name!r} needs the package {error.name!r}: pip install 'medprefkit[all]'"
        ) from error
