"""Exemplar-based inpainting and texture synthesis: pieces of healthy tissue of the same image that fit together."""

from dataclasses import dataclass

import numpy as np

from medprefkit.corrupt.fill import Fill, Part, lay, widened
from medprefkit.corrupt.quilt import CELLS, Order, quilted
from medprefkit.corrupt.region import depth_of
from medprefkit.corrupt.surface import patch_of
from medprefkit.corrupt.tissue import Body
from medprefkit.errors import ImageError
from medprefkit.protocols import Image, Mask

_NEAREST_PX, _FARTHEST_PX = 64, 320  # how far around a hole pieces are cut from, at least and at most
_LEAST_SHARE = 0.25  # of the hole's pixels, that there must be of tissue to cut from; else its repetition shows
_FILL_CELLS = 2500  # how many cells a hole has, for pieces much smaller than it
_SMALLEST_SIDE_PX, _LARGEST_SIDE_SHARE = 12, 0.08  # of a square of texture; the share is of the image's shorter side
_DEEP = 0.8  # depths of the hole that a square of texture is wide


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar(Fill):
    """Let edges and texture of the surround grow into the lesion, piece by piece; for lesions among structure.

    Attributes:
        margin_px: As of `Fill`, like `margin_mm`, `spacing_mm`, `strength` and `feather_px`.
        side_px: Side of a piece (pixels); None for one that suits the lesion's area, at least 12.
    """

    side_px: int | None = None

    def _paint(self, painted: Image, part: Part, region: Mask, body: Body, rng: np.random.Generator) -> None:
        side = self.side_px or CELLS * round(np.sqrt(np.count_nonzero(part.hole) / _FILL_CELLS))
        _quilt(painted, part, region, body, side, "edges", rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class Texture(Fill):
    """Cover the lesion with squares of healthy tissue, row by row; for large lesions, and for tissue that is all grain.

    Attributes:
        margin_px: As of `Fill`, like `margin_mm`, `spacing_mm`, `strength` and `feather_px`.
        side_px: Side of a square (pixels); None for most of the lesion's depth, within 12 pixels and 8 % of the image's
            shorter side.
    """

    side_px: int | None = None

    def _paint(self, painted: Image, part: Part, region: Mask, body: Body, rng: np.random.Generator) -> None:
        depth = float(depth_of(widened(part, part.box.padded(1, region.shape), part.hole)).max())
        largest = max(_SMALLEST_SIDE_PX, _LARGEST_SIDE_SHARE * min(region.shape))
        side = self.side_px or float(np.clip(_DEEP * depth, _SMALLEST_SIDE_PX, largest))
        _quilt(painted, part, region, body, side, "rows", rng)


def _quilt(
    painted: Image,
    part: Part,
    region: Mask,
    body: Body,
    side_px: float,
    order: Order,
    rng: np.random.Generator,
) -> None:
    filled, cell = None, max(1, round(side_px / CELLS))
    near = int(np.clip(max(part.box.shape), _NEAREST_PX, _FARTHEST_PX))
    for reach in dict.fromkeys((near, _FARTHEST_PX)):
        box = part.box.padded(reach, region.shape)
        usable = body.tissue[box.slices] & ~region[box.slices]
        if np.count_nonzero(usable) < _LEAST_SHARE * np.count_nonzero(part.hole):
            continue
        patch, hole = patch_of(painted[box.slices]), widened(part, box, part.hole)
        while filled is None and cell >= 1:  # smaller squares where the tissue between the lesions is narrow
            filled = quilted(patch, hole, usable, cell, order, rng)
            cell //= 2
        if filled is not None:
            break
        cell = 1
    if filled is None:
        n = int(part.hole.sum())
        raise ImageError("no_healthy_tissue", f"too little healthy tissue beside {n} pixels to cut pieces from")
    lay(painted, part, filled[part.box.within(box).slices])
