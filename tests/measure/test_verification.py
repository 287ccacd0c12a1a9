"""Verification metrics against scikit-learn, exhaustive search and values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from lineament.measure.verification import (
    best_threshold,
    equal_error_rate,
    fold_accuracy,
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


@pytest.mark.parametrize("metric", [equal_error_rate, lambda s, y: true_accept_rate(s, y, 0.1)])
@pytest.mark.parametrize("same", [[True, True], [False, False]])
def test_one_kind_missing_is_an_error(metric, same):
    with pytest.raises(ValueError, match="pairs of"):
        metric(np.asarray([0.1, 0.2]), np.asarray(same))


def test_nan_is_an_error():
    with pytest.raises(ValueError, match="finite"):
        equal_error_rate(np.asarray([np.nan, 0.2]), np.asarray([True, False]))
