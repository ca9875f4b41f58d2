"""What every corruption shares: the region and its margin, the strength, and one lesion at a time in its own box.

A corruption of this package is a `Fill` whose `_paint` fills one connected part of the region; a picture with hundreds
of tiny lesions costs hundreds of tiny boxes, not one box around them all.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from medprefkit.corrupt.region import Box, Floats, feather, floats, grow, margin_for
from medprefkit.corrupt.surface import pixels_of
from medprefkit.corrupt.tissue import Body, body_of
from medprefkit.errors import ImageError
from medprefkit.protocols import Image, Mask


class Part(NamedTuple):
    """One connected part of a region."""

    box: Box
    """Tight around it."""
    hole: Mask
    """(height, width) of the box, True on this part alone."""
    weight: Floats
    """(height, width) of the box, share of the filling: 0 outside the hole and on the background beside the lesion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill(ABC):
    """Paint over the lesion and its margin.

    Attributes:
        margin_px: Dilate the mask this far first, so that the rim goes too (pixels); None for 1 % of the image's
            shorter side and at least 3.
        margin_mm: The same in millimetres, in the place of `margin_px`; needs the spacing.
        spacing_mm: How far apart the centres of two pixels are (millimetres), where the image itself does not say.
        strength: Share of the filling in the result, above 0 to 1; below 1 the lesion shines through.
        feather_px: Width, inside the margin, over which the filling fades in, so that no edge shows (pixels); less
            where the margin is narrower.
    """

    margin_px: int | None = None
    margin_mm: float | None = None
    spacing_mm: float | None = None
    strength: float = 1.0
    feather_px: int = 2

    def __post_init__(self) -> None:
        """Refuse values that no image could make sense of.

        Raises:
            ValueError: Naming the option and the value.
        """
        if not 0 < self.strength <= 1:
            raise ValueError(f"strength must be above 0 and at most 1, got {self.strength}")
        if self.margin_px is not None and self.margin_px < 0:
            raise ValueError(f"margin_px must be 0 or more, got {self.margin_px}")
        if self.margin_mm is not None and (self.margin_mm < 0 or self.margin_px is not None):
            raise ValueError(f"margin_mm must be 0 or more and stand alone, got {self.margin_mm}, {self.margin_px} px")
        if self.spacing_mm is not None and not self.spacing_mm > 0:
            raise ValueError(f"spacing_mm must be above 0, got {self.spacing_mm}")

    def region(self, lesion_mask: Mask) -> Mask:
        """Return the pixels that may change, (height, width): the lesion and its margin.

        Raises:
            ImageError: `spacing_missing` for a margin in millimetres where the spacing is not known.
        """
        return grow(lesion_mask, self._margin(lesion_mask.shape))

    def __call__(self, image: Image, lesion_mask: Mask, rng: np.random.Generator) -> Image:
        """Return a copy of `image` with the lesion painted over.

        Args:
            image: (height, width, 3) RGB, uint8. Not modified.
            lesion_mask: (height, width), True on the lesion.
            rng: The only source of chance.

        Raises:
            ImageError: `no_healthy_tissue` where there is nothing to fill a part with.
        """
        region = self.region(lesion_mask)
        painted = image.copy()
        if region.any():
            self._fill(painted, lesion_mask, region, rng)
            if self.strength < 1:
                _mix(painted, image, region, self.strength)
        return painted

    def _margin(self, shape: tuple[int, ...]) -> int:
        if self.margin_mm is None:
            return margin_for(self.margin_px, shape)
        if self.spacing_mm is None:
            problem = f"margin_mm {self.margin_mm} but the image does not say how large a pixel is"
            raise ImageError("spacing_missing", f"{problem}; give spacing_mm or margin_px")
        return round(self.margin_mm / self.spacing_mm)

    def _fill(self, painted: Image, lesion_mask: Mask, region: Mask, rng: np.random.Generator) -> None:
        """Paint every part of the region, in place."""
        body = body_of(painted)
        for part in self._parts(region, lesion_mask, body):
            self._paint(painted, part, region, body, rng)

    def _parts(self, region: Mask, lesion_mask: Mask, body: Body) -> Iterator[Part]:
        """Yield the connected parts (8 neighbours) of a region, in the order in which a reader meets them."""
        fade_px = min(self.feather_px, self._margin(region.shape))
        whole = np.ascontiguousarray(region).view(np.uint8)
        n_labels, labels, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=8)
        for label in range(1, n_labels):
            left, top, width, height = (int(number) for number in stats[label, :4])
            box = Box(top, top + height, left, left + width)
            hole = labels[box.slices] == label
            roomy = box.padded(1, region.shape)
            inside = box.within(roomy).slices
            framed = np.zeros(roomy.shape, np.bool_)
            framed[inside] = hole
            weight = feather(framed, fade_px)[inside]
            weight[body.background[box.slices] & ~lesion_mask[box.slices]] = 0
            yield Part(box, hole, weight)

    @abstractmethod
    def _paint(self, painted: Image, part: Part, region: Mask, body: Body, rng: np.random.Generator) -> None:
        """Paint one part, in place; pixels of other parts and of the background are no model for it."""


def widened(part: Part, box: Box, hole: Mask) -> Mask:
    """Return a mask of the part, such as its hole, in the shape of a box around it."""
    whole = np.zeros(box.shape, np.bool_)
    whole[part.box.within(box).slices] = hole
    return whole


def lay(painted: Image, part: Part, filling: Floats) -> None:
    """Mix a filling, (height, width, channels) of the part's box, into the picture by the part's weight; in place."""
    target = painted[part.box.slices]
    weight = part.weight[..., None]
    mixed = floats(weight * filling + (1 - weight) * target)
    np.copyto(target, pixels_of(mixed), where=weight > 0)


def _mix(painted: Image, image: Image, region: Mask, strength: float) -> None:
    rows, columns = np.nonzero(region)
    before, after = (picture[rows, columns].astype(np.float32) for picture in (image, painted))
    painted[rows, columns] = np.rint(strength * after + (1 - strength) * before).astype(np.uint8)
