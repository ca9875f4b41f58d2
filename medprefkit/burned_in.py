"""Burned-in writing: does an image look as if letters or digits were drawn into its pixels?

Knows strokes and lines of them, no alphabet: it cannot read. It finds what scanners and archives print (a name, a date,
a number: bright or dark glyphs of one tone, even in height, in a row of four or more), and so also harmless labels such
as PORTABLE or a scale's digits: a hit says that a person should look. It misses handwriting, glyphs that touch, slanted
or vertical lines, rows of fewer than four glyphs, glyphs under 6 or over 64 pixels, and low contrast.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from medprefkit.protocols import Image

MIN_GLYPHS = 4
_MIN_HEIGHT_PX, _MAX_HEIGHT_PX = 6, 64
_STROKE_PX = (5, 9, 15)  # structuring elements: strokes up to this wide stand out from what is behind them
_MIN_CONTRAST = 70  # grey levels over the surroundings
_MAX_TONE_SPREAD = 40.0  # grey levels within a glyph's core: drawn glyphs are of one tone, tissue is not
_SMALL_PX, _MAX_SMALL_SPREAD = 12, 90.0  # a small glyph is all soft edge
_MAX_COMPONENTS = 6_000  # a picture that is all texture holds no line of writing that could be told from it


class WritingBox(NamedTuple):
    """A row of glyphs: a box in pixels, half-open, and how many glyphs stand in it."""

    left_px: int
    top_px: int
    right_px: int
    bottom_px: int
    n_glyphs: int


class _Glyph(NamedTuple):
    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


def find_writing(image: Image) -> tuple[WritingBox, ...]:
    """Return the rows that look like writing, top to bottom; empty where there are none.

    Args:
        image: (height, width, 3) RGB, uint8.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    boxes = [box for tones in (grey, np.invert(grey)) for box in _rows(list(_glyphs(tones)))]
    return tuple(sorted(_without_overlaps(boxes), key=_reading_order))


def _glyphs(grey: NDArray[np.uint8]) -> Iterator[_Glyph]:
    """Yield components that could be glyphs, brighter than their surroundings."""
    for stroke_px in _STROKE_PX:
        kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * stroke_px + 1, 2 * stroke_px + 1))
        standing_out = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, kernel)
        n, labels, stats, _ = cv2.connectedComponentsWithStats((standing_out >= _MIN_CONTRAST).astype(np.uint8), None)
        if n > _MAX_COMPONENTS:
            continue
        for label in range(1, n):
            left, top, width, height, area = (int(value) for value in stats[label])
            if not _MIN_HEIGHT_PX <= height <= min(_MAX_HEIGHT_PX, 6 * stroke_px) or width > 1.6 * height or width < 1:
                continue
            if not 0.12 <= area / (width * height) <= 0.95 and width > 0.35 * height:
                continue
            tones = grey[top : top + height, left : left + width][
                labels[top : top + height, left : left + width] == label
            ]
            spread = float(np.percentile(tones, 90)) - float(np.percentile(tones, 50))
            if spread <= (_MAX_SMALL_SPREAD if height <= _SMALL_PX else _MAX_TONE_SPREAD):
                yield _Glyph(left, top, width, height)


def _rows(glyphs: list[_Glyph]) -> Iterator[WritingBox]:
    """Chain glyphs of like height whose middles are level and whose gaps are less than a glyph's height."""
    waiting = sorted(set(glyphs))
    while waiting:
        row = [waiting.pop(0)]
        for glyph in list(waiting):
            last = row[-1]
            if glyph.left - last.right > 1.2 * last.height:
                if glyph.left - row[-1].right > _MAX_HEIGHT_PX * 1.2:
                    break
                continue
            if _continues(last, glyph):
                row.append(glyph)
                waiting.remove(glyph)
        if len(row) >= MIN_GLYPHS and _is_even(row):
            yield WritingBox(
                min(glyph.left for glyph in row),
                min(glyph.top for glyph in row),
                max(glyph.right for glyph in row),
                max(glyph.top + glyph.height for glyph in row),
                len(row),
            )


def _continues(last: _Glyph, glyph: _Glyph) -> bool:
    is_level = abs(glyph.middle - last.middle) <= 0.3 * max(last.height, glyph.height)
    is_alike = 0.55 <= glyph.height / last.height <= 1.8
    return is_level and is_alike and glyph.left >= last.left + last.width // 2


def _is_even(row: list[_Glyph]) -> bool:
    """Tell whether most of a row's glyphs are of one height: capitals and digits are, specks of tissue are not."""
    heights = np.array([glyph.height for glyph in row], np.float64)
    typical = float(np.median(heights))
    return bool((np.abs(heights - typical) <= 0.15 * typical + 1).mean() >= 0.7)


def _without_overlaps(boxes: list[WritingBox]) -> Iterator[WritingBox]:
    """Keep the longest of rows that cover one another: one line is found at several stroke widths."""
    kept: list[WritingBox] = []
    for box in sorted(boxes, key=_most_glyphs_first):
        if not any(_overlap(box, other) for other in kept):
            kept.append(box)
            yield box


def _overlap(one: WritingBox, other: WritingBox) -> bool:
    across = min(one.right_px, other.right_px) > max(one.left_px, other.left_px)
    return across and min(one.bottom_px, other.bottom_px) > max(one.top_px, other.top_px)


def _most_glyphs_first(box: WritingBox) -> int:
    return -box.n_glyphs


def _reading_order(box: WritingBox) -> tuple[int, int]:
    return box.top_px, box.left_px
