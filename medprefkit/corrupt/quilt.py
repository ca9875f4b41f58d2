"""Fine detail for a smooth filling: pieces of healthy tissue's own texture, overlapped until no seam or copy shows.

Detail is what a blur takes away, so a tile carries grain, speckle and small vessels but neither brightness nor shape.

Source: Efros, Freeman 2001, "Image Quilting for Texture Synthesis and Transfer". Differs: tiles are faded into one
another rather than cut, and their sum is divided by the root of the summed squares of the weights, which keeps the
contrast of texture that a plain average would halve.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from medprefkit.corrupt.region import Box, Floats, box_of, depth_of
from medprefkit.corrupt.surface import low_pass
from medprefkit.protocols import Mask

_TILES_PX = (64, 48, 32, 24, 16, 8)
_FEWEST = 6  # tiles of a size to choose from, or a smaller size is taken
_MOST = 300  # tiles that are looked at
_CHOICES = 12  # each place draws among so many of its best tiles
_LEVEL = 40.0  # grey levels of difference that cost as much as a tile e times as busy as most
_WAY = 24.0  # tile sides of distance that cost as much
_FINE_PX = 6.0  # standard deviation of the blur whose remainder is detail: wider structures are anatomy
_STRONGEST = 3.0  # of a tile's median deviation: twice its standard deviation
_EDGES = 3.0  # weight of contrast beyond that of grain: tiles that hold edges are the last to be taken


class _Tiles(NamedTuple):
    """Healthy tiles of one size."""

    side_px: int
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    levels: Floats
    """Mean brightness, grey levels."""
    cost: Floats
    """How unlike most the contrast of its detail is."""


def detail_like(patch: Floats, usable: Mask, hole: Mask, surface: Floats, rng: np.random.Generator) -> Floats:
    """Return detail for a hole, mean near 0, taken from tissue that is as bright as the filling is to be.

    Args:
        patch: (height, width, channels).
        usable: (height, width), True on healthy tissue.
        hole: (height, width), True where detail is wanted.
        surface: (height, width, channels), the smooth filling.
        rng: Draws among the tiles that suit a place.

    Returns:
        (height, width, channels); 0 outside the hole's box, and everywhere if no tile of 8 pixels is healthy.
    """
    detail = np.zeros_like(patch)
    box = box_of(hole)
    tiles = _tiles(patch, usable, 2 * float(depth_of(hole[box.padded(1, hole.shape).slices]).max()))
    if tiles is None:
        return detail
    side = tiles.side_px
    fine = patch - low_pass(patch, usable, min(side / 6, _FINE_PX))
    usual = float(np.median(np.abs(fine[usable])))
    once = np.hanning(side + 2)[1:-1].astype(np.float32)
    window: Floats = np.outer(once, once)[..., None]
    height, width = hole.shape
    padded = np.zeros((height + 2 * side, width + 2 * side, patch.shape[2]), np.float32)
    squares = np.full((*padded.shape[:2], 1), 1e-6, np.float32)
    n_wanted = cv2.integral(hole.astype(np.uint8))
    sums = cv2.integral(np.where(hole, surface.mean(axis=2), 0), sdepth=cv2.CV_64F)
    for top in range(box.top_px - side // 2, box.bottom_px, side // 2):
        for left in range(box.left_px - side // 2, box.right_px, side // 2):
            here = Box(max(0, top), min(height, top + side), max(0, left), min(width, left + side))
            n = _sum_of(n_wanted, here)
            if n == 0:
                continue
            row, column = _choose(tiles, _sum_of(sums, here) / n, (top, left), rng)
            piece = fine[row : row + side, column : column + side]
            piece = piece[:, ::-1] if rng.random() < 0.5 else piece
            there = slice(top + side, top + 2 * side), slice(left + side, left + 2 * side)
            centred = piece - piece.mean(axis=(0, 1))
            # an edge or a mark in a tile is no grain
            most = _STRONGEST * min(float(np.median(np.abs(centred))), 1.5 * usual) + 1
            padded[there] += window * np.clip(centred, -most, most)
            squares[there] += window**2
    inner = slice(side, side + height), slice(side, side + width)
    detail[box.slices] = (padded[inner] / np.sqrt(squares[inner]))[box.slices]
    return detail


def _sum_of(integral: NDArray[Any], box: Box) -> float:
    top, bottom, left, right = box
    return float(integral[bottom, right]) - float(integral[top, right] + integral[bottom, left] - integral[top, left])


def _choose(tiles: _Tiles, level: float, place: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """Draw a tile for a place (top, left): plain, as bright as wanted, and near, where the organ is the same."""
    way = np.hypot(tiles.rows - place[0], tiles.columns - place[1]) / tiles.side_px
    cost = tiles.cost + np.abs(tiles.levels - level) / _LEVEL + way / _WAY
    n = min(_CHOICES, len(cost))
    best = np.argpartition(cost, n - 1)[:n]
    index = int(np.sort(best)[int(rng.integers(n))])
    return int(tiles.rows[index]), int(tiles.columns[index])


def _tiles(patch: Floats, usable: Mask, widest_px: float) -> _Tiles | None:
    """Find the healthy tiles of the largest size that is no larger than the hole and of which there are enough."""
    grey = patch.mean(axis=2)
    usable_sums = cv2.integral(usable.astype(np.uint8))
    few: _Tiles | None = None
    for side in _TILES_PX:
        if side > min(usable.shape) or (side > max(widest_px, 16) and side > _TILES_PX[-1]):
            continue
        step = max(side // 4, int(np.sqrt(usable.size / _MOST)))
        n_usable = usable_sums[side:, side:] - usable_sums[:-side, side:]
        n_usable = n_usable - (usable_sums[side:, :-side] - usable_sums[:-side, :-side])
        whole = n_usable[::step, ::step] == side**2
        if not whole.any():
            continue
        shown = sliding_window_view(grey, (side, side))[::step, ::step][whole]
        # neighbours' differences: what an edge or a vessel adds little to
        busy = np.log((shown[:, 1:, 1:] - shown[:, :-1, :-1]).std(axis=(1, 2)) + 0.5)
        contrast = np.log(shown.std(axis=(1, 2)) + 0.5) - busy
        cost = np.abs(busy - np.quantile(busy, 0.35)) + _EDGES * np.maximum(contrast - np.quantile(contrast, 0.25), 0)
        rows, columns = (index * step for index in np.nonzero(whole))
        levels = shown.mean(axis=(1, 2)).astype(np.float32)
        found = _Tiles(side, rows, columns, levels, cost.astype(np.float32))
        if len(rows) >= _FEWEST:
            return found
        few = few or found
    return few
