"""Noise in the lesion's place: the plainest corruption, graded, and no more than the lesion's box of random numbers."""

from dataclasses import dataclass

import numpy as np

from medprefkit.corrupt.fill import Fill, Part, lay
from medprefkit.corrupt.surface import patch_of
from medprefkit.corrupt.tissue import Body
from medprefkit.protocols import Image, Mask

_RIM_PX = 12  # how far outside the region its brightness is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise(Fill):
    """Replace the lesion by Gaussian noise around the brightness of its surround.

    Attributes:
        margin_px: As of `Fill`, like `margin_mm`, `spacing_mm`, `strength` and `feather_px`.
        deviation: Standard deviation of the noise (grey levels of 255). The mean is the surround's, so that few pixels
            are cut off at black or white.
    """

    deviation: float = 32.0

    def __post_init__(self) -> None:
        """Refuse a deviation below 0, with ValueError, and what `Fill` refuses."""
        Fill.__post_init__(self)
        if self.deviation < 0:
            raise ValueError(f"deviation must be 0 or more, got {self.deviation}")

    def _paint(self, painted: Image, part: Part, region: Mask, body: Body, rng: np.random.Generator) -> None:
        box = part.box.padded(_RIM_PX, region.shape)
        patch, inside = patch_of(painted[box.slices]), part.box.within(box)
        outside = ~region[box.slices]
        rim = outside & body.tissue[box.slices]
        around = patch[rim] if rim.any() else patch[outside] if outside.any() else patch.reshape(-1, patch.shape[2])
        draws = rng.standard_normal(patch[inside.slices].shape, dtype=np.float32)
        lay(painted, part, around.mean(axis=0) + np.float32(self.deviation) * draws)
