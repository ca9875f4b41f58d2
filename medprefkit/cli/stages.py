"""`medprefkit run`, and one command for each stage of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medprefkit.cli.arguments import RecipePath, RunDirOption, SetOption

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
    "view": "Write the page that shows the pairs.",
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
) -> None:
    """Run a recipe from its sources to its page: dataset, card, adapter, pictures."""
    from medprefkit import pipeline, products  # heavy: the stages

    read, root = _read(recipe, run_dir, set_)
    pipeline.run(read, root, resume=resume)
    for line in products.whereabouts(read, root):
        typer.echo(line)


def _stage_command(stage: "StageName") -> Callable[..., None]:
    def command(recipe: RecipePath, run_dir: RunDirOption = None, set_: SetOption = None) -> None:
        from medprefkit import pipeline  # heavy: the stages

        read, root = _read(recipe, run_dir, set_)
        pipeline.run_stage(stage, read, root)

    return command


def _read(recipe: Path, run_dir: Path | None, overrides: list[str] | None) -> "tuple[Recipe, Path]":
    from medprefkit.recipe import find_recipe, read_recipe

    read = read_recipe(find_recipe(recipe), overrides or [])
    return read, run_dir or Path("runs") / read.name
