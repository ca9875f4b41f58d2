"""The matched control: the same corruption, of the same area and shape, on healthy tissue of the same image.

Without it a model could learn that any damage lowers an answer's likelihood; with it only the lesion's absence can.
"""

from typing import NamedTuple

import numpy as np

from medprefkit.corrupt.placement import moved, places_like, scene_of, without
from medprefkit.corrupt.region import box_of, grow, margin_for, parts_of
from medprefkit.corrupt.tissue import healthy_of
from medprefkit.errors import ImageError
from medprefkit.protocols import Corruption, Image, Mask

_MOST_PARTS = 32  # moved one by one; of more, near ones move together


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
    region = corruption.region(lesion_mask)
    healthy = healthy_of(image, region, margin_for(None, lesion_mask.shape))
    scene = scene_of(image, healthy, region)
    target = np.zeros_like(lesion_mask)
    for part in parts_of(region, at_most=_MOST_PARTS):
        box = box_of(part)
        lesion_part = lesion_mask & part
        for place in places_like(scene, box, part[box.slices], match_rim=False):
            candidate = moved(lesion_part, place)
            claimed = corruption.region(candidate)
            if candidate.sum() == lesion_part.sum() and not (claimed & ~healthy).any():
                target |= candidate
                scene = without(scene, grow(claimed, 1))
                break
        else:
            n = int(lesion_part.sum())
            raise ImageError("no_healthy_tissue", f"no healthy tissue holds a part of {n} lesion pixels; no control")
    if lesion_free is None:
        lesion_free = corruption(image, lesion_mask, rng)
    target_region = corruption.region(target)
    painted = corruption(lesion_free, target, rng)
    return Control(np.where(target_region[..., None], painted, image), target_region)
