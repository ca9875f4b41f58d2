"""Rounds: build, train, and answer again with the adapter that came of it, n times; each round is a run of its own.

    RUN/round-1, round-2 ...   whole runs: dataset, card, adapter, page
    RUN/closing                what the last adapter answers, judged; nothing is built or trained on it
    RUN/rounds.json, rounds.png   the numbers of every round, and a plot over them
    RUN/calls.sqlite           the call store that all rounds share

An adapter goes on from the one before; the reference of the loss is the bare model in every round. Error rates are of
the policy that answered in that round, so round 1 measures the bare model, and those on held-out patients are of
patients that no round trains on.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medprefkit import pipeline, products
from medprefkit.build.split import Member, Split, assign_splits
from medprefkit.errors import RunError
from medprefkit.recipe import Recipe
from medprefkit.records import Edits, Example, Verdicts
from medprefkit.store import RunDir, write_text
from medprefkit.wiring import call_store

logger = logging.getLogger(__name__)

_PANELS = (
    ("share of judged claims that are wrong", ("wrong_share/train", "wrong_share/held_out")),
    ("share of answers with an error", ("wrong_answers/train", "wrong_answers/held_out")),
    ("pairs and edits", ("pairs", "edits")),
    ("reward margin and accuracy after training", ("train/rewards/margins", "train/rewards/accuracies")),
)
_OF_TRAINING = ("loss", "rewards/margins", "rewards/accuracies", "eval_rewards/margins", "eval_rewards/accuracies")


def run_rounds(recipe: Recipe, run_dir: Path, *, resume: bool = False) -> list[str]:
    """Run all rounds of a recipe; a stopped one goes on where it was, and no call is made twice.

    Returns:
        A line for everything that is left for a person: what it is and where.

    Raises:
        RunError: If the recipe has no rounds, or as `pipeline.run`.
    """
    if recipe.rounds is None:
        raise RunError(f"the recipe {recipe.name!r} has no rounds")
    if run_dir.exists() and not resume and any(run_dir.iterdir()):
        raise RunError(f"{run_dir} holds a run; --resume continues it, or choose another --run-dir")
    run_dir.mkdir(parents=True, exist_ok=True)
    numbers: list[dict[str, float]] = []
    policy = recipe.policy
    for number in range(1, recipe.rounds + 1):
        logger.info("round %d of %d, answered by %s", number, recipe.rounds, policy or "the bare model")
        folder = run_dir / f"round-{number}"
        one = _round(recipe, run_dir, policy)
        pipeline.run(one, folder, resume=resume)
        for line in products.asked(one, folder):
            logger.info("%s", line)
        numbers.append({"step": number, **_numbers(one, folder), **_of_training(folder)})
        _write(run_dir, numbers)
        policy = str(folder / "train")
    closing = _round(recipe, run_dir, policy)
    for stage in ("sources", "generate", "detect", "check"):
        pipeline.run_stage(stage, closing, run_dir / "closing")
    numbers.append({"step": recipe.rounds + 1, **_numbers(closing, run_dir / "closing")})
    _write(run_dir, numbers)
    last = run_dir / f"round-{recipe.rounds}"
    return [
        *products.whereabouts(one, last),
        f"numbers   {run_dir / 'rounds.json'}",
        f"plot      {run_dir / 'rounds.png'}",
    ]


def _round(recipe: Recipe, run_dir: Path, policy: str | None) -> Recipe:
    calls = recipe.calls or str(run_dir / "calls.sqlite")
    return recipe.model_copy(update={"rounds": None, "policy": policy, "calls": calls})


def _numbers(recipe: Recipe, folder: Path) -> dict[str, float]:
    """Count what a round's answers got wrong, on patients to train on and on those held out."""
    store = RunDir(folder, n_shards=recipe.shards)
    sides = _sides(recipe, store)
    claims: Counter[tuple[Split, str]] = Counter()
    answers: Counter[tuple[Split, bool]] = Counter()
    for judged in store.in_order("check", Verdicts):
        side = sides[judged.id]
        labels = [verdict.label for verdict in judged.verdicts]
        claims.update((side, label) for label in labels)
        if any(label != "unverifiable" for label in labels):
            answers[side, "contradicted" in labels] += 1
    found: dict[str, float] = {"answers": float(store.counts("generate").kept)}
    for side, name in (("train", "train"), ("eval", "held_out")):
        judged_claims = claims[side, "supported"] + claims[side, "contradicted"]
        judged_answers = answers[side, True] + answers[side, False]
        found[f"judged_claims/{name}"] = float(judged_claims)
        if judged_claims:
            found[f"wrong_share/{name}"] = claims[side, "contradicted"] / judged_claims
            found[f"wrong_answers/{name}"] = answers[side, True] / judged_answers
    if store.stage_done("edit"):
        found["edits"] = float(sum(len(edits.edits) for edits in store.in_order("edit", Edits)))
    if store.tree_done("build"):
        found["pairs"] = float(products.n_pairs(store))
    for counts in call_store(recipe, folder).counts():
        found[f"calls/{counts.model}"] = float(counts.calls)
    return found


def _sides(recipe: Recipe, store: RunDir) -> Mapping[str, Split]:
    members = [
        Member(example.id, example.group_id, tuple(ref.path for ref in example.images))
        for example in store.in_order("sources", Example)
    ]
    return assign_splits(members, run_seed=recipe.seed, eval_share=recipe.build.eval_share)


def _of_training(folder: Path) -> dict[str, float]:
    told: dict[str, Any] = json.loads((folder / "train" / "metrics.json").read_text("utf-8"))
    return {f"train/{name}": float(told[name]) for name in _OF_TRAINING if name in told}


def _write(run_dir: Path, numbers: list[dict[str, float]]) -> None:
    from medprefkit.train.curves import draw_curves  # heavy by its room

    write_text(run_dir / "rounds.json", json.dumps(numbers, indent=2) + "\n")
    draw_curves(numbers, run_dir / "rounds.png", _PANELS)
