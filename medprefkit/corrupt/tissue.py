"""Which pixels are tissue: not the black or flat surround, not burned-in text, not near a lesion.

Judged on a copy of at most 512 pixels a side, and in doubt against tissue: a pixel beside the background counts as it.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from medprefkit.corrupt.region import grow
from medprefkit.images import is_grey
from medprefkit.protocols import Image, Mask

_SIDE_PX = 512
_DARK = 14  # grey levels; air outside a body, the corners of an endoscope's picture
_FLAT = 1  # grey levels between neighbours in padding that was added to a picture
_SMALLEST_BACKGROUND_SHARE = 0.002  # of the image, for what reaches the border; ten times that for what does not
_FONT_SHARE = 0.03  # of the shorter side: strokes of letters, arrows and rulers are thinner
_INK = 110  # grey levels that a stroke stands out by
_GLARE = 225  # grey levels in every channel of a colour image: light thrown back by a wet surface
_BRIGHT = 200  # grey levels; a light stroke is at least this bright in a channel


class Body(NamedTuple):
    """Both (height, width)."""

    tissue: Mask
    """Neither background nor ink."""
    background: Mask
    """The surround of the body."""


def tissue_of(image: Image) -> Mask:
    """Return where there is tissue, (height, width); see `body_of`."""
    return body_of(image).tissue


def body_of(image: Image) -> Body:
    """Tell tissue from background and ink.

    Background is what is nearly black, or of one flat colour, and either reaches the border or is large. Text, drawn
    marks, hair and highlights are thin, and lighter or darker than what is around them by more than tissue is.
    """
    height, width = image.shape[:2]
    scale = max(1.0, max(height, width) / _SIDE_PX)
    size = max(1, round(width / scale)), max(1, round(height / scale))
    planes = image[..., :1] if is_grey(image) else image
    channels = np.ascontiguousarray(np.moveaxis(planes, 2, 0))
    if scale > 1:
        small = [cv2.resize(channel, size, interpolation=cv2.INTER_AREA) for channel in channels]
        channels = np.stack(small).astype(np.uint8, copy=False)
    background, flat = _background(channels.max(axis=0))
    parts = ~(grow(background | flat, 1) | _ink(channels)), grow(background, 1)
    if scale == 1:
        return Body(*parts)
    whole = (cv2.resize(part.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) for part in parts)
    return Body(*(part.view(np.bool_) for part in whole))


def _background(grey: NDArray[np.uint8]) -> tuple[Mask, Mask]:
    """Return the background, and what is flat inside the body: a saturated lesion is, so that is no background."""
    dark = (cv2.medianBlur(grey, 3) if min(grey.shape) >= 3 else grey) <= _DARK
    kernel = np.ones((3, 3), np.uint8)
    even = cv2.dilate(grey, kernel) - cv2.erode(grey, kernel) <= _FLAT
    (beside, large), (padding, flat) = _surround(dark), _surround(even)
    return beside | large | padding, flat


def _surround(candidate: Mask) -> tuple[Mask, Mask]:
    """Return the connected parts that reach the border, and those of the others that are large."""
    height, width = candidate.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats(candidate.view(np.uint8), connectivity=4)
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    share = stats[:, cv2.CC_STAT_AREA] / candidate.size
    reaches_border = (left == 0) | (top == 0) | (right == width) | (bottom == height)
    reaches_border[0] = False  # label 0 is what is no candidate
    beside: Mask = (reaches_border & (share >= _SMALLEST_BACKGROUND_SHARE))[labels]
    inner = ~reaches_border & (share >= 10 * _SMALLEST_BACKGROUND_SHARE)
    inner[0] = False
    large: Mask = inner[labels]
    return beside, large


def _ink(channels: NDArray[np.uint8]) -> Mask:
    size = max(3, round(_FONT_SHARE * min(channels[0].shape)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (size, size))
    ink = np.zeros(channels[0].shape, np.uint8)
    for channel in channels:
        light = cv2.morphologyEx(channel, cv2.MORPH_TOPHAT, kernel) > _INK
        ink |= light & (channel > _BRIGHT)
        ink |= cv2.morphologyEx(channel, cv2.MORPH_BLACKHAT, kernel) > _INK
    if len(channels) > 1:
        ink |= channels.min(axis=0) > _GLARE
    return grow(ink.view(np.bool_), max(1, size // 4))
