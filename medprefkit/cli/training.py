"""`medprefkit train`: a dataset becomes an adapter, without a recipe."""

from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: medprefkit train runs/quickstart --model llava-hf/llava-1.5-7b-hf --out adapter")(train)


def train(
    dataset: Annotated[str, typer.Argument(help="A run, a saved dataset, a folder of Parquet files, or a Hub name.")],
    model: Annotated[str, typer.Option(help="Model folder or Hub name; tiny-llava builds one on the spot.")],
    out: Annotated[Path, typer.Option(help="Where the adapter goes.")] = Path("adapter"),
) -> None:
    """Train a LoRA adapter on a preference dataset."""
