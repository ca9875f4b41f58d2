"""The matched control: the same corruption, of the same area and shape, on healthy tissue of the same image.

Without it a model could learn that any damage lowers an answer's likelihood; with it only the lesion's absence can.
"""

from typing import NamedTuple

import cv2
import numpy as np

from medprefkit.corrupt.placement import Scene, alike_cells, moved, places_like, scene_of, without
from medprefkit.corrupt.region import box_of, depth_of, grow, margin_for, parts_of
from medprefkit.corrupt.tissue import body_of
from medprefkit.errors import ImageError
from medprefkit.protocols import Corruption, Image, Mask

_COMPACT_SHARE = 0.5  # of the disc around a gathered control that it must fill
_SPECK_SHARE = 0.01  # of the lesion: a smaller part that fits nowhere is left out of the control
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
    anatomy and that side is healthy, else to where brightness and texture are most like those around the lesion. Where
    its shape fits nowhere, as many pixels of such tissue are taken in another shape. It keeps a margin from every
    lesion, and stays off the background. What is painted there is made from the image without its lesion, so that a
    lesion is never blurred, continued or copied into the control.

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
    body = body_of(image)
    # a highlight or a hair may be painted over, burned-in text not; only text is large and outside the body
    away = ~body.background & ~grow(region, margin_for(None, lesion_mask.shape))
    scene = scene_of(image, away & body.tissue, region)
    loose = scene_of(image, away, region)
    target = np.zeros_like(lesion_mask)
    n_lesion = np.count_nonzero(lesion_mask)
    for part in parts_of(region, at_most=_MOST_PARTS):
        lesion_part = lesion_mask & part
        found = _shifted(lesion_part, part, scene, corruption, away)
        if found is None:
            found = _shifted(lesion_part, part, loose, corruption, away)
        if found is None:
            found = _gathered(lesion_part, part, loose, corruption, away)
        n = int(lesion_part.sum())
        if found is None and n < _SPECK_SHARE * n_lesion:
            continue
        if found is None:
            raise ImageError("no_healthy_tissue", f"no healthy tissue holds a part of {n} lesion pixels; no control")
        target |= found
        claimed = grow(corruption.region(found), 1)
        away &= ~claimed
        scene, loose = without(scene, claimed), without(loose, claimed)
    if lesion_free is None:
        lesion_free = corruption(image, lesion_mask, rng)
    target_region = corruption.region(target)
    painted = corruption(lesion_free, target, rng)
    return Control(np.where(target_region[..., None], painted, image), target_region)


def _shifted(lesion_part: Mask, part: Mask, scene: Scene, corruption: Corruption, away: Mask) -> Mask | None:
    """Return the lesion's own shape in the best place that holds it."""
    box = box_of(part)
    n = np.count_nonzero(lesion_part)
    for place in places_like(scene, box, part[box.slices], match_rim=False):
        candidate = moved(lesion_part, place)
        if np.count_nonzero(candidate) == n and not (corruption.region(candidate) & ~away).any():
            return candidate
    return None


def _gathered(lesion_part: Mask, part: Mask, scene: Scene, corruption: Corruption, away: Mask) -> Mask | None:
    """Return as many pixels of tissue as the lesion has, in a shape that fits where the lesion's own does not."""
    n, box = np.count_nonzero(lesion_part), box_of(part)
    margin = round(float(depth_of(~lesion_part[box.slices])[part[box.slices]].max()))
    cells = alike_cells(scene, box, part[box.slices])
    height, width = away.shape
    alike = cv2.resize(
        np.repeat(np.repeat(cells, scene.cell_px, axis=0), scene.cell_px, axis=1)[:height, :width].view(np.uint8),
        (width, height), interpolation=cv2.INTER_NEAREST,
    )  # fmt: skip
    free = np.pad(away, 1)
    room = alike.astype(np.bool_) & (depth_of(free)[1:-1, 1:-1] > margin + 1)
    if np.count_nonzero(room) < n:
        return None
    size = max(3, round(np.sqrt(n)) | 1)
    density = cv2.blur(room.astype(np.float32), (size, size), borderType=cv2.BORDER_CONSTANT)
    density[~room] = -1
    row, column = np.unravel_index(int(np.argmax(density)), density.shape)
    rows, columns = np.nonzero(room)
    order = np.argsort((rows - row) ** 2 + (columns - column) ** 2, kind="stable")[:n]
    found = np.zeros_like(lesion_part)
    found[rows[order], columns[order]] = True
    reach = float((rows[order[-1]] - row) ** 2 + (columns[order[-1]] - column) ** 2)
    compact = n >= _COMPACT_SHARE * np.pi * reach
    return found if compact and not (corruption.region(found) & ~away).any() else None
