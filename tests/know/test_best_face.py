"""The face that stands for a person is sure, and far from what cannot be recognised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineament.core.embeddings import encode
from lineament.know.best_face import worth
from lineament.know.gallery import FaceRecord, Gallery, PhotoRecord
from lineament.know.unrecognisable import centre_of

SPACE = "sface@0ba9fbfa"


def worths(folder: Path, space: str, vectors: np.ndarray, scores: list[float]) -> list[float]:
    """Of faces with these embeddings and scores, and qualities of 0.3, 0.4, ..."""
    faces = [
        FaceRecord(
            box=np.asarray([10, 20, 60, 80], np.float32),
            score=score,
            landmarks=np.zeros((5, 2), np.float32),
            quality=0.3 + row / 10,
            code=encode((vectors[row : row + 1] / np.linalg.norm(vectors[row])).astype(np.float32))[
                0
            ],
            crop=b"",
        )
        for row, score in enumerate(scores)
    ]
    with Gallery.open(folder / "g", space=space, dimension=vectors.shape[1]) as gallery:
        gallery.add_photo(PhotoRecord("a" * 64, "/p/a", 10, 1, 640, 480), faces)
        gallery.set_people(gallery.codes().ids, np.zeros(len(faces), np.int64))
        better = worth(gallery)
        (person,) = gallery.people()
        return [better(face) for face in sorted(person.faces, key=lambda face: face.id)]


def test_a_face_near_the_unrecognisable_ones_is_worth_little(tmp_path):
    centre = centre_of(SPACE).vector
    across = np.roll(centre, 1) - centre * (np.roll(centre, 1) @ centre)
    vectors = np.stack([centre, centre + across, across, across])
    near, between, far, unsure = worths(tmp_path, SPACE, vectors, [0.9, 0.9, 0.9, 0.45])
    assert near < 0.05
    assert near < between < far <= 0.9
    assert unsure == pytest.approx(far / 2)


def test_without_a_centre_quality_decides(tmp_path):
    assert worths(tmp_path, "toy", np.eye(3, 8), [0.9, 0.8, 0.7]) == pytest.approx([0.3, 0.4, 0.5])
