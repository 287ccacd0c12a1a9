"""Errors of pose against scipy's rotations and worked values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lineament.core.errors import BadInput
from lineament.measure.pose import (
    AFLW2000_LIMIT,
    angle_errors,
    geodesic_errors,
    pose_accuracy,
    rotations,
    within,
)


@pytest.mark.parametrize("seed", range(100))
def test_rotations_and_their_errors_agree_with_scipy(seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(-np.pi, np.pi, (20, 3))
    found = truth + rng.normal(0, 10.0 ** rng.integers(-8, 1), truth.shape)
    # Extrinsic x, y, z is R = Rz Ry Rx.
    one, other = Rotation.from_euler("xyz", found), Rotation.from_euler("xyz", truth)
    assert rotations(found) == pytest.approx(one.as_matrix(), abs=1e-12)
    expected = (one * other.inv()).magnitude()
    assert geodesic_errors(found, truth) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(100))
def test_angles_wrap(seed):
    rng = np.random.default_rng(seed)
    truth, found = rng.uniform(-7, 7, (2, 20, 3))
    expected = np.abs(np.angle(np.exp(1j * (found - truth))))
    assert angle_errors(found, truth) == pytest.approx(expected, abs=1e-9)


def test_values_worked_by_hand():
    truth = np.radians([[0.0, 0, 179], [0, 0, 0]])
    found = np.radians([[0.0, 0, -179], [4, 0, 0]])
    assert np.degrees(angle_errors(found, truth)) == pytest.approx(
        np.asarray([[0, 0, 2.0], [4, 0, 0]])
    )
    accuracy = pose_accuracy(found, truth)
    assert np.degrees(accuracy.geodesic) == pytest.approx(3)
    assert np.degrees(accuracy.mean) == pytest.approx(1)
    assert (
        str(accuracy)
        == "pitch 2.00°, yaw 0.00°, roll 1.00°, mean 1.00°, geodesic 3.00° over 2 faces"
    )


def test_half_a_turn_and_none_are_exact():
    none = np.zeros((1, 3))
    half = np.asarray([[np.pi, 0, 0]])
    assert geodesic_errors(half, none) == pytest.approx([np.pi], abs=1e-12)
    assert geodesic_errors(none, none) == pytest.approx([0], abs=1e-12)
    assert geodesic_errors(none + [1e-9, 0, 0], none) == pytest.approx([1e-9], rel=1e-6)


def test_two_sets_of_angles_can_be_one_pose():
    a = np.asarray([[0.3, 0.2, -0.4]])
    b = np.asarray([[0.3 + np.pi, np.pi - 0.2, -0.4 + np.pi]])
    assert geodesic_errors(a, b) == pytest.approx([0], abs=1e-12)
    assert angle_errors(a, b).min() > 2.7


def test_faces_beyond_the_limit_are_left_out():
    truth = np.radians([[0.0, 99, 0], [0, 0, -99.1], [10, 0, 0]])
    assert within(truth, AFLW2000_LIMIT).tolist() == [True, False, True]
    accuracy = pose_accuracy(truth + [[0, 0, 0], [1, 1, 1], [0, 0, 0]], truth, AFLW2000_LIMIT)
    assert (accuracy.faces, accuracy.mean) == (2, 0)
    with pytest.raises(BadInput, match="no face"):
        pose_accuracy(truth, truth, 0.01)


def test_what_has_no_error_is_refused():
    with pytest.raises(BadInput, match="finite"):
        angle_errors(np.full((1, 3), np.nan), np.zeros((1, 3)))
    with pytest.raises(BadInput, match="nothing"):
        pose_accuracy(np.zeros((0, 3)), np.zeros((0, 3)))
    with pytest.raises(BadInput, match="finite"):
        geodesic_errors(np.zeros((1, 3)), np.full((1, 3), np.inf))
