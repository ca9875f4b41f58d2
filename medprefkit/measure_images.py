"""Measuring corruptions: the shipped ones over a folder of images and masks; `evaluate/corruption*.py` scores.

The one place that runs corruptions in order to measure them. One image is in memory at a time.
"""

import inspect
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from medprefkit.corrupt.apply import Corrupted, apply_corruption
from medprefkit.corrupt.region import Box, box_of, grow, margin_for
from medprefkit.corrupt.tissue import tissue_of
from medprefkit.errors import ImageError, SourceError
from medprefkit.evaluate.corruption import Removal, count_outside, mean_change, visibility_of
from medprefkit.evaluate.corruption_plot import draw_summary
from medprefkit.evaluate.corruption_separability import Place, place_of, separability_of
from medprefkit.evaluate.corruption_sheet import SheetRow, row_of, write_sheet
from medprefkit.evaluate.corruption_summary import Measured, Outcome, as_json, recommend, tables_of
from medprefkit.evaluate.tables import as_text
from medprefkit.images import ViewChoice, image_and_lesion
from medprefkit.imaging.boxes import Ellipses, GrabCut
from medprefkit.imaging.names import IMAGE_SUFFIXES, MASK_SUFFIXES, by_stem
from medprefkit.imaging.windows import Window
from medprefkit.protocols import Corruption, Image, Mask
from medprefkit.recipe_sections import PluginSpec
from medprefkit.registry import installed, load
from medprefkit.seeds import rng_for
from medprefkit.wiring import plug_in

_RING_SHARE = 0.06  # of the image's shorter side: how far around a region tissue is compared with it


class Pair(NamedTuple):
    """An image and its mask; of a volume the slice with the most lesion is measured."""

    name: str
    image: Path
    mask: Path
    window: Window | None = None
    """(center, width) of a deep image; None for its own."""
    boxes: Literal["ellipse", "grabcut"] = "ellipse"
    """What a mask that is a box becomes."""

    def read(self) -> tuple[Image, Mask]:
        """Return the pixels and the lesion mask.

        Raises:
            ImageError: If one of them cannot be read, or they do not belong together.
        """
        regions = GrabCut() if self.boxes == "grabcut" else Ellipses()
        return image_and_lesion(self.image, self.mask, choice=ViewChoice(window=self.window), regions=regions)


class Report(NamedTuple):
    """What was measured, and a contact sheet's rows for each corruption."""

    measured: list[Measured]
    rows: dict[str, list[SheetRow]]


def pair_files(
    images: Path,
    masks: Path,
    *,
    mask_suffix: str = "",
    window: Window | None = None,
    boxes: Literal["ellipse", "grabcut"] = "ellipse",
) -> list[Pair]:
    """Return the images that have a mask of the same stem, by name.

    Args:
        images: Folder of images: pictures, DICOM and NIfTI files.
        masks: Folder of masks: the same, and JSON files of annotations.
        mask_suffix: What a mask's stem has behind its image's.
        window: Of all pairs.
        boxes: Of all pairs.

    Raises:
        SourceError: If none has one, or two files of a folder have one stem.
    """
    found = by_stem(masks, MASK_SUFFIXES)
    pairs = [
        Pair(name, images / name, masks / found[stem + mask_suffix], window, boxes)
        for stem, name in by_stem(images, IMAGE_SUFFIXES).items()
        if stem + mask_suffix in found
    ]
    if not pairs:
        raise SourceError(f"{masks.name}: no mask has the stem of an image of {images.name}; check --mask-suffix")
    return pairs


def measure_corruptions(
    pairs: Sequence[Pair], names: Sequence[str], *, strengths: Sequence[float] = (1.0,), seed: int = 0
) -> Report:
    """Run every corruption over every image.

    Args:
        pairs: Images and masks.
        names: Registered names; where empty all that work without an option, such as a model's name.
        strengths: Each corruption is measured at each of them; one without the option `strength` at its own only.
        seed: Of the run.

    Raises:
        RecipeError: If a name is not installed, or refuses a strength.
    """
    chosen = list(names) or [name for name in installed("corruptions") if _works_alone(name)]
    corruptions = dict(graded for name in chosen for graded in _graded(name, strengths))
    chosen = list(corruptions)
    outcomes: dict[str, list[Outcome]] = {name: [] for name in chosen}
    places: dict[str, tuple[list[Place], list[Place], list[Place]]] = {name: ([], [], []) for name in chosen}
    rows: dict[str, list[SheetRow]] = {name: [] for name in chosen}
    for pair in pairs:
        for name, outcome, found, row in _measure(pair, corruptions, seed):
            outcomes[name].append(outcome)
            for kept, place in zip(places[name], found, strict=True):
                kept += [place] if place is not None else []
            rows[name] += [row] if row is not None else []
    measured = [
        Measured(name, tuple(outcomes[name]), *(separability_of(kept) for kept in places[name])) for name in chosen
    ]
    return Report(measured, rows)


def _graded(name: str, strengths: Sequence[float]) -> Iterator[tuple[str, Corruption]]:
    """Yield the corruption at each strength, named by it unless it is whole."""
    if "strength" not in inspect.signature(load("corruptions", name)).parameters:
        yield name, plug_in("corruptions", PluginSpec(use=name))
        return
    for strength in strengths:
        shown = name if strength == 1 else f"{name} x {strength:g}"
        yield shown, plug_in("corruptions", PluginSpec.model_validate({"use": name, "with": {"strength": strength}}))


def _works_alone(name: str) -> bool:
    options = inspect.signature(load("corruptions", name)).parameters.values()
    return all(option.default is not option.empty for option in options)


def write_report(folder: Path, report: Report) -> None:
    """Write `summary.md`, `summary.svg`, `corruption.json` and a contact sheet a corruption; makes the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = as_text(tables_of(report.measured))
    (folder / "summary.md").write_text(f"```\n{text}\n```\n\n{recommend(report.measured)}\n", "utf-8")
    (folder / "corruption.json").write_text(json.dumps(as_json(report.measured), indent=2) + "\n", "utf-8")
    (folder / "summary.svg").write_text(draw_summary(report.measured), "utf-8")
    for name, rows in report.rows.items():
        if rows:
            write_sheet(folder / f"{name.replace(' ', '_')}.png", rows)


_Found = tuple[Place | None, Place | None, Place | None]
_NOTHING: _Found = (None, None, None)


def _measure(
    pair: Pair, corruptions: dict[str, Corruption], seed: int
) -> Iterator[tuple[str, Outcome, _Found, SheetRow | None]]:
    try:
        clean, lesion = pair.read()
    except ImageError as error:
        for name in corruptions:
            yield name, Outcome(pair.name, None, refused=f"{error.reason}: {error}"), _NOTHING, None
        return
    tissue = tissue_of(clean)
    for name, corruption in corruptions.items():
        rng = rng_for(seed, "corrupt", pair.name)
        try:
            result = apply_corruption(clean, lesion, corruption, rng, control=True)
        except ImageError as error:
            label = f"{pair.name}: {error.reason}"
            row = row_of(label, clean, lesion, None, None)
            yield name, Outcome(pair.name, None, refused=f"{error.reason}: {error}"), _NOTHING, row
            continue
        removal, found = _compare(clean, lesion, tissue, result, pair.name)
        control = result.control.image if result.control is not None else None
        label = f"{pair.name}: shows {removal.before.worst:.2f} before, {removal.after.worst:.2f} after"
        row = row_of(label, clean, lesion, result.image, control)
        yield name, Outcome(pair.name, removal, no_control=result.no_control), found, row


def _compare(clean: Image, lesion: Mask, tissue: Mask, result: Corrupted, name: str) -> tuple[Removal, _Found]:
    box, region, ring = _ring_of(result.region, lesion, tissue)
    before, after = (
        visibility_of(clean[box.slices], region, ring),
        visibility_of(result.image[box.slices], region, ring),
    )
    # the same patches for every corruption
    found = [
        place_of(picture[box.slices], region, ring, rng_for(0, "evaluate", name)) for picture in (clean, result.image)
    ]
    control = healthy = last = None
    if result.control is not None:
        box, region, ring = _ring_of(result.control.region, lesion, tissue)
        control = visibility_of(result.control.image[box.slices], region, ring)
        healthy = visibility_of(clean[box.slices], region, ring)
        last = place_of(clean[box.slices], region, ring, rng_for(0, "evaluate", name))
    removal = Removal(
        before,
        after,
        control,
        healthy,
        count_outside(clean, result.image, result.region),
        mean_change(clean, result.image, lesion),
    )
    return removal, (found[0], found[1], last)


def _ring_of(region: Mask, lesion: Mask, tissue: Mask) -> tuple[Box, Mask, Mask]:
    """Return a box, and in it the region and the tissue around that is no lesion and no margin of one."""
    reach_px = max(8, round(_RING_SHARE * min(region.shape)))
    box = box_of(region).padded(reach_px + 1, region.shape)
    off = grow(lesion, margin_for(None, region.shape)) | region
    ring = grow(region, reach_px) & ~off & tissue
    shown = region & tissue if (region & tissue).any() else region
    return box, shown[box.slices], ring[box.slices]
