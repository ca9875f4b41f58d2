"""Calibration by hand: the temperature that made the logits, the gap of a bin, the lowest sure-enough probability."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medprefkit.check.calibration import (
    Bin,
    calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    softmax,
    threshold_for,
)


@given(st.lists(st.lists(st.floats(-500, 500), min_size=3, max_size=3), max_size=5), st.floats(0.25, 8))
def test_probabilities_sum_to_one_and_never_overflow(rows: list[list[float]], temperature: float) -> None:
    logits = np.array(rows, dtype=np.float64).reshape(len(rows), 3)
    sure = softmax(logits, temperature=temperature)
    assert np.isfinite(sure).all()
    assert np.allclose(sure.sum(axis=1), 1.0)


def test_the_temperature_of_overconfident_logits_is_found() -> None:
    # 3 of 4 right at logits (t, 0): the likeliest probability is .75, that is a difference of log 3 = 1.0986
    logits = np.array([[4.3944, 0.0]] * 4)  # 4 * log 3
    labels = np.array([0, 0, 0, 1])
    assert fit_temperature(logits, labels) == pytest.approx(4.0, rel=0.02)
    assert negative_log_likelihood(logits, labels, temperature=4.0) == pytest.approx(0.5623, abs=1e-3)


def test_the_error_of_two_bins_by_hand() -> None:
    # .9 sure and 1 of 2 right: gap .4 on 2 of 3 answers; .6 sure and right: gap .4 on 1 of 3
    sure = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    bins = reliability(sure, np.array([0, 1, 1]))
    assert [b.n for b in bins] == [1, 2]
    assert bins[1] == Bin(pytest.approx(0.9), 0.5, 2)
    assert calibration_error(bins) == pytest.approx(0.4)
    assert calibration_error(reliability(np.zeros((0, 2)), np.zeros(0, dtype=np.intp))) == 0.0


@pytest.mark.parametrize(
    ("sure", "labels", "precision", "threshold"),
    [
        ([0.95, 0.9, 0.8, 0.7], [0, 0, 1, 0], 1.0, 0.9),  # below .9 comes a wrong one
        ([0.95, 0.9, 0.8, 0.7], [0, 0, 1, 0], 0.75, 0.7),  # all four: 3 of 4
        ([0.9, 0.9, 0.8], [0, 1, 0], 0.6, 0.8),  # equals are taken together
        ([0.4, 0.3], [0, 0], 0.5, 0.5),  # never against the odds
        ([0.9], [1], 0.9, 1.0),  # nothing is precise enough
        ([], [], 0.9, 1.0),
    ],
)
def test_thresholds_by_hand(sure: list[float], labels: list[int], precision: float, threshold: float) -> None:
    rows = np.array([[p, 1 - p] for p in sure]).reshape(len(sure), 2)
    assert threshold_for(rows, np.array(labels, dtype=np.intp), 0, precision=precision) == threshold
