"""Free embeddings: the gradient against differences, the optimiser against geometry's bounds."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.know.embedding_limits import on_trigonometric_curve
from lineament.know.free_embeddings import critical_size, every_set, found, loss_and_pull, optimise


def test_every_set_worked_by_hand():
    assert every_set(3, 2).astype(int).tolist() == [[1, 1, 0], [1, 0, 1], [0, 1, 1]]
    assert every_set(7, 3).shape == (35, 7)


def info_nce(
    queries: np.ndarray, documents: np.ndarray, relevant: np.ndarray, temperature: float
) -> float:
    """The mean over members of the negative log of their softmax, written from its definition."""
    terms = [
        -np.log(np.exp(q @ documents[j] / temperature) / np.exp(documents @ q / temperature).sum())
        for q, row in zip(queries, relevant, strict=True)
        for j in np.flatnonzero(row)
    ]
    return float(np.mean(terms))


@pytest.mark.parametrize("seed", range(10))
def test_loss_and_gradient_follow_the_definition(seed):
    rng = np.random.default_rng(seed)
    queries, documents = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    relevant = rng.random((4, 6)) < 0.4
    relevant[:, 0], relevant[:, 1] = True, False
    loss, pull = loss_and_pull(queries @ documents.T, relevant, 0.3)
    assert loss == pytest.approx(info_nce(queries, documents, relevant, 0.3))
    for gradient, moved in ((pull @ documents, queries), (pull.T @ queries, documents)):
        for at in np.ndindex(*moved.shape):
            before, step = moved[at], 1e-6
            moved[at] = before + step
            above = info_nce(queries, documents, relevant, 0.3)
            moved[at] = before - step
            below = info_nce(queries, documents, relevant, 0.3)
            moved[at] = before
            assert gradient[at] == pytest.approx((above - below) / (2 * step), abs=1e-6)


def test_a_simplex_is_found_and_what_cannot_be_is_not():
    assert optimise(every_set(4, 2), 3, seed=1).share == 1
    fit = optimise(every_set(4, 2), 2, seed=1, steps=1500)
    assert fit.share < 1
    np.testing.assert_allclose(np.linalg.norm(fit.documents, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(fit.queries, axis=1), 1, rtol=1e-5)


def test_what_is_said_to_be_found_is_found():
    relevant = every_set(7, 2)
    fit = optimise(relevant, 4, seed=0)
    assert fit.share == 1
    assert found(fit.queries, fit.documents, relevant).all()


def test_fixed_documents_stay_and_their_sets_are_found():
    documents = on_trigonometric_curve(8, 2).astype(np.float32)
    before = documents.copy()
    fit = optimise(every_set(8, 2), 4, documents=documents, temperature=0.05, steps=4000)
    np.testing.assert_array_equal(documents, before)
    assert fit.documents is documents
    # Every pair of the curve is some vector's top two; the search comes upon nearly all.
    assert fit.ever.mean() > 0.9
    now = found(fit.queries, documents, every_set(8, 2))
    assert not np.any(now & ~fit.ever)


def test_sets_of_different_sizes():
    relevant = np.array([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1]], bool)
    assert optimise(relevant, 3, seed=0).share == 1


def test_the_same_seed_gives_the_same_vectors():
    a, b = (optimise(every_set(6, 2), 3, seed=5, steps=200) for _ in range(2))
    np.testing.assert_array_equal(a.queries, b.queries)
    c = optimise(every_set(6, 2), 3, seed=6, steps=200)
    assert not np.array_equal(a.queries, c.queries)


def test_critical_sizes_stay_within_the_simplex_below_four_dimensions():
    assert critical_size(3, seed=0) == 4
    # Started too high, it comes down to what can be done.
    assert critical_size(3, start=6, seed=0, steps=3000) == 4
    assert critical_size(4, seed=0) >= 7


def test_a_tie_is_a_miss():
    documents = np.array([[1.0, 0], [0, 1], [-1, 0]])
    query = np.array([[0.5**0.5, 0.5**0.5]])
    assert found(query, documents, np.array([[True, True, False]])).tolist() == [True]
    assert found(query, documents, np.array([[True, False, False]])).tolist() == [False]


@pytest.mark.parametrize("relevant", [np.zeros((1, 3), bool), np.ones((1, 3), bool)])
def test_sets_without_members_or_without_others_are_refused(relevant):
    with pytest.raises(BadInput, match="needs a member"):
        optimise(relevant, 2)
