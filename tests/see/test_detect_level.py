"""Second looks: the points of small and of tilted faces against people's annotations."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.see.detect.grid import resize
from lineament.see.detect.level import level, tilt
from lineament.see.upright import Search

EYES_NOSE_MOUTH = [60, 70, 74, 86, 90]
"""Which of the 106 annotated points come closest to the five."""
ANGLES = [-40, -20, 20, 40]


def rotated(image: Image, degrees: float) -> Image:
    """Turned counter-clockwise about its middle, corners grey."""
    picture = Pillow.fromarray(image.pixels)
    turned = picture.rotate(degrees, Pillow.Resampling.BICUBIC, fillcolor=(127, 127, 127))
    return Image(np.asarray(turned))


def rotation(degrees: float) -> np.ndarray:
    """Matrix that turns (x, y) as `rotated` turns a picture: y points down."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray([[cosine, sine], [-sine, cosine]])


@pytest.mark.parametrize("degrees", [-170, -90, -15, 0, 30, 90, 150])
def test_tilt_is_the_angle_that_a_level_face_was_turned_by(degrees):
    level_face = np.asarray([[-2, -2], [2, -2], [0, 0], [-1, 2], [1, 2]], np.float64)
    turned = level_face @ rotation(degrees).T
    assert tilt(turned) == pytest.approx(np.radians(-degrees))


@pytest.fixture(scope="module")
def annotated(shared_data) -> list[tuple[Image, np.ndarray]]:
    """Forty pictures at a quarter of their size, with five points each: faces of 40 pixels."""
    folder = shared_data / "landmarks106"
    paths = {path.name: path for path in folder.rglob("*.jpg")}
    with np.load(folder / "landmarks.npz") as table:
        rows = [row for row in zip(table["names"], table["pts"], strict=True) if row[0] in paths]
    pairs = []
    for name, points in rows[:: len(rows) // 40][:40]:
        image = read_image(paths[name])
        pairs.append((resize(image, 0.25), points[EYES_NOSE_MOUTH] / 4))
    assert len(pairs) == 40
    return pairs


def errors(points: list[np.ndarray], truth: list[np.ndarray]) -> np.ndarray:
    """Mean distance of the five points over the distance between the eyes, after taking off what
    is the same in all pictures: conventions differ."""
    shifts = np.asarray(
        [(p - t) / np.linalg.norm(t[0] - t[1]) for p, t in zip(points, truth, strict=True)]
    )
    shifts -= np.median(shifts, axis=0)
    return np.linalg.norm(shifts, axis=2).mean(axis=1)


@pytest.mark.parametrize("slug", ["yunet", "scrfd-500m", "centerface"])
def test_points_come_closer_to_annotations(slug, detectors, annotated):
    detector = detectors[slug]
    first, second, truth = [], [], []
    for image, points in annotated:
        faces = detector([image])[0][:1]
        if len(faces):
            first.append(faces.keypoints.points[0])
            second.append(level(detector, image, faces).keypoints.points[0])
            truth.append(points)
    assert len(truth) >= 38
    assert errors(second, truth).mean() < errors(first, truth).mean()
    if slug == "yunet":
        assert errors(second, truth).mean() < 0.7 * errors(first, truth).mean()


def test_points_follow_a_tilted_head(detectors, read):
    yunet = detectors["yunet"]
    plain, levelled = [], []
    for image in read("lfw/images", 12):
        upright = tilt(level(yunet, image, yunet([image])[0][:1]).keypoints.points[0])
        for degrees in ANGLES:
            turned = rotated(image, degrees)
            faces = yunet([turned])[0][:1]
            if not len(faces):
                continue
            expected = upright - np.radians(degrees)
            plain.append(abs(tilt(faces.keypoints.points[0]) - expected))
            points = level(yunet, turned, faces).keypoints.points[0]
            levelled.append(abs(tilt(points) - expected))
    assert len(levelled) >= 44
    assert np.degrees(np.median(plain)) > 12
    assert np.degrees(np.median(levelled)) < 4


def test_boxes_scores_and_order_stay(detectors, read):
    yunet = detectors["yunet"]
    for image in read("facemask853/images", 5):
        faces = yunet([image])[0]
        again = level(yunet, image, faces)
        np.testing.assert_array_equal(again.boxes, faces.boxes)
        np.testing.assert_array_equal(again.scores, faces.scores)


def test_a_face_that_is_not_found_again_keeps_its_points(detectors):
    points = np.arange(20, dtype=np.float32).reshape(2, 5, 2)
    boxes = np.asarray([[10, 10, 40, 50], [30, 30, 30, 30]], np.float32)
    faces = Faces(boxes, scores=np.ones(2, np.float32), keypoints=Landmarks(points, "5"))
    blank = Image(np.full((60, 80, 3), 128, np.uint8))
    again = level(detectors["yunet"], blank, faces)
    np.testing.assert_array_equal(again.keypoints.points, points)


def test_nobody_stays_nobody(detectors):
    blank = Image(np.full((60, 80, 3), 128, np.uint8))
    assert len(level(detectors["yunet"], blank, Faces.none())) == 0


@pytest.mark.parametrize("degrees", [-45, 45])
def test_half_way_between_two_quarter_turns_few_faces_are_seen_upside_down(
    degrees, detectors, shared_data
):
    """Upside down its eyes lie at its mouth: the points are off by more than the eyes' distance.
    Without trying the other ways up it is one face in five."""
    search = Search(detectors["yunet"])
    lost = 0
    for path in sorted((shared_data / "landmarks106").glob("*.jpg"))[::12]:
        image = resize(read_image(path), 0.5)
        straight, tilted = search([image, rotated(image, degrees)])
        middle = (np.asarray([image.width, image.height]) - 1) / 2
        expected = (straight[0].points - middle) @ rotation(degrees).T + middle
        eyes = np.linalg.norm(expected[0] - expected[1])
        away = [np.linalg.norm(face.points - expected, axis=1).mean() for face in tilted]
        lost += not away or away[0] > eyes
    assert lost <= 5  # of 42
