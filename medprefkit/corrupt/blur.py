"""Blur over the lesion: coarse enough that neither its texture nor its shape stays."""

from dataclasses import dataclass

import cv2
import numpy as np

from medprefkit.corrupt.region import Floats, box_of, depth_of, feather, grow, margin_for
from medprefkit.corrupt.surface import patch_of, pixels_of, resized
from medprefkit.protocols import Image, Mask

_WORKING_SIGMA_PX = 4.0  # a wider blur is done on a smaller copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Blur:
    """Blur the lesion with its surround.

    Attributes:
        margin_px: Dilate the mask this far first, so that the rim goes too (pixels); None for 1 % of the image's
            shorter side and at least 3.
        sigma_px: Standard deviation of the Gaussian (pixels); None for twice the depth of the region, at which a
            round lesion keeps an eighth of its contrast.
    """

    margin_px: int | None = None
    sigma_px: float | None = None

    def __post_init__(self) -> None:
        if self.sigma_px is not None and self.sigma_px <= 0:
            raise ValueError(f"sigma_px must be above 0, got {self.sigma_px}")

    def region(self, lesion_mask: Mask) -> Mask:
        """Return the pixels that may change, (height, width): the lesion and its margin."""
        return grow(lesion_mask, margin_for(self.margin_px, lesion_mask.shape))

    def __call__(self, image: Image, lesion_mask: Mask, rng: np.random.Generator) -> Image:  # noqa: ARG002
        """Return a copy of `image` with the lesion blurred.

        Args:
            image: (height, width, 3) RGB, uint8. Not modified.
            lesion_mask: (height, width), True on the lesion.
            rng: Unused: a blur has no chance in it.
        """
        hole = self.region(lesion_mask)
        blurred = image.copy()
        if not hole.any():
            return blurred
        tight = box_of(hole)
        depth = float(depth_of(hole[tight.padded(1, hole.shape).slices]).max())
        sigma = self.sigma_px or 2 * min(depth, float(max(hole.shape)))
        box = tight.padded(round(3 * sigma), hole.shape)
        part, part_hole = image[box.slices], hole[box.slices]
        weight = feather(part_hole, margin_for(self.margin_px, hole.shape))[..., None]
        patch = patch_of(part)
        mixed = pixels_of(weight * _gaussian(patch, sigma) + (1 - weight) * patch)
        blurred[box.slices] = np.where(part_hole[..., None], mixed, part)
        return blurred


def _gaussian(patch: Floats, sigma_px: float) -> Floats:
    height, width, n_channels = patch.shape
    scale = max(1.0, sigma_px / _WORKING_SIGMA_PX)
    size = max(1, round(width / scale)), max(1, round(height / scale))
    small = resized(patch, size, cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma_px / scale).reshape(size[1], size[0], n_channels)
    return resized(soft, (width, height), cv2.INTER_LINEAR)
