"""A dry run: how many calls and tokens a recipe would take, before anything is sent or written.

What depends on the sources alone is scaled up from a sample. What depends on answers that are not there yet is
estimated with the reference standing in for the answer, and is the most that would be asked.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from medprefkit.context import AsksModels, RunContext
from medprefkit.models.calls import CallStore, call_key
from medprefkit.models.privacy import is_local
from medprefkit.models.requests import Asker, Request
from medprefkit.protocols import Checker, Detector
from medprefkit.recipe import Recipe
from medprefkit.records import Answer, Case, Dropped, Example, Stage
from medprefkit.steps import DetectStep
from medprefkit.store import RunDir
from medprefkit.wiring import call_store, context_of, plug_in, read_sources

SAMPLE = 50
"""Examples whose questions are written out and counted; the others are taken to be like them."""


class Estimate(NamedTuple):
    """What one stage would ask of one model.

    Attributes:
        stage: Its name.
        model: The model.
        place: The endpoint's address; empty for this process.
        calls: Different questions, for all examples.
        kept: Of these, the answers that are in the call store already.
        prompt_tokens: Of the calls that are not.
        completion_tokens: At most, of the calls that are not.
        remote: Whether texts and images would leave this machine.
    """

    stage: str
    model: str
    place: str
    calls: int
    kept: int
    prompt_tokens: int
    completion_tokens: int
    remote: bool


class DryRun(NamedTuple):
    """How many examples there are, and what would be asked about them."""

    n_examples: int
    estimates: list[Estimate]


def dry_run(recipe: Recipe, run_dir: Path) -> DryRun:
    """Read the sources and count; nothing is sent, and nothing is written to the run.

    Raises:
        MedPrefKitError: Whatever a run would say of its recipe or its sources before its first call.
    """
    with tempfile.TemporaryDirectory() as folder:
        # sources that are drawn are drawn here; what the run itself holds is not touched
        scratch = Path(folder) if recipe.sources[0].format == "phantom" else run_dir
        examples = [o for o in read_sources(recipe, RunDir(scratch, n_shards=1)) if not isinstance(o, Dropped)]
        step = max(1, len(examples) // SAMPLE)
        sample = examples[::step][:SAMPLE]
        scale = len(examples) / len(sample) if sample else 0.0
        return DryRun(len(examples), _estimates(recipe, run_dir, scratch, sample, scale))


def _estimates(recipe: Recipe, run_dir: Path, scratch: Path, sample: Sequence[Example], scale: float) -> list[Estimate]:
    calls = call_store(recipe, run_dir)

    def lent(stage: Stage) -> RunContext:
        return replace(context_of(stage, recipe, scratch), calls=calls)

    detector: Detector = plug_in("detectors", recipe.detect)
    checker: Checker = plug_in("checkers", recipe.check, lent("check"))
    generator = plug_in("generators", recipe.generate, lent("generate"))
    editor = plug_in("editors", recipe.edit, replace(lent("edit"), detector=detector, checker=checker))
    answered = [Case(e, Answer(id=e.id, text=e.answer or e.reference, model="stand-in")) for e in sample]
    claimed = DetectStep(detector)(answered)
    read = [Case(c.example, c.answer, claims) for c, claims in zip(answered, claimed, strict=True)]
    found = []
    for stage, plugin, cases in (("generate", generator, answered), ("check", checker, read), ("edit", editor, read)):
        if isinstance(plugin, AsksModels):
            found += _counted(stage, plugin.forecast(cases), calls, scale)
    return found


def _counted(stage: str, asked: Sequence[tuple[Asker, Request]], calls: CallStore, scale: float) -> list[Estimate]:
    """Sum up what is asked of each model: equal questions count once, and what is kept costs nothing."""
    by_model: dict[tuple[str, str], dict[str, tuple[Asker, Request]]] = {}
    for asker, request in asked:
        by_model.setdefault((asker.model, asker.place), {})[call_key(asker, request)] = (asker, request)
    found = []
    for (model, place), of_model in by_model.items():
        new = [pair for key, pair in of_model.items() if calls.find(key) is None]
        found.append(
            Estimate(
                stage=stage,
                model=model,
                place=place,
                calls=round(scale * len(of_model)),
                kept=round(scale * (len(of_model) - len(new))),
                prompt_tokens=round(scale * sum(asker.count_tokens(request) for asker, request in new)),
                completion_tokens=round(scale * sum(request.sampling.max_new_tokens for _, request in new)),
                remote=not is_local(place),
            )
        )
    return found


def describe(run: DryRun) -> list[str]:
    """Return the estimate in lines for a person."""
    lines = [f"{run.n_examples} examples; nothing was sent"]
    if not run.estimates:
        return [*lines, "the recipe asks no model"]
    for one in run.estimates:
        where = one.place or "this process"
        lines.append(
            f"{one.stage:9} {one.model} ({where}{', REMOTE' if one.remote else ''}): "
            f"{'' if one.stage == 'generate' else 'at most '}{one.calls} calls, {one.kept} of them kept from before; "
            f"about {one.prompt_tokens} prompt tokens, at most {one.completion_tokens} completion tokens"
        )
    return lines
