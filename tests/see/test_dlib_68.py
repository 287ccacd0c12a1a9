"""Our evaluation of dlib's landmark models beside dlib's own."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from core.dlib_files import random_trees, write
from lineament.core.faces import Faces
from lineament.core.geometry import transform_points
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.weights import fetch
from lineament.see.landmarks.dlib_68 import (
    BOX_POINTS,
    CARD,
    Dlib68,
    box_frames,
    face_frames,
    place,
)

dlib = pytest.importorskip(
    "dlib", reason=f"dlib-bin has no build for {platform.machine()}", exc_type=ImportError
)

ROUNDED = 0.5 + 1e-3
"""dlib gives whole pixels."""


@pytest.fixture(scope="module")
def model():
    """The real model, read once. Tests are research: terms are accepted for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
        yield Dlib68(threads=1)


def rectangles(rng, count, side):
    """Boxes, some of which reach beyond the picture."""
    corners = rng.integers(-side // 4, side // 2, (count, 2))
    return np.concatenate([corners, corners + rng.integers(side // 4, side, (count, 1))], axis=1)


def by_dlib(predictor, image, boxes):
    shapes = [predictor(image.pixels, dlib.rectangle(*map(int, box))) for box in boxes]
    return np.asarray([[(p.x, p.y) for p in shape.parts()] for shape in shapes], float)


@pytest.mark.parametrize("seed", range(6))
def test_models_made_here_give_what_dlib_gives(seed, tmp_path):
    trees = random_trees(seed, points=9, stages=4, trees=20, depth=3)
    path = tmp_path / "model.dat"
    path.write_bytes(write(trees))
    rng = np.random.default_rng(seed)
    image = Image(rng.integers(0, 256, (700, 900, 3), np.uint8))
    boxes = rectangles(rng, 12, 800)
    expected = by_dlib(dlib.shape_predictor(str(path)), image, boxes)
    found = place(trees, [image], [box_frames(boxes.astype(float))])
    assert np.abs(found - expected).max() <= ROUNDED
    moved = found - place(trees, [Image(255 - image.pixels)], [box_frames(boxes.astype(float))])
    assert np.abs(moved).max() > 10  # what the pixels are does matter


def test_the_real_model_gives_what_dlib_gives(model, read):
    predictor = dlib.shape_predictor(str(fetch_accepted()))
    for number, image in enumerate(read("landmarks106", 6)):
        # Enlarged, dlib's rounding to whole pixels is a finer measure of the face.
        large = Image(np.ascontiguousarray(image.pixels.repeat(4, axis=0).repeat(4, axis=1)))
        boxes = rectangles(np.random.default_rng(number), 4, min(large.height, large.width))
        found = place(model.trees, [large], [box_frames(boxes.astype(float))])
        assert np.abs(found - by_dlib(predictor, large, boxes)).max() <= ROUNDED


def fetch_accepted():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
        return fetch(CARD.weights[0])


def test_frames_lie_where_keypoints_say():
    rng = np.random.default_rng(0)
    matrix = np.asarray([[30, -40, 100], [40, 30, 50]], np.float64)  # turned, and 50 times as large
    five = transform_points(matrix, BOX_POINTS)[None]
    assert np.allclose(face_frames(five, BOX_POINTS)[0], matrix, atol=1e-3)
    boxes = rng.random((3, 4))
    frames = box_frames(boxes)
    assert np.allclose(frames[:, :, 2], boxes[:, :2])
    assert np.allclose(frames.sum(axis=2), boxes[:, 2:])


def test_faces_of_several_pictures_come_back_in_order(model, read):
    images = read("landmarks106", 3)
    five = [
        transform_points(np.asarray([[s, 0, s], [0, s, s]], float), BOX_POINTS) for s in (80, 120)
    ]
    two = Landmarks(np.stack(five), "5")
    found = [
        Faces(np.zeros((len(rows), 4), np.float32), keypoints=two[rows])
        for rows in (np.asarray([0]), np.asarray([], int), np.asarray([1, 0]))
    ]
    answers = [fields["landmarks"] for fields in model(images, found)]
    assert [len(answer) for answer in answers] == [1, 0, 2]
    assert all(answer.scheme == "68" for answer in answers)
    alone = model([images[2]], [found[2][:1]])[0]["landmarks"]
    assert np.array_equal(answers[2].points[0], alone.points[0])
    assert model([], []) == []
    many = Faces(np.zeros((40, 4), np.float32), keypoints=two[np.arange(40) % 2])
    crowd = model([images[2]], [many])[0]["landmarks"].points
    assert np.array_equal(crowd, crowd[np.arange(40) % 2])
    assert np.array_equal(crowd[:2], answers[2].points[::-1])
    assert model.seconds > 0
