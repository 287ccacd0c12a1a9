"""People in the gallery's database: who is who, and what the user decided."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from lineament.core.errors import GalleryError, UnknownPerson
from lineament.know.gallery.photos import FACE_COLUMNS, FACES, face_view, now
from lineament.know.gallery.records import FaceView, Person


def people(db: sqlite3.Connection) -> list[Person]:
    """All people with their faces, most faces first."""
    faces: dict[int, list[FaceView]] = defaultdict(list)
    rows = db.execute(
        f"SELECT {FACE_COLUMNS}, person_id FROM {FACES} WHERE person_id IS NOT NULL ORDER BY 3, 1"
    )
    for row in rows:
        faces[row[-1]].append(face_view(row))
    found = [
        Person(person_id, name, tuple(faces[person_id]))
        for person_id, name in db.execute("SELECT id, name FROM people ORDER BY id")
    ]
    return sorted(found, key=lambda person: (-len(person.faces), person.id))


def named_faces(db: sqlite3.Connection) -> list[list[int]]:
    """The face ids of each person who has a name."""
    faces: dict[int, list[int]] = defaultdict(list)
    for person_id, face_id in db.execute(
        "SELECT people.id, faces.id FROM people JOIN faces ON person_id = people.id"
        " WHERE name IS NOT NULL ORDER BY 1, 2"
    ):
        faces[person_id].append(face_id)
    return list(faces.values())


def find(db: sqlite3.Connection, word: str | int) -> Person:
    """The person of this id or name.

    Raises:
        UnknownPerson: there is none.
    """
    row = db.execute("SELECT id, name FROM people WHERE name = ?", (str(word),)).fetchone()
    if row is None and str(word).isdecimal():
        row = db.execute("SELECT id, name FROM people WHERE id = ?", (int(word),)).fetchone()
    if row is None:
        raise UnknownPerson(f"no person {word!r}; `lineament people` lists them")
    rows = db.execute(f"SELECT {FACE_COLUMNS} FROM {FACES} WHERE person_id = ?", (row[0],))
    return Person(row[0], row[1], tuple(face_view(face) for face in rows))


def face_ids(db: sqlite3.Connection, person_id: int) -> list[int]:
    """Faces of a person, in order of id.

    Raises:
        UnknownPerson: there is no such person.
    """
    if db.execute("SELECT 1 FROM people WHERE id = ?", (person_id,)).fetchone() is None:
        raise UnknownPerson(f"no person {person_id}; `lineament people` lists them")
    rows = db.execute("SELECT id FROM faces WHERE person_id = ? ORDER BY id", (person_id,))
    return [row[0] for row in rows]


def set_name(db: sqlite3.Connection, person_id: int, name: str) -> None:
    """Give a person a name of their own.

    Raises:
        UnknownPerson: there is no such person.
        GalleryError: the name is empty or somebody else's.
    """
    face_ids(db, person_id)
    name = name.strip()
    if not name or name.isdecimal():
        raise GalleryError("a name has letters; plain numbers are ids")
    other = db.execute("SELECT id FROM people WHERE name = ?", (name,)).fetchone()
    if other and other[0] != person_id:
        raise GalleryError(
            f"person {other[0]} is called {name!r} already; "
            f"`lineament merge {other[0]} {person_id}` if they are one, else choose another name"
        )
    db.execute("UPDATE people SET name = ? WHERE id = ?", (name, person_id))
    log(db, "name", person_id)


def merge(db: sqlite3.Connection, a: int, b: int) -> int:
    """Make two people one; the one with a name stays, else the one with more faces.

    Raises:
        UnknownPerson: one of them does not exist.
        GalleryError: both have names, or they are the same already.
    """
    faces = {person: face_ids(db, person) for person in (a, b)}
    if a == b:
        raise GalleryError(f"person {a} is one already")
    names = {
        person: db.execute("SELECT name FROM people WHERE id = ?", (person,)).fetchone()[0]
        for person in (a, b)
    }
    if names[a] and names[b]:
        raise GalleryError(
            f"{names[a]} and {names[b]} both have names; split or forget one of them first"
        )
    kept = max((a, b), key=lambda p: (names[p] is not None, len(faces[p]), -p))
    gone = a + b - kept
    _undo(db, "different", faces[a], faces[b])
    _decide(db, "same", faces[a] + faces[b], [])
    db.execute("UPDATE faces SET person_id = ? WHERE person_id = ?", (kept, gone))
    db.execute("UPDATE log SET person_id = ? WHERE person_id = ?", (kept, gone))
    db.execute("DELETE FROM people WHERE id = ?", (gone,))
    log(db, "merge", kept)
    return kept


def split(db: sqlite3.Connection, person_id: int, faces: Sequence[int]) -> int:
    """Take faces out of a person into a new one, for good; returns the new person's id.

    Raises:
        UnknownPerson: there is no such person.
        GalleryError: a face is not theirs, or none would remain.
    """
    theirs = face_ids(db, person_id)
    moved = sorted(set(faces))
    if strangers := set(moved) - set(theirs):
        raise GalleryError(f"face {min(strangers)} is not of person {person_id}")
    rest = [face for face in theirs if face not in set(moved)]
    if not moved or not rest:
        raise GalleryError("a split takes some of a person's faces, not all and not none")
    _undo(db, "same", moved, rest)
    _decide(db, "different", moved, rest)
    new = new_person(db)
    db.executemany("UPDATE faces SET person_id = ? WHERE id = ?", [(new, f) for f in moved])
    log(db, "split", new)
    return new


def set_apart(db: sqlite3.Connection, a: int, b: int) -> None:
    """Two people are not the same, whatever they look like.

    Raises:
        UnknownPerson: one of them does not exist.
        GalleryError: they are the same person here.
    """
    faces_a, faces_b = face_ids(db, a), face_ids(db, b)
    if a == b:
        raise GalleryError(
            f"person {a} cannot differ from themselves; `lineament split` parts them"
        )
    _undo(db, "same", faces_a, faces_b)
    _decide(db, "different", faces_a, faces_b)
    log(db, "different", a)


def decisions(db: sqlite3.Connection) -> list[tuple[str, list[int], list[int]]]:
    """What the user decided: kind and both sides' face ids (one side, where kind is "same")."""
    sides: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for decision, side, face in db.execute(
        "SELECT decision_id, side, face_id FROM decision_faces ORDER BY 1, 2, 3"
    ):
        sides[decision][side].append(face)
    return [
        (kind, *sides[decision])
        for decision, kind in db.execute("SELECT id, kind FROM decisions ORDER BY id")
    ]


def set_people(
    db: sqlite3.Connection, faces: Int64[np.ndarray, " n"], labels: Int64[np.ndarray, " n"]
) -> None:
    """Write a new grouping. People keep id and name by the faces that they share with the groups.

    Pairs of old person and new group are taken in order: named people first, then most shared
    faces. What remains of the groups becomes new people, the largest first; people who are left
    without faces are gone.
    """
    now_at = dict(db.execute("SELECT id, person_id FROM faces WHERE person_id IS NOT NULL"))
    named = {row[0] for row in db.execute("SELECT id FROM people WHERE name IS NOT NULL")}
    shared = Counter(
        (now_at[face], label)
        for face, label in zip(faces.tolist(), labels.tolist(), strict=True)
        if face in now_at
    )
    person_of: dict[int, int] = {}
    taken: set[int] = set()
    for (person, label), _ in sorted(
        shared.items(), key=lambda item: (item[0][0] not in named, -item[1], item[0])
    ):
        if person not in taken and label not in person_of:
            person_of[label] = person
            taken.add(person)
    sizes = Counter(labels.tolist())
    for label in sorted(sizes, key=lambda label: (-sizes[label], label)):
        if label not in person_of:
            person_of[label] = new_person(db)
    db.executemany(
        "UPDATE faces SET person_id = :person WHERE id = :face AND person_id IS NOT :person",
        [
            {"person": person_of[label], "face": face}
            for face, label in zip(faces.tolist(), labels.tolist(), strict=True)
        ],
    )
    drop_empty(db)


def new_person(db: sqlite3.Connection) -> int:
    """A person without name or faces yet."""
    return int(db.execute("INSERT INTO people (created_at) VALUES (?)", (now(),)).lastrowid or 0)


def drop_empty(db: sqlite3.Connection) -> None:
    """People who are left without faces are gone, and what the log said of them."""
    empty = (
        "SELECT id FROM people WHERE id NOT IN (SELECT person_id FROM faces WHERE person_id > 0)"
    )
    db.execute(f"DELETE FROM log WHERE person_id IN ({empty})")
    db.execute(f"DELETE FROM people WHERE id IN ({empty})")


def log(
    db: sqlite3.Connection,
    event: str,
    person_id: int | None = None,
    stated_by: str = "",
    note: str = "",
) -> None:
    """Write a line of the log."""
    db.execute(
        "INSERT INTO log (at, event, person_id, stated_by, note) VALUES (?, ?, ?, ?, ?)",
        (now(), event, person_id, stated_by, note),
    )


def _decide(db: sqlite3.Connection, kind: str, side_a: list[int], side_b: list[int]) -> None:
    row = db.execute("INSERT INTO decisions (kind, decided_at) VALUES (?, ?)", (kind, now()))
    pairs = [(0, face) for face in side_a] + [(1, face) for face in side_b]
    db.executemany(
        "INSERT INTO decision_faces VALUES (?, ?, ?)", [(row.lastrowid, *pair) for pair in pairs]
    )


def _undo(db: sqlite3.Connection, kind: str, a: Sequence[int], b: Sequence[int]) -> None:
    """Take back older decisions that a new one about faces `a` and `b` contradicts.

    Of an older "same", the faces of the smaller of the two sides leave the set; an older
    "different" between them is dropped whole.
    """
    set_a, set_b = set(a), set(b)
    for decision, side_0, side_1 in _decisions_of_kind(db, kind):
        if kind == "same" and side_0 & set_a and side_0 & set_b:
            leaving = min(side_0 & set_a, side_0 & set_b, key=len)
            db.executemany(
                "DELETE FROM decision_faces WHERE decision_id = ? AND face_id = ?",
                [(decision, face) for face in leaving],
            )
        if kind == "different" and (
            (side_0 & set_a and side_1 & set_b) or (side_0 & set_b and side_1 & set_a)
        ):
            db.execute("DELETE FROM decisions WHERE id = ?", (decision,))


def _decisions_of_kind(db: sqlite3.Connection, kind: str) -> list[tuple[int, set[int], set[int]]]:
    sides: dict[int, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for decision, side, face in db.execute(
        "SELECT decision_id, side, face_id FROM decision_faces JOIN decisions ON"
        " decisions.id = decision_id WHERE kind = ?",
        (kind,),
    ):
        sides[decision][side].add(face)
    return [(decision, *both) for decision, both in sides.items()]


def withdrawn(db: sqlite3.Connection) -> set[int]:
    """People whose last word on consent is that it has ended."""
    rows = db.execute(
        "SELECT person_id, event FROM log WHERE event LIKE 'consent%' AND person_id IS NOT NULL"
        " ORDER BY id"
    )
    last = dict(rows.fetchall())
    return {person for person, event in last.items() if event == "consent withdrawn"}
