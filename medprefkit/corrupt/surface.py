"""Smooth surfaces through known pixels, and grain that looks like the tissue around: what fillings are made of.

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
_TILES_PX = (64, 48, 32, 24, 16, 8)


def patch_of(image: Image) -> Floats:
    """Return the pixels as float32, one channel where the three are equal."""
    return image[..., :1].astype(np.float32) if is_grey(image) else image.astype(np.float32)


def pixels_of(patch: Floats) -> NDArray[np.uint8]:
    """Return a patch as uint8 RGB, rounded and cut to 0 to 255."""
    rounded = np.rint(np.clip(patch, 0, 255)).astype(np.uint8)
    return np.broadcast_to(rounded, (*patch.shape[:2], 3)) if patch.shape[2] == 1 else rounded


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
        flat: Floats = np.where(known[..., None], values, mean).astype(np.float32)
        return flat
    size = ((width + 1) // 2, (height + 1) // 2)
    weight = known.astype(np.float32)
    coarse_weight = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    coarse = resized(values * weight[..., None], size, cv2.INTER_AREA) / np.maximum(coarse_weight, 1e-6)[..., None]
    surface = resized(membrane(coarse, coarse_weight > 1e-6), (width, height), cv2.INTER_LINEAR)
    surface[known] = values[known]
    unknown = ~known
    for _ in range(_SWEEPS):
        relaxed = _channels(cv2.sepFilter2D(surface, -1, _CROSS_X, _CROSS_X, borderType=cv2.BORDER_REPLICATE))
        surface[unknown] = relaxed[unknown]
    return surface


_CROSS_X: Floats = np.array([0.25, 0.5, 0.25], np.float32)


def low_pass(values: Floats, known: Mask, sigma_px: float) -> Floats:
    """Blur with a Gaussian that sees only known pixels; where it sees none the value is 0."""
    weight = known.astype(np.float32)
    seen = cv2.GaussianBlur(weight, (0, 0), sigma_px)
    blurred = _channels(cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma_px))
    return floats(blurred / np.maximum(seen, 1e-6)[..., None])


def grain_like(sample: Floats, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Return fresh texture with the spectrum and the channel correlations of a sample, mean 0.

    White noise is convolved with the sample, so every shift of it is as likely and no copy can be recognized.

    Args:
        sample: (height, width, channels), what a smooth surface lacks.
        shape: (height, width) to fill, pixels.
        rng: Draws one number a pixel of `shape`.

    Source: Galerne, Gousseau, Morel 2011, "Random Phase Textures", asymptotic discrete spot noise.
    """
    height, width = sample.shape[:2]
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]).astype(np.float32)[..., None]
    spot = (sample - sample.mean(axis=(0, 1))) * window
    spread = sample.std(axis=(0, 1))
    power = np.sqrt((spot**2).sum(axis=(0, 1)))
    white = rng.standard_normal((shape[0] + height, shape[1] + width), dtype=np.float32)
    channels = [
        cv2.filter2D(white, -1, spot[..., c] * (spread[c] / max(float(power[c]), 1e-6))) for c in range(sample.shape[2])
    ]
    return floats(np.stack(channels, axis=-1)[height // 2 :, width // 2 :][: shape[0], : shape[1]])


def grain_sample(patch: Floats, usable: Mask, wanted: Floats, sigma_px: float) -> Floats | None:
    """Cut the grain of a tile of healthy tissue that is as bright as the filling is to be.

    Args:
        patch: (height, width, channels).
        usable: (height, width), True on healthy tissue.
        wanted: (channels,) mean of the filling, grey levels.
        sigma_px: What is coarser than this counts as shape, not grain.

    Returns:
        (tile, tile, channels) differences from the smooth surface; None where no tile of 8 pixels is healthy.
    """
    height, width = usable.shape
    grey = patch.mean(axis=2)
    level = float(wanted.mean())
    detail = grey - cv2.GaussianBlur(grey, (0, 0), sigma_px)
    for tile in _TILES_PX:
        if tile > min(height, width) or not usable.any():
            continue
        whole = cv2.boxFilter(usable.astype(np.float32), -1, (tile, tile), borderType=cv2.BORDER_CONSTANT) > 1 - 1e-3
        half = tile // 2
        whole[:half], whole[height - half :], whole[:, :half], whole[:, width - half :] = False, False, False, False
        if not whole.any():
            continue
        mean = cv2.blur(grey, (tile, tile))
        rough = np.sqrt(np.maximum(cv2.blur(detail**2, (tile, tile)), 1e-3))
        usual = float(np.median(rough[whole]))
        cost = np.abs(mean - level) / 16 + 2 * np.abs(np.log(rough / usual))
        cost[~whole] = np.inf
        row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
        rows, columns = slice(row - half, row - half + tile), slice(column - half, column - half + tile)
        smooth = _channels(cv2.GaussianBlur(patch, (0, 0), sigma_px))
        sample: Floats = patch[rows, columns] - smooth[rows, columns]
        return sample
    return None


def resized(values: NDArray[Any], size: tuple[int, int], interpolation: int) -> Floats:
    """Resize a patch to (width, height), keeping its channel axis."""
    return _channels(cv2.resize(values, size, interpolation=interpolation))


def _channels(values: NDArray[Any]) -> Floats:
    """Give back the channel axis that OpenCV drops from a patch of one channel."""
    return floats(values[..., None] if values.ndim == 2 else values)
