"""The command line: one command a stage, and what a person does with a run. Nothing heavy is imported here."""

import logging
import os
import sys
from typing import Annotated

import typer

from medprefkit import __version__
from medprefkit.cli import auditing, evaluation, look, publishing, recipes, stages, training
from medprefkit.errors import MedPrefKitError

app = typer.Typer(
    name="medprefkit",
    help="Preference datasets for medical vision-language models: build one, look at it, train on it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
recipes.add_to(app)
stages.add_to(app)
training.add_to(app)
look.add_to(app)
publishing.add_to(app)
auditing.add_to(app)
evaluation.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medprefkit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[  # noqa: ARG001 (typer's eager callback has answered by then)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Set what every command shares."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr, level=logging.WARNING)
    logging.getLogger("medprefkit").setLevel(logging.ERROR if quiet else logging.INFO)


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        app()
    except MedPrefKitError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("stopped; run the same command with --resume to go on", err=True)
        sys.exit(130)
