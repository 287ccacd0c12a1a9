"""Who might the unnamed be? Suggestions, and the questions whose answers name most.

Active self-paced learning (`adaptation.aspl`) is given the faces of named people as what the user
said, and all other faces to name. A group without a name is suggested to be a named person where

- machines claim some of its faces for that person, and for nobody else,
- a stranger would look so like one of the named faces no more often than the rate that is asked
  for: the false-match rate of the best cosine, times the pairs of faces that it was the best of,
- nothing forbids it: they are never seen in one photo at once, and no decision of the user's says
  that they differ, or that the group is part of somebody else.

Two groups that are seen at one moment are not suggested to be one person; the better one is. The
other groups are questions. Nothing here writes to the gallery: a suggestion becomes a decision when
the user says so, and then it is `Gallery.merge` or `Gallery.different`, as by hand.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput
from lineament.core.verdict import Calibration
from lineament.know.adaptation.aspl import SelfPaced
from lineament.know.calibrate import calibration_for
from lineament.know.constraints import moments
from lineament.know.gallery import FaceCodes, Gallery

ROUNDS = 10
"""Turns of the alternation: enough for the machines' ages to take in what is like them."""
RATE = 1e-3


@dataclass(frozen=True)
class Suggestion:
    """A group without a name that is likely a named person.

    Attributes:
        person: id of the group.
        named: id of the named person.
        name: of that person.
        faces: ids of the group's faces that speak for it.
        others: number of the group's faces that do not.
        score: the best cosine of these faces to a named one.
        false_match_rate: how often a stranger's face would look so like any of the named faces, at
            most; in (0, 1].
    """

    person: int
    named: int
    name: str
    faces: tuple[int, ...]
    others: int
    score: float
    false_match_rate: float


@dataclass(frozen=True)
class Question:
    """A group without a name to ask about.

    Attributes:
        person: id of the group.
        face: id of the face to show: the least certain one.
        faces: number of faces that an answer names.
        candidates: names that machines put on their side, best first; empty where none does.
    """

    person: int
    face: int
    faces: int
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class Suggestions:
    """What a gallery's unnamed people might be called. Nothing of it is stored.

    Attributes:
        certain: suggestions, the surest first.
        questions: what to ask about, what teaches most first.
        doubtful: ids of faces of named people that look like somebody else's.
        false_match_rate: that was asked for.
        calibration: the data that rates were measured on.
    """

    certain: tuple[Suggestion, ...]
    questions: tuple[Question, ...]
    doubtful: tuple[int, ...]
    false_match_rate: float
    calibration: str


def suggest(
    gallery: Gallery, *, false_match_rate: float = RATE, questions: int = 10
) -> Suggestions:
    """Suggest names for the groups of a gallery that have none; the gallery is only read.

    Args:
        gallery: grouped into people.
        false_match_rate: how often a stranger's face may be suggested to be somebody.
        questions: at most.

    Raises:
        BadInput: the rate is not within (0, 1], or nobody has a name and faces yet.
        LineamentError: there is no calibration of the gallery's space.
    """
    if not 0 < false_match_rate <= 1:
        raise BadInput(f"a false-match rate lies within (0, 1]; got {false_match_rate:g}")
    faces = _grouped(gallery.codes())
    names = {p.id: p.name for p in gallery.people() if p.name and p.faces}
    if not names:
        raise BadInput("nobody has a name yet; `lineament name PERSON NAME` gives one")
    vectors = Embeddings.from_codes(faces.codes, gallery.space).vectors
    answers = np.where(np.isin(faces.people, list(names)), faces.people, -1)
    apart = told_apart(gallery, faces)
    learner = SelfPaced(vectors, answers, _barred(faces, answers, apart))
    for _ in range(ROUNDS):
        learner.round()
    told = int((answers >= 0).sum())
    calibration = calibration_for(gallery, false_match_rate / told)
    looks = _Looks(faces, vectors, learner, calibration, names)
    certain = _one_each(looks.suggestions(false_match_rate), apart)
    taken = {suggestion.person for suggestion in certain}
    return Suggestions(
        tuple(certain),
        tuple(looks.questions(taken)[:questions]),
        tuple(faces.ids[learner.doubtful()].tolist()),
        false_match_rate,
        calibration.data,
    )


def told_apart(gallery: Gallery, faces: FaceCodes) -> dict[int, set[int]]:
    """For each person the others that they cannot be: those seen at one moment with them, and those
    that a decision of the user's calls different."""
    apart: dict[int, set[int]] = defaultdict(set)
    rows, seen = moments(faces.photos, faces.spans)
    order = np.argsort(seen, kind="stable")
    for together in np.split(rows[order], np.flatnonzero(np.diff(seen[order])) + 1):
        people = set(faces.people[together].tolist())
        for person in people:
            apart[person] |= people - {person}
    person_of = dict(zip(faces.ids.tolist(), faces.people.tolist(), strict=True))
    for kind, a, b in gallery.decisions():
        if kind == "different":
            ours, theirs = ({person_of[f] for f in side if f in person_of} for side in (a, b))
            for side, other in ((ours, theirs), (theirs, ours)):
                for person in side:
                    apart[person] |= other - {person}
    return apart


def _grouped(faces: FaceCodes) -> FaceCodes:
    """Only faces that are with somebody."""
    rows = np.flatnonzero(faces.people >= 0)
    return FaceCodes(
        faces.ids[rows],
        faces.codes[rows],
        faces.photos[rows],
        faces.people[rows],
        faces.spans[rows],
    )


def _barred(
    faces: FaceCodes, answers: Int64[np.ndarray, " n"], apart: dict[int, set[int]]
) -> Bool[np.ndarray, "n c"]:
    """Which faces cannot be which named people, in the order of the machines: that in which their
    people are first met."""
    named = list(dict.fromkeys(answers[answers >= 0].tolist()))
    barred = np.zeros((len(answers), len(named)), bool)
    for column, person in enumerate(named):
        barred[:, column] = np.isin(faces.people, list(apart.get(person, ())))
    return barred


@dataclass(frozen=True, eq=False)
class _Looks:
    """What the machines make of the groups without a name."""

    faces: FaceCodes
    vectors: Float32[np.ndarray, "n d"]
    learner: SelfPaced
    calibration: Calibration
    names: dict[int, str]

    def groups(self) -> dict[int, Int64[np.ndarray, " k"]]:
        """Rows of each group without a name."""
        rows = np.flatnonzero((self.faces.people >= 0) & (self.learner.answers < 0))
        ids = self.faces.people[rows]
        return {int(person): rows[ids == person] for person in np.unique(ids)}

    def suggestions(self, rate: float) -> list[Suggestion]:
        """Of all groups by themselves, the surest first."""
        found = []
        for group, rows in self.groups().items():
            claims = self.learner.assumed[rows]
            columns = np.unique(claims[claims >= 0])
            if len(columns) == 1:
                found.append(self._suggestion(group, rows, int(columns[0])))
        sure = [s for s in found if s.false_match_rate <= rate]
        return sorted(sure, key=lambda s: (s.false_match_rate, -s.score, s.person))

    def _suggestion(self, group: int, rows: Int64[np.ndarray, " k"], column: int) -> Suggestion:
        person = self.learner.people[column]
        speaking = rows[self.learner.assumed[rows] == column]
        theirs = self.vectors[self.learner.answers == person]
        score = float((self.vectors[speaking] @ theirs.T).max())
        # Any face of the group against any of all named ones might have been the best by chance.
        tries = len(speaking) * int((self.learner.answers >= 0).sum())
        return Suggestion(
            group,
            person,
            self.names[person],
            tuple(self.faces.ids[speaking].tolist()),
            len(rows) - len(speaking),
            score,
            min(1.0, tries * self.calibration.false_match_rate(score)),
        )

    def questions(self, taken: set[int]) -> list[Question]:
        """Groups that have no suggestion: those that several machines put on their side first,
        then those with most faces, then those least like anybody."""
        scores = self.learner.scores()
        ranked = []
        for group, rows in self.groups().items():
            if group in taken:
                continue
            best = scores[rows].max(axis=1)
            sides = np.flatnonzero((scores[rows] > 0).any(axis=0))
            order = sides[np.argsort(-scores[np.ix_(rows, sides)].max(axis=0), kind="stable")]
            candidates = tuple(self.names[self.learner.people[i]] for i in order)
            face = int(self.faces.ids[rows[best.argmin()]])
            key = (len(sides) < 2, -len(rows), float(best.min()), group)
            ranked.append((key, Question(group, face, len(rows), candidates)))
        return [question for _, question in sorted(ranked, key=lambda pair: pair[0])]


def _one_each(found: list[Suggestion], apart: dict[int, set[int]]) -> list[Suggestion]:
    """Of suggestions that would make one person of two who are apart, the better."""
    kept: list[Suggestion] = []
    for suggestion in found:
        others = apart.get(suggestion.person, set())
        if not any(k.named == suggestion.named and k.person in others for k in kept):
            kept.append(suggestion)
    return kept
