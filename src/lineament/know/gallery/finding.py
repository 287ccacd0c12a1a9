"""The gallery's search index: kept in a file beside it, made again where it is out of date."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from lineament.know.gallery.photos import codes
from lineament.know.gallery.records import Match
from lineament.know.search import VectorIndex


class Finder:
    """Finds stored faces by their embeddings.

    Args:
        gallery: path of the gallery's file; the index lies beside it.
        db: the gallery's database.
        space: of the gallery's embeddings.
        dimension: of that space.

    Attributes:
        saved: whether the index in memory is also the one on disk.
    """

    def __init__(self, gallery: Path, db: sqlite3.Connection, space: str, dimension: int) -> None:
        self.path = gallery.with_name(gallery.name + ".index")
        self.saved = True
        self._db = db
        self._space = space
        self._dimension = dimension
        self._index: VectorIndex | None = None
        self._revision = ""

    def index(self, *, exact: bool = True) -> VectorIndex:
        """The index of the present state: from memory, from its file, or made again."""
        revision = self._current()
        if self._index is None or revision != self._revision:
            index = VectorIndex.load(self.path, self._space, self._dimension, revision)
            self.saved = index is not None
            if index is None:
                faces = codes(self._db, self._dimension)
                index = VectorIndex.build(faces.ids, faces.codes, self._space)
            self._index, self._revision = index, revision
        if not exact and self._index.prepare():
            self.saved = False
        return self._index

    def save(self) -> None:
        """Write the index beside the gallery. Call while no other process writes.

        Raises:
            OSError: it cannot be written.
        """
        if self._index is not None and self._current() == self._revision:
            self._index.save(self.path, self._revision)
            self.saved = True

    def drop(self) -> None:
        """Forget the index in memory and on disk."""
        self._index = None
        self.saved = True
        self.path.unlink(missing_ok=True)

    def matches(
        self, ids: Int64[np.ndarray, "q k"], scores: Float32[np.ndarray, "q k"]
    ) -> list[list[Match]]:
        """What is known of the faces that a search found."""
        return [
            [self._match(int(face), float(score)) for face, score in zip(*row, strict=True)]
            for row in zip(ids, scores, strict=True)
        ]

    def _match(self, face_id: int, score: float) -> Match:
        person_id, name, photo = self._db.execute(
            "SELECT person_id, name, (SELECT min(path) FROM paths WHERE photo_id = faces.photo_id)"
            " FROM faces LEFT JOIN people ON people.id = person_id WHERE faces.id = ?",
            (face_id,),
        ).fetchone()
        return Match(face_id, person_id, name, photo or "", score)

    def _current(self) -> str:
        """The state of the faces; see `photos.renew_revision`."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'revision'").fetchone()
        return row[0]
