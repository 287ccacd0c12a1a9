"""Landmarks-106 in a folder made here, and the real one."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.landmarks106 import read_landmarks106


def write(folder, names, points, here):
    np.savez(folder / "landmarks.npz", names=names, pts=points)
    for name in here:
        (folder / name).write_bytes(b"picture")


def test_only_pictures_that_are_here_in_order_of_name(tmp_path):
    points = np.random.default_rng(0).random((3, 106, 2), np.float32)
    write(tmp_path, np.asarray(["c.jpg", "a.jpg", "b.jpg"]), points, ["c.jpg", "b.jpg"])
    faces = read_landmarks106(tmp_path)
    assert [path.name for path in faces.paths] == ["b.jpg", "c.jpg"]
    assert np.array_equal(faces.points, points[[2, 0]])
    assert faces.scheme == "106"


@pytest.mark.parametrize(
    ("names", "points"),
    [
        (np.asarray(["a.jpg"]), np.zeros((1, 68, 2))),
        (np.asarray(["a.jpg", "b.jpg"]), np.zeros((1, 106, 2))),
        (np.asarray([1]), np.zeros((1, 106, 2))),
        (np.asarray(["a.jpg"]), np.full((1, 106, 2), np.nan)),
        (np.asarray(["a.jpg"], object), np.zeros((1, 106, 2))),  # a pickle, which is not read
    ],
)
def test_an_archive_of_other_things_is_refused(tmp_path, names, points):
    write(tmp_path, names, points, ["a.jpg"])
    with pytest.raises(BadInput, match=r"landmarks\.npz"):
        read_landmarks106(tmp_path)


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "landmarks.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BadInput, match="archive"):
        read_landmarks106(tmp_path)


def test_what_is_absent_is_named(tmp_path):
    with pytest.raises(MissingFile, match=r"landmarks\.npz.*non-commercial"):
        read_landmarks106(tmp_path)


def test_the_real_set(shared_data):
    faces = read_landmarks106(shared_data / "landmarks106")
    assert faces.points.shape == (500, 106, 2)
    eyes = faces.points[:, 51:57].mean(axis=1), faces.points[:, 61:67].mean(axis=1)
    assert np.mean(eyes[0][:, 0] < eyes[1][:, 0]) > 0.98  # the right eye is on the picture's left
    mouth = faces.points[:, [86, 90]].mean(axis=1)
    assert np.mean(faces.points[:, 74, 1] < mouth[:, 1]) > 0.98  # the nose is above the mouth
