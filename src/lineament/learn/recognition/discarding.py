"""Whether a quality says which faces a network fails on: error versus discard, over seeds.

The scores stay those of the network; qualities differ. See `measure.discard`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

from lineament.learn.recipes import Job
from lineament.learn.recognition.figures import ROUNDS, verdict
from lineament.learn.recognition.material import Material, PairTest
from lineament.measure.discard import discard_curve, start_threshold
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap_pairs

START, LIMIT = 0.2, 0.5
"""Share of the pairs of one person that fail before anything is discarded, and the largest share
that is."""
COLUMN = "FNMR while discarding"
Quality = Callable[[UInt8[np.ndarray, "n s s 3"]], Float[np.ndarray, " n"]]
"""Of aligned faces; more is better, on any scale."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What one seed's network and its qualities made of the pairs of one person of a test.

    Attributes:
        scores: of the pairs.
        qualities: of both faces of each pair, by the quality's name.
    """

    scores: Float32[np.ndarray, " p"]
    qualities: Mapping[str, Float[np.ndarray, "p 2"]]


def judged(
    test: PairTest, scores: Float32[np.ndarray, " p"], qualities: Mapping[str, Quality]
) -> Judged:
    """Ask qualities about the faces of a test.

    Args:
        test: whose pairs of two people are left out.
        scores: of all its pairs.
        qualities: by name.
    """
    pairs = test.pairs[test.same]

    def both(quality: Quality) -> np.ndarray:
        first = quality(test.gallery)
        second = first if test.probes is test.gallery else quality(test.probes)
        return np.stack([first[pairs[:, 0]], second[pairs[:, 1]]], axis=1)

    return Judged(scores[test.same], {name: both(each) for name, each in qualities.items()})


def mean_error(scores: Float[np.ndarray, " n"], quality: Float[np.ndarray, "n 2"]) -> float:
    """Mean FNMR while 0 to `LIMIT` of the pairs of one person are discarded.

    About `START` where the quality says nothing; less is better.
    """
    curve = discard_curve(scores, quality, start_threshold(scores, START))
    return curve.area(LIMIT) / LIMIT


def compare_qualities(
    job: Job, material: Material, test: PairTest, seeds: Sequence[Judged]
) -> tuple[list[tuple[str, str]], list[Result]]:
    """The first quality beside the others.

    Args:
        job: the job.
        material: what the networks have learnt from.
        test: that was judged.
        seeds: one a seed, with the same qualities.

    Returns:
        A row (name, figure) for each quality and each gap, and the gaps as evidence.
    """
    first, *others = seeds[0].qualities
    people = test.people[test.same]

    def drawn(statistic: Callable[[Judged, np.ndarray], float]) -> tuple[float, float]:
        rng = np.random.default_rng(0)

        def over_seeds(rows: np.ndarray) -> float:
            chosen = rng.integers(len(seeds), size=len(seeds))
            return float(np.mean([statistic(seeds[k], rows) for k in chosen]))

        return bootstrap_pairs(over_seeds, people, rounds=ROUNDS).pair

    every = np.arange(len(people))
    values, intervals, rows = {}, {}, []
    for name in (first, *others):
        error = _error(name)
        values[name] = [error(each, every) for each in seeds]
        intervals[name] = drawn(error)
        rows.append(
            (f"{test.name}, by {name}", _points(float(np.mean(values[name])), intervals[name], ""))
        )
    results = []
    for other in others:
        ours, theirs = _error(first), _error(other)
        gap = drawn(lambda each, rows, a=ours, b=theirs: a(each, rows) - b(each, rows))
        value = float(np.mean(values[first]) - np.mean(values[other]))
        said = f"{_points(value, gap, '+')} {verdict((-gap[1], -gap[0]))}"
        rows.append((f"{test.name}, by {first} less by {other}", said))
        single = ", ".join(f"{100 * value:.1f}" for value in values[first])
        results.append(
            Result(
                method=job.recipe.slug,
                protocol=f"train {job.recipe.slug}",
                data=f"{test.name}, pairs of one person; learnt from {len(material.train)} faces",
                data_hash=test.hash,
                metric=f"{COLUMN}, by {first} beside by {other}",
                ours=float(np.mean(values[first])),
                interval=intervals[first],
                baseline=other,
                baseline_value=float(np.mean(values[other])),
                higher_is_better=False,
                seed=job.seeds[0],
                note=f"Mean FNMR while up to {LIMIT:.0%} are discarded, {START:.0%} at the start. "
                f"Seeds {', '.join(map(str, job.seeds))} ({single} %); people and seeds drawn; "
                f"less the baseline, in points: {said}.",
            )
        )
    return rows, results


def _error(name: str) -> Callable[[Judged, np.ndarray], float]:
    return lambda each, rows: mean_error(each.scores[rows], each.qualities[name][rows])


def _points(value: float, interval: tuple[float, float], sign: str) -> str:
    low, high = (f"{100 * end:{sign}.1f}" for end in interval)
    return f"{100 * value:{sign}.1f} ({low} to {high})"
