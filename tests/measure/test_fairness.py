"""Fairness metrics against their definitions, followed pair by pair, and values worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from lineament.core.errors import BadInput
from lineament.measure.fairness import (
    CrossTable,
    GroupRate,
    cross_table,
    disparity,
    fairness_discrepancy_rate,
    false_match_rates,
    false_non_match_rates,
    garbe,
    gini,
    group_threshold,
)
from lineament.measure.interval import Interval, bootstrap_pairs, proportion
from lineament.measure.verification import rates_at, threshold_at

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def random_pairs(seed: int, count: int = 300) -> Pairs:
    """Scores with ties, truth, the groups and the people of both of each pair."""
    rng = np.random.default_rng(seed)
    group_of = rng.integers(0, 4, 40) * 3 - 2
    people = rng.integers(0, 40, (count, 2))
    people[: count // 3, 1] = people[: count // 3, 0]
    same = people[:, 0] == people[:, 1]
    scores = np.round(rng.normal(same * 1.5, 1.0), 1)
    return scores, same, group_of[people], people


def rate(errors: int, trials: int, group: int = 0) -> GroupRate:
    return GroupRate(group, errors, trials, proportion(errors, trials))


@pytest.mark.parametrize("seed", range(100))
def test_rates_and_table_are_as_defined(seed):
    scores, same, groups, _ = random_pairs(seed)
    threshold = float(np.random.default_rng(seed).choice(scores))
    matches, misses, trials, genuine = {}, {}, {}, {}
    for score, one, (a, b) in zip(scores.tolist(), same.tolist(), groups.tolist(), strict=True):
        for cell in {(a, b), (b, a)}:
            if one:
                genuine[cell] = genuine.get(cell, 0) + 1
                misses[cell] = misses.get(cell, 0) + (score < threshold)
            else:
                trials[cell] = trials.get(cell, 0) + 1
                matches[cell] = matches.get(cell, 0) + (score >= threshold)
    for found, errors, total in (
        (false_match_rates(scores, same, groups, threshold), matches, trials),
        (false_non_match_rates(scores, same, groups, threshold), misses, genuine),
    ):
        own = sorted(a for a, b in total if a == b)
        assert [r.group for r in found] == own
        for r in found:
            cell = (r.group, r.group)
            assert (r.errors, r.trials) == (errors[cell], total[cell])
            assert r.rate == errors[cell] / total[cell]
            assert r.interval == proportion(r.errors, r.trials)
    table = cross_table(scores, same, groups, threshold)
    assert table.groups.tolist() == sorted(set(groups.ravel().tolist()))
    for i, a in enumerate(table.groups.tolist()):
        for j, b in enumerate(table.groups.tolist()):
            assert table.errors[i, j] == matches.get((a, b), 0)
            assert table.trials[i, j] == trials.get((a, b), 0)


def test_one_group_is_the_whole_set():
    scores, same, groups, _ = random_pairs(1)
    whole = rates_at(scores, same, 0.7)
    (fmr,) = false_match_rates(scores, same, np.zeros_like(groups), 0.7)
    (fnmr,) = false_non_match_rates(scores, same, np.zeros_like(groups), 0.7)
    assert (fmr.rate, fnmr.rate) == (whole.fmr, whole.fnmr)


def test_table_shows_what_is_not_known_as_nan():
    table = CrossTable(
        np.arange(2), np.asarray([[0, 1], [1, 0]]), np.asarray([[10, 100], [100, 0]])
    )
    assert table.rates[0].tolist() == [0.0, 0.01]
    assert np.isnan(table.rates[1, 1])
    assert table.log10[0, 1] == pytest.approx(-2)
    assert np.isnan(np.diag(table.log10)).all()
    assert table.interval(0, 1) == proportion(1, 100)
    with pytest.raises(BadInput, match="trials"):
        table.interval(1, 1)


@pytest.mark.parametrize("seed", range(20))
def test_threshold_of_a_reference_group(seed):
    scores, same, groups, _ = random_pairs(seed)
    reference = int(groups[0, 0])
    threshold = group_threshold(scores, same, groups, reference, 0.05)
    own = (groups[:, 0] == reference) & (groups[:, 1] == reference) & ~same
    assert threshold == threshold_at(scores[own], 0.05)
    (found,) = [
        r for r in false_match_rates(scores, same, groups, threshold) if r.group == reference
    ]
    assert found.rate <= 0.05
    with pytest.raises(BadInput, match="different people"):
        group_threshold(scores, same, groups, 99, 0.05)


def test_intervals_over_people():
    scores, same, groups, people = random_pairs(4, 3000)
    for metric, kind in ((false_match_rates, ~same), (false_non_match_rates, same)):
        for found in metric(scores, same, groups, 0.6, people):
            rows = np.flatnonzero(kind & np.all(groups == found.group, axis=1))
            wrong = (scores[rows] >= 0.6) != same[rows]
            expected = bootstrap_pairs(lambda r, w=wrong: float(w[r].mean()), people[rows])
            assert found.interval == expected
            assert found.interval.low < found.rate < found.interval.high
        # Without an error, as many trials are trusted as there are people.
        for found in metric(scores, same, groups, 99.0 if kind[-1] else -99.0, people):
            of_group = people[kind & np.all(groups == found.group, axis=1)]
            assert found.errors == 0
            assert found.interval == proportion(0, min(len(of_group), len(np.unique(of_group))))


def test_disparity_by_hand():
    found = disparity([rate(2, 1000, 7), rate(30, 1000, 8), rate(5, 1000, 9)])
    assert (found.worst, found.best, found.ratio) == (8, 7, pytest.approx(15))
    expected = proportion(30, 1000).low / proportion(2, 1000).high
    assert found.at_least == pytest.approx(expected)
    assert 1 < found.at_least < 15


def test_disparity_without_errors_is_bounded_below_only():
    found = disparity([rate(0, 1000, 1), rate(0, 10, 2), rate(100, 1000, 3)])
    assert (found.worst, found.best, found.ratio) == (3, 1, None)
    assert found.at_least == pytest.approx(proportion(100, 1000).low / proportion(0, 1000).high)
    nothing = disparity([rate(0, 50, 1), rate(0, 70, 2)])
    assert (nothing.ratio, nothing.at_least) == (None, 1.0)
    assert disparity([rate(5, 50, 1), rate(5, 50, 2)]).ratio == 1.0


@pytest.mark.parametrize("seed", range(100))
def test_summaries_are_as_defined(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    fmr, fnmr = rng.random(n) ** 3, rng.random(n) ** 3
    fmr[rng.random(n) < 0.2] = 0
    fmr[0] = 0.1

    def gini_by_definition(rates: np.ndarray) -> float:
        total = sum(abs(a - b) for a in rates for b in rates)
        return n / (n - 1) * total / (2 * n * n * (sum(rates) / n))

    assert gini(fmr) == pytest.approx(gini_by_definition(fmr), abs=1e-9)
    assert 0 <= gini(fmr) <= 1 + 1e-12
    # The Lorenz curve: twice the area between it and the diagonal, before the correction.
    lorenz = np.concatenate([[0], np.cumsum(np.sort(fmr)) / fmr.sum()])
    area = 1 - 2 * np.trapezoid(lorenz, dx=1 / n)
    assert gini(fmr) == pytest.approx(n / (n - 1) * area, abs=1e-9)
    alpha = float(rng.random())
    expected = alpha * gini_by_definition(fmr) + (1 - alpha) * gini_by_definition(fnmr)
    assert garbe(fmr, fnmr, alpha) == pytest.approx(expected, abs=1e-9)
    largest = [max(abs(a - b) for a in x for b in x) for x in (fmr, fnmr)]
    expected = 1 - (alpha * largest[0] + (1 - alpha) * largest[1])
    assert fairness_discrepancy_rate(fmr, fnmr, alpha) == pytest.approx(expected, abs=1e-9)


def test_extremes_of_the_summaries():
    alike, one = np.full(4, 0.02), np.asarray([0, 0, 0, 0.3])
    assert gini(alike) == 0.0
    assert gini(one) == pytest.approx(1.0)
    assert garbe(alike, one, 0.25) == pytest.approx(0.75)
    assert fairness_discrepancy_rate(alike, alike) == 1.0
    assert fairness_discrepancy_rate(np.asarray([0.0, 1.0]), np.asarray([1.0, 0.0])) == 0.0


@pytest.mark.parametrize(
    "rates", [[0.1], [], [0.1, math.nan], [0.1, 1.5], [-0.1, 0.1], [0.1, math.inf]]
)
def test_impossible_rates_are_refused(rates):
    good = np.asarray([0.1, 0.2])
    for call in (
        lambda: gini(np.asarray(rates, float)),
        lambda: fairness_discrepancy_rate(np.asarray(rates, float), np.asarray(rates, float)),
    ):
        with pytest.raises(BadInput, match="at least two groups"):
            call()
    for metric in (garbe, fairness_discrepancy_rate):
        with pytest.raises(BadInput, match="alpha"):
            metric(good, good, 1.2)


def test_nothing_is_said_of_errors_that_did_not_happen():
    with pytest.raises(BadInput, match="nothing is known"):
        gini(np.zeros(3))
    with pytest.raises(BadInput, match="at least two groups"):
        disparity([rate(1, 2)])


def test_bad_input_is_refused():
    scores, same, groups, people = random_pairs(0)
    metrics = (false_match_rates, false_non_match_rates, cross_table)
    for metric in metrics:
        with pytest.raises(BadInput, match="NaN"):
            metric(scores, same, groups, math.nan)
        with pytest.raises(BadInput, match="finite"):
            metric(np.full(len(scores), math.nan), same, groups, 0.5)
        with pytest.raises(BadInput, match="pairs of"):
            metric(scores, np.zeros(len(scores), bool), groups, 0.5)
        with pytest.raises((BadInput, TypeCheckError)):
            metric(scores, same, groups[:-1], 0.5)
    with pytest.raises((BadInput, TypeCheckError)):
        false_match_rates(scores, same, groups, 0.5, people[:-1])
    apart = groups.copy()
    apart[np.flatnonzero(same)[0]] = 1, 4
    with pytest.raises(BadInput, match="two groups"):
        false_non_match_rates(scores, same, apart, 0.5)
    strangers = np.stack([(~same).astype(int), np.zeros(len(same), int)], axis=1)
    with pytest.raises(BadInput, match="no group has two people"):
        false_match_rates(scores, same, strangers, 0.5)


def test_interval_is_what_it_says():
    assert rate(1, 4).interval == Interval(*proportion(1, 4).pair)
