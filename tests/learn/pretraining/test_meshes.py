"""Regions and blendshapes of faces by the landmarker, on faces of nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineament.core.crops import ARCFACE_112
from lineament.core.media import read_image
from lineament.learn.pretraining.crfr_p import LABELS
from lineament.learn.pretraining.meshes import Meshes, meshes, region_labels
from lineament.learn.recognition.crops import aligned, default_detector, shrunk


@pytest.fixture(scope="module")
def faces(album: Path) -> np.ndarray:
    pictures = sorted(p for p in album.rglob("*") if p.suffix.lower() in (".jpg", ".png"))[:6]
    return shrunk(aligned((read_image(p) for p in pictures), default_detector())[0], 64)


@pytest.fixture(scope="module")
def found(faces: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Meshes:
    return meshes(faces, tmp_path_factory.mktemp("meshes"), "album")


def test_regions_lie_where_alignment_puts_them(faces: np.ndarray, found: Meshes):
    labels = region_labels(found.points, 64)
    assert labels.shape == faces.shape[:3]
    five = (np.asarray(ARCFACE_112.points) + 0.5) * 64 / 112 - 0.5
    mouth = five[3:].mean(axis=0)
    places = (("eyes", five[0]), ("eyes", five[1]), ("nose", five[2]), ("mouth", mouth))
    for name, (x, y) in places:
        around = labels[:, round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3]
        assert (around == LABELS.index(name)).any(axis=(1, 2)).all(), name
    brows = labels == LABELS.index("brows")
    assert brows[:, : int(five[0, 1]) + 1].sum() == brows.sum() > 0
    assert (labels[:, 0, 0] == LABELS.index("outside")).all()
    assert 0.3 < (labels == LABELS.index("skin")).mean() < 0.7


def test_a_point_of_each_ring_is_drawn():
    mesh = np.zeros((1, 478, 2), np.float32)
    angles = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    oval = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400,
            377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67,
            109)  # fmt: skip
    mesh[0, oval] = np.stack([32 + 20 * np.sin(angles), 32 - 20 * np.cos(angles)], axis=1)
    labels = region_labels(mesh, 64)[0]
    y, x = np.mgrid[:64, :64]
    far = np.hypot(x - 32, y - 32)
    assert (labels[far < 19] == LABELS.index("skin")).all()
    assert (labels[(far > 21) & (x + y > 0)] == LABELS.index("outside")).all()


def test_answers_are_kept(faces: np.ndarray, found: Meshes, tmp_path: Path):
    first = meshes(faces[:2], tmp_path, "two")
    np.testing.assert_allclose(first.points, found.points[:2], atol=0.05)
    again = meshes(np.zeros_like(faces[:2]), tmp_path, "two")
    assert np.array_equal(again.points, first.points)
    assert again.names == found.names
    assert len(again.names) == 52
