"""The gallery: what is stored stands, what is decided holds, what is forgotten is gone."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from lineament.core.embeddings import Embeddings, encode
from lineament.core.errors import (
    EmptyFile,
    GalleryBusy,
    GalleryError,
    NotAGallery,
    SpaceMismatch,
    UnknownPerson,
)
from lineament.know.gallery import FaceRecord, Gallery, PhotoRecord

SPACE, DIMENSION = "test@0", 128


def face(seed: int, noise: float = 0.0) -> FaceRecord:
    """A face of person `seed`."""
    vector = np.random.default_rng(seed).standard_normal(DIMENSION)
    vector += noise * np.random.default_rng(hash((seed, noise)) % 2**32).standard_normal(DIMENSION)
    vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    return FaceRecord(
        box=np.asarray([10, 20, 60, 80], np.float32),
        score=0.9,
        landmarks=np.zeros((5, 2), np.float32),
        quality=0.5,
        code=encode(vector[None])[0],
        crop=b"\xff\xd8crop" + vector.tobytes(),
    )


def photo(name: str) -> PhotoRecord:
    return PhotoRecord(hashlib.sha256(name.encode()).hexdigest(), f"/p/{name}", 10, 1, 640, 480)


@pytest.fixture
def gallery(tmp_path):
    """Three photos: person 1 twice, person 2 twice, both together in the last."""
    with Gallery.open(tmp_path / "g.lineament", space=SPACE, dimension=DIMENSION) as made:
        made.add_photo(photo("a"), [face(1)])
        made.add_photo(photo("b"), [face(2)])
        made.add_photo(photo("c"), [face(1, 0.1), face(2, 0.1)])
        faces = made.codes()
        truth = {1: 5, 2: 6, 3: 5, 4: 6}
        made.set_people(faces.ids, np.asarray([truth[i] for i in faces.ids.tolist()]))
        yield made


def who(gallery: Gallery) -> dict[int, set[int]]:
    return {person.id: {f.id for f in person.faces} for person in gallery.people()}


def test_what_is_stored_is_given_back(gallery):
    with Gallery.open(gallery.path) as again:
        assert (again.space, again.dimension) == (SPACE, DIMENSION)
        assert again.counts() == (3, 4)
        assert who(again) == {1: {1, 3}, 2: {2, 4}}
        assert again.crop(2) == face(2).crop
        first = again.people()[0].faces[0]
        assert first.photo == "/p/a"
        assert first.box.tolist() == [10, 20, 60, 80]
        codes = again.codes()
        row = codes.ids.tolist().index(4)
        assert np.array_equal(codes.codes[row], face(2, 0.1).code)


def test_codes_come_in_the_same_order_whatever_came_first(tmp_path):
    orders = []
    for number, names in enumerate(("abc", "cab")):
        with Gallery.open(tmp_path / str(number), space=SPACE, dimension=DIMENSION) as made:
            for name in names:
                made.add_photo(photo(name), [face(ord(name)), face(ord(name) + 100)])
            orders.append(made.codes().codes)
    assert np.array_equal(*orders)


def test_files_are_known_by_content_and_by_time(gallery):
    digest = photo("a").sha256
    assert digest in gallery.digests()
    assert gallery.seen("/p/a", 10, 1)
    assert not gallery.seen("/p/a", 10, 2)
    gallery.add_path(digest, "/p/copy of a", 10, 5)
    assert gallery.seen("/p/copy of a", 10, 5)
    assert gallery.counts() == (3, 4)
    gallery.skip("/p/bad", EmptyFile("has no bytes", "/p/bad"), 0, 3)
    assert gallery.seen("/p/bad", 0, 3)
    assert [(s.path, s.kind, s.reason) for s in gallery.skipped()] == [
        ("/p/bad", "EmptyFile", "has no bytes")
    ]
    with pytest.raises(GalleryError, match="not stored"):
        gallery.add_path("0" * 64, "/p/x", 1, 1)


def test_pruned_files_take_their_photo_along_only_when_they_were_the_last(gallery):
    gallery.add_path(photo("a").sha256, "/p/copy", 10, 5)
    assert gallery.missing_under(Path("/p"), ["/p/b", "/p/c"]) == ["/p/a", "/p/copy"]
    gallery.prune(["/p/a"])
    assert gallery.counts() == (3, 4)
    assert gallery.prune(["/p/copy"]).photos == 1
    assert gallery.counts() == (2, 3)


def test_paths_that_are_no_text_are_kept(gallery):
    name = "/p/\udcff.jpg"
    gallery.skip(name, EmptyFile("x"), 1, 1)
    assert gallery.seen(name, 1, 1)


def test_names_are_of_one_person_each(gallery):
    gallery.name(1, "Ada")
    assert gallery.find_person("Ada").id == 1
    assert gallery.find_person("1").name == "Ada"
    with pytest.raises(GalleryError, match="merge"):
        gallery.name(2, "Ada")
    with pytest.raises(UnknownPerson):
        gallery.find_person("Bo")
    with pytest.raises(GalleryError):
        gallery.name(2, "17")


def test_regrouping_keeps_ids_and_names(gallery):
    gallery.name(2, "Bo")
    faces = gallery.codes()
    # Person 1 falls into two groups; person 2's faces get another number.
    new = {1: 0, 3: 1, 2: 9, 4: 9}
    gallery.set_people(faces.ids, np.asarray([new[i] for i in faces.ids.tolist()]))
    groups = who(gallery)
    assert groups[2] == {2, 4}
    assert gallery.find_person("Bo").id == 2
    assert groups[1] in ({1}, {3})
    assert len(groups) == 3


def test_a_named_person_wins_over_a_larger_nameless_one(gallery):
    gallery.split(1, [3])
    gallery.name(3, "Ada")
    faces = gallery.codes()
    gallery.set_people(faces.ids, np.zeros(4, np.int64))
    assert [(p.id, p.name) for p in gallery.people()] == [(3, "Ada")]


def test_decisions_outlive_groups_and_the_last_word_holds(gallery):
    gallery.different(1, 2)
    assert gallery.decisions() == [("different", [1, 3], [2, 4])]
    assert gallery.merge(1, 2) == 1
    assert gallery.decisions() == [("same", [1, 2, 3, 4], [])]
    assert who(gallery) == {1: {1, 2, 3, 4}}
    new = gallery.split(1, [4])
    assert who(gallery) == {1: {1, 2, 3}, new: {4}}
    assert ("same", [1, 2, 3], []) in gallery.decisions()
    assert ("different", [4], [1, 2, 3]) in gallery.decisions()
    with pytest.raises(GalleryError, match="not all"):
        gallery.split(1, [1, 2, 3])
    with pytest.raises(GalleryError, match="not of person"):
        gallery.split(1, [4])


def test_search_finds_the_person(gallery):
    gallery.name(2, "Bo")
    query = Embeddings.from_codes(face(2).code[None], SPACE)
    best, second, *_ = gallery.search(query, 3)[0]
    assert (best.face_id, best.name, best.photo) == (2, "Bo", "/p/b")
    assert best.score == pytest.approx(1, abs=0.01)
    assert second.face_id == 4
    with pytest.raises(SpaceMismatch):
        gallery.search(Embeddings.from_codes(face(2).code[None], "other@1"))


def test_a_stale_or_damaged_index_is_made_again(gallery):
    query = Embeddings.from_codes(face(7).code[None], SPACE)
    gallery.search(query)
    gallery.add_photo(photo("d"), [face(7)])
    assert gallery.search(query)[0][0].photo == "/p/d"
    index = gallery.path.with_name("g.lineament.index")
    index.write_bytes(b"rubbish")
    with Gallery.open(gallery.path) as again:
        assert again.search(query)[0][0].photo == "/p/d"


def test_the_index_of_a_deleted_gallery_is_not_used(tmp_path):
    path = tmp_path / "g"
    for seed in (1, 2):
        with Gallery.open(path, space=SPACE, dimension=DIMENSION) as made:
            made.add_photo(photo("a"), [face(seed)])
            query = Embeddings.from_codes(face(seed).code[None], SPACE)
            assert made.search(query)[0][0].score > 0.99
        path.unlink()


def folder_bytes(gallery: Gallery) -> bytes:
    return b"".join(p.read_bytes() for p in sorted(gallery.path.parent.iterdir()) if p.is_file())


@pytest.mark.parametrize("how", ["person", "photo"])
def test_forgotten_bytes_are_nowhere_in_the_folder(gallery, how):
    for seed in range(50, 120):  # pages enough to be split and moved
        gallery.add_photo(photo(str(seed)), [face(seed)])
    gallery.name(1, "Ada Lovelace-Unforgotten")
    gallery.consent(1, "her mother Annabella", "by letter")
    gallery.search(Embeddings.from_codes(face(1).code[None], SPACE))
    report = gallery.path.parent / "report.html"
    report.write_bytes(face(1).crop)
    gallery.note_report(report)
    secrets = {
        "code": face(1).code.tobytes(),
        "crop": face(1).crop,
        "vector": face(1).crop[6:],
    }
    before = folder_bytes(gallery)
    assert secrets["code"] in before
    assert secrets["crop"] in before
    if how == "person":
        secrets |= {"name": b"Ada Lovelace-Unforgotten", "note": b"Annabella"}
        secrets["second face"] = face(1, 0.1).code.tobytes()
        assert all(secrets[key] in before for key in ("name", "note", "second face"))
        erased = gallery.forget_person(1)
        assert erased.faces == 2
    else:
        secrets |= {"path": b"/p/a", "sha": photo("a").sha256.encode()}
        erased = gallery.forget_photo("/p/a")
        assert (erased.faces, erased.photos) == (1, 1)
        assert gallery.forgotten()(photo("a").sha256)
        gallery.take_back_forgotten(photo("a").sha256)
        assert not gallery.forgotten()(photo("a").sha256)
    assert erased.reports == (report.as_posix(),)
    # While the gallery is still open, and after it is closed.
    for _ in range(2):
        after = folder_bytes(gallery)
        assert [name for name, secret in secrets.items() if secret in after] == []
        gallery.close()


def test_others_stay_when_one_is_forgotten(gallery):
    gallery.forget_person(1)
    assert who(gallery) == {2: {2, 4}}
    assert gallery.counts() == (3, 2)
    assert gallery.log()[-1].event == "forget person"
    with pytest.raises(UnknownPerson):
        gallery.find_person(1)
    with pytest.raises(GalleryError, match="no such photo"):
        gallery.forget_photo("/p/unknown")


def test_consent_is_noted_and_withdrawn(gallery):
    gallery.consent(1, "Ada", "in person")
    gallery.withdraw(1, "Ada")
    assert [(e.event, e.person_id, e.stated_by) for e in gallery.log()] == [
        ("consent", 1, "Ada"),
        ("consent withdrawn", 1, "Ada"),
    ]
    with pytest.raises(UnknownPerson):
        gallery.consent(99, "x")


@pytest.mark.parametrize("exact", [True, False])
def test_who_withdrew_consent_is_found_no_more(gallery, exact):
    """Person 1 has faces 1 and 3, person 2 faces 2 and 4."""
    ones = Embeddings.from_codes(gallery.codes().codes[:1], SPACE)
    gallery.withdraw(1, "Ada")
    assert gallery.withdrawn() == {1}
    (found,) = gallery.search(ones, 2, exact=exact)
    assert {match.face_id for match in found} == {2, 4}
    gallery.consent(1, "Ada", "after all")
    assert gallery.withdrawn() == set()
    (found,) = gallery.search(ones, 2, exact=exact)
    assert {match.face_id for match in found} == {1, 3}


def test_erasing_waits_for_no_reader_silently(gallery):
    with Gallery.open(gallery.path) as reader:
        reader._db.execute("BEGIN")
        reader._db.execute("SELECT count(*) FROM faces").fetchone()
        gallery._db.execute("PRAGMA busy_timeout = 100")
        with pytest.raises(GalleryBusy, match="erased, but"):
            gallery.forget_person(1)
        reader._db.execute("ROLLBACK")


def test_other_files_are_not_taken_for_galleries(tmp_path):
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"no database at all" * 100)
    with pytest.raises(NotAGallery):
        Gallery.open(rubbish)
    foreign = tmp_path / "foreign.db"
    sqlite3.connect(foreign).execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(NotAGallery, match="another program"):
        Gallery.open(foreign, space=SPACE, dimension=DIMENSION)
    with pytest.raises(GalleryError, match="no gallery"):
        Gallery.open(tmp_path / "absent")


def test_a_locked_database_is_not_called_something_else(tmp_path, monkeypatch):
    path = tmp_path / "g"
    Gallery.open(path, space=SPACE, dimension=DIMENSION).close()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **{**k, "timeout": 0.1}))
    holder = connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(GalleryError, match="locked") as caught:
        Gallery.open(path)
    assert not isinstance(caught.value, NotAGallery)
    holder.close()


def test_another_space_is_refused(gallery):
    with pytest.raises(SpaceMismatch):
        Gallery.open(gallery.path, space="other@1", dimension=DIMENSION)


def test_one_writer_at_a_time_and_readers_go_on(gallery, monkeypatch):
    monkeypatch.setattr(gallery, "_lock", FileLock(f"{gallery.path}.lock", timeout=0.1))
    code = (
        "import sys, time; from filelock import FileLock\n"
        "with FileLock(sys.argv[1]): print('held', flush=True); time.sleep(30)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, f"{gallery.path}.lock"], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        started = time.monotonic()
        with pytest.raises(GalleryBusy):
            gallery.name(1, "Ada")
        assert time.monotonic() - started < 10
        assert len(gallery.people()) == 2
        other.kill()
    gallery.name(1, "Ada")


def test_a_full_disk_changes_nothing(gallery):
    pages = gallery._db.execute("PRAGMA page_count").fetchone()[0]
    gallery._db.execute(f"PRAGMA max_page_count = {pages}")
    faces = [face(seed) for seed in range(500)]
    with pytest.raises(GalleryError, match="nothing was changed"):
        gallery.add_photo(photo("too much"), faces)
    gallery._db.execute("PRAGMA max_page_count = 1000000")
    stored = gallery.counts()[0]
    assert gallery._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    gallery.add_photo(photo("after"), [face(3)])
    assert gallery.counts()[0] == stored + 1
