"""Matching is exact: it agrees with SciPy's on random matrices, ties and lopsided ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from lineament.core.assignment import assign
from lineament.core.errors import BadInput


@pytest.mark.parametrize("kind", ["normal", "ties", "sparse"])
def test_the_total_is_that_of_scipy(kind):
    rng = np.random.default_rng(7)
    for _ in range(150):
        shape = rng.integers(0, 12, 2)
        benefit = rng.normal(size=shape)
        if kind == "ties":
            benefit = rng.integers(-2, 4, shape).astype(float)
        if kind == "sparse":
            benefit *= rng.random(shape) < 0.2
        pairs = assign(benefit)
        useful = np.maximum(benefit, 0)
        best = useful[linear_sum_assignment(useful, maximize=True)].sum()
        assert benefit[pairs[:, 0], pairs[:, 1]].sum() == pytest.approx(best, abs=1e-9)
        assert (benefit[pairs[:, 0], pairs[:, 1]] > 0).all()
        assert np.all(np.diff(pairs[:, 0]) > 0), "each row once, in order"
        assert len(np.unique(pairs[:, 1])) == len(pairs), "each column once"


def test_greed_would_be_wrong():
    """Row 0 would take column 0 for 5, which leaves 1 for row 1: 6 in all; the best is 4 + 4."""
    assert assign(np.asarray([[5.0, 4.0], [4.0, 1.0]])).tolist() == [[0, 1], [1, 0]]


def test_what_is_no_number_is_refused():
    with pytest.raises(BadInput, match="finite"):
        assign(np.asarray([[1.0, np.nan]]))
