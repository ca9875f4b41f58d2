"""Blur over the lesion: coarse enough that neither its texture nor its shape stays."""

from dataclasses import dataclass

import cv2
import numpy as np

from medprefkit.corrupt.fill import Fill, Part, lay, widened
from medprefkit.corrupt.region import Floats, depth_of, feather, floats
from medprefkit.corrupt.surface import patch_of, resized
from medprefkit.corrupt.tissue import Body
from medprefkit.protocols import Image, Mask

_WORKING_SIGMA_PX = 4.0  # a wider blur is done on a smaller copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Blur(Fill):
    """Blur the lesion with its surround.

    Attributes:
        margin_px: As of `Fill`, like `margin_mm`, `spacing_mm`, `strength` and `feather_px`.
        sigma_px: Standard deviation of the Gaussian (pixels); None for twice the depth of the region, at which a
            round lesion keeps an eighth of its contrast.
    """

    sigma_px: float | None = None

    def __post_init__(self) -> None:
        """Refuse a standard deviation of 0 or less, with ValueError, and what `Fill` refuses."""
        Fill.__post_init__(self)
        if self.sigma_px is not None and self.sigma_px <= 0:
            raise ValueError(f"sigma_px must be above 0, got {self.sigma_px}")

    def _paint(self, painted: Image, part: Part, region: Mask, body: Body, rng: np.random.Generator) -> None:  # noqa: ARG002
        depth = float(depth_of(widened(part, part.box.padded(1, region.shape), part.hole)).max())
        sigma = self.sigma_px or 2 * min(depth, float(max(region.shape)))
        box = part.box.padded(round(3 * sigma), region.shape)
        inside = part.box.within(box)
        weight = feather(widened(part, box, part.hole), self._margin(region.shape))[inside.slices][..., None]
        patch = patch_of(painted[box.slices])
        soft = _gaussian(patch, sigma)[inside.slices]
        mixed = floats(weight * soft + (1 - weight) * patch[inside.slices])
        lay(painted, part, mixed)


def _gaussian(patch: Floats, sigma_px: float) -> Floats:
    height, width, n_channels = patch.shape
    scale = max(1.0, sigma_px / _WORKING_SIGMA_PX)
    size = max(1, round(width / scale)), max(1, round(height / scale))
    small = resized(patch, size, cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma_px / scale).reshape(size[1], size[0], n_channels)
    return resized(soft, (width, height), cv2.INTER_LINEAR)
