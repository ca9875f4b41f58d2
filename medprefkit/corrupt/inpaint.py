"""Inpainting: the surround continued into the lesion, with the grain of the tissue around.

Plain inpainting smears: over a large hole it draws streaks and leaves a blob without grain. So the hole is inpainted at
the scale at which it is small, the result is softened with depth and laid as a smooth surface, and texture that is
synthesized from healthy tissue nearby goes on top.

Sources: Telea 2004, "An Image Inpainting Technique Based on the Fast Marching Method"; Bertalmio, Bertozzi, Sapiro
2001, "Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting"; both as OpenCV has them. Differs: the scale, and
the grain.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from medprefkit.corrupt.fill import Fill, Part, lay, widened
from medprefkit.corrupt.region import Box, Floats, depth_of, floats
from medprefkit.corrupt.surface import (
    grain_like,
    grain_sample,
    low_pass,
    membrane,
    patch_of,
    resized,
    shrunk,
)
from medprefkit.corrupt.tissue import Body
from medprefkit.errors import ImageError
from medprefkit.protocols import Image, Mask

_REACH_PX = 12  # depth of a hole that OpenCV still fills without streaks
_SURROUND_PX = 96  # how far around the hole grain is looked for, at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Telea(Fill):
    """Fill the lesion by fast marching, then give it the grain of the tissue around.

    Attributes:
        margin_px: As of `Fill`, like `margin_mm`, `spacing_mm`, `strength` and `feather_px`.
        radius_px: Neighbourhood that is read around each painted pixel (pixels of the working scale).
        grain: Strength of the synthesized texture; 1 as around, 0 for none.
    """

    radius_px: int = 5
    grain: float = 1.0

    def _paint(self, painted: Image, part: Part, region: Mask, body: Body, rng: np.random.Generator) -> None:
        _inpaint(painted, part, region, body, cv2.INPAINT_TELEA, self.radius_px, self.grain, rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class NavierStokes(Fill):
    """Fill the lesion by continuing lines of equal brightness, then give it the grain of the tissue around.

    Attributes:
        margin_px: As of `Fill`, like `margin_mm`, `spacing_mm`, `strength` and `feather_px`.
        radius_px: As of `Telea`.
        grain: As of `Telea`.
    """

    radius_px: int = 5
    grain: float = 1.0

    def _paint(self, painted: Image, part: Part, region: Mask, body: Body, rng: np.random.Generator) -> None:
        _inpaint(painted, part, region, body, cv2.INPAINT_NS, self.radius_px, self.grain, rng)


def _inpaint(
    painted: Image,
    part: Part,
    region: Mask,
    body: Body,
    method: int,
    radius_px: int,
    grain: float,
    rng: np.random.Generator,
) -> None:
    scale = _scale_for(widened(part, part.box.padded(1, region.shape), part.hole))
    wide = part.box.padded(_pad_for(part.box), region.shape)
    box = part.box.padded(round(scale * (radius_px + 3)) + 8, region.shape)
    known = body.tissue[box.slices] & ~region[box.slices]
    if not known.any():  # nothing but black surround or text beside it: look farther, then take what there is
        box = wide
        known = body.tissue[box.slices] & ~region[box.slices]
    if not known.any():
        known = ~region[box.slices]
    if not known.any():
        raise ImageError("no_healthy_tissue", "the lesion and its margin cover the image; nothing is left to continue")
    hole = widened(part, box, part.hole)
    filled = _surface(patch_of(painted[box.slices]), hole, known, method, radius_px, scale)
    filled = filled[part.box.within(box).slices]
    if grain > 0:
        usable = body.tissue[wide.slices] & ~region[wide.slices]
        sample = grain_sample(patch_of(painted[wide.slices]), usable, float(filled[part.hole].mean()))
        if sample is not None:
            filled = filled + grain * grain_like(sample, part.box.shape, rng)
    lay(painted, part, filled)


def _pad_for(box: Box) -> int:
    return max(_SURROUND_PX, sum(box.shape) // 4)


def _scale_for(hole: Mask) -> float:
    """Return how many pixels of the hole become one, so that the hole is at most `_REACH_PX` deep."""
    return max(1.0, float(depth_of(hole).max()) / _REACH_PX)


def _surface(patch: Floats, hole: Mask, known: Mask, method: int, radius_px: int, scale: float) -> Floats:
    """Inpaint with `scale` pixels as one, and soften with depth; what is neither hole nor known is of no account."""
    height, width = hole.shape
    size = max(1, round(width / scale)), max(1, round(height / scale))
    smooth = low_pass(patch, known, 1.5)  # one pixel's noise must not become a streak
    small, small_known = (smooth, known) if scale == 1 else shrunk(smooth, known, size)
    levels = np.rint(np.clip(small, 0, 255)).astype(np.uint8)
    painted = _opencv(levels, ~small_known, radius_px, method)
    soft = cv2.GaussianBlur(painted, (0, 0), 3.0).reshape(levels.shape)
    inner = np.clip(depth_of(~small_known) / 6, 0, 1)[..., None]
    surface = resized((1 - inner) * painted + inner * soft, (width, height), cv2.INTER_LINEAR)
    # what is wrong at the rim is spread smoothly over the hole, so that no edge shows
    return surface + membrane(np.where(known[..., None], smooth - surface, 0).astype(np.float32), known)


def _opencv(levels: NDArray[np.uint8], unknown: Mask, radius_px: int, method: int) -> Floats:
    """Inpaint with a border around: in a picture one pixel high or wide OpenCV reads memory that it never wrote."""
    height, width = unknown.shape
    border = 2
    around = (border, border, border, border, cv2.BORDER_REPLICATE)
    framed = cv2.copyMakeBorder(levels, *around)
    framed_unknown = cv2.copyMakeBorder(unknown.astype(np.uint8), *around)
    painted = cv2.inpaint(framed, framed_unknown, radius_px, method)[border:, border:][:height, :width]
    return floats(painted.reshape(levels.shape))
