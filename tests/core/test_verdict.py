"""Rates that thresholds promise, against counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.core.errors import BadInput
from lineament.core.verdict import Calibration


def impostors(seed: int, count: int, grain: int | None = None) -> np.ndarray:
    """Scores of strangers; with `grain`, rounded so that many are equal."""
    scores = np.random.default_rng(seed).normal(0.05, 0.12, count).clip(-1, 1)
    return scores if grain is None else np.round(scores * grain) / grain


@given(st.integers(0, 2**32 - 1), st.integers(60, 5000), st.sampled_from([None, 20, 1000]))
def test_strangers_pass_no_more_often_than_promised(seed, count, grain):
    scores = impostors(seed, count, grain)
    calibration = Calibration.from_scores("toy", "toys", scores)
    for rate in np.geomspace(calibration.rates[-1], calibration.rates[0], 25):
        rate = float(np.clip(rate, calibration.rates[-1], calibration.rates[0]))
        assert (scores >= calibration.threshold(rate)).mean() <= rate


@given(st.integers(0, 2**32 - 1), st.integers(60, 5000))
def test_no_lower_score_keeps_a_measured_rate(seed, count):
    scores = impostors(seed, count)
    calibration = Calibration.from_scores("toy", "toys", scores)
    for rate, threshold in zip(calibration.rates, calibration.scores, strict=True):
        below = np.nextafter(threshold, -2)
        assert (scores >= below).sum() > int(rate * count) >= (scores >= threshold).sum()


def test_the_ladder_stops_where_thirty_errors_would_be_left():
    calibration = Calibration.from_scores("toy", "toys", impostors(1, 30_000))
    assert calibration.impostor_pairs == 30_000
    assert calibration.rates[0] == 0.5
    assert calibration.rates[-1] == 1e-3
    assert all(np.diff(calibration.rates) < 0)
    assert all(np.diff(calibration.scores) > 0)


def test_a_stricter_rate_never_asks_for_less():
    calibration = Calibration.from_scores("toy", "toys", impostors(2, 100_000))
    rates = np.geomspace(0.5, calibration.rates[-1] * 1.0001, 200)
    thresholds = [calibration.threshold(float(rate)) for rate in rates]
    assert all(np.diff(thresholds) >= 0)


@pytest.mark.parametrize("rate", [0.0, 9e-4, 0.51, 1.0, -0.1, float("nan")])
def test_rates_that_the_data_cannot_speak_for_are_refused(rate):
    calibration = Calibration.from_scores("toy", "thirty thousand toys", impostors(1, 30_000))
    with pytest.raises(BadInput, match=r"outside 0\.001 to 0\.5.*thirty thousand toys"):
        calibration.threshold(rate)


def test_the_rate_of_a_score_is_close_to_the_counted_one():
    scores = impostors(3, 200_000)
    calibration = Calibration.from_scores("toy", "toys", scores)
    for score in np.linspace(calibration.scores[0], calibration.scores[-1], 50):
        counted = (scores >= score).mean()
        assert calibration.false_match_rate(float(score)) == pytest.approx(counted, rel=0.1)
    assert calibration.false_match_rate(-1.0) == pytest.approx(0.5)
    assert calibration.false_match_rate(1.0) == pytest.approx(calibration.rates[-1])


@pytest.mark.parametrize("scores", [[], [0.1] * 59, [0.1] * 60 + [float("nan")]])
def test_too_few_scores_are_refused(scores):
    with pytest.raises(ValueError, match="at least 60"):
        Calibration.from_scores("toy", "toys", np.asarray(scores))


def test_a_verdict_carries_its_grounds():
    calibration = Calibration.from_scores("toy", "toys", impostors(4, 30_000))
    threshold = calibration.threshold(1e-2)
    yes, no = calibration.verdict(threshold, 1e-2), calibration.verdict(threshold - 1e-6, 1e-2)
    assert yes.same
    assert not no.same
    assert (yes.false_match_rate, yes.threshold, yes.calibration) == (1e-2, threshold, "toys")
    assert yes.score_false_match_rate == pytest.approx(1e-2)
    assert calibration.verdict(0.9).score_false_match_rate == pytest.approx(1e-3)
