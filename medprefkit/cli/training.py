"""`medprefkit train`: a dataset becomes an adapter, without a recipe."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from medprefkit.errors import TrainError


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: medprefkit train runs/quickstart --model tiny-llava --max-steps 20 --precision fp32")(
        train
    )


def train(
    dataset: Annotated[str, typer.Argument(help="A run, a saved dataset, a folder of Parquet files, or a Hub name.")],
    model: Annotated[str, typer.Option(help="Model folder or Hub name; tiny-llava builds a toy on the spot.")],
    out: Annotated[Path, typer.Option(help="Folder of the adapter.")] = Path("adapter"),
    preset: Annotated[str, typer.Option(help="Objective: medpref, dpo, or an ancestor's.")] = "medpref",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one setting of the objective; may be repeated."),
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps; overrides --epochs.")] = None,
    epochs: Annotated[float, typer.Option(help="Passes over the pairs.")] = 1.0,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 5e-6,
    batch_size: Annotated[int, typer.Option(min=1, help="Pairs a step on one device.")] = 4,
    gradient_accumulation: Annotated[int, typer.Option(min=1, help="Steps added up before an update.")] = 8,
    tune: Annotated[
        Literal["lora", "full"], typer.Option(help="An adapter, or the language model beside a frozen copy.")
    ] = "lora",
    lora_r: Annotated[int, typer.Option(min=1, help="Rank of the adapter.")] = 128,
    lora_alpha: Annotated[int, typer.Option(min=1, help="Scale of the adapter.")] = 256,
    quantization: Annotated[
        Literal["none", "8bit", "4bit"], typer.Option(help="Of the base model; needs the extra qlora.")
    ] = "none",
    precision: Annotated[Literal["fp32", "bf16", "fp16"], typer.Option(help="Of weights and arithmetic.")] = "bf16",
    gradient_checkpointing: Annotated[bool, typer.Option(help="Recompute activations, for memory.")] = False,
    max_answer_tokens: Annotated[
        int | None, typer.Option(min=1, help="Cut longer answers, never an edit: such a pair is left out.")
    ] = None,
    group_by_length: Annotated[bool, typer.Option(help="Batches of pairs of like length.")] = False,
    streaming: Annotated[
        bool, typer.Option(help="Read pairs as they are asked for, from the Hub too; needs --max-steps.")
    ] = False,
    reference_cache: Annotated[
        str | None, typer.Option(metavar="DIR", help="Keep what the reference says here, and read it from here.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the adapter's start and the order of pairs.")] = 0,
    save_steps: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 100,
    eval_steps: Annotated[int | None, typer.Option(min=1, help="Steps between evaluations; else at the end.")] = None,
    report_to: Annotated[
        list[str] | None, typer.Option(help="A logger, for instance tensorboard; may be repeated.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint in --out.")] = False,
) -> None:
    """Train a LoRA adapter, or the language model, on a preference dataset of the column contract."""
    import yaml

    from medprefkit.train.run import train as train_adapter  # heavy: torch

    objective = {}
    for change in set_ or []:
        key, equals, text = change.partition("=")
        if not equals:
            raise TrainError(f"--set {change}: write key=value, for instance --set beta=0.2")
        objective[key] = yaml.safe_load(text)
    result = train_adapter(
        dataset,
        out,
        resume=resume,
        model=model,
        preset=preset,
        objective=objective,
        max_steps=max_steps,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        gradient_accumulation=gradient_accumulation,
        tune=tune,
        lora_r=lora_r,
        lora_alpha=lora_alpha,
        quantization=quantization,
        precision=precision,
        gradient_checkpointing=gradient_checkpointing,
        max_answer_tokens=max_answer_tokens,
        group_by_length=group_by_length,
        streaming=streaming,
        reference_cache=reference_cache,
        seed=seed,
        save_steps=save_steps,
        eval_steps=eval_steps,
        report_to=tuple(report_to or ()),
    )
    if os.environ.get("RANK", "0") == "0":  # of a launched run, one process speaks
        typer.echo(f"adapter    {result.adapter_dir}")
