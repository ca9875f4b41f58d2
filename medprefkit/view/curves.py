"""Training curves as inline SVG: no script, no library, readable in light and dark."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT = 360, 200  # user units of one chart
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 24  # margins of the plot in it


class _Chart(NamedTuple):
    """A chart: what it is called, what it tells, and which logged quantities it draws under which names."""

    title: str
    tells: str
    series: tuple[tuple[str, str], ...]


_CHARTS = (
    _Chart(
        "Loss",
        "lower is better",
        (("loss/total", "total"), ("loss/rank", "ranking"), ("loss/kl", "KL"), ("loss/ground", "grounding")),
    ),
    _Chart(
        "Margin",
        "above 0, the edited words are preferred",
        (("margin", "chosen over rejected"), ("ground/margin", "clean over lesion removed")),
    ),
    _Chart(
        "Log-likelihood of the chosen text",
        "nats; should not fall on the clean image",
        (("logps/chosen", "clean image"), ("logps/chosen_corrupted", "lesion removed")),
    ),
)


def draw_curves(history: Sequence[Mapping[str, object]]) -> str:
    """Return the charts for which there are at least two steps; the empty string where there is none.

    Args:
        history: A training log: mappings with `step` and quantities such as `loss/total`, `margin`, `logps/chosen`.
    """
    return "".join(_draw(chart, history) for chart in _CHARTS)


def _draw(chart: _Chart, history: Sequence[Mapping[str, object]]) -> str:
    lines = [(name, points) for key, name in chart.series if len(points := _points(history, key)) > 1]
    if not lines:
        return ""
    steps = [step for _, points in lines for step, _ in points]
    values = [value for _, points in lines for _, value in points]
    x_range, y_range = (min(steps), max(steps)), _padded(min(values), max(values))
    ticks = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{tick:.3g}</text>'
        for tick in _ticks(*y_range)
        for y in [_y(tick, y_range)]
    )
    paths = "".join(
        f'<polyline class="c{index}" points="{_polyline(points, x_range, y_range)}"/>'
        for index, (_, points) in enumerate(lines)
    )
    legend = "".join(f'<li><i class="c{index}"></i>{escape(name)}</li>' for index, (name, _) in enumerate(lines))
    return (
        f'<figure class="chart"><figcaption><b>{escape(chart.title)}</b>'
        f"<span>{escape(chart.tells)}</span></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(chart.title)} by training step">'
        f'{ticks}{paths}<text x="{_LEFT}" y="{_HEIGHT - 6}">step {x_range[0]:g}</text>'
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">{x_range[1]:g}</text></svg>'
        f"<ul>{legend}</ul></figure>"
    )


def _points(history: Sequence[Mapping[str, object]], key: str) -> list[tuple[float, float]]:
    rows = [(row.get("step"), row.get(key)) for row in history]
    return [
        (float(step), float(value))
        for step, value in rows
        if isinstance(step, int | float) and isinstance(value, int | float) and math.isfinite(value)
    ]


def _padded(low: float, high: float) -> tuple[float, float]:
    pad = 0.06 * (high - low) or max(0.5, abs(high) * 0.1)
    return low - pad, high + pad


def _ticks(low: float, high: float) -> list[float]:
    """Return three to six round numbers inside a range."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * factor for factor in (1, 2, 2.5, 5) if power * factor >= rough), 10 * power)
    first = math.ceil(low / step)
    return [index * step for index in range(first, math.floor(high / step) + 1)]


def _polyline(points: Sequence[tuple[float, float]], x_range: tuple[float, float], y_range: tuple[float, float]) -> str:
    width = (x_range[1] - x_range[0]) or 1.0
    plot = _WIDTH - _LEFT - _RIGHT
    return " ".join(
        f"{_LEFT + (step - x_range[0]) / width * plot:.1f},{_y(value, y_range):.1f}" for step, value in points
    )


def _y(value: float, y_range: tuple[float, float]) -> float:
    return _TOP + (y_range[1] - value) / (y_range[1] - y_range[0]) * (_HEIGHT - _TOP - _BOTTOM)
