"""Where a corruption may paint: masks grown, boxed, split and feathered. Every result stays inside the image.

Knows masks and shapes; knows nothing of what is painted.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from medprefkit.protocols import Mask

Floats = NDArray[np.float32]
"""Any shape, float32: distances in pixels, weights from 0 to 1, or grey levels from 0 to 255."""


_BRUSH_PX = 7  # up to this a disc is painted pixel by pixel, which is faster than measuring distances
_FARTHEST_PX = 1e6  # stands for the distance where there is no outside


def floats(values: NDArray[Any]) -> Floats:
    """Return as float32, without a copy where it is so already: what OpenCV gives back, with its type."""
    return values.astype(np.float32, copy=False)


class Box(NamedTuple):
    """A rectangle in pixels, half-open."""

    top_px: int
    bottom_px: int
    left_px: int
    right_px: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index an (height, width, ...) array with this."""
        return slice(self.top_px, self.bottom_px), slice(self.left_px, self.right_px)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), pixels."""
        return self.bottom_px - self.top_px, self.right_px - self.left_px

    def within(self, outer: "Box") -> "Box":
        """Return the box in the coordinates of `outer`."""
        top, left = outer.top_px, outer.left_px
        return Box(self.top_px - top, self.bottom_px - top, self.left_px - left, self.right_px - left)

    def padded(self, pad_px: int, shape: tuple[int, ...]) -> "Box":
        """Return the box grown on all sides, cut at the borders of an image of `shape`."""
        return Box(
            max(0, self.top_px - pad_px),
            min(shape[0], self.bottom_px + pad_px),
            max(0, self.left_px - pad_px),
            min(shape[1], self.right_px + pad_px),
        )


def box_of(mask: Mask) -> Box:
    """Return the smallest box around the True pixels; an empty box at the origin where there are none."""
    left, top, width, height = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
    return Box(top, top + height, left, left + width)


def margin_for(margin_px: int | None, shape: tuple[int, ...]) -> int:
    """Return a margin in pixels: the one asked for, or 1 % of the shorter side and at least 3.

    Annotators draw a lesion a little inside its blurred rim, and by how much grows with the image.

    Raises:
        ValueError: If `margin_px` is negative.
    """
    if margin_px is None:
        return max(3, round(0.01 * min(shape[:2])))
    if margin_px < 0:
        raise ValueError(f"margin_px must be 0 or more, got {margin_px}")
    return margin_px


def grow(mask: Mask, distance_px: int) -> Mask:
    """Return the pixels within `distance_px` (Euclidean) of a True pixel; costs what the box around them costs."""
    tight = box_of(mask)
    box = tight.padded(distance_px, mask.shape)
    grown = np.zeros_like(mask)
    part = np.ascontiguousarray(mask[box.slices])
    if tight.bottom_px == tight.top_px:
        return grown
    if distance_px <= _BRUSH_PX:
        rows, columns = np.ogrid[-distance_px : distance_px + 1, -distance_px : distance_px + 1]
        disc = (rows**2 + columns**2 <= distance_px**2).astype(np.uint8)
        grown[box.slices] = cv2.dilate(part.view(np.uint8), disc).view(np.bool_)
    else:
        grown[box.slices] = depth_of(~part) <= distance_px
    return grown


def depth_of(hole: Mask) -> Floats:
    """Return each pixel's distance to the nearest pixel outside `hole`, in pixels; the image's border is no outside."""
    away = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # squared distances are whole numbers: OpenCV's last bit may differ between a process's first call and the next
    return floats(np.sqrt(np.rint(np.minimum(away, _FARTHEST_PX) ** 2)))


def feather(hole: Mask, width_px: float) -> Floats:
    """Return weights that are 0 outside `hole` and rise to 1 over its outermost `width_px` pixels, strictly inside."""
    if width_px <= 0:
        return hole.astype(np.float32)
    share: Floats = np.clip(depth_of(hole) / np.float32(width_px + 1), 0, 1)
    smooth: Floats = share * share * (3 - 2 * share)
    return smooth


def parts_of(mask: Mask, *, at_most: int = 16) -> list[Mask]:
    """Split into connected parts (8 neighbours), the largest first; near ones go together where there are too many."""
    reach_px, joined = 0, mask
    while True:
        n_labels, labels, stats, _ = cv2.connectedComponentsWithStats(joined.astype(np.uint8), connectivity=8)
        if n_labels - 1 <= at_most:
            break
        reach_px = 2 * reach_px + 1
        joined = grow(mask, reach_px)
    order = sorted(range(1, n_labels), key=stats[:, cv2.CC_STAT_AREA].__getitem__, reverse=True)
    return [(labels == label) & mask for label in order]
