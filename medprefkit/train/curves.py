"""The curves of a run as one picture: what a look at it must show, drawn with Pillow alone.

matplotlib would be a dependency for one picture of lines; Pillow is here anyway.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw, ImageFont

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Loss and its terms", ("loss/total", "loss/rank", "loss/kl", "loss/ground", "loss/anchor")),
    ("Rewards", ("rewards/chosen", "rewards/rejected", "rewards/margins")),
    ("Share of rows that rank and ground right", ("rewards/accuracies", "ground/accuracies")),
    ("Edited words: log-probability, nats an answer", ("logps/chosen_edited", "logps/rejected_edited")),
    ("Gained since the start, nats an answer", ("logps/chosen_vs_ref", "ground/margin")),
    ("KL a token, nats", ("kl/forward_mean", "kl/reverse_mean", "kl/skewed_forward_mean", "kl/skewed_reverse_mean")),
)
COLOURS = ("#1f5fa8", "#d1601f", "#2f8f4e", "#8a3a86", "#707070")
PALE = ("#b9cde4", "#f0cbb4", "#bedcc7", "#dabfd8", "#d0d0d0")
SMOOTHED_FROM = 40
"""With so many points a line is the mean of the last twentieth of them, over the points themselves in pale."""
INK, FAINT, GRID = "#222222", "#6a6a6a", "#e4e4e4"
COLUMNS, PANEL_PX, LABELS_PX = 3, (600, 360), 165
SCALE = 2
"""Drawn so many times as large and reduced: smooth lines."""


class _Frame(NamedTuple):
    """Where a panel's curves lie, in pixels, and what its edges mean."""

    left: float
    top: float
    right: float
    bottom: float
    steps: tuple[float, float]
    values: tuple[float, float]

    def at(self, step: float, value: float) -> tuple[float, float]:
        across = (step - self.steps[0]) / (self.steps[1] - self.steps[0])
        up = (value - self.values[0]) / (self.values[1] - self.values[0])
        return self.left + across * (self.right - self.left), self.bottom - up * (self.bottom - self.top)


def draw_curves(
    history: Sequence[Mapping[str, Any]], path: Path, panels: Sequence[tuple[str, tuple[str, ...]]] = PANELS
) -> None:
    """Write a PNG with a panel a group of quantities; a quantity that was never logged has no line.

    Args:
        history: Log lines, each with its `step`; those of an evaluation are dots.
        path: Of the picture.
        panels: Title and quantities of each.
    """
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = PANEL_PX
    size = (width * min(COLUMNS, len(panels)), height * rows)
    image = Image.new("RGB", (size[0] * SCALE, size[1] * SCALE), "white")
    draw = ImageDraw.Draw(image)
    for index, (title, names) in enumerate(panels):
        corner = (index % COLUMNS * width * SCALE, index // COLUMNS * height * SCALE)
        _draw_panel(draw, corner, title, names, history)
    image.resize(size, Image.Resampling.LANCZOS).save(path, "PNG", optimize=True)


def _draw_panel(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    title: str,
    names: Sequence[str],
    history: Sequence[Mapping[str, Any]],
) -> None:
    left, top = corner[0] + 64 * SCALE, corner[1] + 44 * SCALE
    right, bottom = corner[0] + (PANEL_PX[0] - LABELS_PX) * SCALE, corner[1] + (PANEL_PX[1] - 44) * SCALE
    draw.text((left, corner[1] + 12 * SCALE), title, fill=INK, font=_font(16))
    trained = {name: [(line["step"], line[name]) for line in history if name in line] for name in names}
    measured = {
        name: [(line["step"], line[f"eval_{name}"]) for line in history if f"eval_{name}" in line] for name in names
    }
    points = [point for group in (trained, measured) for each in group.values() for point in each]
    if not points:
        draw.text((left + 8 * SCALE, top + 8 * SCALE), "not logged", fill=FAINT, font=_font(13))
        return
    step_ticks = _ticks([step for step, _ in points], whole=True)
    value_ticks = _ticks([value for _, value in points])
    frame = _Frame(
        left, top, right, bottom, (min(s for s, _ in points), _last([s for s, _ in points])), _ends(value_ticks)
    )
    for value in value_ticks:
        height = frame.at(frame.steps[0], value)[1]
        draw.line([(left, height), (right, height)], fill="#b0b0b0" if value == 0 else GRID, width=SCALE)
        draw.text((left - 8 * SCALE, height), _written(value, value_ticks), fill=FAINT, font=_font(12), anchor="rm")
    for step in (each for each in step_ticks if frame.steps[0] <= each <= frame.steps[1]):
        across = frame.at(step, frame.values[0])[0]
        draw.line([(across, bottom), (across, bottom + 4 * SCALE)], fill=FAINT, width=SCALE)
        draw.text((across, bottom + 8 * SCALE), f"{step:g}", fill=FAINT, font=_font(12), anchor="mt")
    draw.text((right, bottom + 25 * SCALE), "step", fill=FAINT, font=_font(12), anchor="rt")
    labels: list[tuple[float, str, str]] = []
    for name, colour, pale in zip(names, COLOURS, PALE, strict=False):
        line, dots = [frame.at(*point) for point in trained[name]], [frame.at(*point) for point in measured[name]]
        if len(line) >= SMOOTHED_FROM:
            draw.line(line, fill=pale, width=SCALE)
            line = [frame.at(*point) for point in _smoothed(trained[name])]
        if len(line) > 1:
            draw.line(line, fill=colour, width=2 * SCALE, joint="curve")
        for x, y in dots or line[-1:]:
            radius = 4 * SCALE
            draw.ellipse(
                (x - radius, y - radius, x + radius, y + radius),
                fill="white" if dots else colour,
                outline=colour,
                width=2 * SCALE,
            )
        if line or dots:
            labels.append(((line or dots)[-1][1], _label(name, names), colour))
    if any(measured.values()):
        x, y, radius = left + 4 * SCALE, bottom + 31 * SCALE, 4 * SCALE
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=FAINT, width=2 * SCALE)
        draw.text((x + 10 * SCALE, y), "evaluation split", fill=FAINT, font=_font(12), anchor="lm")
    _draw_labels(draw, labels, right + 12 * SCALE, bottom)


def _draw_labels(
    draw: ImageDraw.ImageDraw, labels: Sequence[tuple[float, str, str]], across: float, bottom: float
) -> None:
    """Write each name beside the end of its line, none over another."""
    gap = 17 * SCALE
    heights = [height for height, _, _ in sorted(labels)]
    for index in range(1, len(heights)):
        heights[index] = max(heights[index], heights[index - 1] + gap)
    over = max(0.0, heights[-1] - bottom) if heights else 0.0
    heights = [height - over for height in heights]
    for index in range(len(heights) - 1, 0, -1):  # what was pushed up pushes on
        heights[index - 1] = min(heights[index - 1], heights[index] - gap)
    for height, (_, name, colour) in zip(heights, sorted(labels), strict=True):
        draw.text((across, height), name, fill=colour, font=_font(13), anchor="lm")


def _label(name: str, names: Sequence[str]) -> str:
    """Return a quantity's name, without what all names of its panel begin with."""
    alike = len({each.split("/", 1)[0] for each in names}) == 1
    return (name.split("/", 1)[-1] if alike else name).replace("/", " ").replace("_", " ")


def _smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    n = len(points) // 20
    means = (points[max(0, at - n + 1) : at + 1] for at in range(len(points)))
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in means]


def _ticks(values: Sequence[float], *, whole: bool = False) -> list[float]:
    """Return about five round numbers that enclose the values."""
    low, high = min(values), max(values)
    span = high - low or abs(high) or 1.0
    size = 10.0 ** math.floor(math.log10(span / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if span / (size * factor) <= 5)
    step = max(step, 1.0) if whole else step
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * count for count in range(first, max(last, first + 1) + 1)]


def _ends(ticks: Sequence[float]) -> tuple[float, float]:
    return ticks[0], ticks[-1]


def _last(steps: Sequence[float]) -> float:
    return max(steps) if max(steps) > min(steps) else min(steps) + 1


def _written(value: float, ticks: Sequence[float]) -> str:
    step = min(b - a for a, b in pairwise(ticks))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:.{digits}f}" if digits <= 4 else f"{value:.1e}"


def _font(size: int) -> Any:
    return ImageFont.load_default(size * SCALE)
