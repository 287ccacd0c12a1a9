"""Perspective-n-point: exact on views made by OpenCV, optimal beside scipy where they are noisy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from lineament.core.errors import BadInput
from lineament.core.pnp import project, scaled_orthographic, solve_pnp, turns

SOLID = np.random.default_rng(3).normal(size=(12, 3))
SOLID -= SOLID.mean(axis=0)


def angle(a, b):
    """Of the rotation between matrices, radians."""
    return Rotation.from_matrix(a @ np.swapaxes(b, -1, -2)).magnitude()


def camera(scale, distance, centre):
    """OpenCV's, with the solid on its axis: a unit at that distance is `scale` pixels."""
    focal = scale * distance
    return np.asarray([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])


@pytest.mark.parametrize("seed", range(30))
def test_a_view_by_opencv_gives_its_pose_back(seed):
    rng = np.random.default_rng(seed)
    pose = Rotation.from_quat(rng.normal(size=4))
    scale, distance, centre = rng.uniform(1, 90), rng.uniform(6, 200), rng.uniform(-300, 900, 2)
    points, _ = cv2.projectPoints(
        SOLID, pose.as_rotvec(), np.array([0, 0, distance]), camera(scale, distance, centre), None
    )
    view = solve_pnp(points.reshape(1, -1, 2), SOLID, distance)
    assert angle(view.rotations[0], pose.as_matrix()) < 1e-6
    assert view.scales[0] == pytest.approx(scale)
    assert view.centres[0] == pytest.approx(centre)
    assert project(view, SOLID, distance)[0] == pytest.approx(points[:, 0], abs=1e-5)


@pytest.mark.parametrize("seed", range(30))
def test_from_afar_noisy_points_have_the_pose_that_opencv_finds(seed):
    rng = np.random.default_rng(seed)
    pose = Rotation.from_quat(rng.normal(size=4))
    far, matrix = 1e4, camera(50, 1e4, (320, 240))
    seen, _ = cv2.projectPoints(SOLID, pose.as_rotvec(), np.array([0, 0, far]), matrix, None)
    points = seen[:, 0] + rng.normal(0, 2, (12, 2))
    _, turn, _ = cv2.solvePnP(
        SOLID, points, matrix, None, pose.as_rotvec(), np.array([0, 0, far]), True
    )
    expected = cv2.Rodrigues(turn)[0]
    assert angle(solve_pnp(points[None], SOLID, far).rotations[0], expected) < 2e-3
    assert angle(solve_pnp(points[None], SOLID).rotations[0], expected) < 2e-3


@pytest.mark.parametrize("distance", [5.0, 12.0, np.inf])
@pytest.mark.parametrize("seed", range(5))
def test_noisy_points_are_met_as_well_as_by_scipy(seed, distance):
    rng = np.random.default_rng(seed)
    truth = Rotation.from_quat(rng.normal(size=4)).as_matrix()
    turned = SOLID @ truth.T
    points = 40 * turned[:, :2] / (1 + turned[:, 2:] / distance) + rng.normal(0, 3, (12, 2))

    def misses(x):
        solid = SOLID @ (Rotation.from_rotvec(x[:3]).as_matrix() @ truth).T
        return (x[3] * solid[:, :2] / (1 + solid[:, 2:] / distance) + x[4:] - points).ravel()

    best = least_squares(misses, [0, 0, 0, 40, 0, 0], xtol=1e-12, ftol=1e-12)
    view = solve_pnp(points[None], SOLID, distance)
    cost = ((project(view, SOLID, distance)[0] - points) ** 2).sum() / 2
    assert cost == pytest.approx(best.cost, rel=1e-6)


def test_each_row_is_solved_as_if_alone_and_none_is_an_answer():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(1, 12, 2)) + SOLID[:, :2] * rng.uniform(1, 50, (9, 1, 1))
    together = solve_pnp(points, SOLID, 30.0)
    alone = [solve_pnp(points[i : i + 1], SOLID, 30.0) for i in range(9)]
    expected = np.concatenate([view.rotations for view in alone])
    assert together.rotations == pytest.approx(expected, abs=1e-6)
    assert solve_pnp(points[:0], SOLID).rotations.shape == (0, 3, 3)


def test_the_start_is_the_answer_for_a_clean_orthographic_view():
    pose = Rotation.from_quat(np.random.default_rng(1).normal(size=(7, 4))).as_matrix()
    points = (SOLID @ pose.transpose(0, 2, 1))[:, :, :2] * 8 + 5
    view = scaled_orthographic(points, SOLID)
    assert angle(view.rotations, pose) == pytest.approx(np.zeros(7), abs=1e-7)
    assert view.scales == pytest.approx(np.full(7, 8))


def test_turns_are_scipys_even_the_smallest():
    vectors = np.random.default_rng(0).normal(size=(50, 3)) * np.logspace(-12, 0.5, 50)[:, None]
    assert turns(vectors) == pytest.approx(Rotation.from_rotvec(vectors).as_matrix(), abs=1e-12)
    assert turns(np.zeros((1, 3)))[0].tolist() == np.eye(3).tolist()


@pytest.mark.parametrize(
    ("points", "model", "distance", "reason"),
    [
        (np.ones((1, 12, 2)), SOLID, 50.0, "coincide"),
        (np.full((1, 12, 2), np.nan), SOLID, 50.0, "finite"),
        (SOLID[None, :, :2], SOLID * (1, 1, 0), 50.0, "flat"),
        (SOLID[None, :3, :2], SOLID[:3], 50.0, "four"),
        (SOLID[None, :, :2], SOLID, 1.0, "outside"),
    ],
)
def test_what_has_no_pose_is_refused(points, model, distance, reason):
    with pytest.raises(BadInput, match=reason):
        solve_pnp(points, model, distance)
