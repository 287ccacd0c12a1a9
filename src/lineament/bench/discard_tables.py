"""What discarding by each quality does to the errors: figures, evidence, tables, plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Float32, Int64

from lineament.bench.context import Table
from lineament.bench.plots import Axis, Curve
from lineament.measure.discard import DiscardCurve, discard_curve, ideal_curve
from lineament.measure.evidence import Result
from lineament.measure.interval import Interval, bootstrap
from lineament.measure.sets.lfw import LabeledFaces

RECOGNIZABILITY = "recognizability"
QUALITY = "quality"
DETECTOR = "detector score"
RIVAL = "sharpness"
"""What every quality is held against in the table."""
LIMIT = 0.2
ROUNDS = 500
SHOWN = 0.5
"""Share of discarded pairs up to which curves are drawn."""
FEWEST = 3
"""Pictures of a person from which there is a choice that matters: of two, either matches the
other or not."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Damaged pictures through one embedder.

    Attributes:
        slug: the embedder.
        vectors: embeddings, one a picture.
        people: of the pictures.
        pairs: of one person, as rows of the pictures.
        qualities: by name, one a picture.
        threshold: from which a pair matches.
    """

    slug: str
    vectors: Float32[np.ndarray, "n d"]
    people: Int64[np.ndarray, " n"]
    pairs: Int64[np.ndarray, "p 2"]
    qualities: Mapping[str, Float[np.ndarray, " n"]]
    threshold: float

    @property
    def scores(self) -> Float32[np.ndarray, " p"]:
        """Cosine of each pair."""
        first, second = self.pairs.T
        return np.einsum("pd,pd->p", self.vectors[first], self.vectors[second])

    def curve(self, name: str) -> DiscardCurve:
        """FNMR by share discarded for one quality."""
        return discard_curve(self.scores, self.qualities[name][self.pairs], self.threshold)

    def mean(self, name: str) -> Callable[[np.ndarray], float]:
        """The mean FNMR while up to `LIMIT` is discarded, of any rows of pairs."""
        scores, quality = self.scores, self.qualities[name][self.pairs]
        return lambda rows: mean_fnmr(discard_curve(scores[rows], quality[rows], self.threshold))

    def interval(self, statistic: Callable[[np.ndarray], float]) -> Interval:
        """Of a statistic of rows of pairs, over people."""
        return bootstrap(statistic, self.people[self.pairs[:, 0]], rounds=ROUNDS)

    def gain(self, name: str, over: str) -> tuple[float, Interval]:
        """How much lower the mean FNMR is than by another quality, on the same draws."""
        ours, theirs = self.mean(name), self.mean(over)

        def lower(rows: np.ndarray) -> float:
            return theirs(rows) - ours(rows)

        return lower(np.arange(len(self.pairs))), self.interval(lower)

    def false_match_rate(self, name: str | None = None) -> float:
        """Of all pairs of pictures of two people, at the threshold; with a quality, of pictures
        that are left when the worst `LIMIT` by it is discarded."""
        kept = np.arange(len(self.people))
        if name:
            worst_first = np.argsort(self.qualities[name], kind="stable")
            kept = worst_first[int(LIMIT * len(kept)) :]
        vectors, people = self.vectors[kept], self.people[kept]
        matches = vectors @ vectors.T >= self.threshold
        return float(matches[people[:, None] != people].mean())


def mean_fnmr(curve: DiscardCurve) -> float:
    """Mean height of a curve from nothing to `LIMIT` discarded."""
    return curve.area(LIMIT) / LIMIT


@dataclass(frozen=True, eq=False)
class BestFaces:
    """The picture that a quality chooses of each person who has at least `FEWEST`.

    Attributes:
        shares: of the person's other pictures that the chosen one matches.
        people: whose they are.
    """

    shares: Float[np.ndarray, " q"]
    people: Int64[np.ndarray, " q"]

    def mean(self) -> tuple[float, Interval]:
        """The mean share, every person counting alike, and its interval."""
        interval = bootstrap(lambda r: float(self.shares[r].mean()), self.people, rounds=ROUNDS)
        return float(self.shares.mean()), interval


def best_faces(judged: Judged, name: str) -> BestFaces:
    """What a person's best face by a quality is good for.

    Raises:
        BadInput: fewer than two people have enough pictures (when the mean is asked for).
    """
    shares, people = [], []
    for person in np.unique(judged.people):
        rows = np.flatnonzero(judged.people == person)
        if len(rows) < FEWEST:
            continue
        best = rows[np.argmax(judged.qualities[name][rows])]
        others = rows[rows != best]
        matches = judged.vectors[others] @ judged.vectors[best] >= judged.threshold
        shares.append(float(matches.mean()))
        people.append(int(person))
    return BestFaces(np.asarray(shares, np.float64), np.asarray(people, np.int64))


def start_table(judged: Sequence[Judged]) -> Table:
    """What there is before anything is discarded, and what a quality could reach."""
    rows = [
        (
            each.slug,
            f"{each.threshold:.3f}",
            f"{100 * each.curve(RECOGNIZABILITY).at(0):.1f}",
            f"{100 * mean_fnmr(ideal_curve(each.scores, each.threshold)):.1f}",
            f"{100 * each.false_match_rate():.2f}",
        )
        for each in judged
    ]
    return Table(
        "Damaged LFW at the threshold calibrated for FMR 1e-3, nothing discarded; ideal is the "
        f"mean FNMR up to {LIMIT:.0%} discarded by a quality that knows every error",
        ("embedder", "threshold#", "FNMR %#", "ideal %#", "FMR of damaged strangers %#"),
        rows,
    )


def quality_table(judged: Sequence[Judged]) -> Table:
    """What each quality makes of the errors."""
    return Table(
        f"Discarding by the pair's lower quality, up to {LIMIT:.0%}; 95 % intervals over people",
        (
            "embedder",
            "quality",
            "mean FNMR %#",
            f"FNMR % at {LIMIT:.0%}#",
            f"lower than by {RIVAL}, points#",
            f"FMR % of strangers, {LIMIT:.0%} of faces discarded#",
            "best face matches % of the person's others#",
        ),
        [_quality_row(each, name) for each in judged for name in each.qualities],
    )


def _quality_row(judged: Judged, name: str) -> tuple[str, ...]:
    curve = judged.curve(name)
    return (
        judged.slug,
        name,
        _percent(mean_fnmr(curve), judged.interval(judged.mean(name))),
        f"{100 * curve.at(LIMIT):.1f}",
        "-" if name == RIVAL else _percent(*judged.gain(name, RIVAL)),
        f"{100 * judged.false_match_rate(name):.2f}",
        _percent(*best_faces(judged, name).mean()),
    )


def rung_table(judged: Sequence[Judged], rung: Int64[np.ndarray, " n"]) -> Table:
    """Recognizability by how badly faces were damaged."""
    rows = []
    for each in judged:
        scores = each.qualities[RECOGNIZABILITY]
        for number in np.unique(rung):
            percentiles = np.percentile(scores[rung == number], (5, 50, 95))
            of = f"rung {number}" if number else "untouched"
            rows.append((each.slug, of, *(f"{value:.3f}" for value in percentiles)))
    return Table(
        "Percentiles of recognizability on LFW by rung, all suites together",
        ("embedder", "faces", "5 %#", "median#", "95 %#"),
        rows,
    )


def evidence(judged: Sequence[Judged], lfw: LabeledFaces, seed: int) -> list[Result]:
    """Recognizability beside each other quality, and the best face that it chooses."""
    people = len(np.unique(lfw.people))
    result = partial(
        Result,
        method=RECOGNIZABILITY,
        protocol="discard",
        data=f"LFW, {len(lfw.pairs)} pairs of {people} people, both pictures damaged",
        data_hash=lfw.digest(),
        seed=seed,
    )
    found = []
    for each in judged:
        ours = each.mean(RECOGNIZABILITY)
        every = np.arange(len(each.pairs))
        interval = each.interval(ours)
        for name in each.qualities:
            if name == RECOGNIZABILITY:
                continue
            found.append(
                result(
                    metric=f"mean FNMR up to {LIMIT:.0%} discarded, against {name}, {each.slug}",
                    ours=ours(every),
                    interval=interval.pair,
                    baseline=name,
                    baseline_value=each.mean(name)(every),
                    higher_is_better=False,
                    note=f"Lower by {_percent(*each.gain(RECOGNIZABILITY, name))} points on the "
                    "same draws of people.",
                )
            )
        usual = best_faces(each, QUALITY)
        for name in (name for name in each.qualities if RECOGNIZABILITY in name):
            best = best_faces(each, name)
            share, interval = best.mean()
            higher = BestFaces(best.shares - usual.shares, best.people).mean()
            found.append(
                result(
                    metric="share of a person's other pictures matched by the best one "
                    f"by {name}, {each.slug}",
                    ours=share,
                    interval=interval.pair,
                    baseline=QUALITY,
                    baseline_value=usual.mean()[0],
                    note=f"Higher by {_percent(*higher)} points on the same draws of people; "
                    f"{len(best.people)} people have at least {FEWEST} pictures.",
                )
            )
    return found


def curves(judged: Sequence[Judged]) -> list[Curve]:
    """FNMR over the share discarded, one plot an embedder, one line a quality."""
    shares = np.arange(0, SHOWN + 1e-9, 0.01).tolist()
    return [
        Curve(
            f"Error versus discard on damaged LFW: {each.slug}",
            Axis("share of pairs discarded"),
            Axis("FNMR of the others"),
            {name: (shares, [each.curve(name).at(s) for s in shares]) for name in each.qualities},
            note="A pair is as good as the worse of its two pictures.",
        )
        for each in judged
    ]


def _percent(value: float, interval: Interval) -> str:
    low, high = (100 * end for end in interval.pair)
    return f"{100 * value:.1f} ({low:.1f} to {high:.1f})"
