"""`medprefkit run`, and one command for each stage of a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medprefkit.cli.arguments import DecisionsOption, RecipePath, RunDirOption, SetOption
from medprefkit.errors import RecipeError

if TYPE_CHECKING:
    from medprefkit.pipeline import StageName
    from medprefkit.recipe import Recipe

_STAGES: "dict[StageName, str]" = {
    "sources": "Read the sources: questions, images, masks, references.",
    "generate": "Answer the questions in the model's own words.",
    "detect": "Find what the answers and the references claim.",
    "check": "Judge every claim of an answer against its reference.",
    "edit": "Apply the smallest edits that make the answers right.",
    "corrupt": "Remove the lesions from the images, and damage healthy tissue as a control.",
    "build": "Join pairs, split by patient, write the dataset.",
    "publish": "Write the data card beside the Parquet files, as they would be shared.",
}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: medprefkit run recipes/quickstart.yaml --run-dir runs/first")(run)
    for stage, text in _STAGES.items():
        example = f"Example: medprefkit {stage} recipes/quickstart.yaml --run-dir runs/first"
        app.command(stage, help=f"{text} Reads what the stages before it left in the run.", epilog=example)(
            _stage_command(stage)
        )


def run(
    recipe: RecipePath,
    run_dir: RunDirOption = None,
    set_: SetOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")] = False,
    policy: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Adapter that answers, and that training goes on from."),
    ] = None,
    decisions: DecisionsOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate calls and tokens of models; send and write nothing.")
    ] = False,
) -> None:
    """Run a recipe from its sources to its page: dataset, card, adapter, pictures."""
    from medprefkit import estimate, pipeline, products, rounds  # heavy: the stages

    read, root = _read(recipe, run_dir, [*(set_ or []), *([f"policy={json.dumps(str(policy))}"] if policy else [])])
    if dry_run:
        lines = estimate.describe(estimate.dry_run(read, root))
        if read.rounds is not None:
            lines.append(f"that is one round of {read.rounds}, and answers and verdicts once more at the end")
    elif read.rounds is not None and decisions is not None:
        raise RecipeError(f"{read.name}: a run of several rounds takes no --decisions; use them on one of its rounds")
    elif read.rounds is not None:
        lines = rounds.run_rounds(read, root, resume=resume)
    else:
        pipeline.run(read, root, resume=resume, decisions=decisions)
        lines = [*products.asked(read, root), *products.whereabouts(read, root)]
    for line in lines:
        typer.echo(line)


def _stage_command(stage: "StageName") -> Callable[..., None]:
    def command(recipe: RecipePath, run_dir: RunDirOption = None, set_: SetOption = None) -> None:
        from medprefkit import pipeline  # heavy: the stages

        read, root = _read(recipe, run_dir, set_)
        pipeline.run_stage(stage, read, root)

    def reviewed(
        recipe: RecipePath,
        run_dir: RunDirOption = None,
        set_: SetOption = None,
        decisions: DecisionsOption = None,
    ) -> None:
        from medprefkit import pipeline  # heavy: the stages

        read, root = _read(recipe, run_dir, set_)
        pipeline.run_stage(stage, read, root, decisions=decisions)

    return reviewed if stage == "build" else command


def _read(recipe: Path, run_dir: Path | None, overrides: list[str] | None) -> "tuple[Recipe, Path]":
    from medprefkit.recipe import find_recipe, read_recipe

    read = read_recipe(find_recipe(recipe), overrides or [])
    return read, run_dir or Path("runs") / read.name
