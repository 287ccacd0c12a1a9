"""A structure of arrays: one row a face, and absent is not empty."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from lineament.core.embeddings import Embeddings
from lineament.core.errors import FieldAbsent, LineamentError
from lineament.core.faces import Face, Faces
from lineament.core.landmarks import Landmarks


@pytest.fixture
def faces() -> Faces:
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    return Faces(
        boxes,
        scores=np.asarray([0.9, 0.8, 0.7], np.float32),
        keypoints=Landmarks(np.arange(30, dtype=np.float32).reshape(3, 5, 2), "5"),
        embeddings=Embeddings(np.eye(3, 8, dtype=np.float32), "toy"),
    )


def test_every_field_has_a_row_a_face(faces):
    assert len(faces) == 3
    assert faces.fields == {"boxes", "scores", "keypoints", "embeddings"}
    with pytest.raises(ValueError, match="2 rows of 'scores' for 3 faces"):
        faces.with_fields(scores=np.zeros(2, np.float32))


@pytest.mark.parametrize(
    "rows",
    [slice(1, 3), np.asarray([False, True, True]), np.asarray([1, 2])],
    ids=["slice", "mask", "indices"],
)
def test_all_fields_are_taken_together(faces, rows):
    taken = faces[rows]
    np.testing.assert_array_equal(taken.boxes, faces.boxes[1:])
    np.testing.assert_array_equal(taken.scores, faces.scores[1:])
    np.testing.assert_array_equal(taken.keypoints.points, faces.keypoints.points[1:])
    np.testing.assert_array_equal(taken.embeddings.vectors, faces.embeddings.vectors[1:])


@pytest.mark.parametrize("row", [1, -2, np.int64(1)])
def test_a_face_is_a_view_of_a_row(faces, row):
    face = faces[row]
    assert isinstance(face, Face)
    assert face.row == 1
    assert face.box.tolist() == [4, 5, 6, 7]
    assert face.score == pytest.approx(0.8)
    assert face.points.tolist() == faces.keypoints.points[1].tolist()
    assert face.embeddings.vectors.tolist() == faces.embeddings.vectors[1:2].tolist()
    face.box[0] = -1
    assert faces.boxes[1, 0] == -1


@pytest.mark.parametrize("row", [3, -4])
def test_there_is_no_face_beyond_the_last(faces, row):
    with pytest.raises(IndexError):
        faces[row]


def test_iterating_gives_each_face_once(faces):
    assert [face.row for face in faces] == [0, 1, 2]


def test_an_absent_field_says_what_computes_it():
    faces = Faces(np.zeros((1, 4), np.float32))
    with pytest.raises(FieldAbsent, match=r"'quality'.*Analyzer\(want=\{'quality'\}\)"):
        _ = faces.quality
    with pytest.raises(FieldAbsent, match="'embedings'; known fields are .*keypoints"):
        _ = faces[0].embedings
    assert issubclass(FieldAbsent, LineamentError)
    assert not hasattr(faces, "quality")


def test_empty_is_not_absent():
    nobody = Faces.none()
    assert len(nobody) == 0
    assert nobody.scores.shape == (0,)
    assert nobody.keypoints.points.shape == (0, 5, 2)
    with pytest.raises(FieldAbsent):
        _ = nobody.embeddings


def test_with_fields_leaves_the_original_alone(faces):
    more = faces.with_fields(quality=np.ones(3, np.float32), scores=np.zeros(3, np.float32))
    assert more.fields - faces.fields == {"quality"}
    assert faces.scores[0] == np.float32(0.9)


def test_faces_can_be_copied_across_processes(faces):
    again = copy.deepcopy(faces)
    again.boxes[:] = 0
    assert faces.boxes[2, 3] == 11
    assert again.fields == faces.fields


def test_the_text_names_the_fields(faces):
    assert repr(faces) == "Faces(3; boxes, embeddings, keypoints, scores)"
    assert repr(faces[0]) == "Face(0, 1, 2, 3)"
