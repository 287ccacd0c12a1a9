"""106 points of the network, in the order of the set that names them."""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime
import pytest

from lineament.core.crops import ARCFACE_112
from lineament.core.faces import Faces
from lineament.core.landmarks import Landmarks
from lineament.core.markups import points_106_to_5
from lineament.core.media import read_image
from lineament.core.weights import fetch
from lineament.measure.points import inter_pupil
from lineament.measure.sets.landmarks106 import read_landmarks106
from lineament.see.batch import align_all
from lineament.see.landmarks.landmarks_106 import CARD, ORDER, SQUARE_192, Landmarks106


@pytest.fixture(scope="module")
def method():
    """Opened once. Tests are research: terms are accepted for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
        yield Landmarks106(threads=1)


@pytest.fixture(scope="module")
def annotated(shared_data):
    """Pictures, and their faces with keypoints as annotated."""
    faces = read_landmarks106(shared_data / "landmarks106")
    rows = range(0, len(faces.paths), 40)
    images = [read_image(faces.paths[row]) for row in rows]
    return images, faces.points[list(rows)]


def found_of(points):
    five = points_106_to_5(points)
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    return [Faces(boxes[[k]], keypoints=Landmarks(five[[k]], "5")) for k in range(len(points))]


def test_the_order_is_one_to_one():
    assert sorted(ORDER) == list(range(106))


def test_every_point_lands_near_the_one_annotated_under_its_number(method, annotated):
    images, truth = annotated
    found = np.concatenate([f["landmarks"].points for f in method(images, found_of(truth))])
    length = inter_pupil(points_106_to_5(truth))
    off = np.linalg.norm(found - truth, axis=2) / length[:, None]
    assert off.mean() < 0.09
    assert off.mean(axis=0).max() < 0.3  # the ends of the contour; a swapped pair is farther off
    inner = np.linalg.norm(found[:, 33:, None] - truth[:, None, 33:], axis=3).mean(axis=0)
    assert (inner.diagonal() - inner.min(axis=1) < 0.1 * length.mean()).all()


def test_crop_and_answer_are_those_of_a_plain_run_of_the_network(method, annotated):
    """The network as published, one crop at a time, cut by OpenCV."""
    images, truth = annotated
    crops = align_all(images, found_of(truth), SQUARE_192)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
        plain = onnxruntime.InferenceSession(str(fetch(CARD.weights[0])))
    answers = method(images, found_of(truth))
    for image, matrix, fields in zip(images, crops.transforms, answers, strict=True):
        cut = cv2.warpAffine(image.pixels, matrix, (192, 192))
        (raw,) = plain.run(None, {"data": cut.transpose(2, 0, 1)[None].astype(np.float32)})
        inside = (np.asarray(raw).reshape(106, 2) + 1) * 96
        expected = cv2.transform(inside[None], cv2.invertAffineTransform(matrix))[0]
        assert np.abs(fields["landmarks"].points[0] - expected[list(ORDER)]).max() < 0.5


def test_pictures_without_faces_have_empty_answers(method, annotated):
    images, truth = annotated
    found = found_of(truth)
    answers = method(images[:3], [found[0], found[1][:0], found[2]])
    assert [len(fields["landmarks"]) for fields in answers] == [1, 0, 1]
    assert [fields["landmarks"].scheme for fields in answers] == ["106"] * 3
    alone = method(images[2:3], found[2:3])[0]["landmarks"].points
    assert np.allclose(answers[2]["landmarks"].points, alone, atol=1e-3)
    assert len(method(images[:1], [found[0][:0]])[0]["landmarks"]) == 0
    assert method([], []) == []


def test_other_crops_are_refused(method, annotated):
    images, truth = annotated
    with pytest.raises(ValueError, match="square192"):
        method.look(align_all(images[:1], found_of(truth)[:1], ARCFACE_112))
