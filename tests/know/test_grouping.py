"""Grouping a gallery: decisions hold, names stay, new photos find their people."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pytest

from lineament.core.embeddings import encode
from lineament.core.verdict import Calibration
from lineament.know import grouping
from lineament.know.gallery import FaceRecord, Gallery, PhotoRecord

SPACE, DIMENSION = "test@0", 128


@pytest.fixture(autouse=True)
def _calibration(monkeypatch):
    """Strangers of this made-up space: pairs of random directions."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((1000, DIMENSION))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = (vectors @ vectors.T)[np.triu_indices(1000, 1)]
    ladder = Calibration.from_scores(SPACE, "random directions", scores)
    monkeypatch.setattr(grouping, "calibration_of", lambda space: ladder)


def face(person: int, shot: int, noise: float = 0.8) -> FaceRecord:
    """A picture of a person: cosine about 0.6 to any other of them."""
    rng = np.random.default_rng((person, shot))
    centre = np.random.default_rng(person).standard_normal(DIMENSION)
    vector = centre / np.linalg.norm(centre)
    vector = vector + noise * rng.standard_normal(DIMENSION) / DIMENSION**0.5
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return FaceRecord(
        np.zeros(4, np.float32),
        0.9,
        np.zeros((5, 2), np.float32),
        0.5,
        encode(unit[None])[0],
        b"crop",
    )


def add(gallery: Gallery, name: str, *faces: FaceRecord) -> None:
    digest = hashlib.sha256(name.encode()).hexdigest()
    gallery.add_photo(PhotoRecord(digest, f"/p/{name}", 1, 1, 10, 10), faces)


def groups(gallery: Gallery) -> set[frozenset[str]]:
    return {frozenset(f.photo for f in person.faces) for person in gallery.people()}


@pytest.fixture
def gallery(tmp_path):
    with Gallery.open(tmp_path / "g", space=SPACE, dimension=DIMENSION) as made:
        for person in range(1, 6):
            for shot in range(4):
                add(made, f"{person}-{shot}", face(person, shot))
        grouping.regroup(made)
        yield made


def expected(person: int, shots: Iterable[int] = range(4)) -> frozenset[str]:
    return frozenset(f"/p/{person}-{shot}" for shot in shots)


def test_people_are_found(gallery):
    assert groups(gallery) == {expected(person) for person in range(1, 6)}


def test_new_photos_join_their_people(gallery):
    ids = {person.id for person in gallery.people()}
    add(gallery, "1-9", face(1, 9))
    add(gallery, "7-0", face(7, 0))
    grouping.regroup(gallery)
    assert expected(1, (0, 1, 2, 3, 9)) in groups(gallery)
    assert expected(7, (0,)) in groups(gallery)
    assert ids < {person.id for person in gallery.people()}


@pytest.mark.parametrize("anew", [False, True])
def test_two_faces_of_a_photo_are_two_people(gallery, anew):
    add(gallery, "twins", face(1, 20), face(1, 21))
    grouping.regroup(gallery, anew=anew)
    together = [p for p in gallery.people() if [f.photo for f in p.faces].count("/p/twins") > 1]
    assert together == []


def test_decisions_survive_regrouping(gallery):
    by_photo = {p.faces[0].photo[3]: p.id for p in gallery.people()}
    gallery.name(by_photo["1"], "Ada")
    kept = gallery.merge(by_photo["2"], by_photo["3"])
    moved = [f.id for f in gallery.find_person(by_photo["4"]).faces if f.photo == "/p/4-0"]
    gallery.split(by_photo["4"], moved)
    add(gallery, "5-9", face(5, 9))
    for anew in (False, True, True):
        grouping.regroup(gallery, anew=anew)
        assert expected(2) | expected(3) in groups(gallery)
        assert expected(4, (0,)) in groups(gallery)
        assert expected(4, (1, 2, 3)) in groups(gallery)
        assert {f.photo for f in gallery.find_person("Ada").faces} == expected(1)
        assert {f.photo for f in gallery.find_person(kept).faces} == expected(2) | expected(3)


def test_different_people_stay_apart_however_alike(gallery):
    add(gallery, "1-30", face(1, 30))
    grouping.regroup(gallery)
    one = next(p for p in gallery.people() if p.faces[0].photo.startswith("/p/1"))
    twin = gallery.split(one.id, [f.id for f in one.faces if f.photo in {"/p/1-0", "/p/1-1"}])
    gallery.different(one.id, twin)
    for anew in (False, True):
        grouping.regroup(gallery, anew=anew)
        assert expected(1, (0, 1)) in groups(gallery)
        assert expected(1, (2, 3, 30)) in groups(gallery)


def test_named_people_are_never_joined(gallery):
    one = next(p for p in gallery.people() if p.faces[0].photo.startswith("/p/1"))
    other = gallery.split(one.id, [one.faces[0].id])
    gallery._db.execute("DELETE FROM decisions")
    gallery.name(one.id, "Ada")
    gallery.name(other, "Bea")
    grouping.regroup(gallery, anew=True)
    assert gallery.find_person("Ada").id == one.id
    assert gallery.find_person("Bea").id == other


def test_an_empty_gallery_has_nobody(tmp_path):
    with Gallery.open(tmp_path / "e", space=SPACE, dimension=DIMENSION) as empty:
        assert grouping.regroup(empty) == 0
        assert empty.people() == []
