"""`medprefkit evaluate corruption`: how well lesions are gone, over a folder of images and masks."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from medprefkit.errors import RecipeError


def add_to(evaluate_app: typer.Typer) -> None:
    """Register the command."""
    evaluate_app.command(epilog="Example: medprefkit evaluate corruption --images xray --masks masks --report runs/c")(
        corruption
    )


def corruption(
    images: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of images.")],
    masks: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of lesion masks, same stems.")],
    name: Annotated[
        list[str] | None,
        typer.Option("--corruption", help="Registered name; may be repeated.  [default: all installed]"),
    ] = None,
    strength: Annotated[
        list[float] | None, typer.Option(help="Share of the filling in the result; may be repeated.  [default: 1]")
    ] = None,
    mask_suffix: Annotated[str, typer.Option(help="What a mask's stem has behind its image's.")] = "",
    window: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Center and width for DICOM and NIfTI, HU for CT.  [default: each file's own]"),
    ] = None,
    boxes: Annotated[
        Literal["ellipse", "grabcut"], typer.Option(help="What a mask that is a box becomes.")
    ] = "ellipse",
    modality: Annotated[
        str | None, typer.Option(help="Also print the recipe lines that are shipped for it, for instance chest_xray.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    report: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for the summary, its plot, JSON and contact sheets.")
    ] = None,
) -> None:
    """Measure what is left of every lesion, whether the place shows, and what else changed; recommend a corruption."""
    from medprefkit import measure_images  # heavy: OpenCV
    from medprefkit.corrupt.modalities import SUITED
    from medprefkit.evaluate.corruption_summary import as_json as json_of
    from medprefkit.evaluate.corruption_summary import recommend, tables_of
    from medprefkit.evaluate.tables import as_text

    if modality is not None and modality not in SUITED:
        raise RecipeError(f"no modality {modality!r} is shipped; there are: {', '.join(SUITED)}")
    pairs = measure_images.pair_files(images, masks, mask_suffix=mask_suffix, window=window, boxes=boxes)
    found = measure_images.measure_corruptions(pairs, name or [], strengths=strength or (1.0,), seed=seed)
    if as_json:
        typer.echo(json.dumps(json_of(found.measured), indent=2))
    else:
        typer.echo(f"{as_text(tables_of(found.measured))}\n\n{recommend(found.measured)}")
    if modality is not None:
        typer.echo(f"shipped for {modality}: {SUITED[modality].as_recipe()}", err=as_json)
    if report is not None:
        measure_images.write_report(report, found)
        typer.echo(f"contact sheets and summary: {report}", err=True)
