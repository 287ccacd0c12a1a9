"""Schemes fix how many points there are."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.landmarks import SCHEMES, Landmarks


@pytest.mark.parametrize(("scheme", "count"), SCHEMES.items())
def test_a_scheme_fixes_the_number_of_points(scheme, count):
    assert len(Landmarks(np.zeros((2, count, 2), np.float32), scheme)) == 2
    assert len(Landmarks(np.zeros((0, count, 2), np.float32), scheme)) == 0
    with pytest.raises(ValueError, match="does not fit"):
        Landmarks(np.zeros((2, count + 1, 2), np.float32), scheme)


def test_the_names_are_their_numbers():
    assert {name: int(name) for name in SCHEMES} == SCHEMES


def test_an_unknown_scheme_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="'7'.*5, 68, 106, 478"):
        Landmarks(np.zeros((1, 7, 2), np.float32), "7")


def test_rows_are_taken_by_slice_mask_and_index():
    points = np.arange(30, dtype=np.float32).reshape(3, 5, 2)
    landmarks = Landmarks(points, "5")
    for rows in (slice(1, None), np.asarray([False, True, True]), np.asarray([1, 2])):
        taken = landmarks[rows]
        assert taken.scheme == "5"
        np.testing.assert_array_equal(taken.points, points[1:])
