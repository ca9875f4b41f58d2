"""Arguments that several commands share, each with one help text."""

from pathlib import Path
from typing import Annotated

import typer

RecipePath = Annotated[
    Path, typer.Argument(help="Recipe YAML: a file, or the name of a shipped one (`medprefkit recipes list`).")
]
RunDirOption = Annotated[
    Path | None, typer.Option("--run-dir", help="Where the run lives.  [default: runs/NAME of the recipe]")
]
RunPath = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Run directory.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the recipe; may be repeated."),
]
DecisionsOption = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="What a reviewer decided on the page of `medprefkit view`, as JSON lines."
    ),
]
CheckWithOption = Annotated[
    list[str] | None,
    typer.Option("--check-with", metavar="KEY=VALUE", help="An option of the checker; may be repeated."),
]
