"""`medprefkit evaluate findings`: chest reports labelled with fourteen findings."""

from pathlib import Path
from typing import Annotated

import typer


def add_to(evaluate_app: typer.Typer) -> None:
    """Register the command."""
    evaluate_app.command(
        epilog="Example: medprefkit evaluate findings reports.csv --text findings --text impression --id uid "
        "--out labels.csv"
    )(findings)


def findings(
    table: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, JSONL, JSON or Parquet of reports.")],
    text: Annotated[
        list[str], typer.Option(help="Column of the text; may be repeated, a row's texts are joined by line feeds.")
    ],
    id_: Annotated[str | None, typer.Option("--id", help="Column of the name of a row.  [default: its number]")] = None,
    out: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="CSV to write: 1.0 present, 0.0 absent, -1.0 uncertain, or empty."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Table of `id` and a column a finding, 1 where it is there."),
    ] = None,
    detect: Annotated[str, typer.Option("--detect", help="Detector, by its registered name.")] = "lexicon",
) -> None:
    """Label chest reports with the fourteen findings of CheXpert, and score the labels where the truth is given."""
    from medprefkit import measure, measure_findings  # heavy: the stages

    texts = measure.read_texts(table, columns=text, id_column=id_)
    known = measure_findings.read_truth(truth, texts) if truth is not None else None
    labels = measure_findings.label_reports(texts, detect=detect)
    if out is not None:
        measure_findings.write_labels(out, texts, labels)
    typer.echo(measure_findings.describe_labels(labels, known))
