"""One image, one mask, one corruption: the limits that it must keep, and what came of it. Knows arrays, not files."""

from typing import NamedTuple

import numpy as np

from medprefkit.corrupt.control import Control, healthy_control
from medprefkit.corrupt.region import Box, box_of
from medprefkit.errors import ImageError
from medprefkit.protocols import Corruption, Image, Mask

INVISIBLE_BELOW = 2.0
"""Mean absolute change inside the lesion, in grey levels of 255, below which nobody sees a difference."""


class Corrupted(NamedTuple):
    """What a corruption made of an image."""

    image: Image
    control: Control | None
    """None where none was asked for, or none is possible."""
    no_control: str
    """Why there is no control although one was asked for; else empty."""
    region: Mask
    """(height, width), the pixels that may have changed."""
    box: Box
    """Around the region."""
    lesion_share: float
    """Lesion pixels over image pixels."""
    changed_share: float
    """Changed pixels over image pixels."""
    change: float
    """Mean absolute change of the lesion's pixels, grey levels: the effect of the strength that was asked for."""


def apply_corruption(
    image: Image,
    lesion_mask: Mask,
    corruption: Corruption,
    rng: np.random.Generator,
    *,
    control: bool,
    max_lesion_share: float = 0.5,
    min_lesion_px: int = 4,
) -> Corrupted:
    """Remove a lesion within limits.

    Args:
        image: (height, width, 3) RGB, uint8. Not modified.
        lesion_mask: (height, width), True on the lesion.
        corruption: How.
        rng: The only source of chance.
        control: Also corrupt healthy tissue. A control that is impossible is not an error: the result says why.
        max_lesion_share: Lesion pixels over image pixels above which too little image is left.
        min_lesion_px: A smaller mask is a slip of the pen.

    Raises:
        ImageError: `mask_size_mismatch`, `mask_empty`, `mask_too_large`, `no_healthy_tissue` (from the corruption),
            `corruption_invisible` where the lesion's pixels change by less than `INVISIBLE_BELOW` in the mean.
    """
    if lesion_mask.shape != image.shape[:2]:
        problem = f"the mask's shape is {lesion_mask.shape}, the image's {image.shape[:2]}; make them equal"
        raise ImageError("mask_size_mismatch", problem)
    n_lesion = int(np.count_nonzero(lesion_mask))
    if n_lesion < min_lesion_px:
        raise ImageError("mask_empty", f"{n_lesion} lesion pixels, fewer than {min_lesion_px}; check the mask")
    lesion_share = n_lesion / lesion_mask.size
    if lesion_share > max_lesion_share:
        problem = f"the lesion covers {lesion_share:.2f} of the image, more than max_lesion_share {max_lesion_share}"
        raise ImageError("mask_too_large", f"{problem}; raise it or leave the mask out")
    region = corruption.region(lesion_mask)
    corrupted = corruption(image, lesion_mask, rng)
    change = np.abs(corrupted[lesion_mask].astype(np.int16) - image[lesion_mask])
    if (mean_change := float(change.mean())) < INVISIBLE_BELOW:
        problem = f"the lesion's pixels change by {mean_change:.2f} grey levels in the mean"
        raise ImageError("corruption_invisible", f"{problem}, less than {INVISIBLE_BELOW}; choose another corruption")
    box = box_of(region)
    changed = (corrupted[box.slices] != image[box.slices]).any(axis=2)
    matched, no_control = _control(image, lesion_mask, corruption, rng, corrupted) if control else (None, "")
    changed_share = int(np.count_nonzero(changed)) / lesion_mask.size
    return Corrupted(corrupted, matched, no_control, region, box, lesion_share, changed_share, mean_change)


def _control(
    image: Image, lesion_mask: Mask, corruption: Corruption, rng: np.random.Generator, lesion_free: Image
) -> tuple[Control | None, str]:
    try:
        return healthy_control(image, lesion_mask, rng, corruption, lesion_free=lesion_free), ""
    except ImageError as error:
        return None, f"{error.reason}: {error}"
