"""The conductor: which stage follows which, what each reads, and what a stopped run still has to do.

Knows every stage's interface and the run directory; knows nothing of what a claim, a mask or a loss is.
"""

import functools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from tqdm import tqdm

from medprefkit import __version__, products
from medprefkit.engines.local import LocalEngine
from medprefkit.errors import RunError
from medprefkit.models.fingerprint import adapter_revision
from medprefkit.recipe import Recipe, recipe_hash, recipe_yaml
from medprefkit.recipe_sections import PluginSpec
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
from medprefkit.review import read_decisions
from medprefkit.store import Counts, RunDir, write_text
from medprefkit.wiring import make_step, read_sources

logger = logging.getLogger(__name__)

StageName = Literal["sources", "generate", "detect", "check", "edit", "corrupt", "build", "publish", "train", "view"]
STAGES: tuple[StageName, ...] = get_args(StageName)

R = TypeVar("R", bound=Record)


class _Sharded(NamedTuple):
    """A stage that turns cases into records, shard by shard; `field` of `Case` is where its record goes."""

    writes: type[Record]
    field: str


_SHARDED: dict[str, _Sharded] = {
    "generate": _Sharded(Answer, "answer"),
    "detect": _Sharded(Claims, "claims"),
    "check": _Sharded(Verdicts, "verdicts"),
    "edit": _Sharded(Edits, "edits"),
    "corrupt": _Sharded(CorruptedImage, "corrupted"),
}

_TREES: dict[str, Callable[[Recipe, RunDir, Callable[[], Iterator[Case]], Path], None]] = {
    "build": products.build,
    "publish": products.publish,
    "train": products.train,
    "view": products.view,
}


def run(recipe: Recipe, run_dir: Path, *, resume: bool = False, decisions: Path | None = None) -> None:
    """Run every stage of a recipe, from its sources to its page.

    Args:
        recipe: The recipe.
        run_dir: Where the run lives.
        resume: Continue a run that was stopped.
        decisions: A file of decisions on the run's pairs, kept with the run; None for those that it holds, if any.

    Raises:
        RunError: If the directory cannot be used or continued, or a stage drops more than `max_dropped_share`.
        DatasetError: If the file holds no decisions.
        MedPrefKitError: Whatever a stage says of its input.
    """
    store = RunDir(run_dir, n_shards=recipe.shards)
    with store.lock():
        _open(store, recipe, resume=resume)
        _take_decisions(store, decisions)
        for stage in stages_of(recipe):
            _stage(stage, recipe, store)


def run_stage(stage: StageName, recipe: Recipe, run_dir: Path, *, decisions: Path | None = None) -> None:
    """Run one stage on what the stages before it left in the run directory; what is complete is left as it is.

    Args:
        stage: Its name.
        recipe: The recipe.
        run_dir: Where the run lives.
        decisions: As `run` takes it.

    Raises:
        RunError: If a stage before it is not complete, or as `run`.
    """
    if stage not in stages_of(recipe):
        raise RunError(f"the recipe {recipe.name!r} has no {stage!r} section")
    store = RunDir(run_dir, n_shards=recipe.shards)
    with store.lock():
        _open(store, recipe, resume=True)
        _take_decisions(store, decisions)
        _stage(stage, recipe, store)


def stages_of(recipe: Recipe) -> list[StageName]:
    """Return the stages that a recipe runs, in order."""
    absent = {name for name in ("corrupt", "train") if getattr(recipe, name) is None}
    return [stage for stage in STAGES if stage not in absent]


def cases(store: RunDir, recipe: Recipe, *, before: StageName = "build", shard: int | None = None) -> Iterator[Case]:
    """Join what the stages before `before` kept, in the order of the sources; what one of them dropped is left out.

    Args:
        store: The run.
        recipe: Its recipe.
        before: The stage that is going to read the cases.
        shard: One shard; None for all of them.

    Raises:
        RunError: If a stage is not complete, or holds records of examples that are not the sources'.
    """

    def read(stage: str, kind: type[R]) -> Iterator[R]:
        return store.in_order(stage, kind) if shard is None else store.read_shard(stage, shard, kind)

    earlier = STAGES[: STAGES.index(before)]
    upstream = [stage for stage in stages_of(recipe) if stage in _SHARDED and stage in earlier]
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
    for stage, head in heads.items():
        if (stray := head.next_id) is not None:
            raise RunError(f"{store.root / stage} holds {stray!r} out of the order of the sources; it is damaged")


class _Head:
    """The next record of a stage, taken only under the id that it belongs to."""

    def __init__(self, records: Iterator[Any]) -> None:
        self._records = records
        self._next = next(records, None)

    @property
    def next_id(self) -> str | None:
        return None if self._next is None else str(self._next.id)

    def take(self, record_id: str) -> Any:
        if self.next_id != record_id:
            return None
        taken, self._next = self._next, next(self._records, None)
        return taken


def _open(store: RunDir, recipe: Recipe, *, resume: bool) -> None:
    if recipe.rounds is not None:
        raise RunError(f"{recipe.name!r} is a recipe of rounds; `medprefkit run` runs them, no single stage does")
    identity = {
        "recipe_hash": recipe_hash(recipe),
        "shards": str(recipe.shards),
        "package_version": __version__,
        "schema_version": SCHEMA_VERSION,
        "policy": adapter_revision(Path(recipe.policy).expanduser()) if recipe.policy is not None else "",
    }
    store.open(identity, {"recipe.yaml": recipe_yaml(recipe)}, resume=resume)


def _take_decisions(store: RunDir, decisions: Path | None) -> None:
    """Keep decisions with the run; what was made without them is made again."""
    if decisions is None:
        return
    lines = "".join(f"{decision.model_dump_json()}\n" for decision in read_decisions(decisions).values())
    kept = store.root / products.DECISIONS
    if kept.is_file() and kept.read_text("utf-8") == lines:
        return
    if store.tree_done("train"):
        raise RunError(
            f"{store.root / 'train'} was trained before this review; move it away, or choose another --run-dir"
        )
    for tree in ("build", "publish", "view"):
        store.discard(tree)
    write_text(kept, lines)


def _stage(stage: StageName, recipe: Recipe, store: RunDir) -> None:
    started = time.perf_counter()
    if stage in _SHARDED or stage == "sources":
        work = _run_sources if stage == "sources" else functools.partial(_run_sharded, stage)
        counts = work(recipe, store)
        said = _said(counts)
    else:
        counts = None
        said = _run_tree(stage, recipe, store)
    logger.info("%-9s %s  (%.1f s)", stage, said, time.perf_counter() - started)
    if counts is not None:
        _refuse_too_many_dropped(stage, counts, recipe, store)


def _said(counts: Counts) -> str:
    reasons = ", ".join(f"{reason} {n}" for reason, n in counts.dropped.most_common())
    return f"{counts.kept} kept" + (f", {counts.dropped.total()} dropped: {reasons}" if reasons else "")


def _run_sources(recipe: Recipe, store: RunDir) -> Counts:
    if not store.stage_done("sources"):
        outcomes = read_sources(recipe, store)
        with _Watch("sources", None) as watch:
            store.write_shards("sources", _dealt(watch.over(outcomes), store.n_shards), range(store.n_shards))
    return store.counts("sources")


def _dealt(outcomes: Iterable[Example | Dropped], n_shards: int) -> Iterator[tuple[int, Record]]:
    """Deal kept records to the shards in turn, and dropped ones likewise, so that the order can be found again."""
    positions: Counter[bool] = Counter()
    for outcome in outcomes:
        dropped = isinstance(outcome, Dropped)
        yield positions[dropped] % n_shards, outcome
        positions[dropped] += 1


def _run_sharded(stage: StageName, recipe: Recipe, store: RunDir) -> Counts:
    pending = [shard for shard in range(store.n_shards) if not store.is_done(stage, shard)]
    spec: PluginSpec = getattr(recipe, stage)
    # one step for all shards: a model is loaded once, and only where there is work
    step = functools.cache(functools.partial(make_step, stage, recipe, store.root))
    before = stages_of(recipe)[stages_of(recipe).index(stage) - 1]
    with _Watch(stage, sum(store.shard_counts(before, shard).kept for shard in pending)) as watch:
        for shard in pending:
            waiting = cases(store, recipe, before=stage, shard=shard)
            if stage == "corrupt":
                waiting = (case for case in waiting if case.example.lesion_masks)
            outcomes = LocalEngine().map(step, waiting, batch_size=spec.batch_size)
            store.write_shards(stage, ((shard, outcome) for outcome in watch.over(outcomes)), [shard])
    return store.counts(stage)


def _run_tree(stage: StageName, recipe: Recipe, store: RunDir) -> str:
    if not store.tree_done(stage):
        with store.folder_of(stage, keep_begun=stage == "train") as folder:
            _TREES[stage](recipe, store, functools.partial(cases, store, recipe), folder)
    return str(store.root / stage)


def _refuse_too_many_dropped(stage: str, counts: Counts, recipe: Recipe, store: RunDir) -> None:
    faults = Counter({reason: n for reason, n in counts.dropped.items() if reason in get_args(Fault)})
    seen = counts.kept + counts.dropped.total()
    if seen and faults.total() / seen > recipe.max_dropped_share:
        reasons = ", ".join(f"{reason} {n}" for reason, n in faults.most_common())
        raise RunError(
            f"{stage} dropped {faults.total()} of {seen} ({reasons}), more than max_dropped_share "
            f"{recipe.max_dropped_share}; read {store.root / stage}/*.dropped.jsonl, then mend the data or raise it"
        )


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
