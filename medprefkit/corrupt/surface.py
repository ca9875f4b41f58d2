"""Smooth surfaces through known pixels: what fillings are made of.

Works on float32 patches of (height, width, channels); a patch of a grey image has one channel, so grey stays grey.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from medprefkit.corrupt.region import Floats, floats
from medprefkit.images import is_grey
from medprefkit.protocols import Image, Mask

_SWEEPS = 6  # Jacobi sweeps a level; the levels below have already carried the far distances
_FINE_PX = 2**16  # a level of more pixels is nearly right when it comes up, and gets a single sweep


def patch_of(image: Image) -> Floats:
    """Return the pixels as float32, one channel where the three are equal."""
    return image[..., :1].astype(np.float32) if is_grey(image) else image.astype(np.float32)


def pixels_of(patch: Floats) -> NDArray[np.uint8]:
    """Return a patch as uint8 RGB, rounded and cut to 0 to 255."""
    rounded = np.rint(np.clip(patch, 0, 255)).astype(np.uint8)
    return np.broadcast_to(rounded, (*patch.shape[:2], 3)) if patch.shape[2] == 1 else rounded


def resized(values: NDArray[Any], size: tuple[int, int], interpolation: int) -> Floats:
    """Resize a patch to (width, height), keeping its channel axis."""
    return _channels(cv2.resize(values, size, interpolation=interpolation))


def shrunk(values: Floats, known: Mask, size: tuple[int, int]) -> tuple[Floats, Mask]:
    """Shrink a patch to (width, height) by the mean of each cell's known pixels; also where there is any."""
    weight = known.astype(np.float32)
    coarse_weight = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    coarse = resized(values * weight[..., None], size, cv2.INTER_AREA)
    return floats(coarse / np.maximum(coarse_weight, 1e-6)[..., None]), coarse_weight > 1e-6


def membrane(values: Floats, known: Mask) -> Floats:
    """Stretch a harmonic surface over the unknown pixels; known ones keep their values.

    Coarse to fine: each level is filled from the one of half its size and then relaxed: the cost is linear in pixels.

    Args:
        values: (height, width, channels); unknown pixels may hold anything finite.
        known: (height, width), at least one True.
    """
    height, width = known.shape
    if known.all():
        return values
    if min(height, width) <= 2:
        mean = values[known].mean(axis=0)
        return floats(np.where(known[..., None], values, mean))
    coarse, coarse_known = shrunk(values, known, ((width + 1) // 2, (height + 1) // 2))
    surface = resized(membrane(coarse, coarse_known), (width, height), cv2.INTER_LINEAR)
    kept = known.astype(np.uint8)
    for _ in range(_SWEEPS if known.size <= _FINE_PX else 1):
        cv2.copyTo(values, kept, surface)
        surface = _channels(cv2.sepFilter2D(surface, -1, _NEIGHBOURS, _NEIGHBOURS, borderType=cv2.BORDER_REPLICATE))
    cv2.copyTo(values, kept, surface)
    return surface


_NEIGHBOURS: Floats = np.array([0.25, 0.5, 0.25], np.float32)


def low_pass(values: Floats, known: Mask, sigma_px: float) -> Floats:
    """Blur with a Gaussian that sees only known pixels; where it sees none the value is 0."""
    weight = known.astype(np.float32)
    seen = cv2.GaussianBlur(weight, (0, 0), sigma_px)
    blurred = _channels(cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma_px))
    return floats(blurred / np.maximum(seen, 1e-6)[..., None])


def _channels(values: NDArray[Any]) -> Floats:
    """Give back the channel axis that OpenCV drops from a patch of one channel."""
    return floats(values[..., None] if values.ndim == 2 else values)
