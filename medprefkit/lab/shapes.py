"""Shapes on the drawing grid: filled outlines, discs, bands along lines, and curves through points.

Lengths are shares of the image's side, x to the right and y downwards, but for softness and bone widths (`_px`).
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

GRID_PX = 512
"""Height and width of the drawing grid, twice the film's, so that edges are smooth when averaged."""

Field = NDArray[np.float32]
"""(GRID_PX, GRID_PX), one value a point of the drawing grid."""

Points = NDArray[np.float64]
"""(n, 2), x and y."""


def filled(outline: Points, *, soft_px: float) -> Field:
    """Return 1 inside an outline and 0 outside, with an edge of this softness."""
    canvas = np.zeros((GRID_PX, GRID_PX), np.uint8)
    cv2.fillPoly(canvas, [np.round(outline * GRID_PX * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return blurred(canvas.astype(np.float32) / 255, soft_px)


def disc(x: float, y: float, radius: float, *, soft_px: float) -> Field:
    """Return 1 inside a circle and 0 outside, with an edge of this softness."""
    rows = np.linspace(0, 1, GRID_PX, dtype=np.float32)[:, None] - np.float32(y)
    columns = np.linspace(0, 1, GRID_PX, dtype=np.float32)[None, :] - np.float32(x)
    distance_px = (np.sqrt(rows**2 + columns**2) - np.float32(radius)) * GRID_PX
    return np.asarray(1 / (1 + np.exp(np.clip(distance_px / soft_px, -40, 40))), np.float32)


class Band(NamedTuple):
    """A bone along a line, with its density at each point."""

    line: Points
    dense: NDArray[np.float64]
    wide_px: float


def drawn_bands(bands: list[Band], *, rim: float = 0.40) -> Field:
    """Draw bones that do not cross, each denser at its rim (cortex) than in the middle by this share."""
    scale = 250.0 / max(float(band.dense.max()) for band in bands)
    outer, inner = np.zeros((GRID_PX, GRID_PX), np.uint8), np.zeros((GRID_PX, GRID_PX), np.uint8)
    for band in bands:
        points = np.round(band.line * GRID_PX * 8).astype(np.int32).tolist()
        for start, end, value in zip(points[:-1], points[1:], band.dense[:-1].tolist(), strict=True):
            grey = (int(scale * value),)
            cv2.line(outer, start, end, grey, max(1, round(band.wide_px)), cv2.LINE_AA, 3)
            if rim:
                cv2.line(inner, start, end, grey, max(1, round(0.60 * band.wide_px)), cv2.LINE_AA, 3)
    drawn = outer.astype(np.float32) - np.float32(rim) * inner.astype(np.float32)
    return blurred(drawn / np.float32(scale), 1.2)


def domed(shape: Field, *, reach: float) -> Field:
    """Thicken a flat shape from its edge inwards, as a rounded body is seen: full `reach` inside its outline."""
    distance = cv2.distanceTransform((shape > 0.5).astype(np.uint8), cv2.DIST_L2, 3) / GRID_PX
    inward = np.clip(distance / reach, 0, 1)
    return np.asarray(shape * np.sqrt(1 - (1 - inward) ** 2), np.float32)


def blurred(field: Field, sigma_px: float) -> Field:
    """Return a field after Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma_px), np.float32)


def rounded(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a closed Catmull-Rom curve through the points."""
    return _spline([points[-1], *points, points[0], points[1]])


def curve(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return an open Catmull-Rom curve through the points."""
    return _spline([points[0], *points, points[-1]])


def _spline(points: list[tuple[float, float]], per_piece: int = 8) -> list[tuple[float, float]]:
    knots = np.array(points)
    t = np.linspace(0, 1, per_piece, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(knots[:-3], knots[1:-2], knots[2:-1], knots[3:], strict=True)
    ]
    return [(float(x), float(y)) for x, y in np.concatenate(pieces)]
