"""Healthy tissue in the lesion's place: a donor from the same image, the other side of the body where that fits.

The donor's difference from the image along the rim is spread over the hole as a smooth surface and taken off, so that
brightness runs on without an edge.

Source: Perez, Gangnet, Blake 2003, "Poisson Image Editing", eq. 7. Differs: the
surface is found coarse to fine, and only pixels of healthy tissue outside every lesion count as rim.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from medprefkit.corrupt.exemplar import Exemplar
from medprefkit.corrupt.fill import Fill, Part, lay, widened
from medprefkit.corrupt.placement import Place, Scene, places_like, repainted, scene_of
from medprefkit.corrupt.region import Box, Floats
from medprefkit.corrupt.surface import grey_of, low_pass, membrane, patch_of, resized
from medprefkit.corrupt.tissue import Body, body_of
from medprefkit.protocols import Image, Mask

_FOREIGN = 1.7  # what shows, above which pieces do better than any donor
_OTHER_SIDE = 0.4  # what it counts that the other side of the body shows: it is as it should be
_MOST_PARTS = 16  # parts that get a donor, the largest; the others are small beside them
_SMALL_SHARE = 0.02  # of the image's shorter side: a narrower part needs no anatomy, pieces do
_RIM_PX = 12  # how far outside the hole differences from the donor are read
_JUDGED_PX = 160  # side of the copy at which a result is judged
_BEYOND = 6.0  # grey levels outside the surround's range from which on a pixel stands out


class _Donor(NamedTuple):
    """A filling for a part's box, and how much it would show; lower is better."""

    filling: Floats
    shows: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthyBlend(Fill):
    """Cover each part of the lesion with healthy tissue of the same image.

    Of the donors that fit, the one counts whose tissue would stand out least in the lesion's place. Small parts, and
    those that fit nowhere well, are filled piece by piece, see `Exemplar`.

    Attributes:
        margin_px: As of `Fill`, like `margin_mm`, `spacing_mm`, `strength` and `feather_px`.
        choices: A donor is drawn from this many best fitting ones; 1 always takes the best.
    """

    choices: int = 1

    def _fill(self, painted: Image, lesion_mask: Mask, region: Mask, rng: np.random.Generator) -> None:
        body = body_of(painted)
        parts = sorted(self._parts(region, lesion_mask, body), key=_size, reverse=True)
        unpainted = region.copy()
        scene: Scene | None = None
        for index, part in enumerate(parts):
            donors: list[_Donor] = []
            if index < _MOST_PARTS and max(part.box.shape) > _SMALL_SHARE * min(region.shape):
                scene = repainted(scene, painted) if scene else scene_of(painted, body.tissue & ~region, region)
                donors = self._donors(painted, scene, part, unpainted, body)
            if donors and donors[0].shows <= _FOREIGN:
                lay(painted, part, donors[int(rng.integers(len(donors[: self.choices])))].filling)
            else:
                self._paint(painted, part, unpainted, body, rng)
            unpainted[part.box.slices] &= ~part.hole

    def _paint(self, painted: Image, part: Part, region: Mask, body: Body, rng: np.random.Generator) -> None:
        Exemplar._paint(Exemplar(), painted, part, region, body, rng)

    def _donors(self, painted: Image, scene: Scene, part: Part, unpainted: Mask, body: Body) -> list[_Donor]:
        places = places_like(scene, part.box, part.hole, match_rim=True)
        box = part.box.padded(_RIM_PX, unpainted.shape)
        hole = widened(part, box, part.hole)
        around = body.tissue[box.slices] & ~unpainted[box.slices]
        patch = painted[box.slices].astype(np.float32)
        found = []
        for place in places:
            filling = _blended(painted, box, ~unpainted[box.slices], place)
            shows = _shows(np.where(hole[..., None], filling, patch), hole, around)
            shows += place.misfit / len(scene.planes)
            shows *= _OTHER_SIDE if place.other_side else 1.0
            found.append(_Donor(filling[part.box.within(box).slices], shows))
        return sorted(found, key=_how_much)


def _size(part: Part) -> int:
    return int(np.count_nonzero(part.hole))


def _how_much(donor: _Donor) -> float:
    return donor.shows


def _blended(painted: Image, box: Box, known: Mask, place: Place) -> Floats:
    """Return what the donor at `place` puts into the box, its brightness fitted to what is known around the hole."""
    patch, donor, inside = patch_of(painted[box.slices]), *_donor_patch(painted, box, place)
    if donor.shape[2] != patch.shape[2]:
        patch, donor = (np.broadcast_to(p, (*p.shape[:2], 3)).astype(np.float32) for p in (patch, donor))
    rim = known & inside
    if rim.any():
        difference = np.where(rim[..., None], low_pass(patch - donor, rim, 2.0), 0).astype(np.float32)
        donor = donor + membrane(difference, rim)
    return donor


def _shows(filling: Floats, hole: Mask, around: Mask) -> float:
    """Judge a filling by what is in it that is not around it: a vessel, a cavity, a heart, another grain.

    Returns:
        0 for nothing; 1 where a third of it is lighter or darker than its surround, or its brightness strays from what
        the rim alone foretells by the spread of the surround, or its grain is twice or half as strong.
    """
    scale = max(1.0, max(hole.shape) / _JUDGED_PX)
    size = max(1, round(hole.shape[1] / scale)), max(1, round(hole.shape[0] / scale))
    small = resized(filling, size, cv2.INTER_AREA)
    inside, outside = (
        cv2.resize(m.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0 for m in (hole, around)
    )
    if not (inside.any() and outside.any()):
        return 0.0
    base = membrane(low_pass(small, outside, 2.0), outside)
    foreign = strays = 0.0
    for channel in range(small.shape[2]):
        values = small[..., channel]
        low, high = np.quantile(values[outside], (0.02, 0.98))
        foreign = max(foreign, float(((values < low - _BEYOND) | (values > high + _BEYOND))[inside].mean()))
        spread = float((values - base[..., channel])[outside].std()) + float(values[outside].std()) / 2 + 4.0
        away = cv2.GaussianBlur(values - base[..., channel], (0, 0), 2.0)[inside]
        strays = max(strays, float(np.sqrt((away**2).mean())) / spread)
    grey = grey_of(small)
    edges = np.abs(grey - cv2.blur(grey, (3, 3)))
    grain = float(np.log((edges[inside].mean() + 0.5) / (edges[outside].mean() + 0.5)))
    return 3 * foreign + strays + abs(grain) / float(np.log(2))


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
