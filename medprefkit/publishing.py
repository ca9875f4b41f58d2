"""Out of a run and back: what is shared, whether it may be, its way to the Hub, and rows from an index again.

A conductor beside `products`: knows the run directory and the rooms `publish`, `build` and `corrupt`.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from medprefkit import pipeline, products
from medprefkit.build.write import write_dataset
from medprefkit.errors import DatasetError, PublishError, RunError
from medprefkit.publish.front_matter import DEFAULT_CONFIG
from medprefkit.publish.hub import Pushed, Visibility, push_folder
from medprefkit.publish.identity import Hit, scan_parquet, scan_texts
from medprefkit.publish.index_only import INDEX, IndexedPair, read_index_only, rebuild_pair
from medprefkit.publish.licences import refusals
from medprefkit.publish.manifest import faulty_files, read_manifest
from medprefkit.recipe import Recipe, read_recipe
from medprefkit.records import Case, CorruptedImage, PreferencePair
from medprefkit.store import RunDir
from medprefkit.wiring import data_root, make_step

logger = logging.getLogger(__name__)

IDENTITY = "identity.jsonl"
"""The hits of the scan, in the run's directory."""

_SHOWN_HITS = 10


class Rebuilt(NamedTuple):
    """What a rebuild made; `differing` names files that are not byte for byte those that were indexed, and why."""

    n_rows: int
    dataset: Path
    differing: dict[str, str]


def push(
    run_dir: Path,
    repo: str,
    *,
    visibility: Visibility | None = None,
    index_only: bool = False,
    config: str = DEFAULT_CONFIG,
    acknowledge_identity: bool = False,
) -> Pushed:
    """Share a run's dataset on the Hub, if its rights allow it and nothing in it may name a patient.

    Args:
        run_dir: A run whose stage `publish` is done.
        repo: `user/name`.
        visibility: As `push_folder`.
        index_only: Share ids, spans, edits and seeds instead of rows.
        config: As `push_folder`.
        acknowledge_identity: Push although the scan has hits: somebody has looked at them.

    Raises:
        PublishError: If rows may not be shared, the scan has hits that nobody acknowledged, or as `push_folder`.
        RunError: If the run has not come to its card.
    """
    recipe, store = _opened(run_dir)
    if not store.tree_done("publish"):
        raise RunError(f"{run_dir} has nothing to share yet; run the stage `publish` first")
    if not index_only and (refused := refusals(built.pair.provenance for built in products.built(store))):
        told = "; ".join(refused)
        raise PublishError(f"rows of {run_dir} may not be shared: {told}. --index-only shares what may be")
    folder = store.root / "publish"
    if index_only and read_manifest(folder).form == "rows":
        with store.folder_of("publish_index") as folder_of_index:
            products.share(recipe, store, folder_of_index, index_only=True)
        folder = store.root / "publish_index"
    _require_no_identity(folder, store.root / IDENTITY, acknowledged=acknowledge_identity)
    return push_folder(folder, repo, visibility=visibility, config=config)


def rebuild(index_dir: Path, run_dir: Path, overrides: Sequence[str] = ()) -> Rebuilt:
    """Make the rows of an index again from the owner's own copy of the sources.

    Args:
        index_dir: A pulled index, with its recipe.
        run_dir: Where the rows go; a run directory, so that training and the page find them.
        overrides: Of the recipe, `data_root=...` first of all.

    Raises:
        DatasetError: If a row's example or answer is not there, or is not the one that was indexed.
        SourceError: If a source cannot be read.
        RunError: If `run_dir` is used.
    """
    recipe = read_recipe(index_dir / "recipe.yaml", overrides)
    manifest = read_manifest(index_dir)
    if manifest.form != "index":
        raise DatasetError(f"{index_dir} holds rows, not an index; there is nothing to rebuild")
    if run_dir.exists() and any(run_dir.iterdir()):
        raise RunError(f"{run_dir} is not empty; rebuild into a new folder")
    for stage in ("sources", "generate"):
        pipeline.run_stage(stage, recipe, run_dir)
    store = RunDir(run_dir, n_shards=recipe.shards)
    with store.folder_of("build") as folder:
        built = write_dataset(
            _rebuilt_pairs(recipe, store, index_dir / INDEX),
            folder,
            data_root=data_root(recipe, run_dir),
            run_dir=run_dir,
            run_seed=recipe.seed,
            eval_share=recipe.build.eval_share,
        )
    differing = faulty_files(run_dir / "build", manifest.rebuilt_files)
    return Rebuilt(built.n_train + built.n_eval, run_dir / "build" / "dataset", differing)


def _rebuilt_pairs(recipe: Recipe, store: RunDir, index: Path) -> Iterator[PreferencePair]:
    """Join the index with the owner's cases, both in the order of the sources."""
    cases = pipeline.cases(store, recipe, before="detect")
    step = None
    with tqdm(desc="rebuild", unit="row", disable=None, leave=False) as bar:
        for indexed in read_index_only(index):
            case = next((case for case in cases if case.example.id == indexed.id), None)
            if case is None or case.answer is None:
                raise DatasetError(f"{indexed.id} is not among your sources; get the same release, or check data_root")
            corrupted = None
            if indexed.corruption:
                step = step or make_step("corrupt", recipe, store.root)
                corrupted = _corrupted(step([case])[0], indexed, case)
            yield rebuild_pair(indexed, case.example, case.answer, corrupted)
            bar.update()


def _corrupted(outcome: object, indexed: IndexedPair, case: Case) -> CorruptedImage:
    masks = tuple(ref.path for ref in case.example.lesion_masks)
    if not isinstance(outcome, CorruptedImage) or masks != indexed.lesion_masks:
        raise DatasetError(f"{indexed.id}: its lesion cannot be removed again with your images and masks: {outcome}")
    return outcome


def _require_no_identity(folder: Path, report: Path, *, acknowledged: bool) -> None:
    hits: list[Hit] = []
    with report.open("w", encoding="utf-8", newline="\n") as file:
        for hit in _scan(folder):
            hits.append(hit)
            file.write(json.dumps(hit._asdict(), ensure_ascii=False) + "\n")
    if not hits:
        return
    kinds = ", ".join(f"{kind} {n}" for kind, n in Counter(hit.kind for hit in hits).most_common())
    for hit in hits[:_SHOWN_HITS]:
        logger.warning("identity  %s, %s: %s %r", hit.row_id, hit.column, hit.kind, hit.seen)
    if len(hits) > _SHOWN_HITS:
        logger.warning("identity  and %d more in %s", len(hits) - _SHOWN_HITS, report)
    if not acknowledged:
        raise PublishError(
            f"{len(hits)} places may tell who a patient is ({kinds}); look at each in {report}, mend the source, "
            "or say --acknowledge-identity"
        )


def _scan(folder: Path) -> Iterator[Hit]:
    files = sorted((folder / "parquet").glob("*.parquet"))
    with tqdm(desc="identity", unit="hit", disable=None, leave=False) as bar:
        for hit in _scan_index(folder / INDEX) if not files else scan_parquet(files):
            bar.update()
            yield hit


def _scan_index(index: Path) -> Iterator[Hit]:
    for row in read_index_only(index):
        texts = {"id": row.id, "group_id": row.group_id, "images": "\n".join(row.images)}
        texts |= {f"edit {edit.phrase_id}": edit.replacement for edit in row.edits}
        texts |= {"truth": "\n".join(verdict.truth for verdict in row.verdicts if isinstance(verdict.truth, str))}
        yield from scan_texts(row.id, texts)


def _opened(run_dir: Path) -> tuple[Recipe, RunDir]:
    if not (run_dir / "recipe.yaml").is_file():
        raise RunError(f"{run_dir} holds no run; `medprefkit run` makes one")
    recipe = read_recipe(run_dir / "recipe.yaml")
    return recipe, RunDir(run_dir, n_shards=recipe.shards)
