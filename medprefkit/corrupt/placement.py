"""Where else in the image a shape fits on healthy tissue: a donor for a blend, a place for a control.

The search runs on a grid of at most 256 cells a side; a cell counts as healthy only if all its pixels do, and as part
of the shape if any is, so what fits on the grid fits in the image, pixel for pixel.
"""

from typing import NamedTuple

import cv2
import numpy as np

from medprefkit.corrupt.region import Box, Floats, box_of, floats, grow
from medprefkit.images import is_grey
from medprefkit.protocols import Image, Mask

_CELLS = 256
_N_PLACES = 8
_CONTENT = 0.5  # weight of a donor's likeness to the tissue around the hole, beside that of its rim
_PLAINER = 0.3  # weight of a lack of contrast beside that of an excess
_ALIKE = 2.0  # spreads of the tissue around a lesion up to which brightness counts as that of the same organ
_ALIKE_SHARE = 0.75  # of a control's cells that must be so
_EVEN = 6.0  # grey levels that even the most even tissue varies by
_NEARNESS = 4.0  # misfit that a place a whole diagonal away is worth: the near one is more likely the same organ
_OTHER_SIDE_DONOR = 0.5  # what the misfit of a contralateral place weighs: a donor must fit all the same
_OTHER_SIDE_CONTROL = 0.1
_SYMMETRY_CELLS = 48
_SYMMETRIC = 0.6  # correlation of tissue with its mirror image above which an image shows paired anatomy
_MIRROR_SLACK_SHARE = 0.06  # of the image's size: how far from the exact mirror position still counts as contralateral


class Place(NamedTuple):
    """A way to move a shape: mirror the image left to right first where `mirrored`, then shift by whole pixels.

    `misfit` is 0 for tissue just like that around the lesion; lower is better.
    """

    mirrored: bool
    down_px: int
    right_px: int
    misfit: float
    other_side: bool = False
    """Whether it is the shape's own place on the other side of paired anatomy."""


class Scene(NamedTuple):
    """An image on the search grid."""

    cell_px: int
    planes: tuple[Floats, ...]
    """Each (rows, columns): mean grey level of each cell; in a colour image also its red less its blue."""
    healthy: Mask
    """(rows, columns), True where every pixel is."""
    lesions: Mask
    """(rows, columns), True where any pixel says nothing of healthy tissue."""
    overhang_px: int
    """Columns by which the grid is wider than the image: a mirror image on the grid lies that much to the right."""
    mirror_shift: int | None
    """Cells by which the mirror image is to be shifted right to lie on the image; None without symmetry."""


def scene_of(image: Image, healthy: Mask, lesions: Mask) -> Scene:
    """Put an image on the search grid.

    Args:
        image: (height, width, 3) RGB, uint8.
        healthy: (height, width), True where a shape may lie.
        lesions: (height, width), every pixel whose value says nothing of healthy tissue.
    """
    cell = max(1, -(-max(healthy.shape) // _CELLS))
    planes = _planes(image, cell)
    free = ~_any(~healthy, cell, beyond=True)
    shift = _mirror_shift(planes[0], free)
    return Scene(cell, planes, free, _any(lesions, cell), -healthy.shape[1] % cell, shift)


def places_like(scene: Scene, tight: Box, hole: Mask, *, match_rim: bool) -> list[Place]:
    """Return where the shape of `hole` fits, the best place first; empty where it fits nowhere.

    Args:
        scene: Of the image.
        tight: Where the shape lies now.
        hole: The shape, of the size of the box.
        match_rim: Judge a place by how well the pixels around it continue the pixels around the hole, up to a constant
            (for a blend); else by how alike the tissue is in brightness and texture (for a control).
    """
    shape = _shape_of(scene, tight, hole)
    rim_cells = max(2, round(0.02 * max(shape.shape)))
    rim = grow(shape, rim_cells) & ~scene.lesions
    box = box_of(shape).padded(rim_cells, shape.shape)
    found: list[Place] = []
    for mirrored in (False, True):
        healthy = scene.healthy[:, ::-1] if mirrored else scene.healthy
        weight = shape[box.slices].astype(np.float32)
        free = _correlate((~healthy).astype(np.float32), weight) < 0.5
        fits = free.copy()
        if not free.any():
            continue
        cost = np.zeros_like(fits, np.float32)
        for target in scene.planes:
            plane = target[:, ::-1] if mirrored else target
            likeness = _tissue_cost(plane, target, shape, rim, box)
            cost += _rim_cost(plane, target, rim, box) + _CONTENT * likeness if match_rim else likeness
        other_side = _other_side(cost, box, scene) if mirrored else np.zeros_like(fits)
        if not match_rim:
            alike = _alike(scene, rim)
            alike = alike[:, ::-1] if mirrored else alike
            fits &= _correlate(alike.astype(np.float32), weight) >= _ALIKE_SHARE * weight.sum()
            fits |= other_side & free
            cost += _NEARNESS * _way(cost, box, scene, mirrored=mirrored)
        cost[other_side] *= _OTHER_SIDE_DONOR if match_rim else _OTHER_SIDE_CONTROL
        found += _best(cost, fits, other_side, box, scene, mirrored=mirrored)
    return sorted(found, key=_misfit)


def alike_cells(scene: Scene, tight: Box, hole: Mask) -> Mask:
    """Return the free cells, (rows, columns), with tissue like that around a shape; arguments as of `places_like`."""
    shape = _shape_of(scene, tight, hole)
    return _alike(scene, grow(shape, max(2, round(0.02 * max(shape.shape)))) & ~scene.lesions)


def _alike(scene: Scene, rim: Mask) -> Mask:
    """Return the cells whose surroundings are about as bright as a rim, in every plane: tissue of the same organ."""
    alike = scene.healthy.copy()
    around = rim if rim.any() else scene.healthy
    for plane in scene.planes if around.any() else ():
        smooth = cv2.blur(plane, (3, 3))
        level = float(np.median(smooth[around]))
        spread = 1.48 * float(np.median(np.abs(smooth[around] - level))) + _EVEN
        alike &= np.abs(smooth - level) <= _ALIKE * spread
    return alike


def repainted(scene: Scene, image: Image) -> Scene:
    """Return the scene with the grey levels of a changed image."""
    return scene._replace(planes=_planes(image, scene.cell_px)[: len(scene.planes)])


def without(scene: Scene, taken: Mask) -> Scene:
    """Return the scene with these pixels, (height, width), no longer free."""
    return scene._replace(healthy=scene.healthy & ~_any(taken, scene.cell_px))


def moved(mask: Mask, place: Place) -> Mask:
    """Return where the shape lies after the move that a *donor* at `place` would make: its pixels, in the image.

    Pixels that leave the image are lost; `places_like` names no such place.
    """
    height, width = mask.shape
    target = np.zeros_like(mask)
    rows, columns = np.nonzero(mask)
    rows, columns = rows + place.down_px, columns + place.right_px
    if place.mirrored:
        columns = width - 1 - columns
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    target[rows[inside], columns[inside]] = True
    return target


def _misfit(place: Place) -> float:
    return place.misfit


def _other_side(cost: Floats, box: Box, scene: Scene) -> Mask:
    """Return, in paired anatomy, the places in the mirror image that are the shape's own place on the other side."""
    if scene.mirror_shift is None:
        return np.zeros(cost.shape, np.bool_)
    rows, columns = scene.healthy.shape
    down = np.abs(np.arange(cost.shape[0]) - box.top_px)
    right = np.abs(np.arange(cost.shape[1]) - box.left_px - scene.mirror_shift)
    near: Mask = np.outer(down <= _MIRROR_SLACK_SHARE * rows, right <= _MIRROR_SLACK_SHARE * columns)
    return near


def _best(cost: Floats, fits: Mask, other_side: Mask, box: Box, scene: Scene, *, mirrored: bool) -> list[Place]:
    """Return up to 8 places, far enough apart to differ."""
    cost[~fits] = np.inf
    apart = max(1, min(box.bottom_px - box.top_px, box.right_px - box.left_px) // 4)
    found: list[Place] = []
    while len(found) < _N_PLACES:
        row, column = (int(index) for index in np.unravel_index(int(np.argmin(cost)), cost.shape))
        misfit = float(cost[row, column])
        if not np.isfinite(misfit):
            break
        overhang_px = scene.overhang_px if mirrored else 0
        down_px = (row - box.top_px) * scene.cell_px
        right_px = (column - box.left_px) * scene.cell_px - overhang_px
        found.append(Place(mirrored, down_px, right_px, misfit, bool(other_side[row, column])))
        cost[max(0, row - apart) : row + apart + 1, max(0, column - apart) : column + apart + 1] = np.inf
    return found


def _rim_cost(grey: Floats, target: Floats, rim: Mask, box: Box) -> Floats:
    """Variance of the difference along the rim, and a tenth of its squared mean, over the rim's own variance."""
    weight = rim[box.slices].astype(np.float32)
    n = max(float(weight.sum()), 1.0)
    values = target[box.slices]
    level = float((values * weight).sum() / n)
    here, there = (values - level) * weight, grey - level
    square = _correlate(there**2, weight) / n - 2 * _correlate(there, here) / n + float((here**2).sum() / n)
    mean = _correlate(there, weight) / n
    variance = float((here**2).sum() / n)
    cost: Floats = (np.maximum(square - mean**2, 0) + 0.1 * mean**2) / (variance + 25.0)
    return cost


def _tissue_cost(grey: Floats, target: Floats, shape: Mask, rim: Mask, box: Box) -> Floats:
    """How far the content is from the rim: in mean (in the rim's spreads), in log spread and in log fine contrast.

    Plainer tissue than the rim's is less foreign than busier tissue: a lesion often lies beside bone or an edge.
    """
    around = rim if rim.any() else np.ones_like(rim)
    level = float(np.median(target[around]))
    spread = 1.48 * float(np.median(np.abs(target[around] - level))) + 4.0  # robust: the rim may touch another finding
    fine = float(np.sqrt((_edges(target)[around] ** 2).mean())) + 1.0
    weight = shape[box.slices].astype(np.float32)
    n = float(weight.sum())
    there = grey - level
    mean = _correlate(there, weight) / n
    deviation = np.sqrt(np.maximum(_correlate(there**2, weight) / n - mean**2, 0)) + 4.0
    detail = np.sqrt(np.maximum(_correlate(_edges(grey) ** 2, weight) / n, 0)) + 1.0
    busier = np.log(deviation / spread), np.log(detail / fine)
    return floats(np.abs(mean) / spread + sum(np.maximum(excess, -_PLAINER * excess) for excess in busier))


def _way(cost: Floats, box: Box, scene: Scene, *, mirrored: bool) -> Floats:
    """Distance of each place from the shape's own, as a share of the image's diagonal."""
    rows, columns = scene.healthy.shape
    left = np.arange(cost.shape[1])
    if mirrored:
        left = columns - left - (box.right_px - box.left_px)
    down, right = np.arange(cost.shape[0]) - box.top_px, left - box.left_px
    return floats(np.hypot(down[:, None], right[None, :]) / np.hypot(rows, columns))


def _edges(grey: Floats) -> Floats:
    return floats(grey - cv2.blur(grey, (3, 3)))


def _mirror_shift(grey: Floats, healthy: Mask) -> int | None:
    """Find the shift that lays the mirror image on the image, from healthy tissue alone: a head's outline looks alike.

    Returns:
        Cells; None where no shift within a fifth of the width makes the two alike.
    """
    n = _SYMMETRY_CELLS
    if min(grey.shape) < n // 2:
        return None
    small = floats(cv2.resize(grey, (n, n), interpolation=cv2.INTER_AREA))
    tissue = cv2.resize(healthy.astype(np.float32), (n, n), interpolation=cv2.INTER_AREA) > 0.5
    farthest = n // 5
    likeness = {shift: _likeness(small, tissue, shift) for shift in range(-farthest, farthest + 1)}
    best = max(likeness, key=likeness.__getitem__)
    if likeness[best] < _SYMMETRIC or abs(best) == farthest:
        return None
    # image[x] is like mirror[x - shift]: a shape at x finds its partner in the mirror image at x - shift
    return round(-best * grey.shape[1] / n)


def _likeness(grey: Floats, tissue: Mask, shift: int) -> float:
    """Correlate an image with its mirror image, shifted right, where both are tissue; -1 where that is too little."""
    n = grey.shape[1]
    here, there = slice(max(0, shift), n + min(0, shift)), slice(max(0, -shift), n - max(0, shift))
    both = tissue[:, here] & tissue[:, ::-1][:, there]
    if both.sum() < max(0.5 * tissue.sum(), 16):
        return -1.0
    first, second = grey[:, here][both], grey[:, ::-1][:, there][both]
    first, second = first - first.mean(), second - second.mean()
    return float((first * second).sum() / (np.sqrt((first**2).sum() * (second**2).sum()) + 1e-6))


def _correlate(image: Floats, template: Floats) -> Floats:
    return floats(cv2.matchTemplate(np.ascontiguousarray(image), template, cv2.TM_CCORR))


def _planes(image: Image, cell: int) -> tuple[Floats, ...]:
    grey = _cells(floats(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)), cell)
    if is_grey(image):
        return (grey,)
    return grey, _cells(image[..., 0].astype(np.float32) - image[..., 2], cell)


def _cells(values: Floats, cell: int) -> Floats:
    rows, columns = _padding(values.shape, cell)
    padded = cv2.copyMakeBorder(values, 0, rows, 0, columns, cv2.BORDER_REPLICATE)
    return floats(cv2.resize(padded, _grid(padded.shape, cell), interpolation=cv2.INTER_AREA))


def _shape_of(scene: Scene, tight: Box, hole: Mask) -> Mask:
    """Put a shape on the grid; only the cells about it are looked at."""
    cell = scene.cell_px
    top, left = tight.top_px % cell, tight.left_px % cell
    part = _any(np.pad(hole, ((top, 0), (left, 0))), cell)
    shape = np.zeros(scene.healthy.shape, np.bool_)
    row, column = tight.top_px // cell, tight.left_px // cell
    shape[row : row + part.shape[0], column : column + part.shape[1]] = part
    return shape


def _any(mask: Mask, cell: int, *, beyond: bool = False) -> Mask:
    """Tell of each cell whether any pixel is True; a cell that reaches past the border holds `beyond` there."""
    rows, columns = _padding(mask.shape, cell)
    padded = np.pad(mask, ((0, rows), (0, columns)), constant_values=beyond).astype(np.float32)
    return cv2.resize(padded, _grid(padded.shape, cell), interpolation=cv2.INTER_AREA) > 0


def _grid(shape: tuple[int, ...], cell: int) -> tuple[int, int]:
    return shape[1] // cell, shape[0] // cell


def _padding(shape: tuple[int, ...], cell: int) -> tuple[int, int]:
    return -shape[0] % cell, -shape[1] % cell
