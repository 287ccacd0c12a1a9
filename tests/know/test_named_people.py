"""Names for faces of a video: who gets one, who does not, and how often that is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from lineament.core.embeddings import Embeddings, encode
from lineament.core.errors import BadInput
from lineament.core.verdict import Calibration
from lineament.know.best_face import worth
from lineament.know.calibration import calibration_of
from lineament.know.gallery import FaceRecord, Gallery, PhotoRecord
from lineament.know.named_people import FACES_A_PERSON, NamedPeople
from lineament.know.tracks import Track

LADDER = Calibration("test@0", "a ladder", 10**6, (0.1, 0.01, 0.001), (0.2, 0.4, 0.6))
ADA, BEN = 5, 9


def at(*cosines: float) -> np.ndarray:
    """A vector with these cosines to the axes, the rest of its length on one of its own."""
    rest = 1 - sum(c * c for c in cosines)
    return np.asarray([*cosines, *[0.0] * (3 - len(cosines)), rest**0.5], np.float32)


def faces(rate: float = 0.03) -> NamedPeople:
    """Ada has two faces, on the first and the second axis, Ben one on the third."""
    vectors = np.eye(3, 4, dtype=np.float32)
    people = np.asarray([ADA, ADA, BEN])
    return NamedPeople(
        Embeddings(vectors, "test@0"), people, {ADA: "Ada", BEN: "Ben"}, LADDER, rate
    )


def track(number: int, first: float, last: float, vector: np.ndarray | None) -> Track:
    times = np.asarray([first, last], float)
    return Track(number, first, last, 9, times, np.zeros((2, 4), np.float32), (), vector)


def test_each_comparison_is_held_to_its_part_of_the_rate():
    """0.03 over three faces is 0.01 each, which the ladder has at 0.4."""
    named = faces()
    assert (named.faces, named.threshold) == (3, 0.4)
    (who,) = named.together([at(0.1, 0.5, 0.3)])
    assert who is not None
    assert (who.person, who.name, who.score) == (ADA, "Ada", pytest.approx(0.5))
    # 0.5 lies half way between 0.01 and 0.001 on the logarithm: 10^-2.5, for each of three faces.
    assert who.false_match_rate == pytest.approx(3 * 10**-2.5)
    assert named.together([at(0.39, 0.39, 0.39)]) == (None,)
    assert faces(1.0).threshold == 0.2, "a ladder's highest rate is as lenient as it can be"


def test_nobody_is_two_faces_of_one_moment():
    """Both are like Ada; the one that is also like Ben, and less like Ada, is Ben."""
    found = faces().together([at(0.7, 0, 0.5), None, at(0.8)])
    assert [who.name if who else None for who in found] == ["Ben", None, "Ada"]
    found = faces().together([at(0.7), at(0.8)])
    assert [who.name if who else None for who in found] == [None, "Ada"]
    assert faces().together([]) == ()


def test_of_tracks_at_the_same_time_the_more_alike_has_the_name():
    named = faces()
    tracks = [
        track(1, 0, 4, at(0.6)),
        track(2, 3, 9, at(0.7)),  # at once with 1, and more like Ada
        track(3, 10, 12, at(0, 0.5)),  # later: Ada may come back
        track(4, 0, 12, at(0.3, 0.3, 0.3)),  # a stranger
        track(5, 0, 12, None),
        track(6, 0, 12, at(0, 0, 0.45)),
    ]
    found = named.tracks(tracks)
    assert {number: who.name for number, who in found.items()} == {2: "Ada", 3: "Ada", 6: "Ben"}
    assert found[3].score == pytest.approx(0.5)
    assert named.tracks([tracks[4]]) == {}


def test_what_cannot_be_spoken_for_is_refused():
    with pytest.raises(BadInput, match=r"0\.003 and more"):
        faces(0.002)
    with pytest.raises(BadInput, match="false-match rate"):
        faces(0)
    empty = Embeddings(np.empty((0, 4), np.float32), "test@0")
    with pytest.raises(BadInput, match="nobody has a name"):
        NamedPeople(empty, np.empty(0, np.int64), {}, LADDER)


@pytest.fixture
def gallery(tmp_path: Path):
    """Ada has eight faces, Ben two, Cy two, and somebody without a name two."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((4, 128)) / 128**0.5
    sizes = (8, 2, 2, 2)
    with Gallery.open(tmp_path / "g", space="sface@0ba9fbfa", dimension=128) as opened:
        labels = np.repeat(np.arange(4), sizes)
        for number, person in enumerate(labels):
            vector = centres[person] + 0.3 * rng.standard_normal(128) / 128**0.5
            code = encode((vector / np.linalg.norm(vector)).astype(np.float32)[None])[0]
            points = np.zeros((5, 2), np.float32)
            score = 0.5 + number / 100
            face = FaceRecord(np.zeros(4, np.float32), score, points, score, code, b"crop")
            digest = hashlib.sha256(bytes([number])).hexdigest()
            opened.add_photo(PhotoRecord(digest, f"/p/{number}", 1, 1, 10, 10), [face])
        opened.set_people(np.arange(1, 15), labels)
        for face, name in ((1, "Ada"), (9, "Ben"), (11, "Cy")):
            opened.name(person_with(opened, face), name)
        yield opened


def person_with(gallery: Gallery, face: int) -> int:
    return next(p.id for p in gallery.people() for f in p.faces if f.id == face)


def vectors_of(gallery: Gallery, *ids: int) -> list[np.ndarray]:
    stored = gallery.codes()
    rows = [stored.ids.tolist().index(face) for face in ids]
    return list(Embeddings.from_codes(stored.codes[rows], gallery.space).vectors)


def names(named: NamedPeople, looks: list[np.ndarray]) -> list[str | None]:
    found = [named.together([vector])[0] for vector in looks]
    return [who.name if who else None for who in found]


def test_a_gallery_names_its_named_people_only_by_their_best_faces(gallery):
    named = NamedPeople.of(gallery)
    assert named.faces == FACES_A_PERSON + 2 + 2
    assert set(named.names.values()) == {"Ada", "Ben", "Cy"}
    assert named.threshold == calibration_of(gallery.space).threshold(1e-3 / 9)
    better = worth(gallery)
    ada = next(p for p in gallery.people() if p.name == "Ada")
    ranked = [face.id for face in sorted(ada.faces, key=better, reverse=True)]
    best, worst = vectors_of(gallery, ranked[0], ranked[-1])
    (who,) = named.together([best])
    assert who is not None
    assert who.score == pytest.approx(1, abs=1e-6), "the best face is compared with"
    (who,) = named.together([worst])
    assert who is not None
    assert who.score < 0.99, "the worst is not"
    assert names(named, vectors_of(gallery, 9, 12, 13)) == ["Ben", "Cy", None]


def test_who_withdrew_consent_is_not_looked_for(gallery):
    cy, ben = (person_with(gallery, face) for face in (11, 9))
    gallery.withdraw(cy, "Cy")
    gallery.withdraw(ben, "Ben")
    gallery.consent(ben, "Ben, again")
    named = NamedPeople.of(gallery)
    assert set(named.names.values()) == {"Ada", "Ben"}
    assert names(named, vectors_of(gallery, 9, 11)) == ["Ben", None]


def test_a_gallery_without_names_is_refused(tmp_path):
    empty = Gallery.open(tmp_path / "empty", space="sface@0ba9fbfa", dimension=128)
    with empty, pytest.raises(BadInput, match="nobody has a name"):
        NamedPeople.of(empty)
