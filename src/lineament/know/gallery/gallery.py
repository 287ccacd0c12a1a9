"""The gallery as its users see it: every method is one transaction, and one writer at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import Int64

from lineament.core.embeddings import Embeddings, require_same_space
from lineament.core.errors import GalleryBusy, GalleryError, NotAGallery, UnreadableImage
from lineament.know.gallery import erasing, people, photos, schema
from lineament.know.gallery.finding import Finder
from lineament.know.gallery.records import (
    Erased,
    FaceCodes,
    FaceRecord,
    LogEntry,
    Match,
    Person,
    PhotoRecord,
    PhotoView,
    Skipped,
)

PATIENCE = 2.0
"""Seconds to wait for another writer: longer than a photo takes, shorter than an indexing run."""


class Gallery:
    """Photos, faces and people of one embedding space, kept in one SQLite file.

    Beside the file lie only derived ones: ``FILE.index`` for search, ``FILE.lock`` while writing,
    and SQLite's journal. Reading needs no lock; of writers there is one at a time.

    Use `Gallery.open`, best in a ``with`` statement.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db
        meta = dict(db.execute("SELECT key, value FROM meta"))
        self.space: str = meta["space"]
        self.dimension: int = meta["dimension"]
        self._key: bytes = meta["key"]
        self._lock = FileLock(f"{path}.lock")
        self._finder = Finder(path, db, self.space, self.dimension)

    @classmethod
    def open(cls, path: Path, *, space: str | None = None, dimension: int | None = None) -> Gallery:
        """Open a gallery; with `space` and `dimension` make it where there is none.

        Raises:
            GalleryError: it is not there, or cannot be opened or made.
            NotAGallery: the file is something else.
            SpaceMismatch: it holds embeddings of another space.
        """
        path = Path(path).absolute()
        if not path.exists():
            if space is None or dimension is None:
                raise GalleryError(f"{path}: no gallery here")
            path.parent.mkdir(parents=True, exist_ok=True)
        db = schema.connect(path)
        try:
            if schema.is_empty(db):
                if space is None or dimension is None:
                    raise NotAGallery(f"{path}: is empty, not a gallery")
                schema.create(db, space, dimension)
            gallery = cls(path, db)
            if space is not None:
                require_same_space(gallery.space, space)
        except sqlite3.DatabaseError as error:
            db.close()
            raise GalleryError(f"{path}: cannot be opened ({error})") from error
        except BaseException:
            db.close()
            raise
        return gallery

    def close(self) -> None:
        """Close the file; the journal is folded in where nobody else reads."""
        self._db.close()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the gallery for writing over several calls; each call holds it by itself too.

        Raises:
            GalleryBusy: another process is writing.
        """
        if self._lock.is_locked:  # by an outer call: asking again costs as much as storing a face
            yield
            return
        try:
            self._lock.acquire(timeout=PATIENCE)
        except Timeout:
            raise GalleryBusy(
                f"{self.path}: another process is writing to this gallery; try again later"
            ) from None
        except OSError as error:
            raise GalleryError(f"{self.path}: cannot be written ({error})") from error
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done within is kept, or nothing of it.

        Raises:
            GalleryBusy: another process is writing.
            GalleryError: the disk is full or the file damaged.
        """
        with self.writing():
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.DatabaseError):
                    raise GalleryError(f"{self.path}: nothing was changed ({error})") from error
                raise

    # Photos

    def add_photo(self, photo: PhotoRecord, faces: Sequence[FaceRecord]) -> int:
        """Store a photo with its faces, all or nothing; returns its id."""
        with self._transaction() as db:
            return photos.add_photo(db, photo, faces)

    def add_path(self, sha256: str, path: str, size: int, mtime_ns: int) -> None:
        """Note that a file holds a photo that is stored already.

        Raises:
            GalleryError: no such photo is stored.
        """
        with self._transaction() as db:
            row = db.execute("SELECT id FROM photos WHERE sha256 = ?", (sha256,)).fetchone()
            if row is None:
                raise GalleryError(f"{path}: its photo is not stored")
            photos.add_path(db, row[0], path, size, mtime_ns)

    def skip(self, path: str, error: UnreadableImage, size: int, mtime_ns: int) -> None:
        """Note that a file cannot be read, and why."""
        with self._transaction() as db:
            photos.skip(db, path, type(error).__name__, error.reason, size, mtime_ns)

    def seen(self, path: str, size: int, mtime_ns: int) -> bool:
        """Whether this file was met before, readable or not, and has not changed since."""
        return photos.seen(self._db, path, size, mtime_ns)

    def digests(self) -> set[str]:
        """Content hashes of all stored photos."""
        return {row[0] for row in self._db.execute("SELECT sha256 FROM photos")}

    def forgotten(self) -> Callable[[str], bool]:
        """Tells of a photo's sha256 whether that photo was told to forget, as things stand now."""
        marks = {row[0] for row in self._db.execute("SELECT mark FROM forgotten")}
        return lambda sha256: bool(marks) and photos.mark_of(self._key, sha256) in marks

    def take_back_forgotten(self, sha256: str) -> None:
        """Let a photo that was told to forget be indexed again."""
        with self._transaction() as db:
            mark = photos.mark_of(self._key, sha256)
            db.execute("DELETE FROM forgotten WHERE mark = ?", (mark,))

    def photos(self) -> list[PhotoView]:
        """All photos with the files that hold them."""
        return photos.photos(self._db)

    def skipped(self) -> list[Skipped]:
        """All files that could not be read, and why."""
        return photos.skipped(self._db)

    def missing_under(self, folder: Path, present: Iterable[str]) -> list[str]:
        """Files below a folder that were met before and are not among those `present`."""
        return photos.missing_under(self._db, folder.as_posix(), present)

    def prune(self, paths: Iterable[str]) -> Erased:
        """Drop files that are gone, and photos that no file holds any more."""
        with self._transaction() as db:
            for path in paths:
                db.execute("DELETE FROM paths WHERE path = ?", (path,))
                db.execute("DELETE FROM skipped WHERE path = ?", (path,))
            orphans = db.execute(
                "SELECT id, sha256 FROM photos WHERE id NOT IN (SELECT photo_id FROM paths)"
            ).fetchall()
            faces = erasing.erase_photos(db, orphans, key=None) if orphans else 0
        return self._scrubbed(Erased(faces, len(orphans))) if orphans else Erased(0, 0)

    def counts(self) -> tuple[int, int]:
        """Number of photos and of faces."""
        query = "SELECT (SELECT count(*) FROM photos), (SELECT count(*) FROM faces)"
        return self._db.execute(query).fetchone()

    # Faces and people

    def codes(self) -> FaceCodes:
        """All faces as a clusterer sees them."""
        return photos.codes(self._db, self.dimension)

    def crop(self, face_id: int) -> bytes:
        """The small JPEG of a face.

        Raises:
            GalleryError: there is no such face.
        """
        row = self._db.execute("SELECT crop FROM faces WHERE id = ?", (face_id,)).fetchone()
        if row is None:
            raise GalleryError(f"no face {face_id}")
        return row[0]

    def people(self) -> list[Person]:
        """All people with their faces, most faces first."""
        return people.people(self._db)

    def named_faces(self) -> list[list[int]]:
        """The face ids of each person who has a name."""
        return people.named_faces(self._db)

    def find_person(self, word: str | int) -> Person:
        """The person of this name or id.

        Raises:
            UnknownPerson: there is none.
        """
        return people.find(self._db, word)

    def set_people(self, faces: Int64[np.ndarray, " n"], labels: Int64[np.ndarray, " n"]) -> None:
        """Write a new grouping; people keep id and name by the faces they share with its groups."""
        with self._transaction() as db:
            people.set_people(db, faces, labels)

    def name(self, person_id: int, name: str) -> None:
        """Give a person a name of their own; see `people.set_name` for errors."""
        with self._transaction() as db:
            people.set_name(db, person_id, name)

    def merge(self, a: int, b: int) -> int:
        """Make two people one, for good; returns who remains."""
        with self._transaction() as db:
            return people.merge(db, a, b)

    def split(self, person_id: int, faces: Sequence[int]) -> int:
        """Take faces out of a person into a new one, for good; returns the new person's id."""
        with self._transaction() as db:
            return people.split(db, person_id, faces)

    def different(self, a: int, b: int) -> None:
        """Two people are not the same, whatever they look like."""
        with self._transaction() as db:
            people.set_apart(db, a, b)

    def decisions(self) -> list[tuple[str, list[int], list[int]]]:
        """What the user decided, as sets of face ids; see `people.decisions`."""
        return people.decisions(self._db)

    def calibration(self) -> str | None:
        """The gallery's own calibration as `know.calibrate.to_json` wrote it, if there is one."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'calibration'").fetchone()
        return row and row[0]

    def keep_calibration(self, text: str) -> None:
        """Keep a calibration made of these faces; whatever erases faces erases it too."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('calibration', ?)", (text,))

    def drop_calibration(self) -> None:
        """Go back to the calibration that ships."""
        with self._transaction() as db:
            db.execute("DELETE FROM meta WHERE key = 'calibration'")

    # Consent and erasure

    def consent(self, person_id: int, stated_by: str, note: str = "") -> None:
        """Note that a person consented to being kept here, and who said so."""
        self._note("consent", person_id, stated_by, note)

    def withdraw(self, person_id: int, stated_by: str, note: str = "") -> None:
        """Note that a person's consent has ended. It does not erase; `forget_person` does."""
        self._note("consent withdrawn", person_id, stated_by, note)

    def _note(self, event: str, person_id: int, stated_by: str, note: str) -> None:
        with self._transaction() as db:
            people.face_ids(db, person_id)
            people.log(db, event, person_id, stated_by, note)

    def withdrawn(self) -> set[int]:
        """People whose last word on consent is that it has ended."""
        return people.withdrawn(self._db)

    def log(self) -> list[LogEntry]:
        """Decisions, consent and erasure, oldest first."""
        rows = self._db.execute("SELECT at, event, person_id, stated_by, note FROM log ORDER BY id")
        return [LogEntry(*row) for row in rows]

    def note_report(self, path: Path) -> None:
        """Remember a report of this gallery, so that forgetting deletes it."""
        with self._transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO reports VALUES (?)",
                (photos.path_text(path.absolute().as_posix()),),
            )

    def forget_person(self, person_id: int) -> Erased:
        """Erase a person: faces, embeddings, crops, name and notes. Their photos stay known, so
        that indexing again does not bring the faces back.

        Raises:
            UnknownPerson: there is no such person.
            GalleryBusy: another process holds the gallery.
        """
        with self._transaction() as db:
            faces = erasing.erase_person(db, person_id)
            reports = erasing.delete_reports(db)
            db.execute("DELETE FROM reports")
        return self._scrubbed(Erased(faces, 0, reports))

    def forget_photo(self, photo: Path | str) -> Erased:
        """Erase a photo and its faces. Indexing leaves the same content out from then on.

        Args:
            photo: path of a file that holds it, or its content's sha256.

        Raises:
            GalleryError: no such photo is stored.
            GalleryBusy: another process holds the gallery.
        """
        path = photos.path_text(os.path.abspath(photo))  # noqa: PTH100  (a link is not followed: the path is a key)
        with self._transaction() as db:
            found = db.execute(
                "SELECT DISTINCT photos.id, sha256 FROM photos LEFT JOIN paths ON"
                " photo_id = photos.id WHERE path = ? OR sha256 = ?",
                (path, str(photo)),
            ).fetchall()
            skipped = db.execute("DELETE FROM skipped WHERE path = ?", (path,)).rowcount
            if not found and not skipped:
                raise GalleryError(f"{photo}: no such photo in the gallery")
            faces = erasing.erase_photos(db, found, self._key)
            reports = erasing.delete_reports(db)
            db.execute("DELETE FROM reports")
        return self._scrubbed(Erased(faces, len(found), reports))

    def _scrubbed(self, erased: Erased) -> Erased:
        with self.writing():
            self._finder.drop()
            erasing.scrub(self._db)
        return erased

    # Search

    def search(
        self, embeddings: Embeddings, k: int = 10, *, exact: bool = True
    ) -> list[list[Match]]:
        """The stored faces most like each given one, best first; those of people who withdrew
        their consent are left out.

        Args:
            embeddings: of the gallery's space.
            k: matches a face.
            exact: False is faster in very large galleries and may miss a few.

        Raises:
            SpaceMismatch: the embeddings are of another space.
        """
        index = self._finder.index(exact=exact)
        if not self._finder.saved:
            # Only a convenience for the next time: where nothing can be written, search works too.
            with suppress(OSError, GalleryError), self.writing():
                self._finder.save()
        gone = self.withdrawn()
        hidden = sum(len(people.face_ids(self._db, person)) for person in gone)
        found = self._finder.matches(*index.search(embeddings, k + hidden, exact=exact))
        return [[m for m in matches if m.person_id not in gone][:k] for matches in found]
