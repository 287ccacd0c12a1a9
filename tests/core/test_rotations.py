"""Rotations and their angles against scipy, and which way is positive against the conventions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lineament.core.rotations import (
    direction_angles,
    directions,
    euler_angles,
    rotations,
    rotations_of_300w_lp,
    turns_in_plane,
)


@pytest.mark.parametrize("seed", range(50))
def test_rotations_are_scipys_and_angles_undo_them(seed):
    angles = np.random.default_rng(seed).uniform(-1, 1, (20, 3)) * (np.pi / 2, np.pi, np.pi)
    # Extrinsic x, y, z is R = Rz Ry Rx.
    assert rotations(angles) == pytest.approx(Rotation.from_euler("xyz", angles).as_matrix())
    assert euler_angles(rotations(angles)) == pytest.approx(angles, abs=1e-9)


@pytest.mark.parametrize("seed", range(50))
def test_any_rotation_is_made_again_from_its_angles(seed):
    matrices = Rotation.from_quat(np.random.default_rng(seed).normal(size=(20, 4))).as_matrix()
    angles = euler_angles(matrices)
    assert np.abs(angles[:, 0]).max() <= np.pi / 2
    assert rotations(angles) == pytest.approx(matrices, abs=1e-9)


@pytest.mark.parametrize("yaw", [-np.pi / 2, np.pi / 2])
def test_in_exact_profile_the_rotation_survives_though_pitch_is_zero(yaw):
    matrix = rotations(np.asarray([[0.4, yaw, -0.7]]))
    angles = euler_angles(matrix)
    assert angles[0, 0] == 0
    assert rotations(angles) == pytest.approx(matrix, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_angles_of_300w_lp_turn_about_axes_that_turn_along(seed):
    pitch, yaw, roll = angles = np.random.default_rng(seed).uniform(-3, 3, 3)
    # Capital letters: about axes that turn along, so that the product is Rx Ry Rz.
    own = Rotation.from_euler("XYZ", [-pitch, yaw, roll]).as_matrix()
    assert rotations_of_300w_lp(angles[None])[0] == pytest.approx(own, abs=1e-12)


def test_positive_looks_down_and_to_the_pictures_left_and_tilts_clockwise():
    down, left, tilted = directions(rotations(np.eye(3) / 2))
    assert down == pytest.approx([0, np.sin(0.5), -np.cos(0.5)])
    assert left == pytest.approx([-np.sin(0.5), 0, -np.cos(0.5)])
    assert tilted == pytest.approx([0, 0, -1])
    # Clockwise: what points right comes to point down.
    assert turns_in_plane(np.asarray([np.pi / 2]))[0] @ (1, 0, 0) == pytest.approx([0, 1, 0])


@pytest.mark.parametrize("seed", range(20))
def test_a_direction_has_the_pitch_and_yaw_of_the_head_that_looks_so(seed):
    angles = np.random.default_rng(seed).uniform(-1, 1, (20, 3)) * (1.5, 3, 0)
    looked = directions(rotations(angles))
    assert np.linalg.norm(looked, axis=1) == pytest.approx(np.ones(20))
    assert direction_angles(looked) == pytest.approx(angles[:, :2], abs=1e-9)
    assert direction_angles(7 * looked) == pytest.approx(angles[:, :2], abs=1e-9)


def test_no_direction_has_no_angles():
    assert direction_angles(np.zeros((1, 3))).tolist() == [[0, 0]]
