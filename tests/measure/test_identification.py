"""Identification metrics against the definitions, spelt out search by search, and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from sklearn.metrics import top_k_accuracy_score

from lineament.core.errors import BadInput
from lineament.measure.identification import (
    Searches,
    cmc,
    detection_rate,
    fnir,
    fnir_at_fpir,
    fpir,
    rank_accuracy,
    search,
    summarise,
    threshold_at_fpir,
    trade_off,
)
from lineament.measure.interval import bootstrap


def random_table(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tied similarities, several templates a person, probes with and without mates."""
    rng = np.random.default_rng(seed)
    gallery = rng.integers(0, 8, int(rng.integers(1, 20)))
    probes = rng.integers(0, 12, 40)
    probes[:2] = gallery[0], 11
    scores = rng.normal((probes[:, None] == gallery) * 1.0, 1.0)
    return np.round(scores, 1), probes, gallery


def candidates(row: np.ndarray, gallery: np.ndarray, probe: int) -> list[tuple[float, int]]:
    """(score, person) of everybody, best first; of equal scores the mate last."""
    best = {p: max(s for s, q in zip(row, gallery, strict=True) if q == p) for p in set(gallery)}
    return sorted(((s, p) for p, s in best.items()), key=lambda c: (-c[0], c[1] == probe))


@pytest.mark.parametrize("seed", range(100))
def test_all_rates_are_as_defined(seed):
    table, probes, gallery = random_table(seed)
    searches = summarise(table, probes, gallery)
    lists = [candidates(row, gallery, p) for row, p in zip(table, probes, strict=True)]
    mated = [p in gallery for p in probes]
    assert searches.mated.tolist() == mated
    strangers = [c for c, m in zip(lists, mated, strict=True) if not m]
    mates = [(c, p) for c, p, m in zip(lists, probes, mated, strict=True) if m]
    for threshold in (-np.inf, *np.unique(table)[::7], np.inf):
        alarms = sum(any(s >= threshold for s, _ in c) for c in strangers)
        assert fpir(searches, threshold) == pytest.approx(alarms / len(strangers), abs=1e-12)
        for rank in (1, 2, 5, None):
            hits = sum(any(q == p and s >= threshold for s, q in c[:rank]) for c, p in mates)
            expected = 1 - hits / len(mates)
            assert fnir(searches, threshold, rank) == pytest.approx(expected, abs=1e-12)
    for rate in (0.0, 0.1, 0.5, 1.0):
        chosen = threshold_at_fpir(searches, rate)
        tried = [t for t in (*np.unique(table), np.inf) if fpir(searches, t) <= rate + 1e-12]
        for rank in (1, 3, None):
            best = min(fnir(searches, t, rank) for t in tried)
            assert fpir(searches, chosen) <= rate + 1e-12
            assert fnir_at_fpir(searches, rate, rank) == pytest.approx(best, abs=1e-12)
        assert detection_rate(searches, rate) == 1 - fnir_at_fpir(searches, rate, 1)
    closed = searches.take(np.flatnonzero(searches.mated))
    curve = cmc(closed, 10)
    for rank in range(1, 11):
        hits = sum(any(q == p for _, q in c[:rank]) for c, p in mates)
        assert curve[rank - 1] == rank_accuracy(closed, rank) == pytest.approx(hits / len(mates))


@pytest.mark.parametrize("seed", range(100))
def test_cmc_agrees_with_scikit_learn(seed):
    """One template a person and no ties: rank-k accuracy is top-k accuracy."""
    rng = np.random.default_rng(seed)
    people = int(rng.integers(3, 12))
    gallery = rng.permutation(people)
    probes = rng.integers(0, people, 30)
    table = rng.normal((probes[:, None] == gallery) * 1.5, 1.0)
    curve = cmc(summarise(table, probes, gallery), people)
    by_label = table[:, np.argsort(gallery)]
    for k in range(1, people):
        expected = top_k_accuracy_score(probes, by_label, k=k, labels=np.arange(people))
        assert curve[k - 1] == pytest.approx(expected, abs=1e-12)
    assert curve[-1] == 1.0


@pytest.mark.parametrize("seed", range(100))
def test_trade_off_agrees_with_each_threshold(seed):
    searches = summarise(*random_table(seed))
    for rank in (1, None):
        curve = trade_off(searches, rank)
        assert (curve.fpir[0], curve.fnir[0]) == (0.0, 1.0)
        assert np.all(np.diff(curve.thresholds) < 0)
        for t, false, missed in zip(curve.thresholds, curve.fpir, curve.fnir, strict=True):
            assert fpir(searches, t) == pytest.approx(false, abs=1e-12)
            assert fnir(searches, t, rank) == pytest.approx(missed, abs=1e-12)
        assert curve.fpir[-1] == 1.0
        lowest = fnir(searches, -np.inf, rank)
        assert curve.fnir[-1] == pytest.approx(lowest, abs=1e-12)


def test_by_hand():
    # Gallery: 1, 2, 2, 3. Probe of 2 ties with 1; probe of 3 comes first; 9 is a stranger.
    gallery = np.asarray([1, 2, 2, 3])
    table = np.asarray([[0.7, 0.2, 0.7, 0.1], [0.1, 0.3, 0.2, 0.8], [0.1, 0.75, 0.2, 0.3]])
    searches = summarise(table, np.asarray([2, 3, 9]), gallery)
    assert searches.rank.tolist() == [2, 1, 0]
    assert searches.mate.tolist() == [0.7, 0.8, -np.inf]
    assert searches.other.tolist() == [0.7, 0.3, 0.75]
    assert fpir(searches, 0.75) == 1.0
    assert threshold_at_fpir(searches, 0.0) == np.nextafter(0.75, 1)
    assert fnir_at_fpir(searches, 0.0) == 0.5
    assert fnir(searches, 0.7) == 0.0
    assert fnir(searches, 0.7, rank=1) == 0.5


def test_a_search_that_cannot_tell_gains_nothing():
    gallery = np.arange(10)
    searches = summarise(np.zeros((10, 10)), gallery, gallery)
    assert cmc(searches, 10).tolist() == [0.0] * 9 + [1.0]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_blocks_make_no_difference(kind):
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(900, 24)).astype(kind)
    people = rng.integers(0, 200, 900)
    found = search(vectors[300:], people[300:], vectors[:300], people[:300])
    whole = summarise(vectors[300:] @ vectors[:300].T, people[300:], people[:300])
    # Blocks of another size may round a product otherwise.
    tolerance = 1e-4 if kind is np.float32 else 1e-9
    assert found.mate == pytest.approx(whole.mate, abs=tolerance)
    assert found.other == pytest.approx(whole.other, abs=tolerance)
    assert np.mean(found.rank == whole.rank) > 0.99
    assert found.mate.dtype == kind, "a threshold is a float of the scores' own kind"
    assert fpir(found, threshold_at_fpir(found, 0.1)) <= 0.1


def test_bootstrap_over_people():
    table, probes, gallery = random_table(3)
    searches = summarise(table, probes, gallery)
    found = bootstrap(lambda rows: fnir(searches.take(rows), 0.5), probes, rounds=200)
    assert found.low < fnir(searches, 0.5) < found.high


def test_one_kind_of_search_missing_is_refused():
    table, probes, gallery = random_table(0)
    searches = summarise(table, probes, gallery)
    mated = searches.take(np.flatnonzero(searches.mated))
    strangers = searches.take(np.flatnonzero(~searches.mated))
    for call in (fpir, threshold_at_fpir, fnir_at_fpir):
        with pytest.raises(BadInput, match="without a mate"):
            call(mated, 0.5)
    for call in (fnir, fnir_at_fpir):
        with pytest.raises(BadInput, match="with a mate"):
            call(strangers, 0.5)
    for one in (mated, strangers):
        with pytest.raises(BadInput, match="mate"):
            trade_off(one)
    for one in (searches, strangers, searches.take(np.zeros(0, int))):
        with pytest.raises(BadInput, match="closed set"):
            cmc(one, 5)
    with pytest.raises(BadInput, match="no searches"):
        Searches.join([])


def test_bad_input_is_refused():
    people = np.arange(3)
    for bad in (np.nan, np.inf):
        table = np.eye(3)
        table[0, 1] = bad
        with pytest.raises(BadInput, match="finite"):
            summarise(table, people, people)
        with pytest.raises(BadInput, match="finite"):
            search(table, people, np.eye(3), people)
    with pytest.raises((BadInput, TypeCheckError)):
        summarise(np.eye(3), people, np.arange(4))
    with pytest.raises(BadInput, match="at least one template"):
        summarise(np.zeros((3, 0)), people, np.zeros(0, int))
    with pytest.raises(BadInput, match="no searches"):
        search(np.zeros((0, 3)), np.zeros(0, int), np.eye(3), people)
    searches = summarise(np.eye(3), np.asarray([0, 1, 9]), people)
    with pytest.raises(BadInput, match="counted from 1"):
        fnir(searches, 0.5, 0)
    with pytest.raises(BadInput, match="counted from 1"):
        cmc(searches.take(np.arange(2)), 0)
    for call in (fpir, fnir):
        with pytest.raises(BadInput, match="NaN"):
            call(searches, float("nan"))
    with pytest.raises(BadInput, match="lies in"):
        fnir_at_fpir(searches, 1.5)
