"""Whole ladders of damage at once: is an embedder ahead of the default one on the same probes?

A point of a curve has a wide interval. Two embedders see the same damaged probes, so over all
severities of a suite, and over all suites, their difference can be told far more closely: it is
taken probe by probe, and the interval is a bootstrap over people of that difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from lineament.bench.context import Table
from lineament.bench.degraded_cells import ROUNDS, Cell, Figures
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap

BESIDE = "sface"
"""The default of every command, which another embedder would stand in for."""
EVERY = "all suites"
CALIBRATED = "TAR at calibrated FMR 1e-3"
OWN = "TAR at FMR 1e-3 of the damaged pairs"
METRICS: dict[str, Callable[[Figures], np.ndarray]] = {
    CALIBRATED: lambda figures: figures.passes,
    OWN: lambda figures: figures.passes_own,
}


@dataclass(frozen=True, eq=False)
class Ladder:
    """What one embedder does over all severities of one suite, or over all suites alike.

    Attributes:
        slug: of the embedder.
        suite: name of the suite, or `EVERY`.
        passes: of each of `METRICS`, the share of severities at which each probe passes.
        fmr: mean share of strangers that pass at the calibrated threshold.
        eer: mean equal error rate.
    """

    slug: str
    suite: str
    passes: dict[str, Float64[np.ndarray, " p"]]
    fmr: float
    eer: float


def ladders(cells: Sequence[Cell]) -> list[Ladder]:
    """Of each embedder: all suites together, then one by one. Clean probes are left out."""
    found = []
    for slug in dict.fromkeys(cell.slug for cell in cells):
        mine = [cell for cell in cells if cell.slug == slug and cell.level is not None]
        names = dict.fromkeys(cell.suite.name for cell in mine)
        single = [_ladder(slug, name, [c for c in mine if c.suite.name == name]) for name in names]
        found += [_together(slug, single), *single]
    return found


def _ladder(slug: str, name: str, cells: Sequence[Cell]) -> Ladder:
    figures = [cell.figures for cell in cells]
    return Ladder(
        slug,
        name,
        {metric: np.mean([of(f) for f in figures], axis=0) for metric, of in METRICS.items()},
        float(np.mean([f.fmr for f in figures])),
        float(np.mean([f.eer for f in figures])),
    )


def _together(slug: str, single: Sequence[Ladder]) -> Ladder:
    return Ladder(
        slug,
        EVERY,
        {metric: np.mean([each.passes[metric] for each in single], axis=0) for metric in METRICS},
        float(np.mean([each.fmr for each in single])),
        float(np.mean([each.eer for each in single])),
    )


def ladder_results(
    ladders: Sequence[Ladder], people: Int64[np.ndarray, " p"], data: str, digest: str
) -> Iterator[Result]:
    """Evidence: each embedder's means, beside those of `BESIDE` where that was measured.

    Args:
        ladders: of all embedders, on the same probes.
        people: of the probes.
        data: in words.
        digest: of the data.
    """
    beside = {each.suite: each for each in ladders if each.slug == BESIDE}
    for each in ladders:
        other = beside.get(each.suite) if each.slug != BESIDE else None
        for metric, value, interval, theirs, note in _metrics(each, other, people):
            yield Result(
                method=each.slug,
                protocol="degraded-lfw",
                data=data,
                data_hash=digest,
                metric=f"mean over severities of {metric}, {each.suite}",
                ours=value,
                interval=interval,
                baseline=BESIDE if other else None,
                baseline_value=theirs,
                higher_is_better=metric in METRICS,
                note=note,
            )


_Metric = tuple[str, float, tuple[float, float] | None, float | None, str]


def _metrics(
    ours: Ladder, other: Ladder | None, people: Int64[np.ndarray, " p"]
) -> Iterator[_Metric]:
    """Name, value, interval, the other's value, and a note on each figure that is kept."""
    for metric, shares in ours.passes.items():
        value, low, high = _mean(shares, people)
        theirs = other and other.passes[metric]
        note = "" if theirs is None else f"Less {BESIDE}: {_gap(shares, theirs, people)} points."
        yield metric, value, (low, high), None if theirs is None else float(theirs.mean()), note
    yield "FMR at calibrated FMR 1e-3", ours.fmr, None, other and other.fmr, ""
    yield "equal error rate", ours.eer, None, other and other.eer, ""


def side_by_side(ladders: Sequence[Ladder], people: Int64[np.ndarray, " p"], data: str) -> Table:
    """All suites together, an embedder a row."""
    rows, beside = [], {each.suite: each for each in ladders if each.slug == BESIDE}
    for each in (each for each in ladders if each.suite == EVERY):
        cells = []
        for metric, shares in each.passes.items():
            value, low, high = (100 * part for part in _mean(shares, people))
            other = beside.get(EVERY) if each.slug != BESIDE else None
            gap = _gap(shares, other.passes[metric], people) if other else "-"
            cells += [f"{value:.2f} ({low:.2f} to {high:.2f})", gap]
        rows.append((each.slug, *cells, f"{100 * each.fmr:.3f}", f"{100 * each.eer:.2f}"))
    return Table(
        f"Means over all severities and suites; {data}",
        (
            "embedder",
            "TAR %, calibrated#",
            f"less {BESIDE}#",
            "TAR %, own FMR 1e-3#",
            f"less {BESIDE}#",
            "FMR %, calibrated#",
            "EER %#",
        ),
        rows,
    )


def _mean(
    shares: Float64[np.ndarray, " p"], people: Int64[np.ndarray, " p"]
) -> tuple[float, float, float]:
    """The mean over probes, with its interval over people."""
    interval = bootstrap(lambda rows: float(shares[rows].mean()), people, rounds=ROUNDS)
    return float(shares.mean()), *interval.pair


def _gap(
    ours: Float64[np.ndarray, " p"],
    theirs: Float64[np.ndarray, " p"],
    people: Int64[np.ndarray, " p"],
) -> str:
    """Ours less theirs on the same probes, in points."""
    value, low, high = (100 * part for part in _mean(ours - theirs, people))
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"
