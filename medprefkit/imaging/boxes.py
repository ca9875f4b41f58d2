"""Regions of boxes: a box says where a lesion is, not which of its pixels are. Ellipses, or GrabCut inside the box.

`segment/` has a model that does it. All satisfy `BoxRegions`.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import cv2
import numpy as np

from medprefkit.annotations import Box, FillBox, fill_ellipse
from medprefkit.protocols import Image, Mask

_SURROUND_SHARE = 0.5  # of the box's sides: how much of the tissue around it GrabCut learns the ground from
_WORKING_PX = 192  # longest side that GrabCut works on; its cost grows with the pixels, its answer hardly
_SMALLEST_PX = 8
_ROUNDS = 4
_CORE_SHARE = 0.85  # of the ellipse's diameters, certainly lesion: left to itself, GrabCut loses a quarter of a lesion
_LEAST_SHARE, _MOST_SHARE = 0.2, 0.97  # of the box: outside of these it found no lesion, or no ground


class BoxRegions(Protocol):
    """Makes regions of boxes."""

    def prepare(self, pictures: Iterable[tuple[Image, Sequence[Box]]]) -> None:
        """Do the work for many images at once, where that is faster, or read nothing."""
        ...

    def fill_for(self, image: Image) -> FillBox:
        """Return what makes a region of a box in this image."""
        ...


class Ellipses:
    """The ellipse inside each box."""

    def prepare(self, pictures: Iterable[tuple[Image, Sequence[Box]]]) -> None:
        """Nothing takes long."""

    def fill_for(self, image: Image) -> FillBox:  # noqa: ARG002 (the image does not matter)
        """Return `fill_ellipse`."""
        return fill_ellipse


class GrabCut:
    """What differs from the tissue around the box, by OpenCV's GrabCut; the ellipse where nothing clear does.

    The region stays inside the box. The same pixels and box give the same region.

    Source: Rother, Kolmogorov, Blake 2004, "GrabCut". Differs: the ellipse is lesion but for its rim, and only
        rim and corners are decided, on a copy of at most 192 pixels a side.
    """

    def prepare(self, pictures: Iterable[tuple[Image, Sequence[Box]]]) -> None:
        """Nothing is done ahead: a box takes some milliseconds."""

    def fill_for(self, image: Image) -> FillBox:
        """Return what cuts a box's lesion out of its surroundings in this image."""
        return _Cut(image)


class _Cut:
    def __init__(self, image: Image) -> None:
        self._image = image

    def __call__(self, box: Box, shape: tuple[int, int]) -> Mask:
        whole = fill_ellipse(box, shape)
        left, top, width, height = box
        if min(width, height) < _SMALLEST_PX:
            return whole
        around = _clipped(left, top, width, height, _SURROUND_SHARE, shape)
        inside = _clipped(left, top, width, height, 0, shape)
        part = np.ascontiguousarray(self._image[around])
        scale = min(1.0, _WORKING_PX / max(part.shape[:2]))
        size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        labels = np.full(part.shape[:2], cv2.GC_BGD, np.uint8)
        rows = slice(inside[0].start - around[0].start, inside[0].stop - around[0].start)
        columns = slice(inside[1].start - around[1].start, inside[1].stop - around[1].start)
        labels[rows, columns] = cv2.GC_PR_BGD
        labels[whole[around]] = cv2.GC_PR_FGD
        rim = (1 - _CORE_SHARE) / 2
        core = left + rim * width, top + rim * height, _CORE_SHARE * width, _CORE_SHARE * height
        labels[fill_ellipse(core, shape)[around]] = cv2.GC_FGD
        small = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        if len(np.unique(small)) < 4:
            return whole
        cv2.setRNGSeed(0)  # its mixtures start from a random clustering
        models = np.zeros((1, 65)), np.zeros((1, 65))
        picture = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        cv2.grabCut(picture, small, (0, 0, 1, 1), models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
        cut = np.isin(small, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
        found = cv2.resize(cut, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_LINEAR) > 0
        region = np.zeros(shape, np.bool_)
        region[inside] = found[rows, columns]
        share = np.count_nonzero(region[inside]) / region[inside].size
        return region if _LEAST_SHARE <= share <= _MOST_SHARE else whole


def _clipped(
    left: float, top: float, width: float, height: float, share: float, shape: tuple[int, int]
) -> tuple[slice, slice]:
    """Return the rows and columns of a box grown by a share of its sides, cut at the image's borders."""
    rows = slice(max(0, round(top - share * height)), min(shape[0], round(top + height * (1 + share))))
    columns = slice(max(0, round(left - share * width)), min(shape[1], round(left + width * (1 + share))))
    return rows, columns
