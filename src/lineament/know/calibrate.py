"""A gallery's own calibration: how alike strangers look in *these* photos.

The calibration that ships with a space was measured on LFW: adults, press photos, many countries. A
family looks more alike, and so do children, or the scans of one old camera. A gallery tells this by
itself, for some of its people are surely two: those who stand in one photo together, those with
names of their own, and those whom the user called different. Every face of the one against every
face of the other is a pair of strangers.

What it cannot tell: a face that was grouped with the wrong person is missing from these pairs, so
that the rates are a little too low where grouping is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Float32, Int, Int64

from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput, LineamentError
from lineament.core.verdict import Calibration
from lineament.know.calibration import calibration_of
from lineament.know.constraints import moments
from lineament.know.gallery import Gallery
from lineament.measure.interval import bootstrap_pairs

FACES_A_PERSON = 20
"""At most so many of each person's faces are compared, spread over all of them, so that one person
of a thousand photos does not speak for everybody."""
_MOST_PAIRS = 20_000
"""At most so many pairs of people are compared, drawn at random."""
_PROMISES = (1e-1, 1e-2, 1e-3, 1e-4)
_ALIKE = 2.0
"""A rate that is this many times the promised one, or this part of it, is no longer it."""
_EXPECTED = 3
"""Errors that a promise must let expect here before it is tried at all."""


@dataclass(frozen=True)
class Measured:
    """A promised false-match rate, held against the gallery's own strangers.

    Attributes:
        promised: rate at `threshold` on the calibration that ships.
        threshold: least score of that calibration for that rate.
        rate: what it is here.
        low: lower end of its 95 % interval, drawn over people.
        high: upper end.
    """

    promised: float
    threshold: float
    rate: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """``higher`` or ``lower`` than promised: beyond doubt, and by a factor of two; else
        ``alike``."""
        if self.low > self.promised and self.rate > _ALIKE * self.promised:
            return "higher"
        if self.high < self.promised and self.rate < self.promised / _ALIKE:
            return "lower"
        return "alike"


@dataclass(frozen=True)
class OwnCalibration:
    """What a gallery says about its strangers.

    Attributes:
        calibration: ladder of rates and scores, as deep as the pairs allow.
        people: who stand in at least one pair.
        couples: pairs of people.
        measured: the rates that the shipped calibration promises.
    """

    calibration: Calibration
    people: int
    couples: int
    measured: tuple[Measured, ...]

    @property
    def warnings(self) -> list[str]:
        """Where these photos do not look like those that the shipped calibration was made on."""
        return [
            f"strangers look {'more' if m.verdict == 'higher' else 'less'} alike in these photos "
            f"than where the shipped calibration was measured: the threshold for a false-match "
            f"rate of {m.promised:g} gives {m.rate:.2g} (95 %: {m.low:.2g} to {m.high:.2g})"
            for m in self.measured
            if m.verdict != "alike"
        ]


def calibrate(gallery: Gallery, *, seed: int = 0) -> OwnCalibration:
    """Measure a gallery's own false-match rates, and try the promises of the shipped calibration.

    Args:
        gallery: grouped into people.
        seed: of the draws over people, and of the couples where there are too many.

    Raises:
        BadInput: too few people are known to be different for any rate to be spoken for.
        LineamentError: no calibration ships for the gallery's space.
    """
    shipped = calibration_of(gallery.space)
    faces = gallery.codes()
    couples = known_couples(faces.photos, faces.people, _told_apart(gallery), faces.spans)
    if len(couples) > _MOST_PAIRS:
        rows = np.random.default_rng(seed).choice(len(couples), _MOST_PAIRS, replace=False)
        couples = couples[np.sort(rows)]
    vectors = Embeddings.from_codes(faces.codes, gallery.space).vectors
    scores = couple_scores(vectors, faces.people, couples)
    sizes = np.asarray([len(s) for s in scores], np.int64)
    if sizes.sum() < 60:
        raise BadInput(
            "too few pairs of people who are surely different: photos with several people in "
            "them, and names for people, would show how alike strangers look here"
        )
    together = np.concatenate(scores)
    everybody = len(np.unique(couples))
    data = f"{sizes.sum():,} pairs of faces of {everybody} people of this gallery"
    ladder = Calibration.from_scores(gallery.space, data, together)
    measured = [
        _measure(rate, shipped.threshold(rate), scores, sizes, couples, seed)
        for rate in _PROMISES
        if rate >= shipped.rates[-1] and rate * sizes.sum() >= _EXPECTED
    ]
    return OwnCalibration(ladder, everybody, len(couples), tuple(measured))


def known_couples(
    photos: Int[np.ndarray, " n"],
    people: Int[np.ndarray, " n"],
    apart: Iterable[tuple[int, int]] = (),
    spans: Float[np.ndarray, "n 2"] | None = None,
) -> Int64[np.ndarray, "c 2"]:
    """Pairs of people who are surely two, the smaller number first, in order.

    Args:
        photos: the photo that each face is in: who stand in one are different people.
        people: the person of each face, or -1.
        apart: pairs of people told to be different.
        spans: when each face is seen, where its photo is a video; see `constraints.moments`.
    """
    found = {(min(a, b), max(a, b)) for a, b in apart if a != b}
    rows, seen = moments(photos, spans)
    order = np.argsort(seen, kind="stable")
    for together in np.split(people[rows[order]], np.flatnonzero(np.diff(seen[order])) + 1):
        if len(together) > 1:
            there = np.unique(together[together >= 0]).tolist()
            found.update(combinations(there, 2))
    return np.asarray(sorted(found), np.int64).reshape(-1, 2)


def couple_scores(
    vectors: Float32[np.ndarray, "n d"],
    people: Int[np.ndarray, " n"],
    couples: Int64[np.ndarray, "c 2"],
) -> list[Float32[np.ndarray, " _"]]:
    """Cosines of every face of the one with every face of the other, for each couple."""
    rows = {person: _spread(np.flatnonzero(people == person)) for person in np.unique(couples)}
    return [(vectors[rows[a]] @ vectors[rows[b]].T).ravel() for a, b in couples]


def _spread(rows: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " m"]:
    if len(rows) <= FACES_A_PERSON:
        return rows
    return rows[np.linspace(0, len(rows) - 1, FACES_A_PERSON).round().astype(np.int64)]


def _told_apart(gallery: Gallery) -> list[tuple[int, int]]:
    """People with names of their own, and those that a decision says are different."""
    people = gallery.people()
    person_of = {face.id: person.id for person in people for face in person.faces}
    named = [person.id for person in people if person.name]
    decided = [
        (person_of[a[0]], person_of[b[0]])
        for kind, a, b in gallery.decisions()
        if kind == "different" and a and b
    ]
    return [*combinations(named, 2), *decided]


def _measure(
    promised: float,
    threshold: float,
    scores: Sequence[Float32[np.ndarray, " _"]],
    sizes: Int64[np.ndarray, " c"],
    couples: Int64[np.ndarray, "c 2"],
    seed: int,
) -> Measured:
    hits = np.asarray([np.count_nonzero(s >= threshold) for s in scores], np.int64)

    def rate(rows: np.ndarray) -> float:
        return float(hits[rows].sum() / sizes[rows].sum())

    interval = bootstrap_pairs(rate, couples, seed=seed)
    whole = float(hits.sum() / sizes.sum())
    return Measured(promised, threshold, whole, interval.low, interval.high)


def to_json(own: OwnCalibration) -> str:
    """As the gallery keeps it: rates and scores, nothing of any one face."""
    return json.dumps(asdict(own))


def from_json(text: str) -> OwnCalibration:
    """What `to_json` wrote.

    Raises:
        LineamentError: the text holds something else.
    """
    try:
        row = json.loads(text)
        ladder = row["calibration"]
        calibration = Calibration(
            **{**ladder, "rates": tuple(ladder["rates"]), "scores": tuple(ladder["scores"])}
        )
        measured = tuple(Measured(**m) for m in row["measured"])
        return OwnCalibration(calibration, row["people"], row["couples"], measured)
    except (ValueError, TypeError, KeyError) as error:
        raise LineamentError(f"the gallery's own calibration is damaged: {error}") from error


def own_calibration(gallery: Gallery) -> OwnCalibration | None:
    """What `calibrate` found when it was last run, if faces were not erased since.

    Raises:
        LineamentError: it is damaged.
    """
    text = gallery.calibration()
    return from_json(text) if text else None


def calibration_for(gallery: Gallery, rate: float) -> Calibration:
    """The gallery's own calibration where it can speak for this rate, else the shipped one.

    Raises:
        LineamentError: there is none for the gallery's space, or its own is damaged.
    """
    own = own_calibration(gallery)
    if own and own.calibration.rates[-1] <= rate:
        return own.calibration
    return calibration_of(gallery.space)


def unlike(gallery: Gallery) -> list[str]:
    """Where a gallery's photos do not look like those that the shipped calibration was made on;
    nothing where too little is known."""
    try:
        return calibrate(gallery).warnings
    except BadInput:
        return []
