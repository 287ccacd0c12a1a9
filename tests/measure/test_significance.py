"""Tests between groups against scipy, all permutations, and how often they err by chance."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy.stats import PermutationMethod, fisher_exact, ttest_ind

from lineament.core.errors import BadInput
from lineament.measure.significance import fisher, holm, permutation


@pytest.mark.parametrize("seed", range(100))
def test_fisher_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    n, m = (int(x) for x in rng.integers(1, 10 ** rng.integers(1, 5), 2))
    share = rng.random() ** 4
    a, b = int(rng.binomial(n, share)), int(rng.binomial(m, min(1, 1.5 * share)))
    _, expected = fisher_exact([[a, n - a], [b, m - b]])
    assert fisher((a, b), (n, m)) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert fisher((b, a), (m, n)) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_fisher_tasting_tea():
    """Three of four cups right: (1 + 16 + 16 + 1) of 70 splits are as odd."""
    assert fisher((3, 1), (4, 4)) == pytest.approx(34 / 70)
    assert fisher((0, 0), (5, 9)) == 1.0
    assert fisher((5, 9), (5, 9)) == 1.0
    assert fisher((0, 3000), (10**7, 10**7)) == pytest.approx(0, abs=1e-300)


@pytest.mark.parametrize(
    ("errors", "trials"), [((1, 1), (0, 5)), ((6, 1), (5, 5)), ((-1, 1), (5, 5))]
)
def test_fisher_refuses_impossible_counts(errors, trials):
    with pytest.raises(BadInput, match="errors in n > 0 trials"):
        fisher(errors, trials)


@pytest.mark.parametrize("seed", range(100))
def test_holm_is_as_defined(seed):
    """Step down: the i-th smallest of n is rejected at a level where all before it are."""
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(int(rng.integers(1, 12))) ** 3, 2)
    adjusted = holm(p)
    for level in np.linspace(0.005, 0.995, 34):
        rejected = np.zeros(len(p), bool)
        for i, row in enumerate(np.argsort(p)):
            if p[row] * (len(p) - i) > level:
                break
            rejected[row] = True
        assert (adjusted <= level).tolist() == rejected.tolist()


def test_holm_by_hand():
    assert holm(np.asarray([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )
    assert holm(np.zeros(0)).tolist() == []
    for bad in (-0.1, 1.1, float("nan")):
        with pytest.raises(BadInput, match="lies in"):
            holm(np.asarray([bad]))


def two_groups(seed: int, people: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of few people, wrong more often in group 5, with the pairs of one person."""
    rng = np.random.default_rng(seed)
    group = np.where(np.arange(people) < people // 2, 2, 5)
    pairs = np.asarray([(a, b) for a in range(people) for b in range(a, people)])
    wrong = rng.random(len(pairs)) < np.where(group[pairs].min(axis=1) == 5, 0.5, 0.2)
    return wrong, pairs, group[pairs]


@pytest.mark.parametrize("seed", range(20))
def test_permutation_approaches_the_exact_test(seed):
    wrong, people, groups = two_groups(seed, 8)
    group = np.where(np.arange(8) < 4, 2, 5)

    def difference(second: np.ndarray) -> float:
        a, b = second[people].T
        return abs(wrong[a & b].mean() - wrong[~a & ~b].mean())

    seen = difference(group == 5)
    every = [difference(np.isin(np.arange(8), c)) for c in combinations(range(8), 4)]
    exact = np.mean([d >= seen - 1e-12 for d in every])
    found = permutation(wrong, people, groups, (2, 5), rounds=2000, seed=seed)
    assert found == pytest.approx(exact, abs=4 * 0.5 / 2000**0.5)


def test_permutation_of_one_pair_a_person_agrees_with_scipy():
    rng = np.random.default_rng(0)
    wrong = rng.random(60) < np.repeat([0.2, 0.45], 30)
    rows = np.arange(60)
    groups = np.repeat([[0, 0], [1, 1]], 30, axis=0)
    found = permutation(wrong, np.stack([rows, rows], axis=1), groups, (0, 1), rounds=5000)
    oracle: Any = ttest_ind(
        wrong[:30].astype(float),
        wrong[30:].astype(float),
        method=PermutationMethod(n_resamples=5000, rng=rng),
    )
    assert found == pytest.approx(oracle.pvalue, abs=0.03)


def test_permutation_is_honest_where_people_repeat():
    """40 people, who differ but not by group, in 10 pairs each: 5 % may come out below 0.05."""
    people = np.repeat(np.arange(40), 20).reshape(-1, 2)
    groups = (people >= 20).astype(int)
    by_people = by_pair = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        wrong = rng.random(400) < rng.choice([0.02, 0.9], 40)[people[:, 0]]
        by_people += permutation(wrong, people, groups, (0, 1), rounds=99, seed=seed) <= 0.05
        errors = int(wrong[:200].sum()), int(wrong[200:].sum())
        by_pair += fisher(errors, (200, 200)) <= 0.05
    assert by_people <= 12
    assert by_pair > 30


def test_permutation_is_never_zero():
    """None of 99 shuffles of 40 people tells them apart as well as the true groups do."""
    people = np.repeat(np.arange(40), 2).reshape(-1, 2)
    groups = (people >= 20).astype(int)
    assert permutation(groups[:, 0] == 1, people, groups, (0, 1), rounds=99) == 1 / 100


def test_permutation_leaves_others_out():
    wrong, people, groups = two_groups(3)
    stranger = np.asarray([[90, 91], [90, 3]])
    more = permutation(
        np.append(wrong, [True, True]),
        np.concatenate([people, stranger]),
        np.concatenate([groups, [[8, 8], [8, 2]]]),
        (2, 5),
    )
    assert more == permutation(wrong, people, groups, (2, 5))
    assert more >= 1 / 1001


def test_permutation_refuses_what_it_cannot_tell():
    wrong, people, groups = two_groups(0)
    with pytest.raises(BadInput, match="pairs of their own"):
        permutation(wrong, people, groups, (2, 7))
    mixed = groups.copy()
    mixed[0] = 5
    with pytest.raises(BadInput, match="two groups"):
        permutation(wrong, people, mixed, (2, 5))
    with pytest.raises(BadInput, match="round"):
        permutation(wrong, people, groups, (2, 5), rounds=0)
