"""`medprefkit inject` and `medprefkit evaluate injected`: known errors in true reports, and how many are found."""

import json
from pathlib import Path
from typing import Annotated

import typer

from medprefkit.cli.arguments import CheckWithOption

TableArgument = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="CSV, JSONL, JSON or Parquet of true reports.")
]
TextOption = Annotated[
    list[str], typer.Option(help="Column of the text; may be repeated, a row's texts are joined by line feeds.")
]
IdOption = Annotated[str | None, typer.Option("--id", help="Column of the name of a row.  [default: its number]")]
PromptOption = Annotated[str, typer.Option(help="What every text answers.")]
SeedOption = Annotated[int, typer.Option(help="Decides texts, places and wrong words.")]


def add_to(app: typer.Typer, evaluate_app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog="Example: medprefkit inject reports.csv --text findings --text impression --out wrong.jsonl --errors 2"
    )(inject)
    evaluate_app.command(
        epilog="Example: medprefkit evaluate injected reports.csv --text findings --text impression --misses m.jsonl"
    )(injected)


def inject(
    table: TableArgument,
    text: TextOption,
    out: Annotated[Path, typer.Option(dir_okay=False, help="JSON lines of labelled answers, one a report.")],
    id_: IdOption = None,
    errors: Annotated[int, typer.Option(min=1, help="Errors in each report, each of another type.")] = 1,
    prompt: PromptOption = "Describe the image.",
    seed: SeedOption = 0,
) -> None:
    """Put known errors into true reports; writes answers labelled with spans, for `evaluate detection --gold`."""
    from medprefkit import measure, measure_injected  # heavy: the stages

    texts = measure.read_texts(table, columns=text, id_column=id_)
    made = measure_injected.make_wrong(texts, n_errors=errors, seed=seed)
    n_written = measure_injected.write_labelled(out, made, prompt=prompt)
    typer.echo(f"{n_written} of {len(texts)} reports made wrong: {out}")


def injected(
    table: TableArgument,
    text: TextOption,
    id_: IdOption = None,
    per_type: Annotated[int, typer.Option(min=1, help="Texts for each error type, one error in each.")] = 100,
    prompt: PromptOption = "Describe the image.",
    seed: SeedOption = 0,
    misses: Annotated[
        Path | None, typer.Option(dir_okay=False, help="JSON lines of every text that did not become true again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    detect: Annotated[str, typer.Option("--detect", help="Detector, by its registered name.")] = "lexicon",
    check: Annotated[str, typer.Option("--check", help="Checker, by its registered name.")] = "reference",
    check_with: CheckWithOption = None,
    edit: Annotated[str, typer.Option("--edit", help="Editor, by its registered name.")] = "minimal",
) -> None:
    """Put one known error into each of many true reports: is it found, and does the true text come back?"""
    from medprefkit import measure, measure_injected  # heavy: the stages
    from medprefkit.evaluate.injected import injected_json, injected_table, score_injected
    from medprefkit.evaluate.tables import as_text

    tool = measure.Tool(detect=detect, check=check, edit=edit, check_with=check_with or ())
    texts = measure.read_texts(table, columns=text, id_column=id_)
    made = measure_injected.make_each_type(texts, per_type=per_type, seed=seed)
    readings = measure_injected.measure_injected(tool, made, prompt=prompt)
    scored = score_injected(readings, seed=seed)
    typer.echo(json.dumps(injected_json(scored), indent=2) if as_json else as_text([injected_table(scored)]))
    if misses is not None:
        n_missed = measure_injected.write_misses(misses, readings)
        typer.echo(f"{n_missed} texts that did not become true again: {misses}", err=True)
