"""The gallery's tables, and how its file is opened."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

from lineament.core.errors import GalleryError, NotAGallery

APPLICATION_ID = 0x4C4E4D54
"""Marks the file as a gallery of Lineament's ("LNMT"); the program ``file`` can show it."""

VERSION = 2
"""Galleries of earlier versions are brought up to this one as they are opened."""

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

-- A photo is its content; the same content under several paths is one photo.
CREATE TABLE photos (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  indexed_at TEXT NOT NULL
) STRICT;

CREATE TABLE paths (
  path TEXT PRIMARY KEY,
  photo_id INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX paths_of_photo ON paths (photo_id, path);

CREATE TABLE skipped (
  path TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  reason TEXT NOT NULL,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE people (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE faces (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  photo_id INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
  place INTEGER NOT NULL,
  x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,
  score REAL NOT NULL,
  quality REAL NOT NULL,
  landmarks BLOB NOT NULL,
  code BLOB NOT NULL,
  crop BLOB NOT NULL,
  person_id INTEGER REFERENCES people ON DELETE SET NULL,
  UNIQUE (photo_id, place)
) STRICT;
CREATE INDEX faces_of_person ON faces (person_id);

-- What the user decided, as sets of faces, so that it outlives any grouping.
CREATE TABLE decisions (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('same', 'different')),
  decided_at TEXT NOT NULL
) STRICT;
CREATE TABLE decision_faces (
  decision_id INTEGER NOT NULL REFERENCES decisions ON DELETE CASCADE,
  side INTEGER NOT NULL CHECK (side IN (0, 1)),
  face_id INTEGER NOT NULL REFERENCES faces ON DELETE CASCADE,
  PRIMARY KEY (decision_id, side, face_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX decisions_of_face ON decision_faces (face_id);

-- Photos told to forget, as keyed hashes that say nothing without this gallery.
CREATE TABLE forgotten (mark BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE reports (path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE log (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  event TEXT NOT NULL,
  person_id INTEGER,
  stated_by TEXT NOT NULL DEFAULT '',
  note TEXT NOT NULL DEFAULT ''
) STRICT;
"""


_VIDEOS = """
-- A photo that is a video: how long it is, and what was wrong with it.
CREATE TABLE videos (
  photo_id INTEGER PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
  seconds REAL NOT NULL,
  damage TEXT NOT NULL
) STRICT;

-- A face that was followed through a video; its row in faces is its best picture.
CREATE TABLE tracks (
  face_id INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE,
  first REAL NOT NULL,
  last REAL NOT NULL,
  best REAL NOT NULL,
  frames INTEGER NOT NULL
) STRICT;
"""

_CHANGES = {2: _VIDEOS}
"""What each version has that the one before lacks."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that keeps the gallery's promises: journal, foreign keys, secure deletion.

    Raises:
        GalleryError: the file cannot be opened.
        NotAGallery: it is something else, or of another version.
    """
    try:
        db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise GalleryError(f"{path}: cannot be opened ({error})") from error
    try:
        version = _check_identity(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")
        # Temporary tables and sorts would leave their bytes in files elsewhere.
        db.execute("PRAGMA temp_store = MEMORY")
        if version < VERSION:
            _bring_up(db)
    except sqlite3.OperationalError as error:  # locked, read-only, full: it may be one all the same
        db.close()
        raise GalleryError(f"{path}: cannot be opened ({error})") from error
    except sqlite3.DatabaseError as error:
        db.close()
        raise NotAGallery(f"{path}: is not a gallery ({error})") from error
    except NotAGallery:
        db.close()
        raise
    return db


def _check_identity(db: sqlite3.Connection, path: Path) -> int:
    """The version of the gallery; of an empty file the present one."""
    mark = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and mark != APPLICATION_ID:
        raise NotAGallery(f"{path}: is a database of another program, not a gallery")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if tables and not 1 <= version <= VERSION:
        raise NotAGallery(f"{path}: is a gallery of version {version}; this reads up to {VERSION}")
    return version if tables else VERSION


def _bring_up(db: sqlite3.Connection) -> None:
    """Add what the present version has, all or nothing. What is stored stays as it is."""
    db.execute("BEGIN IMMEDIATE")
    try:  # another process may have been faster
        version = db.execute("PRAGMA user_version").fetchone()[0]
        for number in range(version + 1, VERSION + 1):
            _run(db, _CHANGES[number])
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _run(db: sqlite3.Connection, script: str) -> None:
    """Statements one by one: sqlite3's own `executescript` would commit what is open."""
    for statement in script.split(";\n"):
        if statement.strip():
            db.execute(statement)


def create(db: sqlite3.Connection, space: str, dimension: int) -> None:
    """Lay out an empty gallery for one embedding space, all or nothing."""
    db.execute("BEGIN EXCLUSIVE")
    if not is_empty(db):  # another process was faster
        db.execute("ROLLBACK")
        return
    for script in (TABLES, *_CHANGES.values()):
        _run(db, script)
    db.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [
            ("space", space),
            ("dimension", dimension),
            ("key", secrets.token_bytes(32)),
            ("revision", secrets.token_hex(16)),
        ],
    )
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


def is_empty(db: sqlite3.Connection) -> bool:
    """Whether nothing was ever laid out in the file."""
    return db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
