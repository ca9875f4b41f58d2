"""The matched control: the same corruption, of the same area and shape, on healthy tissue of the same image.

Without it a model could learn that any damage lowers an answer's likelihood; with it only the lesion's absence can.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from medprefkit.corrupt.placement import Place, moved, places_like, scene_of, without
from medprefkit.corrupt.region import box_of, depth_of, grow, margin_for, parts_of
from medprefkit.corrupt.surface import low_pass, patch_of
from medprefkit.corrupt.tissue import healthy_of
from medprefkit.errors import ImageError
from medprefkit.protocols import Corruption, Image, Mask

_ATTEMPTS = 4  # places a part is painted at before there is no control
_BLOB = 0.5  # of the spread of brightness around: how much lighter or darker healthy tissue may get
_LEAST_BLOB = 16.0  # grey levels
_AROUND_PX = 32


class Control(NamedTuple):
    """An image whose lesion is intact and whose healthy tissue is corrupted."""

    image: Image
    region: Mask
    """(height, width), the pixels that may have changed."""


def healthy_control(
    image: Image,
    lesion_mask: Mask,
    rng: np.random.Generator,
    corruption: Corruption,
    *,
    lesion_free: Image | None = None,
) -> Control:
    """Corrupt healthy tissue instead of the lesion.

    Each connected part of the region moves by itself: to the other side of the body where the image shows paired
    anatomy and that side is healthy, else to where brightness and texture are most like those around the lesion. It
    keeps a margin from every lesion, and stays off the black background and burned-in text. What is painted there is
    made from the image without its lesion, so that a lesion is never blurred, continued or copied into the control.

    Args:
        image: (height, width, 3) RGB, uint8. Not modified.
        lesion_mask: (height, width), True on the lesion.
        rng: Passed to the corruption.
        corruption: What is done to the lesion.
        lesion_free: What it made of the image; None to have it made here.

    Raises:
        ImageError: `no_healthy_tissue` if a part fits nowhere, or the corruption cannot work there.
    """
    if lesion_free is None:
        lesion_free = corruption(image, lesion_mask, rng)
    region = corruption.region(lesion_mask)
    healthy = healthy_of(image, region, margin_for(None, lesion_mask.shape))
    scene = scene_of(image, healthy)
    painted, target_region = lesion_free, np.zeros_like(lesion_mask)
    for part in parts_of(region):
        lesion_part, removed = lesion_mask & part, _shift(image, lesion_free, part)
        places = places_like(scene, part, region, match_rim=False)
        for moved_part in _fitting(lesion_part, places, corruption, healthy):
            moved_region = corruption.region(moved_part)
            attempt = _attempt(painted, moved_part, moved_region, corruption, rng, removed)
            if attempt is not None:
                painted = attempt
                target_region |= moved_region
                scene = without(scene, grow(moved_region, 1))
                healthy = healthy & ~moved_region
                break
        else:
            n = int(lesion_part.sum())
            problem = "holds" if not places else "stays alike where it holds"
            raise ImageError(
                "no_healthy_tissue", f"no healthy tissue {problem} a part of {n} lesion pixels; no control"
            )
    return Control(np.where(target_region[..., None], painted, image), target_region)


def _fitting(lesion_part: Mask, places: Sequence[Place], corruption: Corruption, healthy: Mask) -> Iterator[Mask]:
    """Yield the part at each place where all of it and its margin lie on healthy tissue; a few at most."""
    n_left, n_pixels = _ATTEMPTS, int(lesion_part.sum())
    for place in places:
        candidate = moved(lesion_part, place)
        if candidate.sum() == n_pixels and not (corruption.region(candidate) & ~healthy).any():
            yield candidate
            n_left -= 1
        if n_left == 0:
            return


def _attempt(
    image: Image, lesion_mask: Mask, region: Mask, corruption: Corruption, rng: np.random.Generator, removed: float
) -> Image | None:
    """Corrupt healthy tissue; None where that leaves a light or dark blob, which the lesion's place does not show.

    `removed` is how much lighter or darker the lesion's own place became, grey levels: half of it is no blob.
    """
    try:
        painted = corruption(image, lesion_mask, rng)
    except ImageError as error:
        if error.reason != "no_healthy_tissue":
            raise
        return None
    tissue = image[box_of(region).padded(_AROUND_PX, region.shape).slices]
    allowed = max(_LEAST_BLOB + _BLOB * float(tissue.std(axis=(0, 1)).mean()), 0.5 * removed)
    return painted if _shift(image, painted, region) <= allowed else None


def _shift(before: Image, after: Image, region: Mask) -> float:
    """Return how much lighter or darker nearly all of a region has become at most, grey levels; grain aside."""
    box = box_of(region)
    inside = region[box.slices]
    sigma_px = max(1.0, float(depth_of(np.pad(inside, 1)).max()) / 3)
    soft_before, soft_after = (low_pass(patch_of(part[box.slices]), inside, sigma_px) for part in (before, after))
    return float(np.quantile(np.abs(soft_after - soft_before).max(axis=2)[inside], 0.9))
