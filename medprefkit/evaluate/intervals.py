"""Shares with bootstrap intervals. Answers are drawn with replacement: the errors of one answer hang together.

Knows nothing of what is counted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medprefkit.seeds import rng_for


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with a 95 % bootstrap interval over answers; `value` is None where there is nothing to divide by."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """The denominator."""


def draw_answers(n_rows: int, n_resamples: int, seed: int) -> NDArray[np.intp]:
    """Return the bootstrap samples, (n_resamples, n_rows) indices of answers."""
    rng = rng_for(seed, "evaluate", "detection")
    return rng.integers(0, max(n_rows, 1), size=(n_resamples, n_rows)).astype(np.intp)


def rate_of(part: ArrayLike, whole: ArrayLike, draws: NDArray[np.intp]) -> Rate:
    """Return the sum of `part` over the sum of `whole`, with the interval over the draws.

    Args:
        part: (n_rows,), what each answer adds to the numerator.
        whole: (n_rows,), what each answer adds to the denominator, in the same order.
        draws: (n_resamples, n_rows), of `draw_answers`. A sample whose denominator is 0 says nothing and is left out.

    Returns:
        The share; None and no interval where the denominator is 0.
    """
    parts, wholes = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    total = float(wholes.sum())
    if total == 0:
        return Rate(None, None, None, 0)
    drawn_parts, drawn_wholes = parts[draws].sum(axis=1), wholes[draws].sum(axis=1)  # (n_resamples,)
    shares = drawn_parts[drawn_wholes > 0] / drawn_wholes[drawn_wholes > 0]
    low, high = (float(q) for q in np.quantile(shares, [0.025, 0.975])) if shares.size else (None, None)
    return Rate(float(parts.sum()) / total, low, high, int(total))
