"""An image in two: the ground, smooth brightness that runs on under a hole, and the detail upon it.

Texture that is found elsewhere in an image fits in grain but not in brightness: lungs darken towards the apex, an
endoscope's light falls off. So brightness is continued from the rim, and only detail is taken from elsewhere.
"""

from typing import NamedTuple

import cv2
import numpy as np

from medprefkit.corrupt.region import Floats, floats
from medprefkit.corrupt.surface import low_pass, membrane, resized, shrunk
from medprefkit.protocols import Mask

_WORKING_SIGMA_PX = 3.0  # a wider blur is done on a smaller copy


class Ground(NamedTuple):
    """Both (height, width, channels); their sum is the image wherever it is known."""

    base: Floats
    """Known and continued everywhere."""
    detail: Floats
    """0 where the image is not known."""


def ground_of(patch: Floats, known: Mask, sigma_px: float) -> Ground:
    """Split a patch; structures wider than `sigma_px` are ground.

    Args:
        patch: (height, width, channels).
        known: (height, width), at least one True: pixels that may be continued.
        sigma_px: Standard deviation of the Gaussian that takes the ground.
    """
    height, width = known.shape
    scale = max(1.0, sigma_px / _WORKING_SIGMA_PX)
    size = max(1, round(width / scale)), max(1, round(height / scale))
    small, small_known = shrunk(patch, known, size)
    smooth = membrane(low_pass(small, small_known, sigma_px / scale), small_known)
    base = resized(smooth, (width, height), cv2.INTER_CUBIC)
    return Ground(base, floats(np.where(known[..., None], patch - base, 0)))
