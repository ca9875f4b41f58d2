"""`medprefkit audit`, `export` and `import`: any preference dataset measured, ours in others' formats and back."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from medprefkit.formats.pair import FormatName

Data = Annotated[str, typer.Argument(help="A file, a folder, a run or a Hub name.")]
ImagesOption = Annotated[
    Path | None, typer.Option("--images", help="Folder that image paths are relative to; else the file's own.")
]


class Format(StrEnum):
    """The formats that are read."""

    MEDPREFKIT = "medprefkit"
    TRL = "trl"
    LLAMAFACTORY = "llamafactory"
    MS_SWIFT = "ms-swift"
    RRPO = "rrpo"
    LLAVA = "llava"
    MMEDPO = "mmedpo"
    RLHFV = "rlhfv"
    JSONL = "jsonl"


class Target(StrEnum):
    """The formats that are written."""

    TRL = "trl"
    LLAMAFACTORY = "llamafactory"
    MS_SWIFT = "ms-swift"
    RRPO = "rrpo"
    LLAVA = "llava"
    JSONL = "jsonl"


FromOption = Annotated[
    Format | None, typer.Option("--from", help="Format of the rows; without it the columns tell.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: medprefkit audit runs/quickstart --out audit")(audit)
    app.command(epilog="Example: medprefkit export runs/quickstart trl-pairs --to trl")(export)
    app.command("import", epilog="Example: medprefkit import pairs.json pairs --from mmedpo --images pictures")(import_)


def audit(
    data: Data,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Folder for the JSON, Markdown and HTML.")] = None,
    from_: FromOption = None,
    images: ImagesOption = None,
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="CHECK=VALUE", help="Change one limit; may be repeated. Exit 1 beyond it."),
    ] = None,
) -> None:
    """Measure a preference dataset, ours or a peer's: what gives the answer away, what repeats, leaks or is broken.

    Exit code 0 where every check is within its limit, 1 where one is beyond it, 2 for a mistake.
    """
    from medprefkit.audit.audit import audit as measure  # heavy: datasets, scikit-learn
    from medprefkit.audit.report import limits_with
    from medprefkit.audit.write import shown, write_audit
    from medprefkit.exchange import opened, watched

    limits = limits_with(limit or [])
    read = opened(data, from_.value if from_ else None, images)
    name = "/".join(Path(data).parts[-2:])  # nothing of where it lies
    report = measure(watched(read.rows, "audit"), dataset=name, format_name=read.format, limits=limits)
    typer.echo(f"{report.n_pairs} pairs, format {report.format}")
    for check in report.checks:
        mark = {"ok": " ", "beyond": "!", "unknown": "-"}[check.verdict]
        typer.echo(f"{mark} {shown(check):>7}  {check.title}{f'  ({check.detail})' if check.detail else ''}")
    if out is not None:
        write_audit(report, out)
        typer.echo(f"page      {out / 'audit.html'}")
    if report.beyond:
        raise typer.Exit(1)


def export(
    data: Data,
    out: Annotated[Path, typer.Argument(file_okay=False, help="New folder.")],
    to: Annotated[Target, typer.Option(help="The tool that is to read it.")],
    from_: FromOption = None,
    images: ImagesOption = None,
) -> None:
    """Write a dataset in another tool's format, pictures beside it."""
    from medprefkit import exchange  # heavy: datasets

    done = exchange.export(data, out, to=to.value, format_name=from_.value if from_ else None, images=images)
    typer.echo(f"{done.folder}  {', '.join(f'{split} {n}' for split, n in done.n_rows.items())}")


def import_(
    data: Data,
    out: Annotated[Path, typer.Argument(file_okay=False, help="New folder of Parquet files.")],
    from_: FromOption = None,
    images: ImagesOption = None,
    source: Annotated[str, typer.Option(help="Name of the source, for every row.")] = "imported",
    licence: Annotated[str, typer.Option(help="Its licence.")] = "unknown",
) -> None:
    """Bring another tool's pairs into our columns, to train on; spans come along where the format has any."""
    from medprefkit import exchange  # heavy: datasets

    name: FormatName | None = from_.value if from_ else None
    done = exchange.import_pairs(data, out, format_name=name, images=images, source=source, licence=licence)
    typer.echo(f"{out}  {', '.join(f'{split} {n}' for split, n in done.n_rows.items())}")
    for where, problem in done.unreadable[:5]:
        typer.echo(f"left out  {where}: {problem}", err=True)
    if len(done.unreadable) > 5:
        typer.echo(f"left out  {len(done.unreadable)} rows in all", err=True)
