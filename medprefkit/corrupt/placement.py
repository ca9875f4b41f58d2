"""Where else in the image a shape fits on healthy tissue: a donor for a blend, a place for a control.

The search runs on a grid of at most 256 cells a side; a cell counts as healthy only if all its pixels do, and as part
of the shape if any is, so what fits on the grid fits in the image, pixel for pixel.
"""

from typing import NamedTuple

import cv2
import numpy as np

from medprefkit.corrupt.region import Box, Floats, box_of, floats, grow
from medprefkit.protocols import Image, Mask

_CELLS = 256
_SYMMETRIC = 0.6  # correlation of an image with its mirror image above which it shows paired anatomy
_MIRROR_SLACK_SHARE = 0.06  # of the image's size: how far from the exact mirror position still counts as contralateral


class Place(NamedTuple):
    """A way to move a shape: mirror the image left to right first where `mirrored`, then shift by whole pixels.

    `misfit` is 0 for tissue just like that around the lesion; lower is better.
    """

    mirrored: bool
    down_px: int
    right_px: int
    misfit: float


class Scene(NamedTuple):
    """An image on the search grid."""

    cell_px: int
    grey: Floats
    """(rows, columns) mean grey level of each cell."""
    healthy: Mask
    """(rows, columns), True where every pixel is."""
    overhang_px: int
    """Columns by which the grid is wider than the image: a mirror image on the grid lies that much to the right."""
    mirror_shift: int | None
    """Cells by which the mirror image is to be shifted right to lie on the image; None without symmetry."""


def scene_of(image: Image, healthy: Mask) -> Scene:
    """Put an image on the search grid.

    Args:
        image: (height, width, 3) RGB, uint8.
        healthy: (height, width), True where a shape may lie.
    """
    cell = max(1, -(-max(healthy.shape) // _CELLS))
    grey = _cells(image.mean(axis=2, dtype=np.float32), cell)
    return Scene(cell, grey, ~_any(~healthy, cell, beyond=True), -healthy.shape[1] % cell, _mirror_shift(grey))


def places_like(scene: Scene, hole: Mask, lesions: Mask, *, match_rim: bool) -> list[Place]:
    """Return where the shape of `hole` fits, the best place first; empty where it fits nowhere.

    Args:
        scene: Of the image.
        hole: (height, width), the shape, where it lies now.
        lesions: (height, width), every pixel whose value says nothing of healthy tissue.
        match_rim: Judge a place by how well the pixels around it continue the pixels around the hole, up to a constant
            (for a blend); else by how alike the tissue is in brightness and texture (for a control).
    """
    shape = _any(hole, scene.cell_px)
    rim_cells = max(2, round(0.02 * max(shape.shape)))
    rim = grow(shape, rim_cells) & ~_any(lesions, scene.cell_px)
    box = box_of(shape).padded(rim_cells, shape.shape)
    found: list[Place] = []
    for mirrored in (False, True):
        grey = scene.grey[:, ::-1] if mirrored else scene.grey
        healthy = scene.healthy[:, ::-1] if mirrored else scene.healthy
        fits = _correlate((~healthy).astype(np.float32), shape[box.slices].astype(np.float32)) < 0.5
        if not fits.any():
            continue
        cost = _rim_cost(grey, scene.grey, rim, box) if match_rim else _tissue_cost(grey, scene.grey, shape, rim, box)
        found += _best(cost, fits, box, scene, mirrored=mirrored)
    return sorted(found, key=_misfit)


def without(scene: Scene, taken: Mask) -> Scene:
    """Return the scene with these pixels, (height, width), no longer free."""
    return scene._replace(healthy=scene.healthy & ~_any(taken, scene.cell_px))


def moved(mask: Mask, place: Place) -> Mask:
    """Return where the shape lies after the move that a *donor* at `place` would make: its pixels, in the image.

    Pixels that leave the image are lost; `places_like` names no such place.
    """
    height, width = mask.shape
    target = np.zeros_like(mask)
    rows, columns = np.nonzero(mask)
    rows, columns = rows + place.down_px, columns + place.right_px
    if place.mirrored:
        columns = width - 1 - columns
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    target[rows[inside], columns[inside]] = True
    return target


def _misfit(place: Place) -> float:
    return place.misfit


def _best(cost: Floats, fits: Mask, box: Box, scene: Scene, *, mirrored: bool) -> list[Place]:
    """Return up to 8 places, far enough apart to differ; a contralateral one in symmetric anatomy weighs half."""
    cost = cost.copy()
    rows, columns = scene.grey.shape
    down = np.arange(cost.shape[0])[:, None] - box.top_px
    right = np.arange(cost.shape[1])[None, :] - box.left_px
    if mirrored and scene.mirror_shift is not None:
        near = (np.abs(down) <= _MIRROR_SLACK_SHARE * rows) & (
            np.abs(right - scene.mirror_shift) <= _MIRROR_SLACK_SHARE * columns
        )
        cost[near] *= 0.5
    cost[~fits] = np.inf
    apart = max(1, min(box.bottom_px - box.top_px, box.right_px - box.left_px) // 4)
    found = []
    for _ in range(8):
        row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
        if not np.isfinite(cost[row, column]):
            break
        down_px, right_px = int(down[row, 0]) * scene.cell_px, int(right[0, column]) * scene.cell_px
        right_px -= scene.overhang_px if mirrored else 0
        found.append(Place(mirrored, down_px, right_px, float(cost[row, column])))
        cost[max(0, row - apart) : row + apart + 1, max(0, column - apart) : column + apart + 1] = np.inf
    return found


def _rim_cost(grey: Floats, target: Floats, rim: Mask, box: Box) -> Floats:
    """Variance of the difference along the rim, and a tenth of its squared mean, over the rim's own variance."""
    weight = rim[box.slices].astype(np.float32)
    n = max(float(weight.sum()), 1.0)
    values = target[box.slices]
    level = float((values * weight).sum() / n)
    here, there = (values - level) * weight, grey - level
    square = _correlate(there**2, weight) / n - 2 * _correlate(there, here) / n + float((here**2).sum() / n)
    mean = _correlate(there, weight) / n
    variance = float((here**2).sum() / n)
    cost: Floats = (np.maximum(square - mean**2, 0) + 0.1 * mean**2) / (variance + 25.0)
    return cost


def _tissue_cost(grey: Floats, target: Floats, shape: Mask, rim: Mask, box: Box) -> Floats:
    """Distance in mean, in spreads of the rim, and in the logarithm of the spread, between shape's content and rim."""
    level = float(target[rim].mean()) if rim.any() else float(target.mean())
    spread = float(target[rim].std()) + 4.0 if rim.any() else 16.0
    weight = shape[box.slices].astype(np.float32)
    n = float(weight.sum())
    there = grey - level
    mean = _correlate(there, weight) / n
    deviation = np.sqrt(np.maximum(_correlate(there**2, weight) / n - mean**2, 0)) + 4.0
    cost: Floats = np.abs(mean) / spread + np.abs(np.log(deviation / spread))
    return cost


def _mirror_shift(grey: Floats) -> int | None:
    """Find the shift that lays the mirror image on the image, within a fifth of the width."""
    rows, columns = grey.shape
    if min(rows, columns) < 16:
        return None
    small = cv2.GaussianBlur(grey, (0, 0), 0.02 * columns)
    mirror = small[:, ::-1]
    best, best_shift = _SYMMETRIC, None
    for shift in range(-columns // 5, columns // 5 + 1):
        fixed = small[:, max(0, shift) : columns + min(0, shift)].ravel()
        other = mirror[:, max(0, -shift) : columns - max(0, shift)].ravel()
        if fixed.std() < 1e-3 or other.std() < 1e-3:
            continue
        likeness = float(np.corrcoef(fixed, other)[0, 1])
        if likeness > best:
            best, best_shift = likeness, shift
    # image[x] ~ mirror[x - shift]: a shape at x finds its partner in the mirror image at x - shift
    return None if best_shift is None else -best_shift


def _correlate(image: Floats, template: Floats) -> Floats:
    return floats(cv2.matchTemplate(np.ascontiguousarray(image), template, cv2.TM_CCORR))


def _cells(values: Floats, cell: int) -> Floats:
    padded = np.pad(values, _padding(values.shape, cell), mode="edge")
    rows, columns = padded.shape[0] // cell, padded.shape[1] // cell
    means: Floats = padded.reshape(rows, cell, columns, cell).mean(axis=(1, 3))
    return means


def _any(mask: Mask, cell: int, *, beyond: bool = False) -> Mask:
    """Tell of each cell whether any pixel is True; a cell that reaches past the border holds `beyond` there."""
    padded = np.pad(mask, _padding(mask.shape, cell), constant_values=beyond)
    rows, columns = padded.shape[0] // cell, padded.shape[1] // cell
    cells: Mask = padded.reshape(rows, cell, columns, cell).any(axis=(1, 3))
    return cells


def _padding(shape: tuple[int, ...], cell: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (0, -shape[0] % cell), (0, -shape[1] % cell)
