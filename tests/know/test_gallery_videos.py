"""Videos in the gallery: a row for each track, of which two that overlap are two people."""

from __future__ import annotations

import hashlib
import sqlite3

import numpy as np
import pytest

from lineament.core.embeddings import encode
from lineament.core.errors import NotAGallery
from lineament.know.calibrate import known_couples
from lineament.know.cluster import cluster
from lineament.know.constraints import moments
from lineament.know.gallery import FaceRecord, Gallery, PhotoRecord, Span
from lineament.know.gallery.schema import TABLES, VERSION

SPACE, DIMENSION = "test@0", 128
NAN = float("nan")


def face(person: int, span: Span | None = None, noise: float = 0.3, seed: int = 0) -> FaceRecord:
    vector = np.random.default_rng(person).standard_normal(DIMENSION)
    vector += noise * np.random.default_rng((person, seed)).standard_normal(DIMENSION)
    vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    box, points = np.asarray([10, 20, 60, 80], np.float32), np.zeros((5, 2), np.float32)
    crop = b"\xff\xd8crop" + vector.tobytes()
    return FaceRecord(box, 0.9, points, 0.5, encode(vector[None])[0], crop, span)


def record(name: str, seconds: float | None = None, damage: str = "") -> PhotoRecord:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return PhotoRecord(digest, f"/p/{name}", 10, 1, 640, 480, seconds, damage)


@pytest.fixture
def gallery(tmp_path):
    """A photo of person 1, and a video: person 1 comes and comes back, person 2 beside the first
    time."""
    with Gallery.open(tmp_path / "g.lineament", space=SPACE, dimension=DIMENSION) as made:
        made.add_photo(record("a.jpg"), [face(1)])
        tracks = [
            face(1, Span(0.0, 4.0, 2.5, 90), seed=1),
            face(2, Span(1.0, 6.0, 3.0, 120)),
            face(1, Span(5.0, 9.0, 7.5, 100), seed=2),
        ]
        made.add_photo(record("v.mp4", 9.5, "ends at 9.50 s of 60.00 s"), tracks)
        yield made


def test_what_is_stored_of_a_video_is_given_back(gallery):
    with Gallery.open(gallery.path) as again:
        assert again.counts() == (2, 4)
        photo, video = again.photos()
        assert (photo.seconds, photo.damage) == (None, "")
        assert (video.seconds, video.damage) == (9.5, "ends at 9.50 s of 60.00 s")
        faces = again.codes()
        spans = dict(zip(faces.ids.tolist(), faces.spans.tolist(), strict=True))
        assert np.isnan(spans[1]).all()
        assert [spans[i] for i in (2, 3, 4)] == [[0, 4], [1, 6], [5, 9]]
        again.set_people(faces.ids, np.zeros(4, np.int64))
        seen = {view.id: view.span for view in again.people()[0].faces}
        assert seen == {
            1: None,
            2: Span(0.0, 4.0, 2.5, 90),
            3: Span(1.0, 6.0, 3.0, 120),
            4: Span(5.0, 9.0, 7.5, 100),
        }
        assert again.find_person("1").faces[1].span == Span(0.0, 4.0, 2.5, 90)


def test_tracks_that_overlap_are_two_people_and_others_may_be_one(gallery):
    faces = gallery.codes()
    vectors = faces.codes.astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = cluster(vectors, photos=faces.photos, spans=faces.spans, threshold=0.5)
    group = dict(zip(faces.ids.tolist(), labels.tolist(), strict=True))
    assert group[1] == group[2] == group[4]
    assert group[3] != group[2]
    as_photo = cluster(vectors, photos=faces.photos, threshold=0.5)
    group = dict(zip(faces.ids.tolist(), as_photo.tolist(), strict=True))
    assert group[2] != group[4], "in a photo they would have to be two"
    alike = np.tile(vectors[:1], (4, 1))
    labels = cluster(alike, photos=faces.photos, spans=faces.spans, threshold=0.5)
    group = dict(zip(faces.ids.tolist(), labels.tolist(), strict=True))
    assert group[2] != group[3] != group[4], "however alike"


def test_moments_are_shared_by_just_those_that_overlap():
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(1, 30))
        photos = rng.integers(1, 5, n)
        first = rng.integers(0, 10, n).astype(float)
        spans = np.stack([first, first + rng.integers(0, 5, n)], axis=1)
        spans[photos == 1] = NAN
        rows, seen = moments(photos, spans)
        sets = [set(seen[rows == i].tolist()) for i in range(n)]
        for a in range(n):
            for b in range(n):
                together = photos[a] == photos[b] and (
                    photos[a] == 1 or (spans[a, 0] <= spans[b, 1] and spans[b, 0] <= spans[a, 1])
                )
                assert (not sets[a].isdisjoint(sets[b])) == together
    rows, seen = moments(np.asarray([7, 7, 9]))
    assert (rows.tolist(), seen.tolist()) == ([0, 1, 2], [7, 7, 9])


def test_who_is_seen_at_once_is_known_to_be_two_and_who_is_not_may_be_one():
    photos, people = np.asarray([1, 1, 2, 2, 2]), np.asarray([5, 6, 5, 7, 8])
    spans = np.asarray([[NAN, NAN], [NAN, NAN], [0, 2], [1, 3], [4, 5]])
    assert known_couples(photos, people, (), spans).tolist() == [[5, 6], [5, 7]]


@pytest.mark.parametrize("how", ["person", "photo"])
def test_forgotten_tracks_leave_no_bytes(gallery, how, tmp_path):
    faces = gallery.codes()
    truth = {1: 1, 2: 1, 3: 2, 4: 1}
    gallery.set_people(faces.ids, np.asarray([truth[i] for i in faces.ids.tolist()]))
    video = [
        face(1, seed=1),
        face(1, seed=2),
    ]
    if how == "person":
        gallery.forget_person(gallery.find_person("1").id)
        left = 1
    else:
        gallery.forget_photo("/p/v.mp4")
        left = 0
        video.append(face(2))
    gallery.close()
    stored = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    for gone in video:
        assert gone.crop not in stored
        assert gone.code.tobytes() not in stored
    db = sqlite3.connect(gallery.path)
    assert db.execute("SELECT count(*) FROM tracks").fetchone() == (left,)
    assert db.execute("SELECT count(*) FROM videos").fetchone() == (int(how == "person"),)
    db.close()


def version_1(path, gallery_id: int) -> None:
    """A gallery as the version before videos wrote it, with a photo of one face in it."""
    one = face(1)
    db = sqlite3.connect(path)
    db.executescript(TABLES)
    facts = [("space", SPACE), ("dimension", DIMENSION), ("key", bytes(32)), ("revision", "r")]
    db.executemany("INSERT INTO meta VALUES (?, ?)", facts)
    db.execute("INSERT INTO photos VALUES (1, ?, 640, 480, '2026')", ("ab" * 32,))
    db.execute("INSERT INTO paths VALUES ('/p/a', 1, 10, 1)")
    db.execute(
        "INSERT INTO faces VALUES (1, 1, 0, 1, 2, 3, 4, 0.9, 0.5, ?, ?, ?, NULL)",
        (bytes(40), one.code.tobytes(), one.crop),
    )
    db.execute(f"PRAGMA application_id = {gallery_id}")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()


def test_older_galleries_open_and_keep_what_they_hold(tmp_path):
    path = tmp_path / "old.lineament"
    version_1(path, 0x4C4E4D54)
    db = sqlite3.connect(path)
    before = {t: db.execute(f"SELECT * FROM {t}").fetchall() for t in ("photos", "paths", "faces")}
    db.close()
    for _ in range(2):
        with Gallery.open(path, space=SPACE, dimension=DIMENSION) as gallery:
            assert gallery.counts() == (1, 1)
            assert gallery.crop(1) == face(1).crop
    with Gallery.open(path) as gallery:
        gallery.add_photo(record("v.mp4", 3.0), [face(2, Span(0.0, 1.0, 0.5, 3))])
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for table, rows in before.items():
        assert db.execute(f"SELECT * FROM {table}").fetchall()[: len(rows)] == rows
    db.close()


def test_an_older_gallery_that_cannot_be_brought_up_stays_as_it_was(tmp_path, monkeypatch):
    from lineament.know.gallery import schema

    path = tmp_path / "old.lineament"
    version_1(path, 0x4C4E4D54)
    monkeypatch.setitem(schema._CHANGES, 2, "CREATE TABLE videos (a) STRICT;\nCREATE nonsense")
    with pytest.raises(Exception, match="cannot be opened|not a gallery"):
        Gallery.open(path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'videos'").fetchone() == (0,)
    db.close()


def test_galleries_of_later_versions_are_refused(tmp_path):
    path = tmp_path / "new.lineament"
    with Gallery.open(path, space=SPACE, dimension=DIMENSION):
        pass
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(NotAGallery, match=f"version {VERSION + 1}"):
        Gallery.open(path)
