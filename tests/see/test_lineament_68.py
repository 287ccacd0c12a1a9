"""Our own 68 points, on faces of nobody that it did not learn from."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.core.media import read_image
from lineament.core.protocols import Describer
from lineament.measure.points import inter_pupil, point_errors
from lineament.see.detect.yunet import YuNet
from lineament.see.landmarks.face_landmarker import FaceLandmarker
from lineament.see.landmarks.lineament_68 import Lineament68


@pytest.fixture(scope="module")
def method() -> Lineament68:
    return Lineament68(threads=1)


@pytest.fixture(scope="module")
def pictures(album) -> list[Image]:
    return [read_image(path) for path in sorted(album.glob("*.jpg"))[:10]]


@pytest.fixture(scope="module")
def found(pictures) -> list[Faces]:
    faces = YuNet()(pictures)
    assert sum(map(len, faces)) >= 8
    return faces


def test_it_agrees_with_its_teacher(method, pictures, found):
    assert isinstance(method, Describer)
    teacher = FaceLandmarker(threads=1)(pictures, found)
    theirs = np.concatenate([convert(f["landmarks"], "68").points for f in teacher])
    ours = np.concatenate([f["landmarks"].points for f in method(pictures, found)])
    errors = point_errors(ours, theirs, inter_pupil(theirs))
    assert np.median(errors) < 0.05
    assert method.seconds > 0


def test_a_mirrored_picture_has_mirrored_points(method, pictures, found):
    image, faces = pictures[0], found[0]
    flip = np.asarray([-1, 1], np.float32)
    shift = np.asarray([image.width - 1, 0], np.float32)
    five = (faces.keypoints.points * flip + shift)[:, [1, 0, 2, 4, 3]]
    mirrored = Faces(faces.boxes, keypoints=Landmarks(np.ascontiguousarray(five), "5"))
    picture = Image(np.ascontiguousarray(image.pixels[:, ::-1]))
    ours = convert(method([image], [faces])[0]["landmarks"], "5").points
    theirs = convert(method([picture], [mirrored])[0]["landmarks"], "5").points
    eyes = np.linalg.norm(ours[:, 1] - ours[:, 0], axis=1).max()
    back = (theirs * flip + shift)[:, [1, 0, 2, 4, 3]]
    assert np.abs(back - ours).max() < 0.02 * eyes


def test_faces_alone_and_together_and_nobody(method, pictures, found):
    nobody = Faces.none()
    together = method([pictures[0], pictures[1], pictures[2]], [found[0], nobody, found[2]])
    assert len(together[1]["landmarks"]) == 0
    alone = method([pictures[2]], [found[2]])[0]["landmarks"]
    np.testing.assert_allclose(together[2]["landmarks"].points, alone.points, atol=0.05)
    assert method([], []) == []
    assert len(method([pictures[1]], [nobody])[0]["landmarks"]) == 0
