"""AFLW2000-3D in a folder made here with scipy's writer, and the real one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.pose import rotations
from lineament.measure.sets.aflw2000 import (
    house_angles,
    read_aflw2000,
    solid_points,
)


def write(folder, name, solid, pose):
    (folder / f"{name}.jpg").write_bytes(b"picture")
    savemat(folder / f"{name}.mat", {"pt3d_68": solid, "Pose_Para": pose, "roi": np.eye(2)})


def test_points_depth_and_angles(tmp_path):
    solid = np.random.default_rng(0).random((3, 68)).astype(np.float32)
    pose = np.asarray([[0.1, -0.2, 0.3, 9, 9, 9, 1e-4]], np.float32)
    write(tmp_path, "image00002", solid, pose)
    faces = read_aflw2000(tmp_path)
    assert np.array_equal(faces.points[0], solid[:2].T)
    assert np.array_equal(faces.labels["depth"][0], -solid[2])
    assert faces.labels["angles"].tolist() == pose[:, :3].tolist()
    assert np.array_equal(solid_points(faces)[0], np.stack([solid[0], solid[1], -solid[2]], 1))


@pytest.mark.parametrize("seed", range(20))
def test_house_angles_make_the_same_rotation_as_the_sets_own_order(seed):
    pitch, yaw, roll = angles = np.random.default_rng(seed).uniform(-1.5, 1.5, 3)
    # Capital letters: about axes that turn along, so that the product is Rx Ry Rz.
    own = Rotation.from_euler("XYZ", [-pitch, yaw, roll]).as_matrix()
    assert np.allclose(rotations(house_angles(angles[None]))[0], own, atol=1e-12)


@pytest.mark.parametrize(
    ("solid", "pose"),
    [
        (np.zeros((68, 3)), np.zeros((1, 7))),
        (np.zeros((3, 68)), np.zeros((1, 3))),
        (np.full((3, 68), np.nan), np.zeros((1, 7))),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, solid, pose):
    write(tmp_path, "image00001", solid, pose)
    with pytest.raises(BadInput, match=r"image00001\.mat"):
        read_aflw2000(tmp_path)


def test_what_is_absent_is_named(tmp_path):
    with pytest.raises(MissingFile, match=r"AFLW2000-3D.*3DDFA"):
        read_aflw2000(tmp_path)
    (tmp_path / "image00001.jpg").write_bytes(b"picture")
    with pytest.raises(MissingFile, match=r"image00001\.mat"):
        read_aflw2000(tmp_path)


def test_turned_back_by_their_pose_the_real_faces_fall_together(shared_data):
    """That the set's angles are in the order that the adapter says."""
    faces = read_aflw2000(shared_data / "aflw2000_16")
    assert len(faces.paths) == 16
    solid = solid_points(faces).astype(np.float64)
    solid -= solid.mean(axis=1, keepdims=True)
    solid /= np.linalg.norm(solid, axis=(1, 2), keepdims=True)

    def spread(angles):
        facing = solid @ rotations(angles)
        return np.linalg.norm(facing - facing.mean(axis=0), axis=(1, 2)).mean()

    given = faces.labels["angles"]
    others = [given, given * (-1, 1, 1), given * (1, -1, 1), given * (-1, 1, -1)]
    ours = spread(faces.labels["pose"])
    assert ours < 0.12
    assert all(spread(angles) > 1.5 * ours for angles in others)
