"""Healthy tissue in the lesion's place: a donor from the same image, the other side of the body where that fits.

The donor's difference from the image along the rim is spread over the hole as a smooth surface and taken off, so that
brightness runs on without an edge.

Source: Perez, Gangnet, Blake 2003, "Poisson Image Editing", eq. 7. Differs: the
surface is found coarse to fine, and only pixels of healthy tissue outside every lesion count as rim.
"""

from dataclasses import dataclass

import numpy as np

from medprefkit.corrupt.placement import Place, places_like, repainted, scene_of
from medprefkit.corrupt.region import Box, Floats, box_of, feather, grow, margin_for, parts_of
from medprefkit.corrupt.surface import low_pass, membrane, patch_of, pixels_of
from medprefkit.corrupt.tissue import healthy_of
from medprefkit.errors import ImageError
from medprefkit.protocols import Image, Mask

_MISFIT = 2.5  # a plane, above which a donor's content is foreign to the place and pieces do better
_SMALLEST_PX = 8  # side of a piece, which is also at least half of:
_SMALLEST_SHARE = 0.16  # of the image's shorter side
_RIM_PX = 12  # how far outside the hole differences from the donor are read


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthyBlend:
    """Cover each part of the lesion with healthy tissue of the same image.

    A part that fits nowhere well as a whole is halved until its pieces fit; their seams show where the lesion is large.

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
            ImageError: `no_healthy_tissue` if not even a small piece of the lesion fits on healthy tissue.
        """
        unpainted = self.region(lesion_mask)
        painted = image.copy()
        if not unpainted.any():
            return painted
        weight = feather(unpainted, self.feather_px)
        scene = scene_of(image, healthy_of(image, unpainted, 0))
        waiting = parts_of(unpainted)[::-1]  # the largest last, to be taken first
        while waiting:
            part = waiting.pop()
            places = places_like(scene, part, unpainted, match_rim=True)[: self.choices]
            pieces = _halves(part)
            if pieces and (not places or places[0].misfit > _MISFIT * len(scene.planes)):
                waiting += pieces
                continue
            if not places:
                n = int(part.sum())
                raise ImageError("no_healthy_tissue", f"no healthy tissue holds a piece of {n} pixels; inpaint it")
            _cover(painted, part, unpainted, weight, places[int(rng.integers(len(places)))])
            unpainted = unpainted & ~part
            scene = repainted(scene, painted)
        return painted


def _cover(painted: Image, part: Mask, unpainted: Mask, weight: Floats, place: Place) -> None:
    """Lay the donor at `place` over `part`, in place; `weight` (height, width) is the donor's share in each pixel."""
    box = box_of(part).padded(_RIM_PX, part.shape)
    patch, donor, inside = patch_of(painted[box.slices]), *_donor_patch(painted, box, place)
    if donor.shape[2] != patch.shape[2]:
        patch, donor = (np.broadcast_to(p, (*p.shape[:2], 3)).astype(np.float32) for p in (patch, donor))
    rim = ~unpainted[box.slices] & inside
    if rim.any():
        difference = np.where(rim[..., None], low_pass(patch - donor, rim, 2.0), 0).astype(np.float32)
        donor = donor + membrane(difference, rim)
    share = weight[box.slices][..., None]
    blended = pixels_of(share * donor + (1 - share) * patch)
    target = painted[box.slices]
    target[...] = np.where(part[box.slices][..., None], blended, target)


def _halves(part: Mask) -> list[Mask]:
    """Cut a part across its longer side; nothing where its pieces would show too little of the tissue."""
    box = box_of(part)
    height, width = box.bottom_px - box.top_px, box.right_px - box.left_px
    if max(height, width) < max(2 * _SMALLEST_PX, _SMALLEST_SHARE * min(part.shape)):
        return []
    first = np.zeros_like(part)
    if height > width:
        first[: box.top_px + height // 2] = True
    else:
        first[:, : box.left_px + width // 2] = True
    return [half for half in (part & ~first, part & first) if half.any()]


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
