"""Forgetting: what was stored of a person or a photo leaves the disk.

Rows are overwritten as they are deleted (``secure_delete``), the file is then rebuilt without free
pages (VACUUM), and the journal is cut to nothing. Derived files are deleted: the index, which is
made again when it is needed, and reports, which show faces.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from lineament.core.errors import GalleryBusy, GalleryError
from lineament.know.gallery.people import drop_empty, face_ids, log
from lineament.know.gallery.photos import mark_of, renew_revision


def erase_person(db: sqlite3.Connection, person_id: int) -> int:
    """Delete a person, their faces and all that was noted of them; returns the faces' number.

    Their photos stay known, so that indexing the folder again does not bring the faces back.
    """
    faces = face_ids(db, person_id)
    db.executemany("DELETE FROM faces WHERE id = ?", [(face,) for face in faces])
    db.execute("DELETE FROM log WHERE person_id = ?", (person_id,))
    db.execute("DELETE FROM people WHERE id = ?", (person_id,))
    _tidy(db)
    log(db, "forget person")
    return len(faces)


def erase_photos(db: sqlite3.Connection, photos: list[tuple[int, str]], key: bytes | None) -> int:
    """Delete photos (id and content hash) and their faces; returns the faces' number.

    With a `key`, a mark is kept by which indexing knows to leave the same content out.
    """
    faces = 0
    for photo_id, sha256 in photos:
        row = db.execute("SELECT count(*) FROM faces WHERE photo_id = ?", (photo_id,)).fetchone()
        faces += row[0]
        db.execute("DELETE FROM photos WHERE id = ?", (photo_id,))
        if key is not None:
            db.execute("INSERT OR IGNORE INTO forgotten VALUES (?)", (mark_of(key, sha256),))
    _tidy(db)
    log(db, "forget photo" if key is not None else "prune")
    return faces


def _tidy(db: sqlite3.Connection) -> None:
    """Drop what is about nobody any more, what was measured on faces that are gone, and make
    indexes stale."""
    db.execute("DELETE FROM meta WHERE key = 'calibration'")
    db.execute("DELETE FROM decisions WHERE id NOT IN (SELECT decision_id FROM decision_faces)")
    drop_empty(db)
    renew_revision(db)


def delete_reports(db: sqlite3.Connection) -> tuple[str, ...]:
    """Delete every report that was written of this gallery; returns those that were there.

    Raises:
        GalleryError: one cannot be deleted.
    """
    deleted = []
    for (path,) in db.execute("SELECT path FROM reports ORDER BY path").fetchall():
        try:
            Path(path).unlink()
            deleted.append(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise GalleryError(
                f"the report {path} shows faces to forget and cannot be deleted ({error}); "
                "nothing was erased"
            ) from error
    return tuple(deleted)


def scrub(db: sqlite3.Connection) -> None:
    """Leave no byte of what was deleted in the database's files.

    Raises:
        GalleryBusy: another process is reading; the rows are gone, their bytes not yet.
    """
    try:
        db.execute("VACUUM")
        busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as error:
        raise GalleryBusy(f"erased, but its bytes could not be scrubbed yet ({error})") from error
    if busy:
        raise GalleryBusy(
            "erased, but another process still reads the gallery; close it and forget again, "
            "so that the bytes go too"
        )
