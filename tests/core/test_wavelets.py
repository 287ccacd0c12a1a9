"""Daubechies' filters from their defining equations; the transform from cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.core.wavelets import approximation, daubechies, dwt2, idwt2

HAAR = daubechies(1)


def test_haar_and_the_filter_of_four_taps_in_closed_form():
    np.testing.assert_allclose(HAAR, [0.5**0.5, 0.5**0.5])
    root = 3**0.5
    four = np.array([1 + root, 3 + root, 3 - root, 1 - root]) / (4 * 2**0.5)
    np.testing.assert_allclose(daubechies(2), four, atol=1e-12)


@pytest.mark.parametrize("moments", range(1, 11))
def test_filters_are_orthonormal_with_vanishing_moments(moments):
    low = daubechies(moments)
    assert len(low) == 2 * moments
    assert low.sum() == pytest.approx(2**0.5, abs=1e-9)
    for shift in range(moments):
        product = low[: len(low) - 2 * shift] @ low[2 * shift :]
        assert product == pytest.approx(float(shift == 0), abs=1e-6)
    places = np.arange(len(low)) / len(low)
    high = low[::-1] * (-1.0) ** np.arange(len(low))
    for power in range(moments):
        assert high @ places**power == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("moments", [0, 11])
def test_other_filters_are_refused(moments):
    with pytest.raises(BadInput, match="1 to 10 moments"):
        daubechies(moments)


def test_haar_worked_by_hand():
    bands = dwt2(np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]), HAAR)
    # Of each square of four: the sum, left less right, top less bottom, and the diagonals; halved.
    np.testing.assert_allclose(bands[0], [[7, 11]])
    np.testing.assert_allclose(np.abs(bands[1]), [[1, 1]])
    np.testing.assert_allclose(np.abs(bands[2]), [[4, 4]])
    np.testing.assert_allclose(bands[3], [[0, 0]], atol=1e-12)


@pytest.mark.parametrize("moments", [1, 2, 4, 8])
def test_taken_apart_and_put_together_again(moments):
    rng = np.random.default_rng(moments)
    pictures = rng.normal(size=(3, 16, 8))
    low = daubechies(moments)
    bands = dwt2(pictures, low)
    assert bands.shape == (3, 4, 8, 4)
    np.testing.assert_allclose(idwt2(bands, low), pictures, atol=1e-6)
    np.testing.assert_allclose((bands**2).sum(), (pictures**2).sum(), rtol=1e-6)


def test_a_smooth_picture_has_no_details_away_from_its_edges():
    ramp = np.add.outer(np.arange(32.0), 2 * np.arange(32.0))
    bands = dwt2(ramp, daubechies(2))
    np.testing.assert_allclose(bands[1:, :-1, :-1], 0, atol=1e-9)
    assert np.abs(bands[1:]).max() > 1  # where it goes round


def test_approximation_by_haar_is_the_mean_of_squares():
    picture = np.random.default_rng(0).random((8, 8))
    means = picture.reshape(2, 4, 2, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(approximation(picture, HAAR, 2), 4 * means)
    np.testing.assert_array_equal(approximation(picture, HAAR, 0), picture)


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(BadInput, match="3 x 4"):
        dwt2(np.zeros((3, 4)), HAAR)
    with pytest.raises(BadInput, match="1 x 1"):
        approximation(np.zeros((4, 4)), HAAR, 3)
    with pytest.raises(BadInput, match="-1"):
        approximation(np.zeros((4, 4)), HAAR, -1)
