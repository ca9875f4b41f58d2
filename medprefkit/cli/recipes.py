"""Recipes: list, copy, validate; what plug-ins a recipe may name; what a recipe's keys are."""

from pathlib import Path
from typing import Annotated

import typer

from medprefkit.cli.arguments import RecipePath, SetOption
from medprefkit.errors import RecipeError

recipes_app = typer.Typer(help="The recipes that are shipped.", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(recipes_app, name="recipes")
    app.command(epilog="Example: medprefkit validate recipes/quickstart.yaml --set seed=1")(validate)
    app.command(epilog="Example: medprefkit plugins")(plugins)


@recipes_app.command("list", epilog="Example: medprefkit recipes list")
def list_recipes() -> None:
    """List the shipped recipes, each with its first line."""
    from medprefkit.recipe import shipped_recipes

    for name, path in shipped_recipes().items():
        first = path.read_text("utf-8").splitlines()[0].removeprefix("# ")
        typer.echo(f"{name:32} {first}")


@recipes_app.command("copy", epilog="Example: medprefkit recipes copy quickstart mine.yaml")
def copy_recipe(
    name: Annotated[str, typer.Argument(help="A name that `medprefkit recipes list` shows.")],
    to: Annotated[Path, typer.Argument(help="The file to write.")],
) -> None:
    """Copy a shipped recipe to edit it."""
    from medprefkit.recipe import find_recipe

    source = find_recipe(Path(name))
    if to.exists():
        raise RecipeError(f"{to} exists; choose another name")
    to.write_text(source.read_text("utf-8"), "utf-8")
    typer.echo(f"{to}: now `medprefkit validate {to}`")


def validate(recipe: RecipePath, set_: SetOption = None) -> None:
    """Check a recipe's keys, values and plug-in options; nothing is run."""
    from medprefkit.recipe import find_recipe, read_recipe, recipe_hash

    read = read_recipe(find_recipe(recipe), set_ or [])
    typer.echo(f"{recipe}: valid ({read.name}, hash {recipe_hash(read)})")


def plugins() -> None:
    """List the generators, detectors, checkers, editors and corruptions that a recipe may name."""
    from medprefkit.registry import KINDS, listed

    for kind in KINDS:
        for name, target, package, version in listed(kind):
            typer.echo(f"{kind:12} {name:16} {package} {version:8} {target}")
