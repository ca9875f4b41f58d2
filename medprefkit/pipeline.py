"""The conductor: which stage follows which, what each reads, and what a stopped run still has to do.

Knows every stage's interface and the run directory; knows nothing of what a claim, a mask or a loss is.
"""

import functools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args

from tqdm import tqdm

from medprefkit import __version__, intake
from medprefkit.engines.local import LocalEngine
from medprefkit.errors import RunError
from medprefkit.protocols import Checker, Corruption, Detector, Editor, Generator
from medprefkit.recipe import CorruptSpec, PluginSpec, Recipe, plugin_options, recipe_hash, recipe_yaml
from medprefkit.records import (
    SCHEMA_VERSION,
    Answer,
    Case,
    Claims,
    CorruptedImage,
    Dropped,
    Edits,
    Example,
    Fault,
    Record,
    Verdicts,
)
from medprefkit.registry import Kind, load
from medprefkit.store import Counts, RunDir

logger = logging.getLogger(__name__)

StageName = Literal["sources", "generate", "detect", "check", "edit", "corrupt", "build", "publish", "train", "view"]

Step = Callable[[Sequence[Case]], Sequence[Record]]
R = TypeVar("R", bound=Record)


class _Sharded(NamedTuple):
    """A stage that turns cases into records, shard by shard."""

    writes: type[Record]
    field: str  # of `Case`
    make_step: Callable[[Recipe, RunDir], Step]
    batch_size: Callable[[Recipe], int]


def run(recipe: Recipe, run_dir: Path, *, resume: bool = False) -> None:
    """Run every stage of a recipe, from its sources to its page.

    Raises:
        RunError: If the directory cannot be used or continued, or a stage drops more than `max_dropped_share`.
        MedPrefKitError: Whatever a stage says of its input.
    """
    store = _open(recipe, run_dir, resume=resume)
    with store.lock():
        for stage in stages_of(recipe):
            _stage(stage, recipe, store)


def run_stage(stage: StageName, recipe: Recipe, run_dir: Path) -> None:
    """Run one stage on what the stages before it left in the run directory; a complete stage is left as it is.

    Raises:
        RunError: If a stage before it is not complete, or as `run`.
    """
    if stage not in stages_of(recipe):
        raise RunError(f"the recipe {recipe.name!r} has no {stage!r} section")
    store = _open(recipe, run_dir, resume=True)
    with store.lock():
        _stage(stage, recipe, store)


def stages_of(recipe: Recipe) -> list[StageName]:
    """Return the stages that a recipe runs, in order."""
    absent = {"corrupt"} if recipe.corrupt is None else set()
    absent |= {"train"} if recipe.train is None else set()
    return [stage for stage in get_args(StageName) if stage not in absent]


def data_root(recipe: Recipe, root: Path) -> Path:
    """Return the folder that image references are relative to: the recipe's, or the run's own drawn phantoms."""
    return root / "phantom" if recipe.sources[0].format == "phantom" else Path(recipe.data_root)


def cases(store: RunDir, recipe: Recipe, *, shard: int | None = None, before: StageName = "build") -> Iterator[Case]:
    """Join what the stages before `before` kept; a case that one of them dropped is left out.

    Args:
        store: The run.
        recipe: Its recipe.
        shard: One shard; None for all of them in the order of the sources.
        before: The stage that is going to read the cases.

    Raises:
        RunError: If a stage is not complete.
    """

    def read(stage: str, kind: type[R]) -> Iterator[R]:
        return store.in_order(stage, kind) if shard is None else store.read_shard(stage, shard, kind)

    names = list(get_args(StageName))
    upstream = [stage for stage in _SHARDED if names.index(stage) < names.index(before) and stage in stages_of(recipe)]
    heads = {stage: _Head(read(stage, _SHARDED[stage].writes)) for stage in upstream}
    for example in read("sources", Example):
        case = Case(example)
        for stage in upstream:
            record = heads[stage].take(example.id)
            if record is None and stage != "corrupt":  # without its corrupted image a pair still stands
                break
            case = replace(case, **{_SHARDED[stage].field: record})
        else:
            yield case


class _Head:
    """The next record of a stage, taken only by the id that it belongs to."""

    def __init__(self, records: Iterator[Any]) -> None:
        self._records = records
        self._next = next(records, None)

    def take(self, record_id: str) -> Any:
        if self._next is None or self._next.id != record_id:
            return None
        taken, self._next = self._next, next(self._records, None)
        return taken


def _open(recipe: Recipe, run_dir: Path, *, resume: bool) -> RunDir:
    store = RunDir(run_dir, n_shards=recipe.shards)
    identity = {"recipe_hash": recipe_hash(recipe), "package_version": __version__, "schema_version": SCHEMA_VERSION}
    store.open(identity, {"recipe.yaml": recipe_yaml(recipe)}, resume=resume)
    return store


def _stage(stage: StageName, recipe: Recipe, store: RunDir) -> None:
    started = time.perf_counter()
    if stage in _SHARDED:
        counts = _run_sharded(stage, recipe, store)
    elif stage == "sources":
        counts = _run_sources(recipe, store)
    else:
        _TREES[stage](recipe, store)
        logger.info("%-9s %s  %.1f s", stage, store.root / stage, time.perf_counter() - started)
        return
    reasons = ", ".join(f"{reason} {n}" for reason, n in counts.dropped.most_common())
    dropped = f", {counts.dropped.total()} dropped ({reasons})" if reasons else ""
    logger.info("%-9s %d kept%s  %.1f s", stage, counts.kept, dropped, time.perf_counter() - started)
    _refuse_if_too_many_dropped(stage, counts, recipe, store)


def _run_sources(recipe: Recipe, store: RunDir) -> Counts:
    if store.stage_done("sources"):
        return store.counts("sources")
    if recipe.sources[0].format == "phantom" and not store.tree_done("phantom"):
        with store.folder_of("phantom") as folder:
            intake.draw(recipe.sources[0], folder, seed=recipe.seed)
    outcomes = intake.read(recipe.sources, data_root(recipe, store.root))
    store.write_shards("sources", _dealt(_watched("sources", outcomes, None), store.n_shards), range(store.n_shards))
    return store.counts("sources")


def _dealt(outcomes: Iterable[Example | Dropped], n_shards: int) -> Iterator[tuple[int, Record]]:
    """Deal kept records to the shards in turn, and dropped ones likewise, so that the order can be found again."""
    positions: Counter[bool] = Counter()
    for outcome in outcomes:
        dropped = isinstance(outcome, Dropped)
        yield positions[dropped] % n_shards, outcome
        positions[dropped] += 1


def _run_sharded(stage: StageName, recipe: Recipe, store: RunDir) -> Counts:
    kind = _SHARDED[stage]
    pending = [shard for shard in range(store.n_shards) if not store.is_done(stage, shard)]
    # one step for all shards: a model is loaded once, and only if there is work
    make_step = functools.cache(functools.partial(kind.make_step, recipe, store))
    engine = LocalEngine()
    total = sum(_n_cases(store, recipe, shard, stage) for shard in pending)
    with _Watch(stage, total) as watch:
        for shard in pending:
            waiting = _input(stage, cases(store, recipe, shard=shard, before=stage))
            outcomes = engine.map(make_step, waiting, batch_size=kind.batch_size(recipe))
            store.write_shards(stage, ((shard, outcome) for outcome in watch.over(outcomes)), [shard])
    return store.counts(stage)


def _input(stage: StageName, waiting: Iterator[Case]) -> Iterator[Case]:
    return (case for case in waiting if case.example.lesion_masks) if stage == "corrupt" else waiting


def _n_cases(store: RunDir, recipe: Recipe, shard: int, stage: StageName) -> int:
    stages = stages_of(recipe)
    return store.shard_counts(stages[stages.index(stage) - 1], shard).kept


class _Watch:
    """A progress bar with rate, time left and what was dropped so far; silent where nobody looks."""

    def __init__(self, stage: str, total: int | None) -> None:
        self._bar = tqdm(total=total, desc=stage, unit="rec", disable=None, leave=False, dynamic_ncols=True)
        self._dropped = 0

    def __enter__(self) -> "_Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def over(self, outcomes: Iterable[R]) -> Iterator[R]:
        for outcome in outcomes:
            if isinstance(outcome, Dropped):
                self._dropped += 1
                self._bar.set_postfix(dropped=self._dropped, refresh=False)
            self._bar.update()
            yield outcome


def _watched(stage: str, outcomes: Iterable[R], total: int | None) -> Iterator[R]:
    with _Watch(stage, total) as watch:
        yield from watch.over(outcomes)


def _refuse_if_too_many_dropped(stage: str, counts: Counts, recipe: Recipe, store: RunDir) -> None:
    faults = {reason: n for reason, n in counts.dropped.items() if reason in get_args(Fault)}
    seen = counts.kept + counts.dropped.total()
    if seen and sum(faults.values()) / seen > recipe.max_dropped_share:
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(faults.items(), key=_by_count))
        raise RunError(
            f"{stage} dropped {sum(faults.values())} of {seen} ({reasons}), more than max_dropped_share "
            f"{recipe.max_dropped_share}; read {store.root / stage}/*.dropped.jsonl, then mend the data or raise it"
        )


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def plug_in(kind: Kind, spec: PluginSpec) -> Any:
    """Build what a recipe names, with its options.

    Raises:
        RecipeError: If it is not installed or refuses an option.
    """
    return load(kind, spec.use)(**plugin_options(kind, spec, where=f"{spec.use}.with"))


def _generate_step(recipe: Recipe, store: RunDir) -> Step:
    from medprefkit.steps import GenerateStep

    return GenerateStep(cast("Generator", plug_in("generators", recipe.generate)))


def _detect_step(recipe: Recipe, store: RunDir) -> Step:
    from medprefkit.steps import DetectStep

    return DetectStep(cast("Detector", plug_in("detectors", recipe.detect)))


def _check_step(recipe: Recipe, store: RunDir) -> Step:
    from medprefkit.steps import CheckStep

    return CheckStep(cast("Checker", plug_in("checkers", recipe.check)))


def _edit_step(recipe: Recipe, store: RunDir) -> Step:
    from medprefkit.steps import EditStep

    return EditStep(
        cast("Editor", plug_in("editors", recipe.edit)),
        cast("Detector", plug_in("detectors", recipe.detect)),
        cast("Checker", plug_in("checkers", recipe.check)),
    )


def _corrupt_step(recipe: Recipe, store: RunDir) -> Step:
    from medprefkit.corrupt.step import CorruptStep

    spec = cast("CorruptSpec", recipe.corrupt)
    return CorruptStep(
        corruption=cast("Corruption", plug_in("corruptions", spec)),
        name=spec.use,
        data_root=data_root(recipe, store.root),
        run_dir=store.root,
        run_seed=recipe.seed,
        control=spec.control,
        max_lesion_share=spec.max_lesion_share,
    )


_SHARDED: dict[str, _Sharded] = {
    "generate": _Sharded(Answer, "answer", _generate_step, lambda recipe: recipe.generate.batch_size),
    "detect": _Sharded(Claims, "claims", _detect_step, lambda recipe: recipe.detect.batch_size),
    "check": _Sharded(Verdicts, "verdicts", _check_step, lambda recipe: recipe.check.batch_size),
    "edit": _Sharded(Edits, "edits", _edit_step, lambda recipe: recipe.edit.batch_size),
    "corrupt": _Sharded(CorruptedImage, "corrupted", _corrupt_step, lambda recipe: recipe.corrupt.batch_size),
}

_TREES: dict[str, Callable[[Recipe, RunDir], None]] = {}
