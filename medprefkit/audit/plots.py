"""Plots as plain numbers: where the bars of a histogram stand in a picture of a given size. Knows no SVG."""

from collections.abc import Sequence
from typing import NamedTuple

from medprefkit.audit.report import Histogram, Telling

WIDTH, HEIGHT = 320, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 6, 6, 8, 22


class Bar(NamedTuple):
    """A bar in the picture's units, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    says: str


class Tick(NamedTuple):
    """A number below the axis."""

    x: float
    text: str


class Plot(NamedTuple):
    """A histogram to draw."""

    title: str
    axis: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    zero_x: float | None
    """Where 0 stands, if inside the axis and not at its end."""


def plot_of(histogram: Histogram) -> Plot:
    """Lay a histogram out; an empty one has bars of no height."""
    edges, counts = histogram.edges, histogram.counts
    low, high = edges[0], edges[-1]
    inner = WIDTH - _LEFT - _RIGHT
    tallest = max(counts, default=0) or 1
    room = HEIGHT - _TOP - _BOTTOM

    def at(value: float) -> float:
        return round(_LEFT + inner * (value - low) / (high - low), 1)

    bars = tuple(
        Bar(
            x=at(edges[n]) + 0.5,
            y=round(HEIGHT - _BOTTOM - room * count / tallest, 1),
            width=max(0.5, round(at(edges[n + 1]) - at(edges[n]) - 1, 1)),
            height=round(room * count / tallest, 1),
            says=f"{_number(edges[n], whole=False)} to {_number(edges[n + 1], whole=False)}: {count}",
        )
        for n, count in enumerate(counts)
    )
    whole = high - low >= 10
    ticks = tuple(Tick(at(value), _number(value, whole=whole)) for value in (low, (low + high) / 2, high))
    return Plot(histogram.title, histogram.axis, bars, ticks, at(0.0) if low < 0 < high else None)


def word_bars(words: Sequence[Telling]) -> tuple[tuple[str, float], ...]:
    """Return (word, length of its bar as a share of the longest), 0 to 1."""
    longest = max((word.weight for word in words), default=0.0) or 1.0
    return tuple((word.word, round(word.weight / longest, 3)) for word in words)


def _number(value: float, *, whole: bool) -> str:
    return f"{value:.0f}" if whole or value == int(value) else f"{value:.2f}"
