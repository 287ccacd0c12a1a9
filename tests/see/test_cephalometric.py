"""Distances between cephalometric points, on a face drawn by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.core.faces import Faces
from lineament.core.landmarks import Landmarks
from lineament.see.attributes.cephalometric import INDEXES, POINTS, Cephalometric, indexes


def face(seed: int) -> Landmarks:
    points = np.random.default_rng(seed).uniform(0, 100, (1, 478, 2)).astype(np.float32)
    return Landmarks(points, "478")


def test_distances_are_counted_in_irises():
    points = np.zeros((1, 478, 2), np.float32)
    points[0, 471], points[0, 469] = (10, 0), (14, 0)
    points[0, 474], points[0, 476] = (36, 0), (30, 0)  # 4 and 6 wide: a mean of 5
    points[0, 61], points[0, 291] = (10, 50), (40, 90)  # 30 across, 40 down
    points[0, 13], points[0, 14] = (0, 10), (0, 20)
    found = dict(zip(INDEXES, indexes(Landmarks(points, "478"))[0].tolist(), strict=True))
    assert found["right cheilion to left cheilion"] == 10
    assert found["stomion to labiale inferius"] == 3
    assert found["right iridion laterale to right iridion mediale"] == pytest.approx(0.8)


def test_all_pairs_have_an_index():
    assert len(POINTS) == 28
    assert len(INDEXES) == len(set(INDEXES)) == 378
    one = face(0)
    found = indexes(one)
    assert found.shape == (1, 378)
    where = np.stack([one.points[0, list(v)].mean(axis=0) for v in POINTS.values()])
    pairs = np.asarray([np.linalg.norm(a - b) for a, b in combinations(where, 2)])
    iris = np.mean(
        [
            pairs[INDEXES.index(f"{s} iridion laterale to {s} iridion mediale")]
            for s in ("right", "left")
        ]
    )
    np.testing.assert_allclose(found[0], pairs / iris, rtol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_moving_turning_and_scaling_change_nothing(seed: int):
    one = face(seed)
    angle, scale = seed + 0.3, 0.5 + seed
    turn = scale * np.asarray([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = Landmarks((one.points @ turn.T + [40, -7]).astype(np.float32), "478")
    np.testing.assert_allclose(indexes(moved), indexes(one), rtol=2e-3)


def test_other_points_and_closed_irises_are_refused():
    with pytest.raises(BadInput, match="'478', not '68'"):
        indexes(Landmarks(np.zeros((1, 68, 2), np.float32), "68"))
    with pytest.raises(BadInput, match="iris"):
        indexes(Landmarks(np.zeros((1, 478, 2), np.float32), "478"))


def test_faces_of_several_pictures_and_of_none():
    nobody = Landmarks(np.empty((0, 478, 2), np.float32), "478")
    found = [Faces(np.zeros((len(one), 4), np.float32), landmarks=one) for one in (face(1), nobody)]
    here, there = Cephalometric()([], found)
    np.testing.assert_array_equal(here["facial_indexes"], indexes(face(1)))
    assert there["facial_indexes"].shape == (0, 378)
