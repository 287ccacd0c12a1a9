"""Classes, attributes, ages and action units against scikit-learn and worked values."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    mean_absolute_error,
)

from lineament.core.errors import BadInput
from lineament.measure.attributes import (
    accuracy,
    age_error,
    attribute_accuracies,
    balanced_accuracies,
    balanced_accuracy,
    confusion,
    cumulative_score,
    macro_f1,
    unit_scores,
)


@pytest.mark.parametrize("seed", range(100))
def test_classes_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(7), rng.integers(0, 7, 60)])
    found = np.where(rng.random(67) < 0.5, truth, rng.integers(0, 6, 67))  # 6 is rarely answered
    assert accuracy(found, truth) == pytest.approx(accuracy_score(truth, found), abs=1e-9)
    expected = balanced_accuracy_score(truth, found)
    assert balanced_accuracy(found, truth, 7) == pytest.approx(expected, abs=1e-9)
    expected = f1_score(truth, found, average="macro")
    assert macro_f1(found, truth, 7) == pytest.approx(expected, abs=1e-9)
    table = confusion_matrix(truth, found, labels=range(8))
    assert np.array_equal(confusion(found, truth, 8), table)


@pytest.mark.parametrize("seed", range(100))
def test_attributes_and_units_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth, found = rng.random((2, 40, 6)) < rng.uniform(0.2, 0.8, 6)
    truth[0], truth[1] = True, False
    columns = range(6)
    expected = [accuracy_score(truth[:, k], found[:, k]) for k in columns]
    assert attribute_accuracies(found, truth) == pytest.approx(expected, abs=1e-9)
    expected = [balanced_accuracy_score(truth[:, k], found[:, k]) for k in columns]
    assert balanced_accuracies(found, truth) == pytest.approx(expected, abs=1e-9)
    names = [f"AU{k}" for k in columns]
    scores = unit_scores(found, truth, names)
    expected = [f1_score(truth[:, k], found[:, k]) for k in columns]
    assert list(scores.f1) == names
    assert list(scores.f1.values()) == pytest.approx(expected, abs=1e-9)
    assert scores.mean == pytest.approx(np.mean(expected), abs=1e-9)


@pytest.mark.parametrize("seed", range(100))
def test_age_agrees_with_scikit_learn_and_a_loop(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 90, 50).astype(np.float64)
    found = truth + rng.integers(-9, 10, 50)
    assert age_error(found, truth) == pytest.approx(mean_absolute_error(truth, found), abs=1e-9)
    close = sum(abs(f - t) <= 5 for f, t in zip(found, truth, strict=True))
    assert cumulative_score(found, truth) == pytest.approx(close / 50, abs=1e-12)


def test_five_years_wrong_is_within_five_years():
    truth = np.asarray([30.0, 30, 30, 30])
    found = np.asarray([35.0, 25, 35.5, 30])
    assert cumulative_score(found, truth) == 0.75
    assert cumulative_score(found, truth, 0) == 0.25


def test_a_unit_that_is_never_shown_is_reported_and_in_no_mean():
    truth = np.asarray([[True, False], [False, False]])
    found = np.asarray([[True, True], [False, False]])
    scores = unit_scores(found, truth, ["AU1", "AU2"])
    assert (scores.f1, scores.undefined, scores.mean) == ({"AU1": 1.0}, ("AU2",), 1.0)
    with pytest.raises(BadInput, match="no unit"):
        unit_scores(found, truth & False, ["AU1", "AU2"])
    with pytest.raises(BadInput, match="all different"):
        unit_scores(found, truth, ["AU1", "AU1"])


def test_a_missing_class_is_refused():
    labels = np.asarray([0, 1, 1])
    for metric in (balanced_accuracy, macro_f1):
        with pytest.raises(BadInput, match=r"lacks classes \[2\]"):
            metric(labels, labels, 3)
        with pytest.raises(BadInput, match="0 to 0"):
            metric(labels, labels, 1)
    truth = np.asarray([[True, True], [False, True]])
    with pytest.raises(BadInput, match=r"attributes \[1\]"):
        balanced_accuracies(truth, truth)


def test_nothing_and_nan_are_refused():
    none, nan = np.empty(0, np.int64), np.asarray([np.nan])
    with pytest.raises(BadInput, match="at least one"):
        accuracy(none, none)
    for metric in (age_error, cumulative_score):
        with pytest.raises(BadInput, match="finite"):
            metric(nan, np.ones(1))
        with pytest.raises(BadInput, match="at least one"):
            metric(np.empty(0), np.empty(0))
    with pytest.raises(BadInput, match="years"):
        cumulative_score(np.ones(1), np.ones(1), -1.0)
