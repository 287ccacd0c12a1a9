"""Photos and faces in the gallery's database."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from lineament.know.gallery.records import (
    FaceCodes,
    FaceRecord,
    FaceView,
    PhotoRecord,
    PhotoView,
    Skipped,
    Span,
)


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def path_text(path: str) -> str:
    """A path as text that any database and page can hold; bytes that are no text are escaped."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def add_photo(db: sqlite3.Connection, photo: PhotoRecord, faces: Sequence[FaceRecord]) -> int:
    """Store a photo with its faces; returns its id. Call within a transaction."""
    row = db.execute(
        "INSERT INTO photos (sha256, width, height, indexed_at) VALUES (?, ?, ?, ?)",
        (photo.sha256, photo.width, photo.height, now()),
    )
    photo_id = int(row.lastrowid or 0)
    add_path(db, photo_id, photo.path, photo.size, photo.mtime_ns)
    if photo.seconds is not None:
        video = (photo_id, photo.seconds, photo.damage)
        db.execute("INSERT INTO videos VALUES (?, ?, ?)", video)
    db.executemany(
        "INSERT INTO faces (photo_id, place, x1, y1, x2, y2, score, quality, landmarks, code, crop)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                photo_id,
                place,
                *map(float, face.box),
                face.score,
                face.quality,
                face.landmarks.astype("<f4").tobytes(),
                face.code.tobytes(),
                face.crop,
            )
            for place, face in enumerate(faces)
        ],
    )
    db.executemany(
        "INSERT INTO tracks SELECT id, ?, ?, ?, ? FROM faces WHERE photo_id = ? AND place = ?",
        [
            (span.first, span.last, span.best, span.frames, photo_id, place)
            for place, span in enumerate(face.span for face in faces)
            if span is not None
        ],
    )
    if faces:
        renew_revision(db)
    return photo_id


def renew_revision(db: sqlite3.Connection) -> None:
    """Say that faces came or went. The word is random, so that an index of another state, of a
    restored copy or of an older gallery at the same path is never taken for this one's."""
    db.execute("UPDATE meta SET value = ? WHERE key = 'revision'", (secrets.token_hex(16),))


def add_path(db: sqlite3.Connection, photo_id: int, path: str, size: int, mtime_ns: int) -> None:
    """Note that a file holds a stored photo; a file that held another is now this one's."""
    path = path_text(path)
    db.execute("DELETE FROM skipped WHERE path = ?", (path,))
    db.execute("INSERT OR REPLACE INTO paths VALUES (?, ?, ?, ?)", (path, photo_id, size, mtime_ns))


def skip(
    db: sqlite3.Connection, path: str, kind: str, reason: str, size: int, mtime_ns: int
) -> None:
    """Note that a file cannot be read, and why."""
    path = path_text(path)
    db.execute("DELETE FROM paths WHERE path = ?", (path,))
    db.execute(
        "INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?, ?)",
        (path, kind, reason, size, mtime_ns),
    )


def seen(db: sqlite3.Connection, path: str, size: int, mtime_ns: int) -> bool:
    """Whether this file was met before, readable or not, and has not changed since."""
    found = db.execute(
        "SELECT 1 FROM paths WHERE path = :p AND size = :s AND mtime_ns = :m UNION ALL "
        "SELECT 1 FROM skipped WHERE path = :p AND size = :s AND mtime_ns = :m",
        {"p": path_text(path), "s": size, "m": mtime_ns},
    )
    return found.fetchone() is not None


def photos(db: sqlite3.Connection) -> list[PhotoView]:
    """All photos with the files that hold them."""
    paths: dict[int, list[str]] = {}
    for photo_id, path in db.execute("SELECT photo_id, path FROM paths ORDER BY path"):
        paths.setdefault(photo_id, []).append(path)
    return [
        PhotoView(photo_id, tuple(paths.get(photo_id, ())), width, height, seconds, damage or "")
        for photo_id, width, height, seconds, damage in db.execute(
            "SELECT id, width, height, seconds, damage"
            " FROM photos LEFT JOIN videos ON photo_id = id"
        )
    ]


def skipped(db: sqlite3.Connection) -> list[Skipped]:
    """All files that could not be read."""
    return [
        Skipped(*row) for row in db.execute("SELECT path, kind, reason FROM skipped ORDER BY path")
    ]


def codes(db: sqlite3.Connection, dimension: int) -> FaceCodes:
    """All faces for the clusterer, ordered by content: two galleries of the same photos agree,
    whatever the order in which the photos came."""
    rows = db.execute(
        "SELECT faces.id, photo_id, person_id, code, first, last FROM faces"
        " JOIN photos ON photos.id = photo_id LEFT JOIN tracks ON face_id = faces.id"
        " ORDER BY sha256, place"
    ).fetchall()
    columns = zip(*rows, strict=True) if rows else ((),) * 6
    ids, photo_ids, people, blobs, first, last = columns
    return FaceCodes(
        np.asarray(ids, np.int64),
        np.frombuffer(b"".join(blobs), np.int8).reshape(-1, dimension),
        np.asarray(photo_ids, np.int64),
        np.asarray([-1 if person is None else person for person in people], np.int64),
        np.asarray([first, last], np.float64).T,  # None becomes NaN
    )


FACE_COLUMNS = (
    "faces.id, faces.photo_id, "
    "coalesce((SELECT min(path) FROM paths WHERE paths.photo_id = faces.photo_id), ''), "
    "x1, y1, x2, y2, score, quality, first, last, best, frames"
)
FACES = "faces LEFT JOIN tracks ON tracks.face_id = faces.id"


def face_view(row: Sequence) -> FaceView:
    """A row of `FACE_COLUMNS` from `FACES`."""
    span = None if row[9] is None else Span(*row[9:13])
    return FaceView(row[0], row[1], row[2], np.asarray(row[3:7], np.float32), row[7], row[8], span)


def missing_under(db: sqlite3.Connection, folder: str, present: Iterable[str]) -> list[str]:
    """Files below a folder that were met before and are not among those `present`."""
    prefix = path_text(folder).rstrip("/") + "/"
    known: Iterator[tuple[str]] = db.execute(
        "SELECT path FROM paths UNION ALL SELECT path FROM skipped"
    )
    there = {path_text(path) for path in present}
    return sorted(path for (path,) in known if path.startswith(prefix) and path not in there)


def mark_of(key: bytes, sha256: str) -> bytes:
    """A photo's content under this gallery's own key: it tells nobody else which photo it was."""
    return hmac.digest(key, bytes.fromhex(sha256), hashlib.sha256)
