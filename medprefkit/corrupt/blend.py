"""Healthy tissue in the lesion's place: a donor from the same image, the other side of the body where that fits.

The donor's difference from the image along the rim is spread over the hole as a smooth surface and taken off, so that
brightness runs on without an edge. Source: Perez, Gangnet, Blake 2003, "Poisson Image Editing", eq. 7. Differs: the
surface is found coarse to fine, and only pixels of healthy tissue outside every lesion count as rim.
"""

from dataclasses import dataclass

import numpy as np

from medprefkit.corrupt.placement import Place, Scene, places_like, scene_of
from medprefkit.corrupt.region import Box, Floats, box_of, feather, grow, margin_for, parts_of
from medprefkit.corrupt.surface import low_pass, membrane, patch_of, pixels_of
from medprefkit.corrupt.tissue import healthy_of
from medprefkit.errors import ImageError
from medprefkit.protocols import Image, Mask

_RIM_PX = 12  # how far outside the hole differences from the donor are read


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthyBlend:
    """Cover each part of the lesion with healthy tissue of the same image.

    Attributes:
        margin_px: Dilate the mask this far first, so that the rim goes too (pixels); None for 1 % of the image's
            shorter side and at least 3.
        feather_px: Width, inside the region, over which the donor fades in (pixels).
        choices: A donor is drawn from this many best fitting ones; 1 always takes the best.
    """

    margin_px: int | None = None
    feather_px: int = 2
    choices: int = 1

    def region(self, lesion_mask: Mask) -> Mask:
        """Return the pixels that may change, (height, width): the lesion and its margin."""
        return grow(lesion_mask, margin_for(self.margin_px, lesion_mask.shape))

    def __call__(self, image: Image, lesion_mask: Mask, rng: np.random.Generator) -> Image:
        """Return a copy of `image` with healthy tissue over the lesion.

        Args:
            image: (height, width, 3) RGB, uint8. Not modified.
            lesion_mask: (height, width), True on the lesion.
            rng: Draws among the `choices` best donors.

        Raises:
            ImageError: `no_healthy_tissue` if a part of the lesion fits nowhere on healthy tissue.
        """
        hole = self.region(lesion_mask)
        painted = image.copy()
        if not hole.any():
            return painted
        scene = scene_of(image, healthy_of(image, hole, 0))
        for part in parts_of(hole):
            place = self._donor(scene, part, hole, rng)
            self._cover(painted, image, part, hole, place)
        return painted

    def _donor(self, scene: Scene, part: Mask, hole: Mask, rng: np.random.Generator) -> Place:
        places = places_like(scene, part, hole, match_rim=True)[: self.choices]
        if not places:
            n = int(part.sum())
            raise ImageError(
                "no_healthy_tissue", f"no healthy tissue holds the lesion's shape of {n} pixels; inpaint it"
            )
        return places[int(rng.integers(len(places)))]

    def _cover(self, painted: Image, image: Image, part: Mask, hole: Mask, place: Place) -> None:
        box = box_of(part).padded(_RIM_PX, part.shape)
        patch, donor, inside = patch_of(image[box.slices]), *_donor_patch(image, box, place)
        if donor.shape[2] != patch.shape[2]:
            patch, donor = (np.broadcast_to(p, (*p.shape[:2], 3)).astype(np.float32) for p in (patch, donor))
        rim = ~hole[box.slices] & inside
        if rim.any():
            difference = np.where(rim[..., None], low_pass(patch - donor, rim, 2.0), 0).astype(np.float32)
            donor = donor + membrane(difference, rim)
        weight = feather(part[box.slices], self.feather_px)[..., None]
        blended = pixels_of(weight * donor + (1 - weight) * patch)
        target = painted[box.slices]
        target[...] = np.where(part[box.slices][..., None], blended, target)


def _donor_patch(image: Image, box: Box, place: Place) -> tuple[Floats, Mask]:
    """Return the donor's pixels for `box`, and where they come from inside the image (elsewhere: the nearest ones)."""
    height, width = image.shape[:2]
    rows = np.arange(box.top_px, box.bottom_px) + place.down_px
    columns = np.arange(box.left_px, box.right_px) + place.right_px
    if place.mirrored:
        columns = width - 1 - columns
    inside: Mask = np.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
    pixels = image[np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)[None, :]]
    return patch_of(pixels), inside
