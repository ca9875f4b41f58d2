"""Smooth surfaces through known pixels, and grain that looks like the tissue around: what fillings are made of.

Works on float32 patches of (height, width, channels); a patch of a grey image has one channel, so grey stays grey.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from medprefkit.corrupt.region import Floats, floats
from medprefkit.images import is_grey
from medprefkit.protocols import Image, Mask

_SWEEPS = 6  # Jacobi sweeps a level; the levels below have already carried the far distances
_FINE_PX = 2**16  # a level of more pixels is nearly right when it comes up, and gets a single sweep
_TILES_PX = (48, 32, 24, 16, 8)
_N_TILES = 600  # at most so many tiles are looked at
_GRAIN_PX = 512  # grain repeats after this
_COARSEST_PX = 12  # wavelength from which on a sample's content is its shape rather than its grain


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


def grain_sample(patch: Floats, usable: Mask, level: float) -> Floats | None:
    """Cut a tile of plain healthy tissue whose grain suits a filling.

    Of the tiles of nearly the wanted brightness it is one with little in it: an edge or a vessel is no grain.

    Args:
        patch: (height, width, channels).
        usable: (height, width), True on healthy tissue.
        level: Mean brightness that the filling is to have, grey levels.

    Returns:
        (tile, tile, channels); None where no tile of 8 pixels is healthy.
    """
    grey = grey_of(patch)
    diagonal = floats((grey[1:, 1:] - grey[:-1, :-1]) ** 2)
    for tile in _TILES_PX:
        if tile > min(usable.shape):
            continue
        step = max(tile // 2, int(np.sqrt(usable.size / _N_TILES)))
        whole = _tiles(usable.astype(np.float32), tile, step) > 1 - 0.5 / tile**2
        if not whole.any():
            continue
        mean = _tiles(grey, tile, step)
        contrast = np.sqrt(np.maximum(_tiles(grey**2, tile, step) - mean**2, 0))[whole] + 0.5
        fine_square = _tiles(diagonal, tile - 1, step)[: whole.shape[0], : whole.shape[1]]
        fine = np.sqrt(np.maximum(fine_square, 0))[whole] + 0.5  # running sums may end a little below 0
        cost = np.abs(mean[whole] - level) / 12
        cost += np.maximum(np.log(contrast / fine) - np.quantile(np.log(contrast / fine), 0.25), 0)
        cost += np.abs(np.log(fine / np.quantile(fine, 0.4)))
        row, column = (int(index[int(np.argmin(cost))]) * step for index in np.nonzero(whole))
        return patch[row : row + tile, column : column + tile]
    return None


def grey_of(patch: Floats) -> Floats:
    """Return the mean of the channels, (height, width)."""
    return patch[..., 0] if patch.shape[2] == 1 else floats(cv2.transform(patch, _MEAN))


_MEAN: Floats = np.full((1, 3), 1 / 3, np.float32)


def _tiles(values: Floats, tile: int, step: int) -> Floats:
    """Return the mean of each square of `tile` pixels a side, one every `step` pixels: (rows, columns)."""
    means = cv2.boxFilter(values, -1, (tile, tile), anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)
    return floats(means[: values.shape[0] - tile + 1 : step, : values.shape[1] - tile + 1 : step])


def grain_like(sample: Floats, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Return fresh texture with the spectrum of a sample, mean 0.

    White noise is given the sample's amplitude at each spatial frequency, so no copy can be recognized.

    Args:
        sample: (tile, tile, channels).
        shape: (height, width) to fill, pixels.
        rng: Draws one number a pixel of `shape`, at most 512 x 512.

    Source: Galerne, Gousseau, Morel 2011, "Random Phase Textures". Differs: the spectrum is averaged over ellipses, so
        that grain may be longer across than down, as in ultrasound, but has no other direction: a small sample's one
        oblique edge would be drawn all over the filling.
    """
    tile, n_channels = sample.shape[0], sample.shape[2]
    height, width = (fft.next_fast_len(min(_GRAIN_PX, side), real=True) for side in shape)
    window = np.outer(np.hanning(tile + 2)[1:-1], np.hanning(tile + 2)[1:-1])
    stretch = _stretch(sample)
    given = _radius(np.fft.fftfreq(tile), np.fft.fftfreq(tile), stretch) * tile
    wanted = _radius(np.fft.fftfreq(height), np.fft.rfftfreq(width), stretch) * tile
    ring = np.rint(given).astype(np.intp).ravel()
    n_in_ring = np.maximum(np.bincount(ring), 1)
    fineness = 1 - np.exp(-((wanted * _COARSEST_PX / tile) ** 2))  # 0 for what is longer: shape, not grain
    white = fft.rfft2(rng.standard_normal((height, width), dtype=np.float32))
    grain = np.empty((height, width, n_channels), np.float32)
    for channel in range(n_channels):
        values = sample[..., channel] - sample[..., channel].mean()
        power = np.abs(np.fft.fft2(values * window)) ** 2 / (window**2).sum()
        rings = np.bincount(ring, power.ravel()) / n_in_ring
        amplitude = floats(np.sqrt(np.interp(wanted, np.arange(len(rings)), rings)) * fineness)
        grain[..., channel] = fft.irfft2(white * amplitude, (height, width))
    rows, columns = np.arange(shape[0]) % height, np.arange(shape[1]) % width
    return floats(grain[rows[:, None], columns[None, :]])


def _stretch(sample: Floats) -> float:
    """Return how much longer the grain is across than down, 0.5 to 2."""
    down, across = np.diff(sample, axis=0), np.diff(sample, axis=1)
    return float(np.clip(np.sqrt(((down**2).mean() + 0.01) / ((across**2).mean() + 0.01)), 0.5, 2.0))


def _radius(down: NDArray[np.float64], across: NDArray[np.float64], stretch: float) -> NDArray[np.float64]:
    """Return the frequency of each pair, in cycles a pixel, as grain without a direction would have it."""
    radius: NDArray[np.float64] = np.hypot(down[:, None] / np.sqrt(stretch), across[None, :] * np.sqrt(stretch))
    return radius


def _channels(values: NDArray[Any]) -> Floats:
    """Give back the channel axis that OpenCV drops from a patch of one channel."""
    return floats(values[..., None] if values.ndim == 2 else values)
