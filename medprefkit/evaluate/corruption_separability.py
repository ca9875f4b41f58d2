"""Can a small classifier tell where something was painted? Patches of a place against patches of the tissue around.

The classifier is a ridge regression on patch statistics, each in units of its own image's surround, tested on images
that it was not fitted to. An area under the curve of 0.5 is chance. Healthy places of clean images set the mark: a
place differs a little from another one in any picture.

Differs from a Fisher discriminant only by the ridge, which keeps it defined for few patches.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from medprefkit.protocols import Image, Mask

Features = NDArray[np.float64]
"""(n_patches, n_features)."""

MARGIN = 0.1
"""How far above the mark of healthy places an area under the curve may be."""

_SIDES_PX = (16, 8)
_FEWEST, _MOST = 6, 40  # patches of a side that make it worth using; patches that one image gives at most
_INSIDE_SHARE = 0.8
_N_FOLDS = 5
_RIDGE = 1.0


class Place(NamedTuple):
    """Patch statistics of one image; `inside` and `around` have the same columns."""

    inside: Features
    around: Features


def place_of(image: Image, region: Mask, ring: Mask, rng: np.random.Generator) -> Place | None:
    """Describe the patches of a region and of the tissue around it.

    Args:
        image: (height, width, 3) RGB, uint8.
        region: (height, width), where something was painted or the lesion is.
        ring: (height, width), untouched tissue around.
        rng: Draws the patches where there are many.

    Returns:
        Columns in the ring's own median and spread; None where region or ring hold too few patches of 8 pixels.
    """
    grey = image.mean(axis=2)
    for side in _SIDES_PX:
        inside, around = (_patches(grey, mask, side, rng) for mask in (region, ring))
        if inside is not None and around is not None:
            middle = np.median(around, axis=0)
            spread = 1.48 * np.median(np.abs(around - middle), axis=0) + 0.05
            scaled = (np.clip((part - middle) / spread, -5, 5) for part in (inside, around))
            return Place(*(np.hstack([part, part**2]) for part in scaled))
    return None


def separability_of(places: Sequence[Place]) -> float | None:
    """Return the area under the curve of telling `inside` from `around`, cross-validated by image.

    Every image weighs the same, and only its own patches are compared with each other.

    Returns:
        0 to 1; None for fewer than two images.
    """
    if len(places) < 2:
        return None
    folds = [places[k::_N_FOLDS] for k in range(min(_N_FOLDS, len(places)))]
    areas: list[float] = []
    for k, held_out in enumerate(folds):
        weights = _fit([place for j, fold in enumerate(folds) if j != k for place in fold])
        areas += [_area(place.inside @ weights, place.around @ weights) for place in held_out]
    return float(np.mean(areas))


def _fit(places: Sequence[Place]) -> NDArray[np.float64]:
    features = np.vstack([part for place in places for part in place])
    weight = np.concatenate([np.full(len(part), 1 / len(part)) for place in places for part in place])
    target = np.concatenate([np.repeat((1.0, -1.0), (len(p.inside), len(p.around))) for p in places])
    centred = features - np.average(features, axis=0, weights=weight)
    spread = np.sqrt(np.average(centred**2, axis=0, weights=weight)) + 1e-9
    scaled = centred / spread
    gram = (scaled * weight[:, None]).T @ scaled + _RIDGE * np.eye(features.shape[1])
    weights: NDArray[np.float64] = np.linalg.solve(gram, (scaled * weight[:, None]).T @ target) / spread
    return weights


def _area(inside: NDArray[np.float64], around: NDArray[np.float64]) -> float:
    """Probability that a patch inside scores higher than one around; ties count half."""
    above = (inside[:, None] > around[None, :]).mean()
    level = (inside[:, None] == around[None, :]).mean()
    return float(above + level / 2)


def _patches(grey: NDArray[np.float64], mask: Mask, side: int, rng: np.random.Generator) -> Features | None:
    """Return the statistics of patches that lie in the mask nearly whole; None where there are too few."""
    if side > min(mask.shape):
        return None
    step = side // 2
    whole = sliding_window_view(mask, (side, side))[::step, ::step].mean(axis=(2, 3)) >= _INSIDE_SHARE
    rows, columns = (index * step for index in np.nonzero(whole))
    if len(rows) < _FEWEST:
        return None
    drawn = rng.permutation(len(rows))[:_MOST]
    stack = np.stack([grey[rows[k] : rows[k] + side, columns[k] : columns[k] + side] for k in drawn])
    down, across = np.diff(stack, axis=1), np.diff(stack, axis=2)
    second = np.diff(down, axis=1)
    level, spread = stack.mean(axis=(1, 2)), stack.std(axis=(1, 2)) + 0.5
    centred = (stack - level[:, None, None]) / spread[:, None, None]
    coarse = stack.reshape(len(stack), side // 4, 4, side // 4, 4).mean(axis=(2, 4))
    statistics: Features = np.stack(
        [
            level / 16,
            np.log(spread),
            np.log(down.std(axis=(1, 2)) + 0.5),
            np.log(across.std(axis=(1, 2)) + 0.5),
            np.log(second.std(axis=(1, 2)) + 0.5),
            np.log(coarse.std(axis=(1, 2)) + 0.5),
            (centred**3).mean(axis=(1, 2)),
            np.log((centred**4).mean(axis=(1, 2)) + 0.1),
        ],
        axis=1,
    )
    return statistics
