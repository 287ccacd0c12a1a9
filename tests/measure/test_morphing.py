"""Morphs against scikit-learn, exhaustive search and worked values."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import det_curve

from lineament.core.errors import BadInput
from lineament.measure.morphing import (
    bpcer_at_macer,
    detection_equal_error_rate,
    min_max_mmpmr,
    mmpmr,
    morph_curve,
    prod_avg_mmpmr,
    relative_morph_match_rate,
)


def random_scores(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping, with many ties."""
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(1, 1, 70), 1), np.round(rng.normal(-0.5, 1, 50), 1)


@pytest.mark.parametrize("seed", range(100))
def test_detection_agrees_with_counting_and_scikit_learn(seed):
    real, morphs = random_scores(seed)
    curve = morph_curve(real, morphs)
    for t, macer, bpcer in zip(curve.thresholds, curve.macer, curve.bpcer, strict=True):
        assert macer == pytest.approx(np.mean(morphs >= t), abs=1e-12)
        assert bpcer == pytest.approx(np.mean(real < t), abs=1e-12)
    for rate in (0.0, 0.01, 0.1, 0.5):
        tried = [*np.unique(np.concatenate([real, morphs])), np.inf]
        tried += [t + 1e-9 for t in tried]
        expected = min(np.mean(real < t) for t in tried if np.mean(morphs >= t) <= rate)
        assert bpcer_at_macer(real, morphs, rate) == pytest.approx(expected, abs=1e-12)
    truth = np.repeat([1, 0], [70, 50])
    fmr, fnmr, _ = det_curve(truth, np.concatenate([real, morphs]))
    # On the polyline through the points, the gap falls monotonically through 0.
    order = np.argsort(fmr - fnmr, kind="stable")
    eer = np.interp(0.0, (fmr - fnmr)[order], fmr[order])
    assert detection_equal_error_rate(real, morphs) == pytest.approx(eer, abs=1e-9)


@pytest.mark.parametrize("seed", range(100))
def test_vulnerability_agrees_with_loops(seed):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=(20, 2, 3)), 1)
    threshold = 0.2
    every, best, chance = 0, 0, 0.0
    for morph in scores:
        every += all(person[0] >= threshold for person in morph)
        best += all(any(s >= threshold for s in person) for person in morph)
        # The chance that a probe drawn of each person matches, over all combinations.
        chance += np.mean([a >= threshold and b >= threshold for a in morph[0] for b in morph[1]])
    assert mmpmr(scores[:, :, 0], threshold) == pytest.approx(every / 20, abs=1e-12)
    assert min_max_mmpmr(scores, threshold) == pytest.approx(best / 20, abs=1e-12)
    assert prod_avg_mmpmr(scores, threshold) == pytest.approx(chance / 20, abs=1e-9)


def test_values_worked_by_hand():
    scores = np.asarray([[0.9, 0.5], [0.9, 0.4], [0.6, 0.7], [0.1, 0.2]])
    assert mmpmr(scores, 0.5) == 0.5  # a score at the threshold matches
    assert relative_morph_match_rate(0.5, 0.04) == pytest.approx(1 + (0.5 - 0.96))
    real, morphs = np.asarray([0.9, 0.8, 0.3]), np.asarray([0.1, 0.2, 0.7])
    assert detection_equal_error_rate(real, morphs) == pytest.approx(1 / 3)
    assert bpcer_at_macer(real, morphs, 0.0) == pytest.approx(1 / 3)
    assert bpcer_at_macer(real, morphs, 0.34) == 0


def test_what_has_no_rate_is_refused():
    one, none = np.ones(2), np.empty(0)
    for metric in (morph_curve, detection_equal_error_rate, lambda a, b: bpcer_at_macer(a, b, 0.1)):
        for pair in ((one, none), (none, one), (one, one * np.nan)):
            with pytest.raises(BadInput):
                metric(*pair)
    with pytest.raises(BadInput, match="macer"):
        bpcer_at_macer(one, one, -0.1)
    with pytest.raises(BadInput, match="two people"):
        mmpmr(np.ones((3, 1)), 0.5)
    with pytest.raises(BadInput, match="nothing"):
        min_max_mmpmr(np.ones((3, 2, 0)), 0.5)
    with pytest.raises(BadInput, match="finite"):
        prod_avg_mmpmr(np.full((3, 2, 1), np.nan), 0.5)
    with pytest.raises(BadInput, match="threshold"):
        mmpmr(np.ones((3, 2)), float("nan"))
    with pytest.raises(BadInput, match="fnmr"):
        relative_morph_match_rate(0.5, 1.5)
