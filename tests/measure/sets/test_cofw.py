"""COFW's files, written by h5py where that is installed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.cofw import read_cofw

RNG = np.random.default_rng(4)
PICTURES = [RNG.integers(0, 256, (6, 9, 3), np.uint8), RNG.integers(0, 256, (7, 5), np.uint8)]
POINTS = np.round(RNG.random((2, 29, 2)) * 100, 2)
HIDDEN = RNG.random((2, 29)) < 0.3
BOXES = np.asarray([[10.0, 20, 30, 40], [1, 1, 5, 7]])


@pytest.fixture
def write(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is no dependency, and not installed")

    def write(split="test", **changes):
        end = {"test": "T", "train": "Tr"}[split]
        shapes = np.concatenate([POINTS[:, :, 0], POINTS[:, :, 1], HIDDEN], axis=1)
        content = {"phis": shapes, "bboxes": BOXES} | changes
        with h5py.File(tmp_path / f"COFW_{split}_color.mat", "w", userblock_size=512) as file:
            for name in ("phis", "bboxes"):
                if content[name] is not None:
                    file[f"{name}{end}"] = content[name].T  # MATLAB's axes the other way round
            cells = file.create_dataset(f"Is{end}", (1, 2), h5py.ref_dtype)
            for number, picture in enumerate(content.get("pictures", PICTURES)):
                file[f"#refs#/{number}"] = picture.T
                cells[0, number] = file[f"#refs#/{number}"].ref
        return tmp_path

    return write


@pytest.mark.parametrize("split", ["test", "train"])
def test_a_file(write, split):
    faces = read_cofw(write(split), split)
    assert np.allclose(faces.points, POINTS - 1)
    assert np.array_equal(faces.hidden, HIDDEN)
    assert faces.boxes.tolist() == [[9, 19, 39, 59], [0, 0, 5, 7]]
    assert np.array_equal(faces.image(0).pixels, PICTURES[0])
    assert np.array_equal(faces.image(1).pixels, np.stack([PICTURES[1]] * 3, axis=2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phis": np.ones((2, 58))}, "not a COFW file's"),
        ({"phis": np.full((2, 87), 0.5)}, "neither seen nor hidden"),
        ({"phis": np.full((2, 87), np.nan)}, "not finite"),
        ({"bboxes": np.ones((3, 4))}, "not a COFW file's"),
        ({"bboxes": None}, "not a readable COFW file"),
    ],
)
def test_hostile_files(write, changes, message):
    with pytest.raises(BadInput, match=f"COFW_test_color.mat: .*{message}"):
        read_cofw(write(**changes))


def test_what_is_no_picture(write):
    faces = read_cofw(write(pictures=[np.ones((2, 2, 3)), np.ones((2, 2, 4), np.uint8)]))
    for number in (0, 1, 2):
        with pytest.raises(BadInput, match="no picture|not a readable"):
            faces.image(number)


def test_what_is_no_hdf5(tmp_path):
    pytest.importorskip("h5py", reason="h5py is no dependency, and not installed")
    (tmp_path / "COFW_test_color.mat").write_bytes(b"junk")
    with pytest.raises(BadInput, match="not a readable COFW file"):
        read_cofw(tmp_path)


def test_without_h5py_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)  # as Python marks a module that cannot be had
    (tmp_path / "COFW_test_color.mat").touch()
    with pytest.raises(BadInput, match="needs h5py: pip install h5py"):
        read_cofw(tmp_path)


def test_absent(tmp_path):
    with pytest.raises(MissingFile, match="get it from Caltech.*terms: research"):
        read_cofw(tmp_path)
    with pytest.raises(BadInput, match="neither test nor train"):
        read_cofw(tmp_path, "val")
