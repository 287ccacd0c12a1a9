"""Retrieval metrics against scikit-learn, and against definitions followed query by query."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from sklearn.metrics import average_precision_score

from lineament.core.errors import BadInput
from lineament.measure.retrieval import (
    average_precision,
    average_precision_at_r,
    hit_at,
    precision_at,
    r_precision,
    rank_relevance,
    recall_at,
    search_relevance,
)


def random_table(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tied similarities of queries that all have something to find."""
    rng = np.random.default_rng(seed)
    gallery = rng.integers(0, 5, int(rng.integers(5, 40)))
    queries = rng.choice(gallery, 15)
    scores = rng.normal((queries[:, None] == gallery) * 0.8, 1.0)
    return np.round(scores, 1), queries, gallery


def ranked_by_definition(row: np.ndarray, relevant: np.ndarray) -> list[bool]:
    order = sorted(range(len(row)), key=lambda i: (-row[i], relevant[i]))
    return [bool(relevant[i]) for i in order]


@pytest.mark.parametrize("seed", range(100))
def test_every_metric_is_as_defined(seed):
    table, queries, gallery = random_table(seed)
    ranked = rank_relevance(table, queries, gallery)
    for q, person in enumerate(queries):
        one, row = ranked[q : q + 1], ranked_by_definition(table[q], gallery == person)
        assert one[0].tolist() == row
        r = sum(row)
        precisions = [sum(row[: i + 1]) / (i + 1) for i in range(len(row))]
        expected = sum(p for p, hit in zip(precisions, row, strict=True) if hit) / r
        assert average_precision(one)[0] == pytest.approx(expected, abs=1e-12)
        # scikit-learn, once each place has a score of its own.
        oracle = average_precision_score(row, -np.arange(len(row)))
        assert average_precision(one)[0] == pytest.approx(oracle, abs=1e-9)
        early = sum(p for p, hit in zip(precisions[:r], row[:r], strict=True) if hit) / r
        assert average_precision_at_r(one)[0] == pytest.approx(early, abs=1e-12)
        assert r_precision(one)[0] == pytest.approx(precisions[r - 1], abs=1e-12)
        for k in (1, 2, 5):
            assert hit_at(one, k)[0] == any(row[:k])
            assert recall_at(one, k)[0] == pytest.approx(sum(row[:k]) / r, abs=1e-12)
            assert precision_at(one, k)[0] == pytest.approx(precisions[k - 1], abs=1e-12)
    for metric in (average_precision, average_precision_at_r, r_precision):
        rows = [metric(ranked[q : q + 1])[0] for q in range(len(queries))]
        assert metric(ranked).tolist() == pytest.approx(rows, abs=1e-12)


def test_by_hand():
    # Found: no, yes, yes, no, yes, of three that are relevant.
    row = np.asarray([[False, True, True, False, True]])
    assert average_precision(row)[0] == pytest.approx((1 / 2 + 2 / 3 + 3 / 5) / 3)
    assert average_precision_at_r(row)[0] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert r_precision(row)[0] == pytest.approx(2 / 3)
    assert (hit_at(row, 1)[0], hit_at(row, 2)[0]) == (0.0, 1.0)
    assert recall_at(row, 2)[0] == pytest.approx(1 / 3)
    assert precision_at(row, 2)[0] == pytest.approx(1 / 2)


def test_ties_are_held_against_us():
    ranked = rank_relevance(np.zeros((1, 4)), np.asarray([7]), np.asarray([7, 1, 7, 2]))
    assert ranked.tolist() == [[False, False, True, True]]


@pytest.mark.parametrize("seed", range(20))
def test_a_query_does_not_find_itself(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(30, 6)).astype(np.float32)
    people = np.arange(30) // 3
    table = vectors @ vectors.T
    ranked = rank_relevance(table, people, people, np.arange(30))
    assert ranked.shape == (30, 29)
    for q in range(30):
        others = np.delete(np.arange(30), q)
        assert ranked[q].tolist() == ranked_by_definition(table[q, others], others // 3 == q // 3)
    assert ranked.sum(axis=1).tolist() == [2] * 30


def test_blocks_make_no_difference():
    rng = np.random.default_rng(2)
    vectors, people = rng.normal(size=(600, 8)), rng.integers(0, 60, 600)
    rows = np.arange(600)
    whole = rank_relevance(vectors @ vectors.T, people, people, rows)
    assert np.array_equal(search_relevance(vectors, people, vectors, people, rows), whole)
    with_itself = rank_relevance(vectors[:300] @ vectors.T, people[:300], people)
    assert np.array_equal(
        search_relevance(vectors[:300], people[:300], vectors, people), with_itself
    )


def test_perfect_and_worst():
    best = np.asarray([[True, True, False, False]] * 2)
    for metric in (average_precision, average_precision_at_r, r_precision):
        assert metric(best).tolist() == [1.0, 1.0]
        assert metric(~best)[0] == pytest.approx(0.0 if metric is not average_precision else 5 / 12)


def test_bad_input_is_refused():
    nothing = np.asarray([[True, False], [False, False]])
    metrics = [average_precision, average_precision_at_r, r_precision]
    metrics += [lambda r, m=m: m(r, 1) for m in (hit_at, recall_at, precision_at)]
    for metric in metrics:
        for ranked in (nothing, np.zeros((0, 3), bool)):
            with pytest.raises(BadInput, match="something relevant"):
                metric(ranked)
    for metric in (hit_at, recall_at, precision_at):
        for k in (0, 3):
            with pytest.raises(BadInput, match="first 1 to 2"):
                metric(nothing[:1], k)
    people = np.arange(3)
    for bad in (np.nan, -np.inf):
        table = np.full((3, 3), bad)
        with pytest.raises(BadInput, match="finite"):
            rank_relevance(table, people, people)
        with pytest.raises(BadInput, match="finite"):
            search_relevance(table, people, np.eye(3), people)
    with pytest.raises((BadInput, TypeCheckError)):
        rank_relevance(np.eye(3), people, np.arange(4))
    with pytest.raises(BadInput, match="at least one item"):
        rank_relevance(np.zeros((3, 0)), people, np.zeros(0, int))
    with pytest.raises(BadInput, match="at least one query"):
        search_relevance(np.zeros((0, 3)), np.zeros(0, int), np.eye(3), people)
    with pytest.raises(BadInput, match="column"):
        rank_relevance(np.eye(3), people, people, np.asarray([0, 1, 3]))
