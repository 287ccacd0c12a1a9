"""Sets of faces and their reach, on galleries whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench.embedding_limits import BEST, MEAN, Faces, fit_cubic, principal, reach
from lineament.know.embedding_limits import on_trigonometric_curve
from lineament.know.free_embeddings import every_set


def faces(vectors: np.ndarray, relevant: np.ndarray) -> Faces:
    people = {"sets": np.arange(len(relevant))}
    return Faces("", vectors.astype(np.float32), {"sets": relevant}, people)


def test_orthogonal_faces_are_reached_by_their_mean():
    found = reach(faces(np.eye(6), every_set(6, 3)), "sets", 6, 0)
    assert found[MEAN].value == found[BEST].value == 1


def test_on_the_curve_the_mean_misses_what_the_best_vector_finds():
    """Means of distant members lie nearest to what is between them."""
    gallery = faces(on_trigonometric_curve(12, 2), every_set(12, 2))
    found = reach(gallery, "sets", 4, 0)
    assert found[MEAN].value < 0.5
    assert found[BEST].value > found[MEAN].value + 0.2


def test_on_a_circle_only_neighbours_are_reached():
    angles = 2 * np.pi * np.arange(8) / 8
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = reach(faces(circle, every_set(8, 2)), "sets", 2, 0)
    # 8 of the 28 pairs are neighbours, and geometry has no line for any other.
    assert found[BEST].value == pytest.approx(8 / 28)


def test_principal_components_keep_the_directions_that_vary_most():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(200, 5)) * [0.02, 3, 0.02, 2, 0.02]
    vectors = np.concatenate([half, -half])  # their mean is 0
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    kept = principal(vectors, 2)
    assert kept.shape == (400, 2)
    np.testing.assert_allclose(np.linalg.norm(kept, axis=1), 1, rtol=1e-5)
    plane = vectors[:, [1, 3]] / np.linalg.norm(vectors[:, [1, 3]], axis=1, keepdims=True)
    np.testing.assert_allclose(kept @ kept.T, plane @ plane.T, atol=0.2)
    assert principal(vectors, 5) is vectors


def test_a_cubic_is_fitted_exactly():
    sizes = {d: [int(2 + d + d**2), int(4 + d + d**2)] for d in range(2, 9)}
    coefficients, r2 = fit_cubic(sizes)
    np.testing.assert_allclose(coefficients, [3, 1, 1, 0], atol=1e-8)
    assert r2 == pytest.approx(1)
