"""Five points found beside five points annotated, on points made here."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from lineament.bench.landmarks import both_ways, bounds, errors_of, find, five_points, mean_face
from lineament.core.errors import BadInput
from lineament.core.faces import Faces
from lineament.core.landmarks import Landmarks
from lineament.measure.sets.nouns import PointedFaces


class Fixed:
    """A detector that has its answers ready."""

    seconds = 0.0

    def __init__(self, answers):
        self.answers = iter(answers)

    def __call__(self, images):
        return [next(self.answers) for _ in images]


def faces_at(*boxes):
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    points = np.repeat(array[:, None, :2], 5, axis=1)
    return Faces(array, keypoints=Landmarks(points, "5"))


@pytest.mark.parametrize(
    ("scheme", "count", "expected"),
    [("68", 68, [38.5, 44.5, 30, 48, 54]), ("106", 106, [53.5, 63.5, 74, 86, 90])],
)
def test_points_are_reduced_to_five(scheme, count, expected):
    points = np.repeat(np.arange(count, dtype=np.float32)[None, :, None], 2, axis=2)
    assert five_points(PointedFaces((), points, scheme))[0, :, 0].tolist() == expected
    with pytest.raises(BadInput, match="wflw98"):
        five_points(PointedFaces((), points, "wflw98"))


def test_the_face_counts_that_overlaps_best(tmp_path):
    path = tmp_path / "a.png"
    Pillow.new("RGB", (64, 64)).save(path)
    corners = np.zeros((1, 68, 2), np.float32)
    corners[0, :2] = (10, 10), (30, 30)
    corners[0, 2:] = 20
    faces = PointedFaces((path,) * 4, np.repeat(corners, 4, axis=0), "68")
    answers = [
        faces_at((0, 0, 60, 60), (11, 11, 31, 31), (40, 40, 60, 60)),
        faces_at(),
        faces_at((40, 40, 60, 60)),
        faces_at((10, 10, 30, 30)),
    ]
    here = find(Fixed(answers), faces)
    assert bounds(faces.points)[0].tolist() == [10, 10, 30, 30]
    assert here.found.tolist() == [True, False, False, True]
    assert here.boxes.tolist() == [[11, 11, 31, 31], [10, 10, 30, 30]]
    assert here.points[0, 0].tolist() == [11, 11]
    with pytest.raises(BadInput, match="none"):
        find(Fixed([faces_at()] * 4), faces)


@pytest.mark.parametrize("seed", range(20))
def test_a_mean_face_is_exact_where_all_faces_lie_alike_in_their_boxes(seed):
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 50, (8, 2)), rng.uniform(5, 50, (8, 2))
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    shares = rng.random((5, 2))
    truth = (corner[:, None] + shares * size[:, None]).astype(np.float32)
    assert np.allclose(mean_face(boxes[:3], truth[:3], boxes), truth, atol=1e-3)
    placed = both_ways(boxes, truth)
    assert np.allclose(placed, truth, atol=1e-3)
    truth[2] += 10  # a face of the even half moves the mean of the odd half only
    moved = both_ways(boxes, truth) != placed
    assert moved.any(axis=(1, 2)).tolist() == [False, True] * 4


def test_a_face_not_found_has_an_infinite_error():
    truth = np.zeros((3, 5, 2), np.float32)
    here = find_nothing_of_the_second()
    errors = errors_of(here, np.full((2, 5, 2), (3.0, 4.0)), truth, np.asarray([5.0, 1.0, 10.0]))
    assert errors.tolist() == [1.0, np.inf, 0.5]


def find_nothing_of_the_second():
    from lineament.bench.landmarks import FoundFaces

    empty = np.zeros((2, 5, 2), np.float32)
    return FoundFaces(np.asarray([True, False, True]), empty, np.zeros((2, 4), np.float32))
