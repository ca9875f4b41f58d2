"""`medprefkit evaluate`: how right the detection is, on labelled answers and on texts judged against themselves."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medprefkit.cli import checking, evaluation_corruption, evaluation_findings, injecting
from medprefkit.cli.arguments import CheckWithOption

if TYPE_CHECKING:
    from medprefkit.measure import Tool

evaluate_app = typer.Typer(
    help="How right it is: measured on labelled answers.", no_args_is_help=True, rich_markup_mode=None
)

DetectOption = Annotated[str, typer.Option("--detect", help="Detector, by its registered name.")]
CheckOption = Annotated[str, typer.Option("--check", help="Checker, by its registered name.")]
EditOption = Annotated[str, typer.Option("--edit", help="Editor, by its registered name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    evaluation_corruption.add_to(evaluate_app)
    evaluation_findings.add_to(evaluate_app)
    injecting.add_to(app, evaluate_app)
    checking.add_to(app, evaluate_app)
    app.add_typer(evaluate_app, name="evaluate")


@evaluate_app.command(epilog="Example: medprefkit evaluate detection --gold labelled.jsonl --report runs/accuracy")
def detection(
    gold: Annotated[
        list[Path],
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Labelled answers, one JSON object a line: id, task, prompt, response, reference, errors, "
            "unverifiable. May be repeated; every file is measured by itself.",
        ),
    ],
    report: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for report.md and report.html, with every miss.")
    ] = None,
    as_json: JsonOption = False,
    detect: DetectOption = "lexicon",
    check: CheckOption = "reference",
    check_with: CheckWithOption = None,
    edit: EditOption = "minimal",
    images: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of the images that the answers name under `image`, for a checker that looks at them.",
        ),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="Only with --check vlm: find its thresholds, and write them to this file for a recipe."
        ),
    ] = None,
    precision: Annotated[
        float,
        typer.Option(
            help="Of --calibrate: wanted share of right verdicts. A cost of c missed errors for a wrong correction is "
            "c / (1 + c)."
        ),
    ] = 0.95,
) -> None:
    """Measure detection, edits and abstention on labelled answers, beside baselines that know no medicine."""
    from medprefkit import measure  # heavy: the stages
    from medprefkit.evaluate.report import write_report
    from medprefkit.evaluate.tables import as_text

    tool = measure.Tool(detect=detect, check=check, edit=edit, check_with=check_with or (), images=images)
    if calibrate is not None:
        _calibrate(tool, gold, calibrate, precision)
    measured = measure.measure_files(tool, gold)
    if as_json:
        typer.echo(json.dumps({one.name: one.comparison.as_json() for one in measured}, indent=2))
    else:
        typer.echo("\n\n".join(f"{one.name}\n\n{as_text(one.section.tables)}" for one in measured))
    if report is not None:
        write_report(report, [one.section for one in measured])
        typer.echo(f"every miss and false alarm: {report / 'report.html'}", err=True)


def _calibrate(tool: "Tool", gold: list[Path], file: Path, precision: float) -> None:
    from medprefkit import measure_vlm  # heavy: the stages

    labels = measure_vlm.score_labelled(tool, gold)
    typer.echo(measure_vlm.left_out_text(labels), err=True)
    found = measure_vlm.calibrate(labels.claims, precision=precision)
    measure_vlm.write_recipe_lines(file, tool.options, labels, found)
    typer.echo(f"{measure_vlm.calibration_text(labels, found)}\n\nthresholds: {file}", err=True)


@evaluate_app.command("self", epilog="Example: medprefkit evaluate self reports.csv --text findings --text impression")
def self_(
    table: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, JSONL, JSON or Parquet of reports.")],
    text: Annotated[
        list[str], typer.Option(help="Column of the text; may be repeated, a row's texts are joined by line feeds.")
    ],
    id_: Annotated[str | None, typer.Option("--id", help="Column of the name of a row.  [default: its number]")] = None,
    prompt: Annotated[str, typer.Option(help="What every text answers.")] = "Describe the image.",
    paraphrase: Annotated[
        int | None, typer.Option(help="Judge every text in other words that say the same, drawn from this seed.")
    ] = None,
    as_json: JsonOption = False,
    detect: DetectOption = "lexicon",
    check: CheckOption = "reference",
    check_with: CheckWithOption = None,
    edit: EditOption = "minimal",
) -> None:
    """Judge every text against itself, and show whatever is called wrong: nothing should be."""
    from medprefkit import measure  # heavy: the stages
    from medprefkit.evaluate.alarms import count_alarms, describe_alarms

    tool = measure.Tool(detect=detect, check=check, edit=edit, check_with=check_with or ())
    texts = measure.read_texts(table, columns=text, id_column=id_)
    judged = measure.measure_self(tool, texts, prompt=prompt, paraphrase_seed=paraphrase)
    found = count_alarms((own.id, one) for own, one in judged)
    typer.echo(json.dumps(found.as_json(), indent=2) if as_json else describe_alarms(found))
