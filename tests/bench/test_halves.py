"""Stated against measured rates, where chance alone decides and theory says what must come."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench.halves import HALVINGS, calibration_plot, held_out, impostor_scores
from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput


def random_embeddings(people: int, dimension: int = 32) -> Embeddings:
    rng = np.random.default_rng(1)
    return Embeddings.normalised(rng.normal(size=(people, dimension)), "test@0")


def test_impostor_scores_are_all_pairs_of_two_people():
    vectors, people = random_embeddings(9).vectors, np.array([0, 0, 1, 2, 2, 2, 3, 4, 4])
    found = impostor_scores(vectors, people)
    whole = vectors @ vectors.T
    upper = np.triu(people[:, None] != people, 1)
    np.testing.assert_allclose(np.sort(found), np.sort(whole[upper]), atol=1e-6)
    with pytest.raises(BadInput, match="different people"):
        impostor_scores(vectors[:2], people[:2])


def test_strangers_of_one_kind_pass_as_often_as_stated():
    """Random directions: both halves have one distribution, so that rates agree up to chance."""
    found = held_out(random_embeddings(800), np.arange(800), seed=0)
    assert found.stated[0] == 0.5
    assert list(found.stated) == sorted(found.stated, reverse=True)
    pairs = 400 * 399 / 2
    for rate, measured, (low, high), error in zip(
        found.stated, found.measured, found.spread, found.error, strict=True
    ):
        assert low <= measured <= high
        assert abs(measured / rate - 1) <= error + 1e-12
        assert error <= max(high / rate - 1, 1 - low / rate)
        # Both halves vary, hence the 2; six deviations of a count.
        assert abs(measured - rate) <= 6 * (2 * rate / pairs) ** 0.5
    assert found.stated[found.row(0.01)] == 0.01
    with pytest.raises(BadInput, match="stated"):
        found.row(0.3)


def test_one_seed_gives_one_answer():
    embeddings = random_embeddings(200)
    first = held_out(embeddings, np.arange(200), seed=3)
    assert first == held_out(embeddings, np.arange(200), seed=3)
    assert first != held_out(embeddings, np.arange(200), seed=4)


def test_the_plot_shows_every_rate_that_came():
    found = held_out(random_embeddings(300), np.arange(300), seed=0)
    plot = calibration_plot({"a": found}, "random directions")
    stated, measured = plot.series["a"]
    assert tuple(stated) == found.stated
    assert tuple(measured) == found.measured
    assert tuple(plot.intervals["a"]) == found.spread
    assert str(2 * HALVINGS) in plot.note
