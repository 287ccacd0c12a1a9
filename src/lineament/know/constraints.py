"""What the user decided, and what a photo implies, about which faces may be one person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int64

from lineament.core.errors import BadInput

Told = Sequence[int] | Int[np.ndarray, " _"]
"""Rows of faces as a caller names them."""
Rows = Int64[np.ndarray, " _"]
"""Rows of faces, rising, each once."""


@dataclass(frozen=True, eq=False)
class Decisions:
    """The user's word on who is who, as rows of faces.

    Attributes:
        same: each a set of faces of one person.
        different: each two sets of faces without a person in common.
    """

    same: tuple[Rows, ...]
    different: tuple[tuple[Rows, Rows], ...]

    @classmethod
    def of(cls, n: int, same: Sequence[Told], different: Sequence[tuple[Told, Told]]) -> Decisions:
        """Decisions on `n` faces.

        Raises:
            BadInput: there is no such face, or the decisions contradict each other.
        """
        decisions = cls(
            tuple(_rows(faces, n) for faces in same),
            tuple((_rows(a, n), _rows(b, n)) for a, b in different),
        )
        person = join(n, decisions.same)
        for a, b in decisions.different:
            for shared in np.intersect1d(person[a], person[b])[:1]:
                one, other = sorted(side[person[side] == shared][0] for side in (a, b))
                raise BadInput(
                    f"faces {one} and {other} were called different people, "
                    "and by other decisions the same: take one of the decisions back"
                )
        return decisions

    def moved(self, rank: Int64[np.ndarray, " n"]) -> Decisions:
        """The same decisions where each face's row has become its `rank`."""
        return Decisions(
            tuple(rank[faces] for faces in self.same),
            tuple((rank[a], rank[b]) for a, b in self.different),
        )


def first_groups(
    known: Int[np.ndarray, " n"], decisions: Decisions
) -> tuple[Int64[np.ndarray, " n"], Rows]:
    """Groups of faces that are one person from the start, and the faces to search for.

    People that the decisions say are more than one lose their hold: their faces count as new.

    Args:
        known: the person each face is known to be, or -1.
        decisions: which do not contradict each other.

    Returns:
        The group of each face, numbered in the order of their first faces, and the rows of faces
        that are of no known person.
    """
    group = join(len(known), [*decisions.same, *_members(known)])
    torn = [np.intersect1d(group[a], group[b]) for a, b in decisions.different]
    if any(map(len, torn)):
        known = np.where(np.isin(group, np.concatenate(torn)), -1, known)
        group = join(len(known), [*decisions.same, *_members(known)])
    return group, np.flatnonzero(known < 0)


class Constraints:
    """Which groups may not become one; told of every merge."""

    def __init__(
        self,
        group: Int64[np.ndarray, " n"],
        photos: Int[np.ndarray, " n"] | None,
        different: Iterable[tuple[Rows, Rows]],
        spans: Float[np.ndarray, "n 2"] | None = None,
    ) -> None:
        """
        Args:
            group: of each face.
            photos: the photo of each face; None where faces of one photo may be one person.
            different: sets of faces without a person in common.
            spans: see `moments`.
        """
        count = int(group.max()) + 1
        self._moments: list[set[int]] = [set() for _ in range(count)]
        # Decision number i has sides 2 i and 2 i + 1; sides that differ in the last bit are apart.
        self._sides: defaultdict[int, set[int]] = defaultdict(set)
        if photos is not None:
            rows, seen = moments(photos, spans)
            for owner, moment in zip(group[rows].tolist(), seen.tolist(), strict=True):
                self._moments[owner].add(moment)
        for number, sides in enumerate(different):
            for side, faces in enumerate(sides):
                for owner in group[faces].tolist():
                    self._sides[owner].add(2 * number + side)

    def between(self, a: int, b: int) -> bool:
        """Whether groups `a` and `b` must stay apart."""
        if not self._moments[a].isdisjoint(self._moments[b]):
            return True
        if a not in self._sides or b not in self._sides:
            return False
        opposite = self._sides[b]
        return any(side ^ 1 in opposite for side in self._sides[a])

    def merge(self, kept: int, gone: int) -> None:
        """Group `gone` is now part of `kept`."""
        self._moments[kept] |= self._moments[gone]
        self._moments[gone] = set()
        if gone in self._sides:
            self._sides[kept] |= self._sides.pop(gone)


def moments(
    photos: Int[np.ndarray, " n"], spans: Float[np.ndarray, "n 2"] | None = None
) -> tuple[Rows, Int64[np.ndarray, " _"]]:
    """Which faces were seen at which moments: two that share one are two people.

    A photo is one moment. In a video, two faces that are seen at different times may be one person,
    and two that are seen at once may not; of two spans that overlap, one holds the other's
    beginning, so that the beginnings are all the moments that are needed.

    Args:
        photos: the photo, or video, that each face is in.
        spans: from when to when each is seen; NaN for faces of photos; None where all are.

    Returns:
        Rows of faces and a moment of each, for all pairs of the two.
    """
    whole = np.arange(len(photos)) if spans is None else np.flatnonzero(np.isnan(spans[:, 0]))
    rows, seen = [whole], [photos[whole].astype(np.int64)]
    if spans is not None and len(whole) < len(photos):
        following = np.flatnonzero(~np.isnan(spans[:, 0]))
        number = int(photos.max()) + 1
        for video in np.unique(photos[following]):
            faces = following[photos[following] == video]
            begins = np.unique(spans[faces, 0])
            low = np.searchsorted(begins, spans[faces, 0])
            counts = np.searchsorted(begins, spans[faces, 1], side="right") - low
            rows.append(np.repeat(faces, counts))
            places = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            seen.append(number + np.repeat(low, counts) + places)
            number += len(begins)
    return np.concatenate(rows), np.concatenate(seen)


def join(n: int, sets: Iterable[Rows]) -> Int64[np.ndarray, " n"]:
    """Groups of `n` faces where all of a set are in one, numbered in order of their first faces."""
    parent = list(range(n))

    def find(face: int) -> int:
        while parent[face] != face:
            parent[face] = face = parent[parent[face]]
        return face

    for faces in sets:
        for other in faces[1:].tolist():
            a, b = find(int(faces[0])), find(other)
            parent[max(a, b)] = min(a, b)
    return np.unique([find(face) for face in range(n)], return_inverse=True)[1].astype(np.int64)


def _members(known: Int[np.ndarray, " n"]) -> list[Rows]:
    """The faces of each known person."""
    faces = np.argsort(known, kind="stable")
    faces = faces[known[faces] >= 0]
    return np.split(faces, np.flatnonzero(np.diff(known[faces])) + 1)


def _rows(faces: Told, n: int) -> Rows:
    rows = np.unique(np.asarray(faces, np.int64))
    if len(rows) and not 0 <= rows[0] <= rows[-1] < n:
        raise BadInput(f"a decision is about face {rows[-1]}, and there are {n} faces")
    return rows
