"""What is drawn does not tremble, does not lag, and does not glide from shot to shot."""

from __future__ import annotations

import numpy as np

from lineament.core.faces import Faces
from lineament.core.landmarks import Landmarks
from lineament.see.steady import SteadyFaces


def faces(x: float, jitter: np.ndarray) -> Faces:
    boxes = np.asarray([[x, 50, x + 60, 130], [400, 50, 460, 130]], np.float32)
    points = np.tile(boxes[:, None, :2], (1, 5, 1)) + 20
    return Faces(
        (boxes + jitter[:, :4]).astype(np.float32),
        keypoints=Landmarks((points + jitter[:, 4:].reshape(2, 5, 2)).astype(np.float32), "5"),
    )


def test_jitter_goes_and_movement_stays():
    rng, steady = np.random.default_rng(0), SteadyFaces()
    tracks = np.asarray([3, 0])
    before, after = [], []
    for n in range(150):
        seen = faces(100.0, rng.normal(0, 1, (2, 14)))
        held = steady(seen, tracks, n / 25)
        assert np.array_equal(held.boxes[1], seen.boxes[1]), "a face without a track is left alone"
        before.append(np.concatenate([seen.boxes[0], seen.keypoints.points[0].ravel()]))
        after.append(np.concatenate([held.boxes[0], held.keypoints.points[0].ravel()]))
    assert np.std(after[20:], axis=0).max() < 0.7 * np.std(before[20:], axis=0).min()
    still = np.zeros((2, 14))
    moved = [steady(faces(100.0 + 4 * n, still), tracks, 6 + n / 25) for n in range(1, 51)]
    assert abs(float(moved[-1].boxes[0, 0]) - (100 + 4 * 50)) < 6, "at 100 pixels a second"


def test_a_cut_and_an_absence_begin_anew():
    still, tracks = np.zeros((2, 14)), np.asarray([3, 7])
    for cut, pause in ((True, 0.04), (False, 2.0)):
        steady = SteadyFaces()
        for n in range(10):
            steady(faces(100.0, still), tracks, n / 25)
        held = steady(faces(300.0, still), tracks, 9 / 25 + pause, cut=cut)
        assert float(held.boxes[0, 0]) == 300.0


def test_what_is_remembered_is_who_is_about():
    steady, still = SteadyFaces(), np.zeros((2, 14))
    for n in range(500):
        steady(faces(100.0, still), np.asarray([2 * n + 1, 2 * n + 2]), n / 25)
    assert len(steady._filters) <= 2 * 2 * 27
    nobody = Faces(np.empty((0, 4), np.float32))
    assert len(steady(nobody, np.empty(0, np.int64), 30.0)) == 0
