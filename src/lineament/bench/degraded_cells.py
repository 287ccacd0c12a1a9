"""What becomes of the scores of damaged probes: figures with intervals, evidence, tables, plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from lineament.bench.context import Table
from lineament.bench.lfw import BASELINE
from lineament.bench.plots import Axis, Curve
from lineament.core.errors import BadInput
from lineament.measure.degrade.suites import Suite
from lineament.measure.evidence import Result
from lineament.measure.interval import Interval, bootstrap
from lineament.measure.sets.lfw import LabeledFaces
from lineament.measure.verification import equal_error_rate, threshold_at

ROUNDS = 500
"""Of each bootstrap; there are two at every point of every curve."""
OWN = 1e-3
"""False-match rate that a threshold is found for on the damaged pairs themselves."""


@dataclass(frozen=True, eq=False)
class Figures:
    """What one embedder does at one severity.

    Attributes:
        tar: share of pairs of one person that pass at the calibrated threshold.
        tar_interval: of `tar`, by bootstrap over people.
        fmr: share of probes and strangers' gallery pictures that pass there.
        fmr_interval: of `fmr`.
        eer: equal error rate, at a threshold chosen on these very pairs.
        found: share of probes in which a face was found.
        passes: of each probe, whether its own person's gallery picture passes there.
        passes_own: the same at the threshold that `OWN` of these very strangers reach.
    """

    tar: float
    tar_interval: Interval
    fmr: float
    fmr_interval: Interval
    eer: float
    found: float
    passes: Bool[np.ndarray, " p"]
    passes_own: Bool[np.ndarray, " p"]


@dataclass(frozen=True)
class Cell:
    """One curve's point: an embedder, a suite, a level (None is the clean probe)."""

    slug: str
    suite: Suite
    level: float | None
    figures: Figures

    @property
    def label(self) -> str:
        return label(self.suite, self.level)


def label(suite: Suite, level: float | None) -> str:
    """A point of a curve in words."""
    return "clean" if level is None else suite.label(level)


def judge(
    scores: Float[np.ndarray, "p p"], people: Int64[np.ndarray, " p"], limit: float, found: float
) -> Figures:
    """Figures of p probes (rows) against p gallery pictures (columns), of one person at the same
    number; -1 where a probe was refused.

    Raises:
        BadInput: there are fewer than two people, or too few for an interval.
    """
    different = people[:, None] != people[None]
    strangers = different.astype(np.float32)
    matches = strangers * (scores >= limit)
    genuine = scores.diagonal() >= limit

    def false_match_rate(rows: Int64[np.ndarray, " m"]) -> float:
        weights = np.bincount(rows, minlength=len(people)).astype(np.float32)
        if not (pairs := float(weights @ strangers @ weights)):
            raise BadInput("a false-match rate needs pairs of different people")
        return float(weights @ matches @ weights) / pairs

    every = np.concatenate([scores.diagonal(), scores[different]])
    return Figures(
        float(genuine.mean()),
        bootstrap(lambda rows: float(genuine[rows].mean()), people, rounds=ROUNDS),
        false_match_rate(np.arange(len(people))),
        bootstrap(false_match_rate, people, rounds=ROUNDS),
        equal_error_rate(every, np.arange(len(every)) < len(people)),
        found,
        genuine,
        scores.diagonal() >= threshold_at(scores[different], OWN),
    )


def described(lfw: LabeledFaces, what: str) -> str:
    """The data in words; `what` says what of the probe was damaged."""
    people = len(np.unique(lfw.people))
    return f"LFW, {len(lfw.pairs)} pairs of {people} people, {what} damaged, gallery clean"


def results(cells: Sequence[Cell], lfw: LabeledFaces, what: str, seed: int) -> Iterator[Result]:
    """Evidence of cells, each beside the baseline's; `what` says what of the probe was damaged."""
    data, digest = described(lfw, what), lfw.digest()
    baseline = {cell.label: cell.figures for cell in cells if cell.slug == BASELINE}
    for cell in cells:
        for metric, value, interval, beside in _metrics(cell.figures, baseline[cell.label]):
            own = cell.slug == BASELINE
            yield Result(
                method=cell.slug,
                protocol="degraded-lfw",
                data=data,
                data_hash=digest,
                metric=f"{metric}, {cell.label}",
                ours=value,
                interval=interval,
                baseline=None if own else BASELINE,
                baseline_value=None if own else beside,
                higher_is_better=metric.startswith("TAR"),
                seed=seed,
            )


_Metric = tuple[str, float, tuple[float, float] | None, float]


def _metrics(ours: Figures, base: Figures) -> Iterator[_Metric]:
    """Name, value, interval, and the baseline's value of each figure that is kept."""
    yield "TAR at calibrated FMR 1e-3", ours.tar, ours.tar_interval.pair, base.tar
    yield "FMR at calibrated FMR 1e-3", ours.fmr, ours.fmr_interval.pair, base.fmr
    yield "equal error rate", ours.eer, None, base.eer


def summary(cells: Sequence[Cell], slugs: Sequence[str]) -> Table:
    """The mean TAR over each suite's ladder, side by side."""
    rows = []
    for suite in dict.fromkeys(cell.suite for cell in cells):
        means = [
            np.mean([c.figures.tar for c in cells if (c.slug, c.suite) == (s, suite) and c.level])
            for s in slugs
        ]
        rows.append((suite.name, *(f"{100 * mean:.1f}" for mean in means)))
    return Table(
        "Mean over the ladder of TAR % at the calibrated FMR 1e-3 (probe damaged, gallery clean)",
        ("suite", *(f"{slug}#" for slug in slugs)),
        rows,
    )


def curves(cells: Sequence[Cell]) -> Table:
    """Every point of every curve."""
    rows = []
    for cell in cells:
        f = cell.figures
        shares = (f.tar, *f.tar_interval.pair, f.fmr, f.eer, f.found)
        level = "clean" if cell.level is None else f"{cell.level:g}"
        rows.append((cell.suite.name, level, cell.slug, *(f"{100 * s:.2f}" for s in shares)))
    return Table(
        "At the calibrated FMR 1e-3: TAR with its 95 % interval over people, and the FMR there",
        ("suite", "level#", "embedder", "TAR %#", "low#", "high#", "FMR %#", "EER %#", "found %#"),
        rows,
    )


def plots(cells: Sequence[Cell]) -> list[Curve]:
    """TAR over severity, one plot a suite, one line an embedder."""
    return [_plot(suite, cells) for suite in dict.fromkeys(cell.suite for cell in cells)]


def _plot(suite: Suite, cells: Sequence[Cell]) -> Curve:
    series: dict[str, tuple[list[float], list[float]]] = {}
    intervals: dict[str, list[tuple[float, float]]] = {}
    for cell in cells:
        if cell.suite != suite or cell.level is None:
            continue
        levels, rates = series.setdefault(cell.slug, ([], []))
        levels.append(float(cell.level))
        rates.append(cell.figures.tar)
        intervals.setdefault(cell.slug, []).append(cell.figures.tar_interval.pair)
    return Curve(
        f"LFW with worse probes: {suite.name}",
        Axis(f"{suite.name}: {suite.unit.format('...')}"),
        Axis("TAR at the calibrated FMR of 1e-3", span=(0.0, 1.0)),
        series,
        intervals,
    )
