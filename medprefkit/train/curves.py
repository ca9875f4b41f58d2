"""The curves of a run as one picture: what a look at it must show, drawn with Pillow alone.

matplotlib would be a dependency for one picture of lines; Pillow is here anyway.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loss and its terms", ("loss/total", "loss/rank", "loss/kl", "loss/ground", "loss/anchor")),
    ("reward of chosen and rejected", ("rewards/chosen", "rewards/rejected", "rewards/margins")),
    ("share of rows that rank and ground right", ("rewards/accuracies", "ground/accuracies")),
    ("chosen against the reference, nats", ("logps/chosen_vs_ref", "ground/margin")),
    ("KL a token, nats", ("kl/forward_mean", "kl/reverse_mean")),
)
COLOURS = ("#1b4f8a", "#c4501b", "#2c7a3f", "#7a2c6e", "#6b6b6b")
WIDTH_PX, PANEL_PX, MARGIN_PX = 900, 220, 60


def draw_curves(
    history: Sequence[Mapping[str, Any]], path: Path, panels: Sequence[tuple[str, tuple[str, ...]]] = PANELS
) -> None:
    """Write a PNG with a panel a group of quantities; a quantity that was never logged has no line.

    Args:
        history: Log lines, each with its `step`; those of an evaluation are dots.
        path: Of the picture.
        panels: Title and quantities of each.
    """
    image = Image.new("RGB", (WIDTH_PX, PANEL_PX * len(panels)), "white")
    draw = ImageDraw.Draw(image)
    for row, (title, names) in enumerate(panels):
        _draw_panel(draw, row * PANEL_PX, title, names, history)
    image.save(path, "PNG")


def _draw_panel(
    draw: ImageDraw.ImageDraw, top_px: int, title: str, names: Sequence[str], history: Sequence[Mapping[str, Any]]
) -> None:
    font = ImageFont.load_default(13)
    left, right, upper, lower = MARGIN_PX, WIDTH_PX - 220, top_px + 30, top_px + PANEL_PX - 30
    draw.text((left, top_px + 8), title, fill="black", font=font)
    draw.rectangle((left, upper, right, lower), outline="#bbbbbb")
    lines = {name: [(line["step"], line[name]) for line in history if name in line] for name in names}
    dots = {
        name: [(line["step"], line[f"eval_{name}"]) for line in history if f"eval_{name}" in line] for name in names
    }
    points = [point for group in (lines, dots) for each in group.values() for point in each]
    if not points:
        draw.text((left + 8, upper + 8), "not logged", fill="#888888", font=font)
        return
    steps, values = [step for step, _ in points], [value for _, value in points]
    low, high = min(values), max(values)
    first, last = min(steps), max(steps)

    def place(step: float, value: float) -> tuple[float, float]:
        across = (step - first) / (last - first) if last > first else 0.5
        up = (value - low) / (high - low) if high > low else 0.5
        return left + 4 + across * (right - left - 8), lower - 4 - up * (lower - upper - 8)

    for value, height in ((high, upper), (low, lower - 14)):
        draw.text((4, height), f"{value:.3g}", fill="#555555", font=font)
    for step, across_px in ((first, left), (last, right - 30)):
        draw.text((across_px, lower + 4), str(step), fill="#555555", font=font)
    for index, name in enumerate(names):
        colour = COLOURS[index]
        if lines[name]:
            draw.line([place(*point) for point in lines[name]], fill=colour, width=2)
        for across, up in [place(*point) for point in [*dots[name], *lines[name][:1]]]:
            draw.ellipse((across - 3, up - 3, across + 3, up + 3), fill=colour)
        draw.text((right + 10, upper + 18 * index), name, fill=colour, font=font)
