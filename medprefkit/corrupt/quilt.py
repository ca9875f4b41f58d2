"""Holes of any extent filled with squares of healthy tissue, each chosen to continue what already lies beside it.

Two orders: by rows, for texture; or from the hole's border inward, where an edge runs into it first, for structure.

Sources: Efros, Freeman 2001, "Image Quilting for Texture Synthesis and Transfer"; for the second order Criminisi,
Perez, Toyama 2004, "Region Filling and Object Removal by Exemplar-Based Image Inpainting", eq. 1 to 4. Differs: squares
are cut from the detail upon the ground, see `ground`; they prefer tissue of the brightness that is wanted, may be
lighter or darker as a whole, and are not used again and again; and where they overlap they are mixed so that the
variance stays, in place of a cut (after Heitz, Neyret 2018, "High-Performance By-Example Noise using a
Histogram-Preserving Blending Operator", eq. 4; differs: by how far the squares agree): grain and speckle have no lines
that a cut could follow.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from medprefkit.corrupt.ground import Ground, ground_of
from medprefkit.corrupt.region import Floats, box_of, floats
from medprefkit.corrupt.surface import grey_of, low_pass, membrane, resized
from medprefkit.protocols import Mask

Order = Literal["rows", "edges"]

CELLS = 12
"""Side of a square in cells, at which squares are compared."""
_FEWEST_DRAWN, _MOST_DRAWN = 400, 1500  # squares that are looked at; half as many as the hole has cells, between these
_SLACK = 1.1  # a square is drawn from those that fit at most so much worse than the best
_LEVEL = 2.0  # weight of brightness like the one wanted
_SHIFTED = 0.2  # weight of being lighter or darker as a whole
_MOST_SHIFT = 1.0  # how far a square is made lighter or darker, in deviations of the detail
_AGAIN = 1.3  # what a square that was used before costs more
_STANDS_OUT = 2.0  # times the usual peak of a square, above which it holds something that is no texture
_FEWEST = 8
_RIM_SIGMA_PX = 2.0


class _Squares(NamedTuple):
    """Candidates: where they lie (cells), what they look like, and how bright the ground is below them."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    looks: Floats
    """(channels, n, cells * cells)."""
    power: Floats
    """(n, cells * cells), the sum of the squared channels."""
    levels: Floats
    """(n,)."""


def quilted(
    patch: Floats, hole: Mask, usable: Mask, cell_px: int, order: Order, rng: np.random.Generator
) -> Floats | None:
    """Fill a hole.

    Args:
        patch: (height, width, channels).
        hole: (height, width), what is to be filled; at least one True.
        usable: (height, width), healthy tissue outside the hole: squares are cut from it.
        cell_px: A twelfth of a square's side.
        order: By rows for texture, from edges inward for structure.
        rng: Draws among squares that fit nearly alike.

    Returns:
        The patch with its hole filled; None where `usable` holds fewer than 8 squares.
    """
    side = CELLS * cell_px
    if side > min(hole.shape) or not usable.any():
        return None
    ground = ground_of(patch, usable, side / 2)
    loom = _loom_of(ground, hole, usable, cell_px, rng)
    if loom is None:
        return None
    for top, left in loom.places(order):
        loom.lay(top, left, rng)
    return loom.woven(usable)


def _loom_of(ground: Ground, hole: Mask, usable: Mask, cell: int, rng: np.random.Generator) -> "_Loom | None":
    rows, columns = (-(-side // cell) for side in hole.shape)
    pad = (0, rows * cell - hole.shape[0], 0, columns * cell - hole.shape[1])
    size = (columns, rows)
    bordered = cv2.copyMakeBorder(ground.detail, *pad, cv2.BORDER_REPLICATE)
    detail = floats(bordered.reshape(rows * cell, columns * cell, -1))
    looks = resized(detail, size, cv2.INTER_AREA)
    base = grey_of(resized(ground.base, size, cv2.INTER_AREA))
    framed = (cv2.copyMakeBorder(m.astype(np.float32), *pad, cv2.BORDER_CONSTANT) for m in (hole, usable))
    share, free = (cv2.resize(m, size, interpolation=cv2.INTER_AREA) for m in framed)
    empty = share > 1e-4
    known = (free > 1 - 1e-4) & ~empty
    drawn = int(np.clip(np.count_nonzero(empty) // 2, _FEWEST_DRAWN, _MOST_DRAWN))
    strongest = np.abs(detail).max(axis=2).reshape(rows, cell, columns, cell).max(axis=(1, 3))
    squares = _squares_of(looks, known, base, strongest, drawn, rng)
    return None if squares is None else _Loom(ground, hole, detail, looks, empty, known, base, squares, cell)


def _squares_of(
    looks: Floats, known: Mask, base: Floats, strongest: Floats, at_most: int, rng: np.random.Generator
) -> _Squares | None:
    """Draw squares of known cells; one that holds what stands out of the texture is none.

    `strongest` is each cell's largest absolute detail at full resolution, at which a hair or a letter is strongest.
    """
    rows, columns = np.nonzero(sliding_window_view(known, (CELLS, CELLS)).all(axis=(2, 3)))
    if len(rows) < _FEWEST:
        return None
    if len(rows) > at_most:
        chosen = np.sort(rng.choice(len(rows), at_most, replace=False))
        rows, columns = rows[chosen], columns[chosen]
    windows = sliding_window_view(looks, (CELLS, CELLS, looks.shape[2]))[:, :, 0]
    flat = np.ascontiguousarray(np.moveaxis(windows[rows, columns].reshape(len(rows), CELLS**2, -1), 2, 0))
    levels = sliding_window_view(base, (CELLS, CELLS))[rows, columns].mean(axis=(1, 2))
    peak = sliding_window_view(strongest, (CELLS, CELLS))[rows, columns].max(axis=(1, 2))
    plain = peak <= _STANDS_OUT * np.median(peak) + 1
    kept = flat[:, plain]
    return _Squares(rows[plain], columns[plain], kept, floats((kept**2).sum(axis=0)), floats(levels[plain]))


class _Loom:
    """A hole being filled: the canvas at the scale of cells, and what was laid so far at full resolution."""

    def __init__(
        self,
        ground: Ground,
        hole: Mask,
        detail: Floats,
        looks: Floats,
        empty: Mask,
        known: Mask,
        base: Floats,
        squares: _Squares,
        cell: int,
    ) -> None:
        self._ground, self._hole, self._detail, self._squares, self._cell = ground, hole, detail, squares, cell
        self._canvas, self._empty, self._known, self._base = looks.copy(), empty, known, base
        self._near = box_of(empty).padded(CELLS, empty.shape)  # in cells, as are empty, known and base
        self._trust = known.astype(np.float32)
        self._spread = float(base[known].std()) + 4.0
        self._usual = float(squares.power.mean()) + 1.0
        self._worth = np.ones(len(squares.rows), np.float32)
        side = CELLS * cell
        ramp = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
        self._window = floats(np.outer(ramp, ramp)[..., None])
        self._total = np.zeros_like(detail)
        self._weight = np.zeros((*detail.shape[:2], 1), np.float32)
        self._square = np.zeros_like(self._weight)
        self._misfits: list[float] = []

    def places(self, order: Order) -> Iterator[tuple[int, int]]:
        """Yield the corner of each square to be laid, in cells, until the hole is covered."""
        farthest = self._empty.shape[0] - CELLS, self._empty.shape[1] - CELLS
        if order == "edges":
            while self._empty.any():
                row, column = self._front()
                yield (
                    min(max(row - CELLS // 2, 0), farthest[0]),
                    min(max(column - CELLS // 2, 0), farthest[1]),
                )
            return
        box = box_of(self._empty)
        step = CELLS * 2 // 3
        margin = CELLS - step
        for top in sorted({min(max(k, 0), farthest[0]) for k in range(box.top_px - margin, box.bottom_px, step)}):
            for left in sorted({min(max(k, 0), farthest[1]) for k in range(box.left_px - margin, box.right_px, step)}):
                if self._hole[self._full(top, left)].any():
                    yield top, left

    def lay(self, top: int, left: int, rng: np.random.Generator) -> None:
        """Choose a square for a place and lay it."""
        place = slice(top, top + CELLS), slice(left, left + CELLS)
        known = self._known[place]
        k, shift = self._chosen(self._canvas[place], known, float(self._base[place].mean()), rng)
        self._worth[k] *= _AGAIN
        look = self._squares.looks[:, k].T.reshape(CELLS, CELLS, -1) + shift
        self._canvas[place] = np.where(known[..., None], self._canvas[place], look)
        self._trust[place] = np.where(known, self._trust[place], self._trust[place].mean())
        self._known[place] = True
        self._empty[place] = False
        row, column = int(self._squares.rows[k]), int(self._squares.columns[k])
        full = self._full(top, left)
        self._total[full] += self._window * (self._detail[self._full(row, column)] + shift)
        self._weight[full] += self._window
        self._square[full] += self._window**2

    def woven(self, usable: Mask) -> Floats:
        """Return the whole patch, its hole filled."""
        near = box_of(self._hole).padded(round(6 * _RIM_SIGMA_PX), self._hole.shape).slices
        total, square, hole = self._total[near], self._square[near], self._hole[near]
        weight = np.maximum(self._weight[near], 1e-6)
        single = square / weight**2  # 1 where one square lies, 1 / n where n lie
        alike = float(np.clip(1 - np.mean(self._misfits) / (2 * self._usual), 0, 1))
        detail = floats(total / weight / np.sqrt(np.maximum(single + alike * (1 - single), 1e-3)))
        rim = (weight[..., 0] > 1e-3) & usable[near]
        if rim.any():  # squares reach past the border: what is wrong there is spread over the hole
            wrong = low_pass(self._ground.detail[near] - detail, rim, _RIM_SIGMA_PX)
            detail = detail + membrane(np.where(rim[..., None], wrong, 0).astype(np.float32), rim)
        filled = floats(self._ground.base + self._ground.detail)
        filled[near] = np.where(hole[..., None], self._ground.base[near] + detail, filled[near])
        return filled

    def _full(self, top: int, left: int) -> tuple[slice, slice]:
        side, cell = CELLS * self._cell, self._cell
        return slice(top * cell, top * cell + side), slice(left * cell, left * cell + side)

    def _chosen(self, look: Floats, known: Mask, level: float, rng: np.random.Generator) -> tuple[int, Floats]:
        """Draw a square among those that agree with what is known at a place, and how much lighter it is to be."""
        squares = self._squares
        weight = known.astype(np.float32).ravel()
        n = max(float(weight.sum()), 1.0)
        wanted = look.reshape(CELLS**2, -1) * weight[:, None]
        misfit = float((wanted**2).sum()) + _dot(squares.power, weight)
        shift = np.empty((len(squares.rows), look.shape[2]), np.float32)
        for channel, looks in enumerate(squares.looks):
            misfit -= 2 * _dot(looks, np.ascontiguousarray(wanted[:, channel]))
            shift[:, channel] = (wanted[:, channel].sum() - _dot(looks, weight)) / n
        misfit = misfit / n - (1 - _SHIFTED) * (shift**2).sum(axis=1)
        distance = (squares.levels - level) / self._spread
        cost = (np.maximum(misfit, 0) / self._usual + _LEVEL * distance**2 + 0.02) * self._worth
        near = np.flatnonzero(cost <= _SLACK * cost.min())
        k = int(near[rng.integers(len(near))])
        self._misfits.append(float(misfit[k]))
        most = _MOST_SHIFT * np.sqrt(self._usual)
        return k, floats(np.clip(shift[k], -most, most))

    def _front(self) -> tuple[int, int]:
        """Return the empty cell beside known ones whose square is known best and carries on the strongest edge."""
        ones, near = np.ones((3, 3), np.uint8), self._near
        empty, known = np.ascontiguousarray(self._empty[near.slices]), np.ascontiguousarray(self._known[near.slices])
        front = empty & (cv2.erode(empty.view(np.uint8), ones, borderType=cv2.BORDER_REPLICATE) == 0)
        if not front.any():
            front = empty
        confidence = cv2.blur(self._trust[near.slices], (CELLS - 1, CELLS - 1))
        grey = np.where(known, grey_of(np.ascontiguousarray(self._canvas[near.slices])), 0).astype(np.float32)
        slope = cv2.magnitude(cv2.Scharr(grey, cv2.CV_32F, 0, 1), cv2.Scharr(grey, cv2.CV_32F, 1, 0)) / 16
        settled = cv2.erode(known.view(np.uint8), ones)
        strength = cv2.dilate(floats(slope * settled), ones)
        priority = np.where(front, confidence * (strength + 4.0), -1.0)
        row, column = np.unravel_index(int(np.argmax(priority)), priority.shape)
        return int(row) + near.top_px, int(column) + near.left_px


def _dot(looks: Floats, weight: Floats) -> Floats:
    """Return each row's product with a vector; not by BLAS, whose sums depend on the number of threads."""
    return floats(np.einsum("np,p->n", looks, weight))
