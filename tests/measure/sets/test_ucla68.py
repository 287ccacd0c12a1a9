"""UCLA-68 in a folder made here with scipy's writer, and the real one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.ucla68 import read_ucla68


def write(folder, name, points):
    for place in ("images", "landmarks"):
        (folder / place).mkdir(exist_ok=True)
    (folder / "images" / f"{name}.jpg").write_bytes(b"picture")
    savemat(folder / "landmarks" / f"{name}.mat", {"lms": points})


def test_points_are_read_in_order_of_name(tmp_path):
    points = np.random.default_rng(0).random((2, 68, 2)) * 128
    write(tmp_path, "b", points[1])
    write(tmp_path, "a", points[0])
    faces = read_ucla68(tmp_path)
    assert [path.stem for path in faces.paths] == ["a", "b"]
    assert np.array_equal(faces.points, points.astype(np.float32))


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((68, 2), np.inf)])
def test_wrong_points_are_refused(tmp_path, points):
    write(tmp_path, "a", points)
    with pytest.raises(BadInput, match=r"a\.mat"):
        read_ucla68(tmp_path)


def test_what_is_absent_is_named(tmp_path):
    with pytest.raises(MissingFile, match="images.*research"):
        read_ucla68(tmp_path)
    write(tmp_path, "a", np.zeros((68, 2)))
    (tmp_path / "landmarks" / "a.mat").unlink()
    with pytest.raises(MissingFile, match=r"a\.mat"):
        read_ucla68(tmp_path)


def test_the_real_set(shared_data):
    faces = read_ucla68(shared_data / "ucla68")
    assert faces.points.shape == (1000, 68, 2)
    eyes = faces.points[:, 36:42].mean(axis=1), faces.points[:, 42:48].mean(axis=1)
    assert (eyes[0][:, 0] < eyes[1][:, 0]).all()
