"""Which pixels are tissue: not the black surround, not burned-in text, not near a lesion."""

import cv2
import numpy as np
from numpy.typing import NDArray

from medprefkit.corrupt.region import grow
from medprefkit.protocols import Image, Mask

_DARK = 14  # grey levels; air outside a body, the corners of an endoscope's picture
_SMALLEST_BACKGROUND_SHARE = 0.002  # of the image; smaller dark spots are anatomy
_FONT_SHARE = 0.03  # of the shorter side: strokes of letters, arrows and rulers are thinner
_INK = 110  # grey levels that a stroke stands out by


def tissue_of(image: Image) -> Mask:
    """Return where there is tissue, (height, width).

    Background is what is nearly black and either reaches the border or is large. Text and drawn marks are thin, and
    brighter than what is around them by more than tissue is, or of a pure colour.
    """
    grey = image.max(axis=2)
    background = _background(grey)
    size = max(3, round(_FONT_SHARE * min(grey.shape)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (size, size))
    ink = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, kernel) > _INK
    ink &= grey > 200
    return ~(background | grow(ink, max(1, size // 4)))


def healthy_of(image: Image, lesion_mask: Mask, clearance_px: int) -> Mask:
    """Return the tissue that is farther than `clearance_px` from every lesion pixel, (height, width)."""
    return tissue_of(image) & ~grow(lesion_mask, clearance_px)


def _background(grey: NDArray[np.uint8]) -> Mask:
    height, width = grey.shape
    dark = (cv2.medianBlur(grey, 3) if min(grey.shape) >= 3 else grey) <= _DARK
    _, labels, stats, _ = cv2.connectedComponentsWithStats(dark.astype(np.uint8), connectivity=4)
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    area = stats[:, cv2.CC_STAT_AREA]
    reaches_border = (left == 0) | (top == 0) | (right == width) | (bottom == height)
    is_large = area >= _SMALLEST_BACKGROUND_SHARE * grey.size
    chosen = is_large & (reaches_border | (area >= 10 * _SMALLEST_BACKGROUND_SHARE * grey.size))
    chosen[0] = False  # label 0 is what is not dark
    background: Mask = chosen[labels]
    return background
