"""`medprefkit show`: pairs in the terminal."""

from typing import Annotated

import typer

from medprefkit.cli.arguments import RunPath


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: medprefkit show runs/quickstart --pairs 5")(show)


def show(
    run: RunPath,
    pairs: Annotated[int, typer.Option("--pairs", "-n", min=1, help="How many pairs.")] = 10,
    error_type: Annotated[str | None, typer.Option(help="Only pairs with an edit of this type.")] = None,
) -> None:
    """Print pairs with their edits marked, the verdicts behind them and what was dropped."""
    from medprefkit import products  # heavy: the stages

    products.show(run, n_pairs=pairs, error_type=error_type)
