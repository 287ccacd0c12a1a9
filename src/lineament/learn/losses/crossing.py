"""Figures of two networks at once: faces that one embedded, searched with faces of the other.

Intervals draw people and seeds, as those of `recognition.figures` do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from lineament.core.errors import BadInput
from lineament.learn.recipes import Job
from lineament.learn.recognition import figures
from lineament.learn.recognition.figures import Embed, Run
from lineament.learn.recognition.material import Material, PairTest
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap, bootstrap_pairs
from lineament.measure.verification import true_accept_rate

ENOUGH = 0.97
"""Of the old network's own rate: what new probes should reach in its gallery."""
RATE = 1e-2
"""False-accept rate of the shares."""


def crossed(
    gallery: Embed, probes: Embed, tests: Sequence[PairTest]
) -> tuple[Float32[np.ndarray, " _"], ...]:
    """Cosines of the pairs of each test: first faces by one network, second by the other."""
    scores = []
    for test in tests:
        first, second = gallery(test.gallery), probes(test.probes)
        scores.append(np.einsum("pd,pd->p", first[test.pairs[:, 0]], second[test.pairs[:, 1]]))
    return tuple(scores)


@dataclass(frozen=True, eq=False)
class Search:
    """Which probes found their person first, one run.

    Attributes:
        hits: of each probe.
        people: whose each probe is.
    """

    hits: Bool[np.ndarray, " p"]
    people: Int64[np.ndarray, " p"]


def search(gallery: Embed, probes: Embed, test: PairTest) -> Search:
    """Each person's first face in a gallery, searched with all their others.

    Args:
        gallery: embeds the first faces.
        probes: embeds the others.
        test: all pairs of some faces (`every_pair`).
    """
    labels = np.empty(len(test.gallery), np.int64)
    labels[test.pairs] = test.people
    people, first = np.unique(labels, return_index=True)
    others = np.setdiff1d(np.arange(len(labels)), first)
    similar = probes(test.probes)[others] @ gallery(test.gallery)[first].T
    return Search(people[similar.argmax(1)] == labels[others], labels[others])


def shares(
    job: Job, material: Material, across: Sequence[Run], own: Sequence[Run]
) -> tuple[tuple[str, ...], list[Result]]:
    """TAR@1e-2 of new probes in an old gallery, as a share of the old network's own.

    Args:
        job: the job.
        material: whose tests were scored.
        across: scores of old against new, seed by seed.
        own: scores of the old network, for the same seeds.

    Returns:
        A row for the table of `figures.compare`, empty where a column is no such rate, and the
        shares on whole pictures as evidence.
    """
    cells, results = [], []
    for column in figures.figures(material.tests):
        if not column.name.endswith("TAR@1e-2"):
            cells.append("")
            continue
        test = material.tests[column.test]
        ours = [run.scores[column.test] for run in across]
        theirs = [run.scores[column.test] for run in own]
        value, (low, high) = _share(test, ours, theirs)
        cells.append(f"{100 * value:.1f} ({100 * low:.1f} to {100 * high:.1f})")
        if test.probes is test.gallery:
            metric = f"{column.name} of new probes in an old gallery, share of the old one's own"
            note = f"Asked is {ENOUGH:.2f}: {'reached' if value >= ENOUGH else 'not reached'}"
            results.append(_result(job, material, test, metric, value, (low, high), 1.0, note))
    return (f"{across[0].arm}, share of {own[0].arm}", *cells), results


def found(job: Job, material: Material, across: Sequence[Search], own: Sequence[Search]) -> Result:
    """Rank-1 of new probes in an old gallery beside the old network's own."""
    test = material.tests[-1]
    hits, baseline = (np.stack([s.hits for s in runs]) for runs in (across, own))
    draw = np.random.default_rng(0)

    def drawn(rows: np.ndarray) -> float:
        seeds = draw.integers(len(hits), size=len(hits))
        return float(hits[seeds][:, rows].mean())

    interval = bootstrap(drawn, across[0].people, rounds=figures.ROUNDS).pair
    single = ", ".join(f"{100 * s.hits.mean():.1f}" for s in across)
    return _result(
        job,
        material,
        test,
        f"{test.name} rank-1 of new probes in an old gallery, one face a person",
        float(hits.mean()),
        interval,
        float(baseline.mean()),
        f"Seeds: {single} %. The baseline is the old network's own rank-1",
    )


def _share(
    test: PairTest, ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]
) -> tuple[float, tuple[float, float]]:
    """Of the mean over seeds, and its interval."""
    draw = np.random.default_rng(0)

    def total(scores: Sequence[np.ndarray], rows: np.ndarray, seeds: np.ndarray) -> float:
        return sum(true_accept_rate(scores[k][rows], test.same[rows], RATE) for k in seeds)

    def share(rows: np.ndarray, seeds: np.ndarray) -> float:
        own = total(theirs, rows, seeds)
        if not own:
            raise BadInput("there is no share of a rate of 0")
        return total(ours, rows, seeds) / own

    every = np.arange(len(ours))
    interval = bootstrap_pairs(
        lambda rows: share(rows, draw.integers(len(ours), size=len(ours))),
        test.people,
        rounds=figures.ROUNDS,
    )
    return share(np.arange(len(test.pairs)), every), interval.pair


def _result(
    job: Job,
    material: Material,
    test: PairTest,
    metric: str,
    value: float,
    interval: tuple[float, float],
    baseline: float,
    note: str,
) -> Result:
    train = material.train
    return Result(
        method=job.recipe.slug,
        protocol=f"train {job.recipe.slug}",
        data=f"{test.name} at {train.pixels.shape[1]} px; learnt from {len(train)} faces of "
        f"{train.count} people",
        data_hash=test.hash,
        metric=metric,
        ours=value,
        interval=interval,
        baseline="the old network alone",
        baseline_value=baseline,
        seed=job.seeds[0],
        note=f"{note}. Mean of seeds {', '.join(map(str, job.seeds))}, {job.settings.steps} steps "
        "each; people and seeds drawn.",
    )
