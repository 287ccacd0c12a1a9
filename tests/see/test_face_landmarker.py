"""The face landmarker: what MediaPipe itself gave on the album, and what must hold of any face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineament.core.errors import WeightError
from lineament.core.faces import Faces
from lineament.core.geometry import rotate_points_quarter, transform_points
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.core.protocols import Describer
from lineament.see.detect.yunet import YuNet
from lineament.see.landmarks import face_landmarker
from lineament.see.landmarks.face_landmarker import BLENDSHAPES, FaceLandmarker, face_squares
from lineament.see.square import cut_squares, square_transforms

IRISES = (468, 473)


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker(threads=1)


class Reference:
    """One face as MediaPipe 1.2.2 saw it; see tools/mediapipe_reference.py."""

    def __init__(self, album: Path, name: str, square: np.ndarray, points: np.ndarray) -> None:
        self.image = read_image(album / name)
        centre, sides, angle = square[None, :2], square[2:4], square[4:]
        self.transform = square_transforms(centre, sides.mean(keepdims=True), angle, 256)
        self.points = points.astype(np.float32) / 32
        self.eyes = float(np.hypot(*(self.points[IRISES[0]] - self.points[IRISES[1]])))


@pytest.fixture(scope="module")
def references(album: Path) -> list[Reference]:
    with np.load(Path(__file__).parent / "data" / "mediapipe_album.npz") as data:
        rows = zip(data["names"], data["squares"], data["points"], strict=True)
        return [Reference(album, str(name), square, points) for name, square, points in rows]


@pytest.fixture(scope="module")
def scores() -> np.ndarray:
    with np.load(Path(__file__).parent / "data" / "mediapipe_album.npz") as data:
        return data["scores"].astype(np.float32)


@pytest.fixture(scope="module")
def portrait(album: Path) -> tuple[Image, Faces]:
    image = read_image(album / "IMG_0001.jpg")
    return image, YuNet(threads=1)([image])[0][:1]


def test_as_mediapipe_from_the_same_square(
    landmarker: FaceLandmarker, references: list[Reference], scores: np.ndarray
) -> None:
    means = []
    for reference, expected in zip(references, scores, strict=True):
        crops = cut_squares(reference.image, reference.transform, 256, "mesh256")
        points, presence = landmarker.look(crops)
        errors = np.linalg.norm(points[0, :, :2] - reference.points, axis=1)
        assert errors.mean() < 0.5
        assert errors.max() < 3
        assert presence[0] > 0.5
        means.append(errors.mean())
        found = landmarker.blendshapes(Landmarks(points[..., :2].copy(), "478"))
        # A tilt is taken out here and left in there.
        assert np.abs(found.values[0] - expected).mean() < 0.02
    assert np.mean(means) < 0.2


def test_as_mediapipe_from_our_own_keypoints(
    landmarker: FaceLandmarker, references: list[Reference], scores: np.ndarray
) -> None:
    """Another first square and a second look: other points, by little."""
    detector = YuNet(threads=1)
    for reference, expected in zip(references, scores, strict=True):
        found = detector([reference.image])
        (fields,) = landmarker([reference.image], found)
        errors = np.linalg.norm(fields["landmarks"].points - reference.points, axis=2).mean(axis=1)
        face = int(errors.argmin())
        assert errors[face] < 0.04 * reference.eyes
        assert np.abs(fields["blendshapes"].values[face] - expected).mean() < 0.06


def test_keeps_the_protocol(landmarker: FaceLandmarker, portrait: tuple[Image, Faces]) -> None:
    assert isinstance(landmarker, Describer)
    image, faces = portrait
    none = Faces.none()
    first, empty, pair = landmarker([image, image, image], [faces, none, faces[np.array([0, 0])]])
    assert set(first) == set(landmarker.card.gives)
    assert empty["landmarks"].points.shape == (0, 478, 2)
    assert empty["blendshapes"].values.shape == (0, 52)
    for row in (0, 1):
        np.testing.assert_allclose(
            pair["landmarks"].points[row], first["landmarks"].points[0], atol=1e-2
        )
    assert first["blendshapes"].names == BLENDSHAPES
    assert landmarker.seconds > 0
    assert landmarker([], []) == []
    assert len(landmarker([image], [none])[0]["landmarks"]) == 0


def test_a_turned_picture_gives_turned_points(
    landmarker: FaceLandmarker, portrait: tuple[Image, Faces]
) -> None:
    image, faces = portrait
    (level,) = landmarker([image], [faces])
    points = level["landmarks"].points
    eyes = np.hypot(*(points[0, IRISES[0]] - points[0, IRISES[1]]))
    for quarters in (1, 2, 3):
        turned = Image(np.ascontiguousarray(np.rot90(image.pixels, quarters)))
        keypoints = rotate_points_quarter(
            faces.keypoints.points, -quarters, turned.width, turned.height
        )
        (fields,) = landmarker([turned], [Faces(faces.boxes, keypoints=Landmarks(keypoints, "5"))])
        back = rotate_points_quarter(
            fields["landmarks"].points, quarters, image.width, image.height
        )
        # Points at halves of pixels differ, since squares are cut between pixels.
        assert np.linalg.norm(back - points, axis=2).mean() < 0.02 * eyes
        assert np.abs(fields["blendshapes"].values - level["blendshapes"].values).mean() < 0.03


def test_the_irises_lie_at_the_eyes(
    landmarker: FaceLandmarker, portrait: tuple[Image, Faces]
) -> None:
    """Points 468 and 473 are the right and the left iris: the order of scheme "5"."""
    image, faces = portrait
    (fields,) = landmarker([image], [faces])
    irises = fields["landmarks"].points[0, IRISES]
    eyes = faces.keypoints.points[0, :2]
    assert np.linalg.norm(irises - eyes, axis=1).max() < 0.12 * np.hypot(*(eyes[0] - eyes[1]))


def test_a_poor_first_square_is_made_good(
    landmarker: FaceLandmarker, portrait: tuple[Image, Faces]
) -> None:
    """Keypoints that are off by a tenth of the eyes' distance move the answer by far less."""
    image, faces = portrait
    (expected,) = landmarker([image], [faces])
    points = faces.keypoints.points
    eyes = np.hypot(*(points[0, 0] - points[0, 1]))
    noise = np.random.default_rng(0).normal(0, 0.1 * eyes, points.shape)
    moved = Faces(faces.boxes, keypoints=Landmarks((points + noise).astype(np.float32), "5"))
    (fields,) = landmarker([image], [moved])
    errors = np.linalg.norm(fields["landmarks"].points - expected["landmarks"].points, axis=2)
    assert errors.mean() < 0.02 * eyes


def box_of_points(angle: float) -> np.ndarray:
    """478 points in a box of 20 x 40 around (20, 40), the eyes' corners level; then turned."""
    points = np.tile(np.array([20.0, 40.0]), (478, 1))
    points[0], points[1] = (10, 20), (30, 60)
    points[33], points[263] = (12, 35), (28, 35)
    cos, sin = np.cos(angle), np.sin(angle)
    return (points @ np.array([[cos, sin], [-sin, cos]]))[None].astype(np.float32)


@pytest.mark.parametrize("angle", [0.0, 0.5, -1.2, 3.0])
def test_the_square_of_a_face_by_hand(angle: float) -> None:
    """1.5 times the longer side, 40, is 60; the box's corners lie 2/3 of half a crop from 128."""
    points = box_of_points(angle)
    (matrix,) = face_squares(points)
    moved = transform_points(matrix, points[0])
    expected = [[128 - 128 / 3, 128 - 256 / 3], [128 + 128 / 3, 128 + 256 / 3]]
    np.testing.assert_allclose(moved[:2], expected, atol=1e-3)
    assert moved[33, 1] == pytest.approx(moved[263, 1], abs=1e-3)


def test_blendshapes_know_no_place_size_or_tilt(
    landmarker: FaceLandmarker, portrait: tuple[Image, Faces]
) -> None:
    image, faces = portrait
    (fields,) = landmarker([image], [faces])
    cos, sin = 2 * np.cos(0.7), 2 * np.sin(0.7)
    turned = fields["landmarks"].points @ np.array([[cos, sin], [-sin, cos]]) + (300, 40)
    scores = landmarker.blendshapes(Landmarks(turned.astype(np.float32), "478"))
    np.testing.assert_allclose(scores.values, fields["blendshapes"].values, atol=2e-3)


def test_an_archive_without_the_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(WeightError, match="holds no"):
        face_landmarker._translated(path, "face_blendshapes.tflite")
