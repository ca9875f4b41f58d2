"""Probabilities that mean what they say: a temperature, how far off it leaves them, and when to abstain.

Source: Guo et al. 2017 (arXiv:1706.04599), temperature scaling and the expected calibration error. Differs: the
thresholds below which a checker abstains are set from the same calibration split, for a wanted precision.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

_TEMPERATURES = np.geomspace(0.25, 8.0, 241)


class Bin(NamedTuple):
    """Answers whose confidence lies in one range: how sure, how often right, how many."""

    confidence: float
    accuracy: float
    n: int


def softmax(logits: NDArray[np.float64], *, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return the probabilities of each row, (n, k); the largest logit is subtracted first, so that none overflows."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True)) if len(scaled) else scaled
    total = powers.sum(axis=1, keepdims=True)
    probabilities: NDArray[np.float64] = powers / np.where(total > 0, total, 1.0)
    return probabilities


def negative_log_likelihood(
    logits: NDArray[np.float64], labels: NDArray[np.intp], *, temperature: float = 1.0
) -> float:
    """Return the mean over rows, in nats; 0 for no rows."""
    if not len(labels):
        return 0.0
    chosen = softmax(logits, temperature=temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(chosen, 1e-12, 1.0)).mean())


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Return the temperature under which the labels are likeliest, between 0.25 and 8; 1 for no rows.

    Args:
        logits: (n, k).
        labels: (n,), indices of the true columns.
    """
    if not len(labels):
        return 1.0
    losses = [negative_log_likelihood(logits, labels, temperature=float(t)) for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def bin_numbers(confidence: NDArray[np.float64], n_bins: int) -> NDArray[np.intp]:
    """Return which of the bins of equal width holds each confidence, 0 to `n_bins` - 1."""
    return np.minimum((confidence * n_bins).astype(np.intp), n_bins - 1)


def reliability(probabilities: NDArray[np.float64], labels: NDArray[np.intp], *, n_bins: int = 10) -> tuple[Bin, ...]:
    """Return confidence against accuracy in bins of equal width; empty bins are left out."""
    confidence, right = probabilities.max(axis=1, initial=0.0), probabilities.argmax(axis=1) == labels
    at = bin_numbers(confidence, n_bins)
    return tuple(
        Bin(float(confidence[at == k].mean()), float(right[at == k].mean()), int((at == k).sum()))
        for k in range(n_bins)
        if (at == k).any()
    )


def calibration_error(bins: tuple[Bin, ...]) -> float:
    """Return the expected calibration error: the mean gap of confidence and accuracy, by answers; 0 for none."""
    total = sum(one.n for one in bins)
    return sum(abs(one.confidence - one.accuracy) * one.n for one in bins) / total if total else 0.0


def threshold_for(
    probabilities: NDArray[np.float64], labels: NDArray[np.intp], column: int, *, precision: float
) -> float:
    """Return the lowest probability of a label from which on it is right in `precision` of the cases.

    Args:
        probabilities: (n, k), calibrated.
        labels: (n,), indices of the true columns.
        column: Of the label.
        precision: Wanted share, 0 to 1.

    Returns:
        At least 0.5, so that a label is never given against the odds; 1 where no threshold reaches the precision.
    """
    sure = probabilities[:, column]
    order = np.argsort(-sure, kind="stable")
    reached = np.cumsum(labels[order] == column) / np.arange(1, len(order) + 1)
    # a threshold takes in everything that is as sure
    last_of_its_kind = np.append(sure[order][1:] != sure[order][:-1], True) if len(order) else np.zeros(0, bool)
    good = np.flatnonzero((reached >= precision) & last_of_its_kind)
    return float(max(0.5, sure[order][good[-1]])) if len(good) else 1.0


_LOOKS = (1, 2, 4, 8)
"""The thresholds that are tried take in all, a half, a quarter and an eighth of the claims."""
_RISK = 0.05
"""How often, at most, a threshold may be taken whose precision is below the wanted one."""


def claims_needed(precision: float) -> int:
    """Return how many claims must be right, without one error, before a precision below 1 is shown."""
    return math.ceil(math.log(_RISK / len(_LOOKS)) / math.log(precision))


def proven_threshold(sure: NDArray[np.float64], right: NDArray[np.bool_], *, precision: float) -> float | None:
    """Return the lowest of a few thresholds whose precision is shown to be at least the wanted one.

    A best threshold of a small sample is there in pure noise too; so the number of right ones must be too large for
    a precision below the wanted one, and the few thresholds share the risk of 5 %.

    Source: selection with guaranteed risk (Geifman and El-Yaniv 2017, arXiv:1705.08500), its binomial bound.
    Differs: four thresholds fixed by rank share the risk, where the paper searches by halves.

    Args:
        sure: (n,), the probability of one label, 0 to 1.
        right: (n,), whether it is the true label.
        precision: Wanted share of right ones, above 0 and below 1.

    Returns:
        What a claim is to reach, above 0.5, so that the label is never given against the odds; None where nothing is
        shown.
    """
    likely = np.sort(sure[sure > 0.5])[::-1]
    for part in _LOOKS:
        n = len(likely) // part
        if n == 0:
            return None
        threshold = float(likely[n - 1])
        taken = right[sure >= threshold]  # with everything that is as sure
        chance = bdtrc(int(taken.sum()) - 1, len(taken), precision) if taken.any() else 1.0
        if chance <= _RISK / len(_LOOKS):
            return threshold
    return None
