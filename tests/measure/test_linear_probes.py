"""Ridge regression, whitening and effective rank against other ways to reckon them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import Ridge, RidgeCV

from lineament.core.errors import BadInput
from lineament.measure.linear_probes import (
    STRENGTHS,
    drawn_in,
    effective_rank,
    few,
    ridge,
    whitening,
)

RNG = np.random.default_rng(5)


def problem(rows: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    train = RNG.normal(3, 2, (rows, width))
    targets = train @ RNG.normal(0, 1, (width, 2)) + RNG.normal(7, 3, (rows, 2))
    return train, targets, RNG.normal(3, 2, (15, width))


@pytest.mark.parametrize(("rows", "width"), [(60, 8), (12, 40)])
def test_ridge_predicts_what_another_implementation_does(rows, width):
    train, targets, test = problem(rows, width)
    theirs = RidgeCV(STRENGTHS).fit(train, targets)
    np.testing.assert_allclose(ridge(train, targets, test), theirs.predict(test), rtol=1e-7)


def test_ridge_takes_the_strength_that_is_best_when_each_row_is_left_out():
    train, targets, test = problem(14, 6)

    def left_out(strength: float) -> float:
        total = 0.0
        for row in range(len(train)):
            others = np.arange(len(train)) != row
            model = Ridge(strength).fit(train[others], targets[others])
            total += np.square(model.predict(train[row : row + 1]) - targets[row]).sum()
        return total

    best = min(STRENGTHS, key=left_out)
    found = ridge(train, targets, test)
    np.testing.assert_allclose(found, Ridge(best).fit(train, targets).predict(test), rtol=1e-7)


def test_ridge_of_features_that_say_nothing_is_the_mean():
    targets = RNG.normal(4, 1, (9, 2))
    found = ridge(np.ones((9, 3)), targets, np.ones((2, 3)))
    np.testing.assert_allclose(found, np.tile(targets.mean(axis=0), (2, 1)))


def test_ridge_needs_two_rows():
    with pytest.raises(BadInput, match="two rows"):
        ridge(np.ones((1, 3)), np.ones((1, 1)), np.ones((1, 3)))


@pytest.mark.parametrize("rows", [6, 300])
def test_covariance_is_drawn_in_as_ledoit_and_wolf_say(rows):
    vectors = RNG.normal(0, 1, (rows, 5)) @ RNG.normal(0, 1, (5, 5))
    vectors -= vectors.mean(axis=0)
    theirs = LedoitWolf(assume_centered=True).fit(vectors).covariance_
    np.testing.assert_allclose(drawn_in(vectors), theirs, rtol=1e-9, atol=1e-12)


def test_whitening_makes_what_varies_within_people_alike_in_all_directions():
    people = np.repeat(np.arange(400), 5)
    within = RNG.normal(0, 1, (2000, 3)) * (2.0, 1.0, 0.5)
    vectors = RNG.normal(0, 10, (400, 3))[people] + within
    seen = vectors @ whitening(vectors, people)
    means = np.stack([seen[people == k].mean(axis=0) for k in range(400)])
    left = np.cov((seen - means[people]).T)
    np.testing.assert_allclose(left, np.eye(3), atol=0.05)


def test_whitening_gives_weight_to_directions_that_tell_people_apart():
    people = np.repeat(np.arange(60), 4)
    own = RNG.normal(0, 1, (60, 1))[people] + RNG.normal(0, 0.1, (240, 1))
    vectors = np.concatenate([own, RNG.normal(0, 3, (240, 1))], axis=1)
    matrix = whitening(vectors, people)
    assert matrix[0, 0] > 10 * matrix[1, 1]


def test_whitening_needs_somebody_twice():
    with pytest.raises(BadInput, match="nobody has two"):
        whitening(np.ones((3, 2)), np.arange(3))


def test_few_rows_hold_kinds_by_turns_and_the_more_hold_the_fewer():
    kinds = np.repeat([0, 1, 2], [50, 5, 45])

    def drawn(share: float) -> np.ndarray:
        return few(kinds, share, 3, np.random.default_rng(1))

    assert np.bincount(kinds[drawn(0.0)]).tolist() == [1, 1, 1]
    assert np.bincount(kinds[drawn(0.15)]).tolist() == [5, 5, 5]
    assert np.bincount(kinds[drawn(0.25)]).tolist() == [10, 5, 10]
    assert set(drawn(0.15)) < set(drawn(0.25))
    assert drawn(1.0).tolist() == list(range(100))
    with pytest.raises(BadInput, match="share"):
        drawn(1.5)


def test_effective_rank_counts_directions():
    alike = np.concatenate([np.eye(4), -np.eye(4)])
    assert effective_rank(alike) == pytest.approx(4)
    assert effective_rank(np.outer(np.arange(6.0), np.ones(3))) == pytest.approx(1)
    assert effective_rank(np.full((5, 3), 0.1)) == 0
    # Shares 4/5 and 1/5 of the variance: exp(0.8 ln 1.25 + 0.2 ln 5) = 1.649.
    uneven = np.asarray([[2.0, 0], [-2, 0], [0, 1], [0, -1]])
    assert effective_rank(uneven) == pytest.approx(1.25**0.8 * 5**0.2)
