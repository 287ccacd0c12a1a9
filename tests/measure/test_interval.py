"""Intervals against scipy, against how rows must be drawn, and by how often they hold."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats import bootstrap as scipy_bootstrap

from lineament.core.errors import BadInput
from lineament.measure.interval import Interval, bootstrap, bootstrap_pairs, proportion


@pytest.mark.parametrize("seed", range(100))
def test_proportion_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    trials = int(rng.integers(1, 10 ** rng.integers(1, 8)))
    errors = int(rng.integers(0, trials + 1)) if seed % 4 else int(rng.choice([0, trials]))
    level = float(rng.uniform(0.5, 0.999))
    expected = binomtest(errors, trials).proportion_ci(level, method="wilson")
    found = proportion(errors, trials, level)
    assert found.pair == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_proportion_reaches_its_bounds_exactly():
    assert proportion(0, 7).low == 0.0
    assert proportion(7, 7).high == 1.0
    # z^2 / (n + z^2) with z = 1.959964 and no error in 100.
    assert proportion(0, 100).high == pytest.approx(0.036994, abs=1e-6)


@pytest.mark.parametrize(("errors", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(errors, trials):
    with pytest.raises(BadInput, match="errors in n > 0 trials"):
        proportion(errors, trials)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, float("nan")])
def test_impossible_levels_are_refused(level):
    for call in (
        lambda: proportion(1, 2, level),
        lambda: bootstrap(len, np.arange(3), level=level),
    ):
        with pytest.raises(BadInput, match="level"):
            call()


@pytest.mark.parametrize("seed", range(5))
def test_one_row_a_person_is_the_classical_bootstrap(seed):
    values = np.random.default_rng(seed).exponential(size=80)
    people = np.random.default_rng(seed).permutation(80) * 7 - 100
    expected = scipy_bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    found = bootstrap(lambda rows: float(values[rows].mean()), people, rounds=20_000)
    # Two Monte Carlo quantiles of a standard error of about 0.11: each is good to about 0.003.
    assert found.pair == pytest.approx((expected.low, expected.high), abs=0.012)


@pytest.mark.parametrize("seed", range(100))
def test_people_are_drawn_whole(seed):
    rng = np.random.default_rng(seed)
    people = rng.integers(-3, 12, int(rng.integers(5, 60)))
    names, sizes = np.unique(people, return_counts=True)
    draws = []
    bootstrap(lambda rows: draws.append(rows) or 0.0, people, rounds=20, seed=seed)
    for rows in draws:
        drawn = np.bincount(rows, minlength=len(people))
        times = [set(drawn[people == name]) for name in names]
        assert all(len(t) == 1 for t in times), "a person's rows came unequally often"
        assert sum(t.pop() for t in times) == len(names)
    everyone = np.mean([np.bincount(r, minlength=len(people)) for r in draws])
    assert everyone == pytest.approx(1, abs=0.5)
    assert sizes.sum() == len(people)


@pytest.mark.parametrize("seed", range(100))
def test_pairs_come_as_often_as_the_product_of_their_people(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 15))
    alone = np.repeat(np.arange(count), 2).reshape(-1, 2)  # shows how often each was drawn
    mixed = rng.integers(0, count, (40, 2))
    people = np.concatenate([alone, mixed]) * 5 - 9
    draws = []
    bootstrap_pairs(lambda rows: draws.append(rows) or 0.0, people, rounds=20, seed=seed)
    for rows in draws:
        times = np.bincount(rows, minlength=len(people))
        drawn = times[:count]
        assert drawn.sum() == count
        for (a, b), found in zip(mixed, times[count:], strict=True):
            assert found == (drawn[a] if a == b else drawn[a] * drawn[b])


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """People differ in mean: drawn by person it holds, drawn by row it would not."""
    people = np.repeat(np.arange(40), 10)
    held = Counter()
    for seed in range(100):
        rng = np.random.default_rng(seed)
        values = rng.normal(size=40)[people] + 0.3 * rng.normal(size=400)

        def mean(rows: np.ndarray, values: np.ndarray = values) -> float:
            return float(values[rows].mean())

        for name, rows_of in (("people", people), ("rows", np.arange(400))):
            found = bootstrap(mean, rows_of, rounds=200, seed=seed)
            held[name] += found.low <= 0 <= found.high
    # 95 of 100, less what 200 rounds, 40 people and three standard errors cost.
    assert held["people"] >= 86
    assert held["rows"] < 60


def test_pairs_interval_holds_where_people_attract_false_matches():
    """Each person shifts all of their scores: drawn by people it holds, by pair it would not."""
    first, second = np.triu_indices(30, 1)
    people = np.stack([first, second], axis=1)
    held = Counter()
    for seed in range(100):
        rng = np.random.default_rng(seed)
        effect = rng.normal(size=30)
        scores = effect[first] + effect[second] + rng.normal(size=len(first))

        def mean(rows: np.ndarray, scores: np.ndarray = scores) -> float:
            return float(scores[rows].mean())

        by_people = bootstrap_pairs(mean, people, rounds=200, seed=seed)
        by_pair = bootstrap(mean, np.arange(len(first)), rounds=200, seed=seed)
        held["people"] += by_people.low <= 0 <= by_people.high
        held["pairs"] += by_pair.low <= 0 <= by_pair.high
    assert held["people"] >= 85
    assert held["pairs"] < 60


def test_the_seed_decides():
    values, people = np.arange(50.0) ** 2, np.arange(50) // 2

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    assert bootstrap(mean, people, seed=3) == bootstrap(mean, people, seed=3)
    assert bootstrap(mean, people, seed=3) != bootstrap(mean, people, seed=4)
    wide, narrow = bootstrap(mean, people, level=0.99), bootstrap(mean, people, level=0.5)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_draws_that_the_statistic_refuses_are_made_again():
    """A kind that five of 20 people supply is missing from 0.3 % of draws, of one from 36 %."""

    def rare(count: int):
        def statistic(rows: np.ndarray) -> float:
            if not (rows < count).any():
                raise BadInput("nobody of the kind")
            return float((rows < count).mean())

        return statistic

    assert bootstrap(rare(5), np.arange(20)).low > 0
    with pytest.raises(BadInput, match="too few people for an interval: nobody of the kind"):
        bootstrap(rare(1), np.arange(20))


def test_what_gives_no_interval_is_refused():
    with pytest.raises(BadInput, match="at least two"):
        bootstrap(len, np.zeros(9, int))
    with pytest.raises(BadInput, match="at least two"):
        bootstrap(len, np.zeros(0, int))
    with pytest.raises(BadInput, match="at least two"):
        bootstrap_pairs(len, np.full((9, 2), 4))
    with pytest.raises(BadInput, match="finite"):
        bootstrap(lambda rows: float("nan"), np.arange(5))
    with pytest.raises(BadInput, match="round"):
        bootstrap(len, np.arange(5), rounds=0)
    # Of two people, one of two draws has one of them twice, and no pair.
    with pytest.raises(BadInput, match="too few people"):
        bootstrap_pairs(len, np.asarray([[0, 1]]))


def test_a_constant_has_no_width():
    assert bootstrap(lambda rows: 0.25, np.arange(9), rounds=10) == Interval(0.25, 0.25)
