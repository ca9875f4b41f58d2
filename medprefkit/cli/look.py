"""`medprefkit show` and `view`: pairs in the terminal, and as a page to look at, search and review."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medprefkit.cli.arguments import RunPath


class Pictures(StrEnum):
    """Where a page keeps its pictures."""

    INSIDE = "inside"
    BESIDE = "beside"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: medprefkit show runs/quickstart --pairs 5")(show)
    app.command(epilog="Example: medprefkit view runs/quickstart --out look")(view)


def show(
    run: RunPath,
    pairs: Annotated[int, typer.Option("--pairs", "-n", min=1, help="How many pairs.")] = 10,
    error_type: Annotated[str | None, typer.Option(help="Only pairs with an edit of this type.")] = None,
) -> None:
    """Print pairs with their edits marked, the verdicts behind them and what was dropped."""
    from medprefkit import products  # heavy: the stages

    products.show(run, n_pairs=pairs, error_type=error_type)


def view(
    data: Annotated[str, typer.Argument(help="A run, a dataset of ours (folder, Parquet) or its Hub name.")],
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for the page.  [default: the run's view, or ./view]")
    ] = None,
    pairs: Annotated[int, typer.Option("--pairs", "-n", min=1, help="At most so many pairs.")] = 5000,
    pictures: Annotated[
        Pictures | None,
        typer.Option(help="In the page, or in a folder beside it.  [default: beside where there are over 200 pairs]"),
    ] = None,
) -> None:
    """Write a page of pairs to look at, filter, search and review; it opens from the file system, without a network.

    Decisions saved on it go into `medprefkit build RECIPE --decisions FILE`.
    """
    from medprefkit import looking  # heavy: the stages

    beside = None if pictures is None else pictures is Pictures.BESIDE
    done = looking.view(data, out, n_pairs=pairs, beside=beside)
    typer.echo(f"page      {done.page}  ({done.n_pairs} pairs)")
