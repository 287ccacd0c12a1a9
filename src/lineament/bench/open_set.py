"""LFW as an open set: people searched in a gallery that holds some of them, and not the others.

The split has no chance in it. Of each person of at least two pictures, the first picture (by file
name) is enrolled, and the others are probes with a mate. The one picture of each other person is a
probe without a mate. With the set of 7,701 crops: 1,559 enrolled, 3,420 probes with a mate and
2,722 without. One comparison a probe and person, by cosine of mirrored crops added.

A probe without a found face is a miss where it has a mate, and no alarm where it has none; a person
whose enrolled picture shows no found face cannot be found.

Source of the metrics: P. Grother et al., NISTIR 8271, 2019: FNIR, the share of mated searches whose
mate scores below the threshold, at the threshold where FPIR, the share of searches without a mate
that raise an alarm, is 0.01. Intervals are bootstraps over the probes' people; the gallery stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.faces import embedded_faces, embedders
from lineament.bench.lfw import BASELINE, Figure, percent
from lineament.bench.plots import Axis, Curve
from lineament.measure.evidence import Result
from lineament.measure.identification import (
    Searches,
    cmc,
    fnir_at_fpir,
    rank_accuracy,
    search,
    trade_off,
)
from lineament.measure.interval import bootstrap
from lineament.measure.sets.lfw import read_lfw

FPIR = 0.01
RANKS = 20
NOTHING = -2.0
"""The score of a comparison that could not be made: below every cosine."""
METRICS = ("FNIR at FPIR 0.01", "FNIR at FPIR 0.1", "rank-1 accuracy of mated probes")


@dataclass(frozen=True)
class Split:
    """Rows of pictures by their part.

    Attributes:
        gallery: one picture of each enrolled person.
        probes: all other pictures, with and without mate.
    """

    gallery: Int64[np.ndarray, " g"]
    probes: Int64[np.ndarray, " p"]

    def describe(self, people: Int64[np.ndarray, " n"]) -> str:
        """The split in one line, as the evidence's ``data`` has it."""
        mated = int(np.isin(people[self.probes], people[self.gallery]).sum())
        strangers = len(self.probes) - mated
        return (
            f"LFW open set: the first pictures of {len(self.gallery):,} people enrolled; probes "
            f"are their other {mated:,}, and those of {strangers:,} people of one picture"
        )


def split(people: Int64[np.ndarray, " n"]) -> Split:
    """Who is enrolled and who is searched; rows must stand in order of file name."""
    _, first, counts = np.unique(people, return_index=True, return_counts=True)
    gallery = np.sort(first[counts >= 2])
    return Split(gallery, np.setdiff1d(np.arange(len(people)), gallery))


def searches(
    parts: Split,
    people: Int64[np.ndarray, " n"],
    found: Bool[np.ndarray, " n"],
    vectors: Float32[np.ndarray, "m d"],
) -> Searches:
    """Every probe searched in the gallery, in the order of the split.

    Args:
        parts: the split.
        people: of each picture.
        found: whether a face was found in it.
        vectors: of the pictures where one was, in order.
    """
    row = np.cumsum(found) - 1
    gallery = parts.gallery[found[parts.gallery]]
    seen = found[parts.probes]
    probes = parts.probes[seen]
    done = search(vectors[row[probes]], people[probes], vectors[row[gallery]], people[gallery])
    enrolled = np.isin(people[parts.probes], people[parts.gallery])
    mate = np.full(len(parts.probes), NOTHING)
    other = mate.copy()
    # Last of the list, unless a search says better: a face that was not found finds nobody.
    rank = np.where(enrolled, len(parts.gallery), 0)
    mate[seen], other[seen] = np.maximum(done.mate, NOTHING), np.maximum(done.other, NOTHING)
    rank[seen] = np.where(done.mated, done.rank, rank[seen])
    return Searches(mate, other, rank)


def run(context: Context) -> Outcome:
    """Search with every embedder asked for, and with the baseline."""
    lfw = read_lfw(context.set_folder("lfw"))
    parts = split(lfw.people)
    done: dict[str, Searches] = {}
    figures: dict[str, dict[str, Figure]] = {}
    slugs = embedders(context.methods, context.say)
    for slug in [BASELINE, *(s for s in slugs if s != BASELINE)]:
        context.say(f"lfw-open-set: {slug}")
        embedded = embedded_faces(lfw.paths, slug)
        found = embedded.faces.found
        done[slug] = searches(parts, lfw.people, found, embedded.flip.vectors)
        figures[slug] = measure(done[slug], lfw.people[parts.probes], context.seed)
    data = parts.describe(lfw.people)
    table = Table(
        data,
        ("embedder", "FNIR@FPIR 0.01 %#", "FNIR@FPIR 0.1 %#", "rank 1 %#"),
        [(slug, *map(percent, row.values())) for slug, row in figures.items()],
    )
    results = [
        Result(
            method=slug,
            protocol="lfw-open-set",
            data=data,
            data_hash=lfw.digest(),
            metric=metric,
            ours=figure.value,
            interval=figure.interval,
            baseline=None if slug == BASELINE else BASELINE,
            baseline_value=None if slug == BASELINE else figures[BASELINE][metric].value,
            higher_is_better=not metric.startswith("FNIR"),
            seed=context.seed,
        )
        for slug, row in figures.items()
        for metric, figure in row.items()
    ]
    return Outcome([table], results, [trade_off_plot(done), cmc_plot(done)])


def measure(done: Searches, people: Int64[np.ndarray, " p"], seed: int) -> dict[str, Figure]:
    """The protocol's figures with intervals over the probes' people."""
    statistics: tuple[Callable[[Searches], float], ...] = (
        lambda s: fnir_at_fpir(s, FPIR),
        lambda s: fnir_at_fpir(s, 10 * FPIR),
        lambda s: rank_accuracy(s.take(np.flatnonzero(s.mated))),
    )
    return {
        metric: Figure(
            statistic(done),
            bootstrap(lambda rows, f=statistic: f(done.take(rows)), people, seed=seed).pair,
        )
        for metric, statistic in zip(METRICS, statistics, strict=True)
    }


def trade_off_plot(done: dict[str, Searches]) -> Curve:
    """FNIR over FPIR."""
    curves = {slug: trade_off(found) for slug, found in done.items()}
    return Curve(
        "Open-set identification: LFW",
        Axis("false-positive identification rate", "log", (1e-3, 1.0)),
        Axis("false-negative identification rate", "log", (1e-3, 1.0)),
        {slug: (c.fpir.tolist(), c.fnir.tolist()) for slug, c in curves.items()},
        note="Lower is better.",
    )


def cmc_plot(done: dict[str, Searches]) -> Curve:
    """Cumulative match characteristic of the probes with a mate."""
    ranks = [float(rank) for rank in range(1, RANKS + 1)]
    return Curve(
        "Mated probes found within a rank: LFW",
        Axis("rank"),
        Axis("share of mated probes"),
        {
            slug: (ranks, cmc(found.take(np.flatnonzero(found.mated)), RANKS).tolist())
            for slug, found in done.items()
        },
    )


PROTOCOL = Protocol(
    "lfw-open-set", "open-set identification on LFW: FNIR at FPIR 0.01", run, ("lfw",)
)
"""`lineament bench lfw-open-set`."""
