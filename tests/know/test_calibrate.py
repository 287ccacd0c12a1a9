"""A gallery's own calibration: which pairs are strangers, what is measured, and that it goes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from lineament.core.embeddings import encode
from lineament.core.errors import BadInput, LineamentError
from lineament.know.calibrate import (
    FACES_A_PERSON,
    Measured,
    calibrate,
    calibration_for,
    couple_scores,
    from_json,
    known_couples,
    own_calibration,
    to_json,
    unlike,
)
from lineament.know.calibration import calibration_of
from lineament.know.gallery import FaceRecord, Gallery, PhotoRecord

SPACE, DIMENSION = "sface@0ba9fbfa", 128


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def record(vector: np.ndarray) -> FaceRecord:
    box = np.asarray([10, 20, 60, 80], np.float32)
    code = encode(vector[None])[0]
    return FaceRecord(box, 0.9, np.zeros((5, 2), np.float32), 0.5, code, b"\xff\xd8")


def group_photos(path: Path, shared: float, people: int = 40, photos: int = 30) -> Gallery:
    """Photos of six people each. Any two faces of different people have a cosine of about
    `shared` squared, give or take 1 / sqrt(128)."""
    random = np.random.default_rng(7)
    gallery = Gallery.open(path, space=SPACE, dimension=DIMENSION)
    common = unit(random.standard_normal(DIMENSION))
    own = unit(random.standard_normal((people, DIMENSION)))
    vectors = unit(shared * common + np.sqrt(1 - shared**2) * own)
    truth = []
    for number in range(photos):
        who = random.choice(people, 6, replace=False)
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        photo = PhotoRecord(digest, f"/p/{number}", 10, 1, 640, 480)
        gallery.add_photo(photo, [record(vectors[person]) for person in who])
        truth += who.tolist()
    faces = gallery.codes()
    by_id = dict(zip(range(1, len(truth) + 1), truth, strict=True))
    gallery.set_people(faces.ids, np.asarray([by_id[i] for i in faces.ids.tolist()]))
    return gallery


def test_known_couples_are_those_of_one_photo_and_those_told_apart():
    photos = np.asarray([1, 1, 1, 2, 2, 3, 4, 4])
    people = np.asarray([5, 6, 7, 5, 8, 9, 6, -1])
    found = known_couples(photos, people, [(9, 5), (5, 9), (9, 9)])
    assert found.tolist() == [[5, 6], [5, 7], [5, 8], [5, 9], [6, 7]]
    assert known_couples(photos[:0], people[:0]).shape == (0, 2)


def test_couple_scores_are_all_cosines_of_the_two():
    vectors = unit(np.random.default_rng(0).standard_normal((7, 16)))
    people = np.asarray([1, 2, 1, 3, 2, 2, 1])
    (scores,) = couple_scores(vectors, people, np.asarray([[1, 2]]))
    expected = [float(vectors[a] @ vectors[b]) for a in (0, 2, 6) for b in (1, 4, 5)]
    np.testing.assert_allclose(sorted(scores), sorted(expected), atol=1e-6)


def test_one_person_of_many_photos_does_not_speak_for_everybody():
    vectors = unit(np.random.default_rng(0).standard_normal((501, 16)))
    people = np.asarray([1] * 500 + [2])
    (scores,) = couple_scores(vectors, people, np.asarray([[1, 2]]))
    assert len(scores) == FACES_A_PERSON


def test_the_rates_are_those_of_the_planted_strangers(tmp_path):
    """Counted here face by face, from what the gallery stores."""
    with group_photos(tmp_path / "g", shared=0.6) as gallery:
        own = calibrate(gallery)
        faces = gallery.codes()
        vectors = unit(faces.codes.astype(np.float64))
        couples = {
            tuple(sorted((a, b)))
            for photo in set(faces.photos.tolist())
            for a in faces.people[faces.photos == photo].tolist()
            for b in faces.people[faces.photos == photo].tolist()
            if a != b
        }
        scores = [
            float(vectors[i] @ vectors[j])
            for a, b in couples
            for i in np.flatnonzero(faces.people == a)
            for j in np.flatnonzero(faces.people == b)
        ]
        assert own.couples == len(couples)
        assert own.calibration.impostor_pairs == len(scores)
        for row in own.measured:
            expected = np.mean(np.asarray(scores) >= row.threshold)
            assert row.rate == pytest.approx(expected, abs=2e-3)
            assert row.low <= row.rate <= row.high


def test_photos_unlike_the_calibration_set_are_warned_of(tmp_path):
    """LFW's strangers have a median cosine near 0.1: at 0.36 they look more alike, at 0 less."""
    with group_photos(tmp_path / "alike", shared=0.6) as gallery:
        assert {m.verdict for m in calibrate(gallery).measured} == {"higher"}
        assert "more alike" in unlike(gallery)[0]
    with group_photos(tmp_path / "unlike", shared=0.0) as gallery:
        assert calibrate(gallery).measured[0].verdict == "lower"
        assert "less alike" in unlike(gallery)[0]


def test_what_looks_like_the_calibration_set_is_not_warned_of(tmp_path):
    """Of a twin of LFW's ladder: a common part that gives 0.1 of pairs its own score for 0.1."""
    threshold = calibration_of(SPACE).threshold(0.1)
    shared = np.sqrt(threshold - 1.2816 / np.sqrt(DIMENSION))
    with group_photos(tmp_path / "g", shared=float(shared)) as gallery:
        assert calibrate(gallery).measured[0].verdict == "alike"


@pytest.mark.parametrize(
    ("rate", "low", "high", "verdict"),
    [
        (0.03, 0.02, 0.05, "higher"),
        (0.03, 0.009, 0.05, "alike"),  # more, but not surely
        (0.015, 0.012, 0.02, "alike"),  # surely, but not by a factor of two
        (0.004, 0.001, 0.009, "lower"),
        (0.004, 0.001, 0.02, "alike"),
    ],
)
def test_a_warning_needs_both_size_and_certainty(rate, low, high, verdict):
    assert Measured(0.01, 0.3, rate, low, high).verdict == verdict


def test_it_decides_only_where_it_can_speak(tmp_path):
    with group_photos(tmp_path / "g", shared=0.6) as gallery:
        shipped = calibration_of(SPACE)
        assert calibration_for(gallery, 0.1) == shipped
        own = calibrate(gallery)
        gallery.keep_calibration(to_json(own))
        deepest = own.calibration.rates[-1]
        assert calibration_for(gallery, deepest) == own.calibration
        assert calibration_for(gallery, deepest / 2) == shipped
        gallery.drop_calibration()
        assert own_calibration(gallery) is None


def test_it_is_kept_and_goes_with_the_faces_it_was_made_of(tmp_path):
    with group_photos(tmp_path / "g", shared=0.5) as gallery:
        own = calibrate(gallery)
        gallery.keep_calibration(to_json(own))
    with Gallery.open(tmp_path / "g") as gallery:
        assert own_calibration(gallery) == own
        gallery.forget_person(gallery.people()[0].id)
        assert own_calibration(gallery) is None


def test_a_damaged_one_is_an_error(tmp_path):
    for text in ("", "{}", "[1]", '{"calibration": {}}'):
        with pytest.raises(LineamentError, match="damaged"):
            from_json(text)


def test_portraits_of_nobody_named_say_nothing(tmp_path):
    with Gallery.open(tmp_path / "g", space=SPACE, dimension=DIMENSION) as gallery:
        for number in range(9):
            vector = unit(np.random.default_rng(number).standard_normal(DIMENSION))
            digest = hashlib.sha256(str(number).encode()).hexdigest()
            gallery.add_photo(PhotoRecord(digest, f"/p/{number}", 1, 1, 9, 9), [record(vector)])
        gallery.set_people(gallery.codes().ids, np.arange(9))
        with pytest.raises(BadInput, match="too few pairs"):
            calibrate(gallery)
        assert unlike(gallery) == []
        # Names make people surely different: 36 pairs are still too few for the least rate.
        for person in gallery.people():
            gallery.name(person.id, f"name {person.id}")
        with pytest.raises(BadInput, match="too few pairs"):
            calibrate(gallery)
