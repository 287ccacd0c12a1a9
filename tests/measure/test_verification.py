"""Verification metrics against scikit-learn, exhaustive search and values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from scipy.stats import mannwhitneyu, norm
from sklearn.metrics import det_curve, roc_auc_score, roc_curve

from lineament.core.errors import BadInput
from lineament.measure.interval import bootstrap_pairs, proportion
from lineament.measure.verification import (
    area_under_roc,
    best_threshold,
    d_prime,
    det,
    equal_error_rate,
    fold_accuracy,
    probit,
    rates_at,
    roc,
    threshold_at,
    true_accept_rate,
)


def random_pairs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping scores with many ties."""
    rng = np.random.default_rng(seed)
    same = rng.random(200) < 0.4
    same[:2] = True, False
    return np.round(rng.normal(same * 1.2, 1.0), 1), same


@pytest.mark.parametrize("seed", range(100))
def test_best_threshold_is_as_good_as_every_other(seed):
    scores, same = random_pairs(seed)
    tried = np.concatenate([np.unique(scores), [scores.max() + 1]])
    best = max(np.mean((scores >= t) == same) for t in tried)
    threshold = best_threshold(scores, same)
    assert np.mean((scores >= threshold) == same) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("seed", range(100))
def test_true_accept_rate_agrees_with_the_roc_curve(seed):
    scores, same = random_pairs(seed)
    fpr, tpr, _ = roc_curve(same, scores, drop_intermediate=False)
    for rate in (0.0, 0.01, 0.05, 0.3, 1.0):
        expected = tpr[fpr <= rate + 1e-12].max()
        assert true_accept_rate(scores, same, rate) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(100))
def test_equal_error_rate_lies_on_the_roc_curve(seed):
    scores, same = random_pairs(seed)
    fpr, tpr, _ = roc_curve(same, scores, drop_intermediate=False)
    # On the polyline through the ROC's points, parametrised by arc, find fpr = 1 - tpr.
    steps = np.linspace(0, len(fpr) - 1, 200 * (len(fpr) - 1) + 1)
    f = np.interp(steps, np.arange(len(fpr)), fpr)
    t = np.interp(steps, np.arange(len(tpr)), tpr)
    nearest = np.argmin(np.abs(f - (1 - t)))
    assert equal_error_rate(scores, same) == pytest.approx(f[nearest], abs=1 / 200)


def test_values_worked_by_hand():
    scores = np.asarray([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    same = np.asarray([True, True, False, True, False, False])
    # Of three impostors none may pass: the threshold lies above 0.7, two of three genuine pass.
    assert true_accept_rate(scores, same, 0.0) == pytest.approx(2 / 3)
    assert true_accept_rate(scores, same, 1 / 3) == 1.0
    # After 0.9, 0.8, 0.7: FMR 1/3 = FNMR 1/3.
    assert equal_error_rate(scores, same) == pytest.approx(1 / 3)
    assert threshold_at(np.asarray([0.1, 0.2, 0.3, 0.4]), 0.25) == np.nextafter(0.3, 1)


def test_folds_use_the_other_folds_threshold():
    # Fold 0 separates at 0.5, fold 1 at 5: each is judged with the other's threshold.
    scores = np.asarray([0.0, 1.0, 4.0, 6.0])
    same = np.asarray([False, True, False, True])
    result = fold_accuracy(scores, same, np.asarray([0, 0, 1, 1]))
    assert result.folds == (0.5, 0.5)
    assert result.mean == 0.5
    assert result.error == 0.0


@pytest.mark.parametrize("seed", range(100))
def test_roc_and_its_area_agree_with_scikit_learn(seed):
    scores, same = random_pairs(seed)
    curve = roc(scores, same)
    fpr, tpr, thresholds = roc_curve(same, scores, drop_intermediate=False)
    assert curve.thresholds.tolist() == thresholds.tolist()
    assert curve.fmr == pytest.approx(fpr, abs=1e-12)
    assert curve.tpr == pytest.approx(tpr, abs=1e-12)
    assert curve.fnmr == pytest.approx(1 - tpr, abs=1e-12)
    area = area_under_roc(scores, same)
    assert area == curve.area == pytest.approx(roc_auc_score(same, scores), abs=1e-9)
    wins = mannwhitneyu(scores[same], scores[~same]).statistic
    assert area == pytest.approx(wins / (same.sum() * (~same).sum()), abs=1e-9)


@pytest.mark.parametrize("seed", range(100))
def test_det_agrees_with_scikit_learn(seed):
    scores, same = random_pairs(seed)
    across, up = det(scores, same)
    fpr, fnr, _ = det_curve(same, scores)
    drawn = (fpr > 0) & (fpr < 1) & (fnr > 0) & (fnr < 1)
    expected = {(f, n) for f, n in np.round(norm.ppf([fpr[drawn], fnr[drawn]]).T, 8).tolist()}
    found = {(f, n) for f, n in np.round(np.stack([across, up]).T, 8).tolist()}
    # scikit-learn leaves out points within a straight stretch.
    assert expected <= found
    assert np.all(np.diff(across) >= 0)
    assert np.all(np.diff(up) <= 0)


@pytest.mark.parametrize("seed", range(100))
def test_rates_agree_with_the_roc_curve(seed):
    scores, same = random_pairs(seed)
    fpr, tpr, thresholds = roc_curve(same, scores, drop_intermediate=False)
    for f, t, threshold in zip(fpr, tpr, thresholds, strict=True):
        found = rates_at(scores, same, float(threshold))
        assert (found.fmr, found.fnmr) == pytest.approx((f, 1 - t), abs=1e-12)
        assert found.impostors + found.genuine == len(scores)
        assert found.fmr_interval == proportion(found.false_matches, found.impostors)
        assert found.fnmr_interval == proportion(found.false_non_matches, found.genuine)


@pytest.mark.parametrize("seed", range(100))
def test_d_prime_as_defined(seed):
    scores, same = random_pairs(seed)
    genuine, impostors = scores[same], scores[~same]
    spread = np.sqrt((np.var(genuine) + np.var(impostors)) / 2)
    expected = (np.mean(genuine) - np.mean(impostors)) / spread
    assert d_prime(scores, same) == pytest.approx(expected, abs=1e-9)
    assert d_prime(-scores, same) == pytest.approx(-expected, abs=1e-9)
    assert d_prime(3 * scores + 7, same) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(100))
def test_threshold_is_the_lowest_that_keeps_the_rate(seed):
    rng = np.random.default_rng(seed)
    impostors = np.round(rng.normal(size=int(rng.integers(1, 300))), 1)
    impostors = impostors.astype(np.float32 if seed % 2 else np.float64)
    for rate in (0.0, 1e-3, 0.01, 0.3, float(rng.random())):
        threshold = threshold_at(impostors, rate)
        assert np.mean(impostors >= threshold) <= rate + 1e-9
        just_below = float(np.nextafter(impostors.dtype.type(threshold), -np.inf))
        assert np.mean(impostors >= just_below) > rate
    assert threshold_at(impostors, 1.0) == -np.inf


def test_equal_rates_and_curves_worked_by_hand():
    scores = np.asarray([0.9, 0.5, 0.5, 0.1])
    same = np.asarray([True, True, False, False])
    curve = roc(scores, same)
    assert curve.thresholds.tolist() == [np.inf, 0.9, 0.5, 0.1]
    assert curve.fmr.tolist() == [0.0, 0.0, 0.5, 1.0]
    assert curve.tpr.tolist() == [0.0, 0.5, 1.0, 1.0]
    # Of four comparisons three are won and one is a tie.
    assert curve.area == 3.5 / 4
    found = rates_at(scores, same, 0.5)
    assert (found.false_matches, found.false_non_matches) == (1, 0)
    assert rates_at(scores, same, np.inf).fnmr == 1.0
    assert rates_at(scores, same, -np.inf).fmr == 1.0
    assert d_prime(scores, same) == pytest.approx(0.4 / 0.2)
    assert probit(np.asarray([0.5, 0.97725])) == pytest.approx([0, 2], abs=1e-4)


def test_nothing_overlaps():
    scores, same = np.asarray([0.9, 0.8, 0.2, 0.1]), np.asarray([True, True, False, False])
    assert roc(scores, same).area == 1.0
    assert roc(-scores, same).area == 0.0
    across, up = det(scores, same)
    assert len(across) == len(up) == 0
    assert equal_error_rate(scores, same) == 0.0


def test_neighbouring_floats_are_told_apart():
    for kind in (np.float32, np.float64):
        low = kind(0.3)
        scores = np.asarray([low, np.nextafter(low, kind(1))])
        threshold = best_threshold(scores, np.asarray([False, True]))
        assert (scores >= threshold).tolist() == [False, True]


def test_bootstrap_of_pairs_spans_the_figure():
    rng = np.random.default_rng(0)
    people = rng.integers(0, 60, (2000, 2))
    people[:800, 1] = people[:800, 0]
    same = people[:, 0] == people[:, 1]
    scores = rng.normal(same * 2.0, 1.0)
    found = bootstrap_pairs(
        lambda rows: true_accept_rate(scores[rows], same[rows], 0.01), people, rounds=200
    )
    assert found.low < true_accept_rate(scores, same, 0.01) < found.high


METRICS = [
    equal_error_rate,
    roc,
    area_under_roc,
    det,
    d_prime,
    lambda s, y: true_accept_rate(s, y, 0.1),
    lambda s, y: rates_at(s, y, 0.1),
]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("same", [[True, True], [False, False], []])
def test_one_kind_missing_is_an_error(metric, same):
    with pytest.raises(BadInput, match="pairs of"):
        metric(np.asarray([0.1, 0.2][: len(same)]), np.asarray(same, bool))


@pytest.mark.parametrize(
    "metric", [*METRICS, best_threshold, lambda s, y: fold_accuracy(s, y, np.arange(2))]
)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_an_error(metric, bad):
    with pytest.raises(BadInput, match="finite"):
        metric(np.asarray([bad, 0.2]), np.asarray([True, False]))


@pytest.mark.parametrize("metric", METRICS)
def test_lengths_must_agree(metric):
    with pytest.raises((BadInput, TypeCheckError)):
        metric(np.asarray([0.1, 0.2]), np.asarray([True, False, True]))


def test_other_bad_input_is_an_error():
    scores, same = np.asarray([0.1, 0.1]), np.asarray([True, False])
    with pytest.raises(BadInput, match="vary"):
        d_prime(scores, same)
    with pytest.raises(BadInput, match="NaN"):
        rates_at(scores, same, float("nan"))
    for rate in (-0.1, 1.1, float("nan")):
        with pytest.raises(BadInput, match="lies in"):
            threshold_at(scores, rate)
    with pytest.raises(BadInput, match="pairs of different people"):
        threshold_at(np.zeros(0), 0.1)
    with pytest.raises(BadInput, match="at least one pair"):
        best_threshold(np.zeros(0), np.zeros(0, bool))
    with pytest.raises(BadInput, match="two folds"):
        fold_accuracy(scores, same, np.zeros(2, int))
    for rate in (0.0, 1.0, float("nan")):
        with pytest.raises(BadInput, match="strictly"):
            probit(np.asarray([rate]))
