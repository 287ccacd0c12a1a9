"""The recipe: features, the linear classifier, and the figures, on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lineament.bench.off_the_shelf import COARSE, PIXELS, _auc, _bootstrapped, describe, svm
from lineament.core.crops import Crops
from lineament.core.errors import BadInput


def test_pixels_are_means_of_squares():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    crops = Crops(pixels, np.zeros((2, 2, 3), np.float32), "arcface112")
    grid = describe(crops, PIXELS)
    assert grid.shape == (2, COARSE * COARSE)
    assert grid[1, COARSE + 2] == pytest.approx(pixels[1, 7:14, 14:21].mean())


def test_the_classifier_parts_what_a_plane_parts():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    features = np.eye(3)[labels] * 4 + rng.normal(size=(300, 3))
    values = svm(features[:200], labels[:200], features[200:])
    assert values.shape == (100, 3)
    assert np.mean(values.argmax(1) == labels[200:]) > 0.9
    two = svm(features[:200], labels[:200] % 2, features[200:])
    assert two.shape == (100,)
    with pytest.raises(BadInput, match="two classes"):
        svm(features, np.zeros(300, np.int64), features)


@pytest.mark.parametrize("seed", range(20))
def test_auc_agrees_with_counting_pairs(seed):
    rng = np.random.default_rng(seed)
    values, positive = rng.integers(0, 9, 50).astype(float), rng.random(50) < 0.4
    rows = rng.integers(0, 50, 50)
    v, p = values[rows], positive[rows]
    wins = v[p][:, None] - v[~p][None]
    expected = np.mean((wins > 0) + 0.5 * (wins == 0))
    assert _auc(values, positive)(rows) == pytest.approx(expected)
    assert roc_auc_score(p, v) == pytest.approx(expected)


def test_auc_of_one_class_is_refused():
    with pytest.raises(BadInput, match="both classes"):
        _auc(np.zeros(3), np.ones(3, bool))(np.arange(3))


def test_figures_lie_within_their_intervals():
    rng = np.random.default_rng(0)
    hits = rng.random(200) < 0.8
    figure = _bootstrapped(lambda rows: float(hits[rows].mean()), np.arange(200) // 4, 0)
    assert figure.value == hits.mean()
    assert figure.interval[0] < figure.value < figure.interval[1]
