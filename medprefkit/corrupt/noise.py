"""Noise in the lesion's place: the plainest corruption, graded, and no more than the lesion's box of random numbers."""

from dataclasses import dataclass

import numpy as np

from medprefkit.corrupt.region import box_of, grow, margin_for
from medprefkit.corrupt.surface import patch_of, pixels_of
from medprefkit.protocols import Image, Mask

_RIM_PX = 12  # how far outside the region its brightness is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Replace the lesion by Gaussian noise around the brightness of its surround.

    Attributes:
        margin_px: Dilate the mask this far first, so that the rim goes too (pixels); None for 1 % of the image's
            shorter side and at least 3.
        strength: Share of noise in the result, above 0 to 1; below 1 the lesion shines through.
        deviation: Standard deviation of the noise (grey levels of 255). The mean is the surround's, so that few pixels
            are cut off at black or white.
    """

    margin_px: int | None = None
    strength: float = 1.0
    deviation: float = 32.0

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1 or self.deviation < 0:
            given = f"strength {self.strength}, deviation {self.deviation}"
            raise ValueError(f"strength must be above 0 and at most 1, deviation 0 or more; got {given}")

    def region(self, lesion_mask: Mask) -> Mask:
        """Return the pixels that may change, (height, width): the lesion and its margin."""
        return grow(lesion_mask, margin_for(self.margin_px, lesion_mask.shape))

    def __call__(self, image: Image, lesion_mask: Mask, rng: np.random.Generator) -> Image:
        """Return a copy of `image` with noise over the lesion.

        Args:
            image: (height, width, 3) RGB, uint8. Not modified.
            lesion_mask: (height, width), True on the lesion.
            rng: Draws one number a pixel of the region's box, and channel where the image has colour.
        """
        hole = self.region(lesion_mask)
        noisy = image.copy()
        box = box_of(hole).padded(_RIM_PX, hole.shape)
        part, part_hole = image[box.slices], hole[box.slices]
        if not part_hole.any():
            return noisy
        patch = patch_of(part)
        rim = patch[~part_hole] if not part_hole.all() else patch.reshape(-1, patch.shape[2])
        draws = rng.standard_normal(patch.shape, dtype=np.float32)
        noise = rim.mean(axis=0) + self.deviation * draws
        mixed = pixels_of(self.strength * noise + (1 - self.strength) * patch)
        noisy[box.slices] = np.where(part_hole[..., None], mixed, part)
        return noisy
