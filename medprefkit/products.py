"""What a run makes of its cases: the dataset, its card, an adapter, the page. Each fills one folder of the run."""

import functools
import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from medprefkit import __version__
from medprefkit.build.pairs import make_pair
from medprefkit.build.split import Split
from medprefkit.build.write import BuiltPair, read_index, write_dataset
from medprefkit.errors import RunError
from medprefkit.publish.card import render_card
from medprefkit.publish.facts import CallFacts, gather_facts
from medprefkit.publish.index_only import INDEX, write_index
from medprefkit.publish.licences import terms_of
from medprefkit.publish.manifest import write_manifest
from medprefkit.recipe import Recipe, read_recipe, recipe_hash, recipe_yaml
from medprefkit.records import Case, Dropped, Edit, Edits, Example, PreferencePair
from medprefkit.review import read_decisions, reviewed
from medprefkit.sharing import audit_facts, draw_pictures
from medprefkit.store import RunDir, write_text
from medprefkit.view.page import write_page
from medprefkit.view.pictures import Trio, trios_of
from medprefkit.view.sheet import write_sheet
from medprefkit.view.shown import Counts, ShownPair
from medprefkit.view.terminal import print_pairs
from medprefkit.wiring import call_store, data_root, edit_step, prompts_of

logger = logging.getLogger(__name__)

DECISIONS = "decisions.jsonl"
"""A run's file of what a person decided about its pairs; none where nobody did."""

_RECORD_STAGES = ("sources", "generate", "detect", "check", "edit", "corrupt")


def build(recipe: Recipe, store: RunDir, cases: Callable[[], Iterator[Case]], folder: Path) -> None:
    """Join pairs, as they were reviewed, split them and write the dataset.

    Raises:
        DatasetError: If no pair is left, or a decision is about another text or about no pair.
    """
    make = functools.partial(
        make_pair,
        recipe_hash=recipe_hash(recipe),
        package_version=__version__,
        prompts=prompts_of(recipe),
        max_edited_share=recipe.build.max_edited_share,
        grow_empty_spans=recipe.build.grow_empty_spans,
    )
    decided = store.root / DECISIONS
    decisions = read_decisions(decided) if decided.is_file() else {}
    step = functools.cache(functools.partial(edit_step, recipe, store.root))  # models are loaded for a correction only

    def verify(case: Case, edits: tuple[Edit, ...]) -> Edits | Dropped:
        return step().verify(case, edits)

    outcomes = reviewed(cases(), decisions, make=make, verify=verify)
    written = write_dataset(
        outcomes if recipe.generate.samples == 1 else _without_repeats(outcomes),
        folder,
        data_root=data_root(recipe, store.root),
        run_dir=store.root,
        run_seed=recipe.seed,
        eval_share=recipe.build.eval_share,
    )
    if decisions:
        n_refused = written.dropped["edit_not_verified"] + written.dropped["edit_incomplete"]
        logger.info(
            "review    %d decisions: %d pairs rejected, %d corrected texts refused; %s/dropped.jsonl says why",
            len(decisions),
            written.dropped["review_rejected"],
            n_refused,
            store.root / "build",
        )


def _without_repeats(outcomes: Iterator[PreferencePair | Dropped]) -> Iterator[PreferencePair | Dropped]:
    """Drop a sample that says what an earlier one said to the same question: it would count that pair twice."""
    first: dict[object, str] = {}
    for outcome in outcomes:
        if isinstance(outcome, Dropped):
            yield outcome
            continue
        said = (outcome.group_id, outcome.prompt, outcome.images, outcome.rejected)
        if (earlier := first.setdefault(said, outcome.id)) == outcome.id:
            yield outcome
        else:
            detail = f"the same answer to the same question as {earlier}"
            yield Dropped(id=outcome.id, stage="build", reason="answer_repeated", detail=detail)


def publish(recipe: Recipe, store: RunDir, _: Callable[[], Iterator[Case]], folder: Path) -> None:
    """Write the folder that is shared: the card, the resolved recipe and the rows.

    Rows of a source that may not be shared (credentialed, or without derivatives) go out as an index instead: ids,
    spans and edits, from which the owner of the source rebuilds them. The whole rows stay in the run's `build`.
    """
    share(recipe, store, folder, index_only=False)


def share(recipe: Recipe, store: RunDir, folder: Path, *, index_only: bool) -> None:
    """Fill a folder with what is shared: card, recipe, rows or index, and the manifest with everything's checksum.

    Args:
        recipe: Of the run.
        store: The run.
        folder: An empty folder.
        index_only: Write an index also where the rows may be shared.
    """
    pairs = ((one.split, one.pair) for one in built(store))
    counts: Counter[tuple[str, str]] = Counter((drop.stage, drop.reason) for drop in dropped(store))
    in_order = {key: counts[key] for key in sorted(counts, key=_by_stage)}
    calls = call_store(recipe, store.root)
    asked_of = [CallFacts(c.model, c.requests, c.calls, c.prompt_tokens, c.completion_tokens) for c in calls.counts()]
    calls.close()
    facts = gather_facts(pairs, in_order, title=recipe.publish.title, language=recipe.publish.language, calls=asked_of)
    write_text(folder / "recipe.yaml", recipe_yaml(recipe))
    objections = terms_of(facts.sources).objections
    if objections and not index_only:
        logger.info("publish   an index only: %s", "; ".join(objections))
    write = functools.partial(
        write_manifest, folder, package_version=__version__, recipe_hash=recipe_hash(recipe)
    )  # fmt: skip
    audited = audit_facts(store.root / "build")
    if objections or index_only:
        write_text(folder / "README.md", render_card(facts, form="index", audit=audited))
        write_index(folder / INDEX, _with_examples(store))
        write(form="index", rows_folder=store.root / "build")
        return
    shown = functools.partial(_shown, store)
    pictures = draw_pictures(folder, shown, data_root=data_root(recipe, store.root), run_dir=store.root)
    write_text(folder / "README.md", render_card(facts, audit=audited, pictures=pictures))
    (folder / "parquet").mkdir()
    for file in sorted((store.root / "build" / "parquet").iterdir()):
        _same_file(file, folder / "parquet" / file.name)
    write(form="rows")


def train(recipe: Recipe, store: RunDir, _: Callable[[], Iterator[Case]], folder: Path) -> None:
    """Train the adapter, from its last checkpoint where the run was stopped.

    Raises:
        TrainError: If the model, the options or the rows do not allow it.
    """
    from medprefkit.train.run import train as train_adapter  # heavy: torch

    if recipe.train is None:
        raise RunError(f"the recipe {recipe.name!r} has no 'train' section")
    train_adapter(
        store.root / "build",
        folder,
        seed=recipe.seed,
        resume=True,
        start_adapter=recipe.policy,
        **recipe.train.model_dump(),
    )


def view(recipe: Recipe, store: RunDir, _: Callable[[], Iterator[Case]], folder: Path) -> None:
    """Write the page, its pictures inside it, and a sheet of the pictures."""
    write_view(recipe, store, folder, n_pairs=recipe.view.pairs, beside=False)


def write_view(recipe: Recipe, store: RunDir, folder: Path, *, n_pairs: int, beside: bool) -> Counts:
    """Write the page of a run and a sheet of its pictures.

    Args:
        recipe: Of the run.
        store: The run.
        folder: An existing folder.
        n_pairs: At most so many pairs are shown.
        beside: Put the pictures into a folder beside the page.

    Returns:
        What the run holds.
    """
    root = data_root(recipe, store.root)
    counts = write_page(
        folder / "index.html",
        _shown(store),
        title=recipe.publish.title,
        read=functools.partial(_pictures, root, store.root),
        n_pairs=n_pairs,
        folder=picture_folder(folder) if beside else None,
        dropped=dropped(store),
        history=_history(store.root / "train" / "log.jsonl"),
        language=recipe.publish.language,
    )
    write_sheet(folder / "pictures.png", _shown(store), data_root=root, run_dir=store.root)
    return counts


def _pictures(root: Path, run_dir: Path, shown: ShownPair) -> list[Trio]:
    return trios_of(shown.pair, data_root=root, run_dir=run_dir)


def picture_folder(folder: Path) -> Path:
    """Return the folder of a page's pictures, empty."""
    pictures = folder / "pictures"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir()
    return pictures


def show(run_dir: Path, *, n_pairs: int, error_type: str | None) -> None:
    """Print pairs of a run in the terminal.

    Raises:
        RunError: If there is no run, or it has not come to its pairs.
    """
    _, store = opened_run(run_dir)
    print_pairs(_shown(store), n_pairs=n_pairs, error_type=error_type, dropped=dropped(store))


def opened_run(run_dir: Path) -> tuple[Recipe, RunDir]:
    """Return a run's recipe and its directory.

    Raises:
        RunError: If there is no run.
    """
    if not (run_dir / "recipe.yaml").is_file():
        raise RunError(f"{run_dir} holds no run; `medprefkit run` makes one")
    recipe = read_recipe(run_dir / "recipe.yaml")
    return recipe, RunDir(run_dir, n_shards=recipe.shards)


def whereabouts(recipe: Recipe, root: Path) -> list[str]:
    """Return a line for everything that a complete run leaves for a person: what it is and where."""
    found = {
        "dataset": root / "build" / "dataset",
        "card": root / "publish" / "README.md",
        "adapter": root / "train" if recipe.train else None,
        "pictures": root / "view" / "pictures.png",
        "page": root / "view" / "index.html",
    }
    return [f"{what:9} {path}" for what, path in found.items() if path is not None and path.exists()]


def n_pairs(store: RunDir) -> int:
    """Count the pairs that a run built."""
    return sum(1 for _ in built(store))


def asked(recipe: Recipe, root: Path) -> list[str]:
    """Return a line for every model that a run asked, and one for what became of the edits that a model wrote."""
    calls = call_store(recipe, root)
    lines = [
        f"asked     {c.model}: {c.requests} questions, {c.calls} calls ({c.sent} made now or before by this run), "
        f"{c.cached_share:.0%} answered by an earlier call, {c.prompt_tokens} + {c.completion_tokens} tokens"
        for c in calls.counts()
    ]
    if outcomes := Counter(rewrite.outcome for rewrite in calls.rewrites()):
        told = ", ".join(f"{reason} {n}" for reason, n in outcomes.most_common())
        lines.append(f"rewrites  {outcomes.total()} by a model: {told}")
    calls.close()
    return lines


def dropped(store: RunDir) -> Iterator[Dropped]:
    """Yield everything that a run dropped, stage by stage, in an order that does not depend on the shards."""
    for stage in _RECORD_STAGES:
        if (store.root / stage).is_dir():
            yield from sorted(store.dropped(stage), key=_by_reason)
    path = store.root / "build" / "dropped.jsonl"
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            yield from (Dropped.model_validate_json(line) for line in lines)


def _shown(store: RunDir) -> Iterator[ShownPair]:
    for split, example, pair in _with_examples(store):
        yield ShownPair(pair, split, example.reference)


def _with_examples(store: RunDir) -> Iterator[tuple[Split, Example, PreferencePair]]:
    """Join pairs with what they were made from, both in the order of the sources."""
    examples = store.in_order("sources", Example)
    for one in built(store):
        yield one.split, next(example for example in examples if example.id == one.pair.id), one.pair


def _history(path: Path) -> list[dict[str, object]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def built(store: RunDir) -> Iterator[BuiltPair]:
    """Yield a run's pairs in the order of the sources.

    Raises:
        DatasetError: If they are not built, or damaged.
    """
    return read_index(store.root / "build")


def _by_reason(drop: Dropped) -> tuple[str, str]:
    return drop.reason, drop.id


def _by_stage(key: tuple[str, str]) -> tuple[int, str]:
    stages = (*_RECORD_STAGES, "build")
    return stages.index(key[0]), key[1]


def _same_file(source: Path, target: Path) -> None:
    """Give a file a second name; a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
