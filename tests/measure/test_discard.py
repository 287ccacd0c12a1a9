"""Error versus discard against plain loops and worked values."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.measure.discard import discard_curve, ideal_curve, start_threshold


@pytest.mark.parametrize("seed", range(100))
def test_curve_and_area_agree_with_a_loop(seed):
    rng = np.random.default_rng(seed)
    quality = rng.integers(0, 8, (40, 2)).astype(np.float64)
    scores = np.round(rng.normal(quality.min(axis=1) / 8, 0.5), 1)
    threshold = start_threshold(scores, 0.3)
    curve = discard_curve(scores, quality, threshold)
    pairs = sorted(zip(quality.min(axis=1), scores, strict=True))

    def fnmr(share: float) -> float:
        """Whole groups of equal quality are discarded while no more than `share` is gone."""
        best = [s for _, s in pairs]
        for level in sorted({q for q, _ in pairs}):
            left = [s for q, s in pairs if q >= level]
            if 1 - len(left) / len(pairs) <= share + 1e-12:
                best = left
        return sum(s < threshold for s in best) / len(best)

    for share in (0.0, 0.05, 0.2, 0.5, 0.9, *curve.discarded):
        assert curve.at(share) == pytest.approx(fnmr(share), abs=1e-9)
    limit = rng.uniform(0.1, 1)
    edges = [0.0, *sorted(k / 40 for k in range(1, 40) if k / 40 < limit), limit]
    expected = sum((b - a) * fnmr((a + b) / 2) for a, b in pairwise(edges))
    assert curve.area(limit) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(100))
def test_no_quality_beats_the_ideal(seed):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=30), 1)
    threshold = start_threshold(scores, 0.25)
    ideal = ideal_curve(scores, threshold)
    failed = int((scores < threshold).sum())
    expected = [max(failed - k, 0) / (30 - k) for k in range(30)]
    assert ideal.fnmr == pytest.approx(expected, abs=1e-12)
    for quality in (rng.random((30, 2)), np.stack([scores, scores], 1)):
        curve = discard_curve(scores, quality, threshold)
        assert curve.fnmr[0] == pytest.approx(ideal.fnmr[0], abs=1e-12)
        for limit in (0.05, 0.2, 1.0):
            assert curve.area(limit) >= ideal.area(limit) - 1e-12


@pytest.mark.parametrize("seed", range(100))
def test_start_is_the_highest_threshold_that_may_be(seed):
    rng = np.random.default_rng(seed)
    scores, wished = np.round(rng.normal(size=37), 1), rng.uniform(0, 0.9)
    threshold = start_threshold(scores, wished)
    tried = np.concatenate([np.unique(scores), np.unique(scores) + 1e-6])
    best = max(t for t in tried if np.mean(scores < t) <= wished)
    assert np.mean(scores < threshold) == np.mean(scores < best)
    assert start_threshold(scores, 0.0) == scores.min()


def test_values_worked_by_hand():
    scores = np.asarray([0.1, 0.2, 0.8, 0.9])
    quality = np.asarray([[1, 9], [3, 2], [2, 7], [8, 9]], np.float64)  # of pairs: 1, 2, 2, 8
    curve = discard_curve(scores, quality, 0.5)
    assert curve.discarded.tolist() == [0, 0.25, 0.75]
    assert curve.fnmr == pytest.approx([2 / 4, 1 / 3, 0])
    assert curve.at(0.74) == pytest.approx(1 / 3)
    assert curve.area(0.5) == pytest.approx(0.25 * 0.5 + 0.25 / 3)
    ten = ideal_curve(np.arange(10.0), 3.0)
    assert ten.at(1 - 0.9) == 2 / 9  # one of ten is gone, though 1 - 0.9 is a little less
    ideal = ideal_curve(scores, 0.5)
    assert ideal.area(1.0) == pytest.approx(0.25 * (2 / 4 + 1 / 3))


def test_what_has_no_curve_is_refused():
    scores, quality = np.ones(3), np.ones((3, 2))
    with pytest.raises(BadInput, match="finite"):
        discard_curve(scores, quality * np.nan, 0.5)
    with pytest.raises(BadInput, match="finite"):
        discard_curve(scores, quality, float("nan"))
    with pytest.raises(BadInput, match="at least one"):
        ideal_curve(np.empty(0), 0.5)
    with pytest.raises(BadInput, match="starting FNMR"):
        start_threshold(scores, 1.0)
    curve = discard_curve(scores, quality, 0.5)
    for limit in (0.0, 1.1, float("nan")):
        with pytest.raises(BadInput, match="limit"):
            curve.area(limit)
    with pytest.raises(BadInput, match="share"):
        curve.at(1.0)
