"""Wiring: what a recipe names becomes readers and steps. The one place that knows recipe and stages both."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from medprefkit.errors import RecipeError
from medprefkit.lab.phantom import draw_phantoms
from medprefkit.recipe import (
    ImageFolderSource,
    IuXraySource,
    MmedpoSource,
    PhantomSource,
    PluginSpec,
    Recipe,
    SourceSpec,
    TableSource,
    VqaRadSource,
    plugin_options,
)
from medprefkit.records import Dropped, Example
from medprefkit.registry import Kind, load
from medprefkit.sources import table
from medprefkit.sources.admit import refuse_duplicates
from medprefkit.sources.image_folder import read_image_folder
from medprefkit.sources.iu_xray import read_iu_xray
from medprefkit.sources.mmedpo import read_mmedpo
from medprefkit.sources.phantom import read_phantom
from medprefkit.sources.table import read_table
from medprefkit.sources.vqa_rad import read_vqa_rad
from medprefkit.steps import CheckStep, DetectStep, EditStep, GenerateStep, Step
from medprefkit.store import RunDir


def plug_in(kind: Kind, spec: PluginSpec) -> Any:
    """Build what a recipe names, with its options.

    Raises:
        RecipeError: If it is not installed or refuses an option.
    """
    return load(kind, spec.use)(**plugin_options(kind, spec, where=f"{spec.use}.with"))


def read_sources(recipe: Recipe, store: RunDir) -> Iterator[Example | Dropped]:
    """Yield one outcome per row of every source, in order; phantoms are drawn first, into the run.

    Raises:
        SourceError: If a source as a whole cannot be read.
    """
    root = data_root(recipe, store.root)
    for source in recipe.sources:
        if isinstance(source, PhantomSource) and not store.tree_done("phantom"):
            with store.folder_of("phantom") as folder:
                draw_phantoms(folder, n=source.n, seed=recipe.seed, watch=_bar)
    outcomes = (_read_source(source, root) for source in recipe.sources)
    return refuse_duplicates(itertools.chain.from_iterable(outcomes))


def _bar(numbers: range) -> Iterable[int]:
    bar: Iterable[int] = tqdm(numbers, desc="phantoms", unit="film", disable=None, leave=False, dynamic_ncols=True)
    return bar


def _read_source(source: SourceSpec, root: Path) -> Iterator[Example | Dropped]:
    options = source.model_dump(exclude={"format"})
    match source:
        case PhantomSource():
            return read_phantom(root)
        case TableSource(columns=columns):
            return read_table(root, **options | {"columns": table.Columns(**columns.model_dump())})
        case VqaRadSource():
            return read_vqa_rad(root, **options)
        case MmedpoSource():
            return read_mmedpo(root, **options)
        case IuXraySource():
            return read_iu_xray(root, **options)
        case ImageFolderSource():
            return read_image_folder(root, **options)


def make_step(stage: str, recipe: Recipe, run_dir: Path) -> Step:
    """Build the step of a stage; models are loaded here, on the worker that will use them.

    Raises:
        RecipeError: If a plug-in is not installed or refuses an option.
    """
    match stage:
        case "generate":
            return GenerateStep(plug_in("generators", recipe.generate))
        case "detect":
            return DetectStep(plug_in("detectors", recipe.detect))
        case "check":
            return CheckStep(plug_in("checkers", recipe.check))
        case "edit":  # it reads and judges its own text again
            detector, checker = plug_in("detectors", recipe.detect), plug_in("checkers", recipe.check)
            return EditStep(plug_in("editors", recipe.edit), detector, checker)
        case "corrupt":
            return _corrupt_step(recipe, run_dir)
        case _:
            raise ValueError(f"{stage} has no step")


def _corrupt_step(recipe: Recipe, run_dir: Path) -> Step:
    from medprefkit.corrupt.step import CorruptStep  # heavy: OpenCV

    if recipe.corrupt is None:
        raise RecipeError(f"{recipe.name}: the recipe has no `corrupt` section")
    return CorruptStep(
        corruption=plug_in("corruptions", recipe.corrupt),
        name=recipe.corrupt.use,
        data_root=data_root(recipe, run_dir),
        run_dir=run_dir,
        run_seed=recipe.seed,
        control=recipe.corrupt.control,
        max_lesion_share=recipe.corrupt.max_lesion_share,
    )


def data_root(recipe: Recipe, run_dir: Path) -> Path:
    """Return the folder that image references are relative to: the recipe's, or the run's own drawn phantoms."""
    return run_dir / "phantom" if recipe.sources[0].format == "phantom" else Path(recipe.data_root)
