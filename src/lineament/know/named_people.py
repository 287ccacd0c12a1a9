"""Who of a gallery's named people is seen in a video.

A track's mean embedding is compared with the best faces of everybody who has a name. It gets a name
where a stranger's face would look so like any of these faces no more often than the rate that is
asked for: by Bonferroni, each single comparison is held to that rate divided by their number (C. E.
Bonferroni, 1936; the same correction as in `know.naming`). The calibration's rates are those of
pairs of single pictures, and a track in a gallery is one face likewise.

Nobody is named who has no name in the gallery, or whose consent was withdrawn there, and no two
faces that are seen at one moment get one name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from lineament.core.assignment import assign
from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput
from lineament.core.verdict import Calibration
from lineament.know.best_face import worth
from lineament.know.calibrate import calibration_for
from lineament.know.gallery import Gallery
from lineament.know.tracks import Track

FACES_A_PERSON = 5
"""A person's best faces that are compared, at most: each more makes all comparisons stricter."""
RATE = 1e-3


@dataclass(frozen=True)
class Recognised:
    """Who a face is taken for.

    Attributes:
        person: id in the gallery.
        name: of that person.
        score: the best cosine to one of their faces.
        false_match_rate: how often a stranger's face would look so like any of all the faces that
            were compared, at most; in (0, 1].
    """

    person: int
    name: str
    score: float
    false_match_rate: float


class NamedPeople:
    """People with names, to be recognised elsewhere.

    Args:
        faces: embeddings of their faces.
        people: the person of each face.
        names: of each person.
        calibration: of the faces' space.
        false_match_rate: share of strangers' faces that may be given any name.

    Attributes:
        threshold: cosine from which a face gets a name.

    Raises:
        BadInput: there is no face, or the calibration cannot speak for so low a rate.
    """

    def __init__(
        self,
        faces: Embeddings,
        people: Int64[np.ndarray, " n"],
        names: dict[int, str],
        calibration: Calibration,
        false_match_rate: float = RATE,
    ) -> None:
        if not 0 < false_match_rate <= 1:
            raise BadInput(f"a false-match rate lies within (0, 1]; got {false_match_rate:g}")
        if not len(faces):
            raise BadInput("nobody has a name yet; `lineament name PERSON NAME` gives one")
        each, least = false_match_rate / len(faces), calibration.rates[-1]
        if each < least:
            raise BadInput(
                f"{len(faces)} faces are compared at once: {calibration.data} can speak for a "
                f"false-match rate of {least * len(faces):.1g} and more for all of them together, "
                f"not for {false_match_rate:g}"
            )
        self.space = faces.space
        self.faces = len(faces)
        self.false_match_rate = false_match_rate
        self.calibration = calibration
        self.names = names
        self.threshold = calibration.threshold(min(each, calibration.rates[0]))
        self._vectors = faces.vectors
        self._people, self._columns = np.unique(people, return_inverse=True)

    @classmethod
    def of(cls, gallery: Gallery, false_match_rate: float = RATE) -> NamedPeople:
        """The named people of a gallery, by their best faces; the gallery is only read.

        Raises:
            BadInput: nobody has a name, or the rate cannot be spoken for.
            LineamentError: there is no calibration of the gallery's space.
        """
        gone = gallery.withdrawn()
        known = [p for p in gallery.people() if p.name and p.faces and p.id not in gone]
        if not known:
            raise BadInput("nobody has a name yet; `lineament name PERSON NAME` gives one")
        better = worth(gallery)
        person_of = {
            face.id: person.id
            for person in known
            for face in sorted(person.faces, key=better, reverse=True)[:FACES_A_PERSON]
        }
        stored = gallery.codes()
        rows = np.flatnonzero(np.isin(stored.ids, list(person_of)))
        return cls(
            Embeddings.from_codes(stored.codes[rows], gallery.space),
            np.asarray([person_of[face] for face in stored.ids[rows].tolist()], np.int64),
            {person.id: person.name or "" for person in known},
            calibration_for(gallery, false_match_rate / len(rows)),
            false_match_rate,
        )

    def together(
        self, looks: Sequence[Float32[np.ndarray, " d"] | None]
    ) -> tuple[Recognised | None, ...]:
        """Who the faces of one moment are; nobody is two of them.

        Args:
            looks: the mean embedding of each face's track; None where nothing is known yet.
        """
        rows = [row for row, vector in enumerate(looks) if vector is not None]
        found: list[Recognised | None] = [None] * len(looks)
        if rows:
            scores = self._scores(np.stack([vector for vector in looks if vector is not None]))
            passing = np.where(scores >= self.threshold, scores, 0).astype(np.float64)
            for row, column in assign(passing).tolist():
                found[rows[row]] = self._recognised(column, float(scores[row, column]))
        return tuple(found)

    def tracks(self, tracks: Sequence[Track]) -> dict[int, Recognised]:
        """Who the tracks of a video are, by the number of each that has a name.

        The best likeness decides first; a track that is seen at the same time as one that has its
        name already gets none.
        """
        known = [track for track in tracks if track.embedding is not None]
        if not known:
            return {}
        scores = self._scores(np.stack([t.embedding for t in known if t.embedding is not None]))
        best = scores.argmax(axis=1)
        found: dict[int, Recognised] = {}
        taken: dict[int, list[Track]] = {}
        for row in np.argsort(-scores.max(axis=1), kind="stable").tolist():
            track, column, score = known[row], int(best[row]), float(scores[row].max())
            rivals = taken.setdefault(column, [])
            if score < self.threshold or any(_at_once(track, other) for other in rivals):
                continue
            rivals.append(track)
            found[track.id] = self._recognised(column, score)
        return found

    def _scores(self, vectors: Float32[np.ndarray, "t d"]) -> Float32[np.ndarray, "t p"]:
        """The best cosine of each vector with a face of each person."""
        cosines = vectors @ self._vectors.T
        scores = np.full((len(vectors), len(self._people)), -1, np.float32)
        for column in range(len(self._people)):
            scores[:, column] = cosines[:, self._columns == column].max(axis=1)
        return scores

    def _recognised(self, column: int, score: float) -> Recognised:
        person = int(self._people[column])
        rate = min(1.0, self.faces * self.calibration.false_match_rate(score))
        return Recognised(person, self.names[person], score, rate)


def _at_once(a: Track, b: Track) -> bool:
    """Whether two tracks are seen at the same time."""
    return a.first <= b.last and b.first <= a.last
