"""Wiring: what a recipe names becomes readers and steps. The one place that knows recipe and stages both."""

import functools
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tqdm import tqdm

from medprefkit.context import RunContext, UsesContext
from medprefkit.errors import ImageError, RecipeError
from medprefkit.images import read_ref
from medprefkit.imaging.boxes import BoxRegions, Ellipses, GrabCut
from medprefkit.lab.phantom import draw_phantoms
from medprefkit.models.calls import CallStore
from medprefkit.models.prompts import prompt_digest
from medprefkit.protocols import Checker, Image
from medprefkit.recipe import Recipe, plugin_options, plugins, recipe_hash
from medprefkit.recipe_sections import (
    BoxModelSpec,
    CheckSpec,
    ImageFolderSource,
    IuXraySource,
    MmedpoSource,
    PhantomSource,
    PluginSpec,
    SourceSpec,
    TableSource,
    VqaRadSource,
)
from medprefkit.records import Dropped, Example, Stage
from medprefkit.registry import Kind, load
from medprefkit.sources import table
from medprefkit.sources.admit import refuse_duplicates
from medprefkit.sources.image_folder import read_image_folder
from medprefkit.sources.iu_xray import read_iu_xray
from medprefkit.sources.mask_table import MaskTable
from medprefkit.sources.mmedpo import read_mmedpo
from medprefkit.sources.phantom import read_phantom
from medprefkit.sources.table import read_table
from medprefkit.sources.vqa_rad import read_vqa_rad
from medprefkit.steps import CheckStep, DetectStep, EditStep, GenerateStep, Step
from medprefkit.store import RunDir

if TYPE_CHECKING:
    from medprefkit.corrupt.step import CorruptStep


def plug_in(kind: Kind, spec: PluginSpec, context: RunContext | None = None) -> Any:
    """Build what a recipe names, with its options, and lend it the context of its run.

    Args:
        kind: What it is.
        spec: Its name and options.
        context: Of the run; None where there is none, for plug-ins that need none.

    Raises:
        RecipeError: If it is not installed, refuses an option, or needs a run and there is none.
    """
    plugin = load(kind, spec.use)(**plugin_options(kind, spec, where=f"{spec.use}.with"))
    if isinstance(plugin, UsesContext):
        if context is None:
            raise RecipeError(f"{spec.use} needs a run: name it in a recipe")
        plugin.attach(context)
    return plugin


def context_of(stage: Stage, recipe: Recipe, run_dir: Path) -> RunContext:
    """Return what a stage of a run lends to its plug-ins; nothing is opened before it is used."""
    root = data_root(recipe, run_dir)
    return RunContext(
        run_seed=recipe.seed,
        stage=stage,
        calls=call_store(recipe, run_dir),
        images=functools.partial(_images, root),
        without_lesion=functools.partial(_without_lesion, recipe, run_dir),
        policy=Path(recipe.policy).expanduser() if recipe.policy is not None else None,
        member=functools.partial(_member, stage, recipe, run_dir),
    )


def call_store(recipe: Recipe, run_dir: Path) -> CallStore:
    """Return the store of what models said: the run's own, or the one that the recipe shares between runs."""
    if recipe.calls is None:
        return CallStore(run_dir / "calls.sqlite", run="this")
    return CallStore(Path(recipe.calls).expanduser(), run=f"{recipe.name} {recipe_hash(recipe)} {run_dir.resolve()}")


def _checker(stage: Stage, recipe: Recipe, run_dir: Path) -> Checker:
    checker: Checker = plug_in("checkers", recipe.check, context_of(stage, recipe, run_dir))
    return checker


def prompts_of(recipe: Recipe) -> str:
    """Return the prompts that the recipe's checkers and editor ask models with, as `records.Provenance` holds them."""
    named = {name for kind, _, spec in plugins(recipe) for name in getattr(load(kind, spec.use), "PROMPTS", ())}
    return json.dumps({name: prompt_digest(name) for name in sorted(named)}, sort_keys=True) if named else ""


def _member(stage: Stage, recipe: Recipe, run_dir: Path, use: str, options: Mapping[str, Any]) -> Checker:
    spec = CheckSpec(use=use, with_=dict(options))
    member: Checker = plug_in("checkers", spec, context_of(stage, recipe, run_dir))
    return member


def _images(root: Path, example: Example) -> tuple[Image, ...]:
    return tuple(read_ref(root, ref) for ref in example.images)


def _without_lesion(recipe: Recipe, run_dir: Path, example: Example) -> tuple[Image, ...] | None:
    if recipe.corrupt is None or not example.lesion_masks:
        return None
    try:
        return _corrupt_step(recipe, run_dir).without_lesion(example)
    except ImageError:  # the stage `corrupt` will say why; a check can do without
        return None


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
    single = refuse_duplicates(itertools.chain.from_iterable(outcomes))
    return single if recipe.generate.samples == 1 else _repeated(single, recipe.generate.samples)


def _repeated(outcomes: Iterable[Example | Dropped], n: int) -> Iterator[Example | Dropped]:
    """Yield every example n times, each to be answered by itself; the copies share its group."""
    for outcome in outcomes:
        yield outcome
        if isinstance(outcome, Example):
            for number in range(2, n + 1):
                yield outcome.model_copy(update={"id": f"{outcome.id}#{number}"})


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
            if source.mask_table is not None:
                options["mask_table"] = MaskTable(**source.mask_table.model_dump())
            return read_image_folder(root, **options)


def make_step(stage: str, recipe: Recipe, run_dir: Path) -> Step:
    """Build the step of a stage; models are loaded here, on the worker that will use them.

    Raises:
        RecipeError: If a plug-in is not installed or refuses an option.
    """
    match stage:
        case "generate":
            return GenerateStep(plug_in("generators", recipe.generate, context_of("generate", recipe, run_dir)))
        case "detect":
            return DetectStep(plug_in("detectors", recipe.detect))
        case "check":
            return CheckStep(_checker("check", recipe, run_dir))
        case "edit":
            return edit_step(recipe, run_dir)
        case "corrupt":
            return _corrupt_step(recipe, run_dir)
        case _:
            raise ValueError(f"{stage} has no step")


def edit_step(recipe: Recipe, run_dir: Path) -> EditStep:
    """Build the step of `edit`, which reads and judges its own text again.

    Raises:
        RecipeError: If a plug-in is not installed or refuses an option.
    """
    detector, checker = plug_in("detectors", recipe.detect), _checker("edit", recipe, run_dir)
    lent = replace(context_of("edit", recipe, run_dir), detector=detector, checker=checker)
    return EditStep(plug_in("editors", recipe.edit, lent), detector, checker)


def _box_regions(boxes: Literal["ellipse", "grabcut"] | BoxModelSpec, run_dir: Path) -> BoxRegions:
    if isinstance(boxes, BoxModelSpec):
        from medprefkit.segment.sam import SamRegions  # heavy: torch

        return SamRegions(model=boxes.model, run_dir=run_dir, device=boxes.device, batch_size=boxes.batch_size)
    return GrabCut() if boxes == "grabcut" else Ellipses()


def _corrupt_step(recipe: Recipe, run_dir: Path) -> "CorruptStep":
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
        regions=_box_regions(recipe.corrupt.boxes, run_dir),
        lesions=recipe.corrupt.lesions,
    )


def data_root(recipe: Recipe, run_dir: Path) -> Path:
    """Return the folder that image references are relative to: the recipe's, or the run's own drawn phantoms."""
    return run_dir / "phantom" if recipe.sources[0].format == "phantom" else Path(recipe.data_root)
