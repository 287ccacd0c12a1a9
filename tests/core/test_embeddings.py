"""Unit vectors, spaces that do not mix, and what a byte a number costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.core.embeddings import Embeddings, code_scale, encode, similarity
from lineament.core.errors import LineamentError, SpaceMismatch

STEP_ERROR = 6 / 254
"""Rounding moves a number by at most half a step, 1 / (2 * scale) with scale = 127 sqrt(d) / 6, so
a vector of d numbers by at most sqrt(d) / (2 * scale) = 6 / 254."""


def directions(seed: int, count: int, dimension: int, space: str = "toy@1") -> Embeddings:
    raw = np.random.default_rng(seed).normal(size=(count, dimension))
    return Embeddings.normalised(raw, space)


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_normalised_keeps_only_the_direction(seed, length):
    raw = np.random.default_rng(seed).normal(size=(4, 16))
    a, b = Embeddings.normalised(raw, "toy"), Embeddings.normalised(raw * length, "toy")
    np.testing.assert_allclose(np.linalg.norm(a.vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(a.vectors, b.vectors, atol=1e-6)
    np.testing.assert_allclose((a.vectors * raw).sum(1), np.linalg.norm(raw, axis=1), rtol=1e-5)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_vector_without_direction_is_refused(bad):
    raw = np.ones((2, 4))
    raw[1] = bad
    with pytest.raises(ValueError, match="no direction"):
        Embeddings.normalised(raw, "toy")


@pytest.mark.parametrize("bad", [0.0, 0.9, 1.1, np.nan])
def test_rows_of_another_length_are_refused(bad):
    with pytest.raises(ValueError, match="length 1"):
        Embeddings(np.asarray([[1, 0], [bad, 0]], np.float32), "toy")


def test_similarity_is_the_cosine():
    a, b = directions(1, 3, 128), directions(2, 5, 128)
    angles = np.arccos(np.clip(a.vectors.astype(float) @ b.vectors.T.astype(float), -1, 1))
    np.testing.assert_allclose(similarity(a, b), np.cos(angles), atol=1e-6)
    np.testing.assert_allclose(np.diag(similarity(a, a)), 1, atol=1e-6)


def test_spaces_do_not_mix():
    a, b = directions(1, 2, 8, "toy@1"), directions(1, 2, 8, "toy@2")
    for mix in (lambda: similarity(a, b), lambda: Embeddings.join([a, b])):
        with pytest.raises(SpaceMismatch, match="toy@1 and of toy@2"):
            mix()
    assert issubclass(SpaceMismatch, LineamentError)


def test_join_and_rows_undo_each_other():
    a = directions(3, 6, 8)
    again = Embeddings.join([a[:2], a[2:], a[:0]])
    assert len(again) == 6
    np.testing.assert_array_equal(again.vectors, a.vectors)
    np.testing.assert_array_equal(a[np.arange(6) % 2 == 0].vectors, a.vectors[::2])


def test_joining_nothing_has_no_space():
    with pytest.raises(ValueError, match="space"):
        Embeddings.join([])


@pytest.mark.parametrize("dimension", [128, 512])
def test_codes_are_within_half_a_step(dimension):
    a = directions(4, 200, dimension)
    codes = a.to_codes()
    assert codes.dtype == np.int8
    error = codes / code_scale(dimension) - a.vectors
    inside = np.abs(a.vectors) <= 6 / dimension**0.5
    assert np.abs(error[inside]).max() <= 0.5 / code_scale(dimension) * (1 + 1e-4)
    assert inside.mean() > 0.9999  # six deviations: clipping is the exception
    # Rounding errors are uniform: their mean square is a twelfth of a step squared.
    assert error.std() * code_scale(dimension) == pytest.approx(12**-0.5, rel=0.02)


@pytest.mark.parametrize("dimension", [128, 512])
def test_codes_keep_similarities(dimension):
    a = directions(5, 300, dimension)
    again = Embeddings.from_codes(a.to_codes(), a.space)
    # A vector moved by at most e points at most asin(e) away; a cosine of two such moves by twice.
    cosines = (a.vectors * again.vectors).sum(axis=1)
    assert cosines.min() >= np.sqrt(1 - STEP_ERROR**2) - 1e-6
    worst = 2 * 2 * np.sin(np.arcsin(STEP_ERROR) / 2)
    assert np.abs(similarity(a, a) - similarity(again, again)).max() <= worst


def test_inner_products_of_codes_rank_as_cosines_do():
    a, query = directions(6, 500, 128), directions(7, 1, 128)
    wide = a.to_codes().astype(np.int32) @ query.to_codes().astype(np.int32).T
    cosines = similarity(a, query)[:, 0]
    assert np.corrcoef(wide[:, 0], cosines)[0, 1] > 0.999


@given(st.integers(0, 2**32 - 1), st.integers(0, 127))
def test_codes_of_a_lopsided_vector_are_clipped_not_wrapped(seed, place):
    raw = np.random.default_rng(seed).normal(0, 0.01, (2, 128))
    raw[:, place] = 1, -1
    vectors = Embeddings.normalised(raw, "toy").vectors
    assert encode(vectors)[:, place].tolist() == [127, -127]
