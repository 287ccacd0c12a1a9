"""Figures of embeddings on pairs of faces, with intervals, and of one arm less another.

Intervals are bootstraps in which people are drawn, since pairs that share a person are not
independent, and with them the seeds of training, since another start gives another network. A gap
between two arms is taken over the same draws of both, seed by seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.learn.recipes import Comparison, Job
from lineament.learn.recognition.material import Material, PairTest
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap_pairs
from lineament.measure.verification import fold_accuracy, true_accept_rate

ROUNDS = 200
"""Of each bootstrap."""
Embed = Callable[[UInt8[np.ndarray, "n s s 3"]], Float32[np.ndarray, "n d"]]
"""Aligned faces to embeddings of length 1."""
_Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


@dataclass(frozen=True, eq=False)
class Run:
    """What one trained model made of the tests.

    Attributes:
        arm: its name.
        seed: of its training.
        scores: of each test's pairs, in the order of the tests.
    """

    arm: str
    seed: int
    scores: tuple[Float32[np.ndarray, " _"], ...]


@dataclass(frozen=True)
class Figure:
    """A column of the table: a metric of a test.

    Attributes:
        test: number of the test.
        name: of the test and the metric.
        of: the metric of scores, truth and folds.
    """

    test: int
    name: str
    of: _Metric


def _rate(at: float) -> _Metric:
    return lambda scores, same, fold: true_accept_rate(scores, same, at)


def _accuracy(scores: np.ndarray, same: np.ndarray, fold: np.ndarray) -> float:
    return fold_accuracy(scores, same, fold).mean


def figures(tests: Sequence[PairTest]) -> list[Figure]:
    """What is reported: accuracy where both kinds of pair are equally many, and TAR at FAR 1e-2;
    at 1e-3 as well where the pictures are not damaged."""
    found = []
    for number, test in enumerate(tests):
        clean = test.probes is test.gallery
        if clean and np.mean(test.same) == 0.5:
            found.append(Figure(number, f"{test.name} accuracy", _accuracy))
        found.append(Figure(number, f"{test.name} TAR@1e-2", _rate(1e-2)))
        if clean:
            found.append(Figure(number, f"{test.name} TAR@1e-3", _rate(1e-3)))
    return found


def score(embed: Embed, tests: Sequence[PairTest]) -> tuple[Float32[np.ndarray, " _"], ...]:
    """Cosines of the pairs of each test. Tests that share an array share its embeddings."""
    known: dict[int, np.ndarray] = {}
    scores = []
    for test in tests:
        for pixels in (test.gallery, test.probes):
            if id(pixels) not in known:
                known[id(pixels)] = embed(pixels)
        first, second = known[id(test.gallery)], known[id(test.probes)]
        scores.append(np.einsum("pd,pd->p", first[test.pairs[:, 0]], second[test.pairs[:, 1]]))
    return tuple(scores)


def raw_pixels(pixels: UInt8[np.ndarray, "n s s 3"]) -> Float32[np.ndarray, "n d"]:
    """An embedding that nothing was learnt for: an eighth of the size, grey, without its mean."""
    count, side = pixels.shape[:2]
    cell = side // 16
    grey = pixels[:, : 16 * cell, : 16 * cell].reshape(count, 16, cell, 16, cell, 3)
    vectors = grey.mean(axis=(2, 4, 5), dtype=np.float32).reshape(count, -1)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def compare(
    job: Job,
    material: Material,
    runs: Sequence[Run],
    against: Sequence[tuple[str, str]],
) -> Comparison:
    """Arms side by side, and each (arm, baseline) of `against` with its gap.

    Args:
        job: the job.
        material: whose tests were scored.
        runs: of every arm, for the same seeds.
        against: which gaps to give.
    """
    columns = figures(material.tests)
    arms: dict[str, list[Run]] = {}
    for each in runs:
        arms.setdefault(each.arm, []).append(each)
    seeds = {name: _Seeds(arm, material.tests) for name, arm in arms.items()}
    rows = [_row(name, arm, columns) for name, arm in seeds.items()]
    untrained = [Run("", 0, score(raw_pixels, material.tests))]
    rows.append(_row("raw pixels", _Seeds(untrained, material.tests), columns))
    results = []
    for ours, theirs in against:
        gap = _Seeds(arms[ours], material.tests, arms[theirs])
        cells = []
        for column in columns:
            value, interval = gap.value(column), gap.interval(column)
            cells.append(f"{_points(value, interval)} {verdict(interval)}")
            beside = f"{column.name}, {ours} beside {theirs}"
            found = _result(job, material, column, seeds[ours], seeds[theirs], cells[-1])
            results.append(replace(found, metric=beside, baseline=theirs))
        rows.append((f"{ours} less {theirs}", *cells))
    title = (
        f"{job.recipe.slug}: {job.recipe.title}. Learnt from {len(material.train)} faces of "
        f"{material.train.count} people at {material.train.pixels.shape[1]} px; "
        f"{len(job.seeds)} seeds of {job.settings.steps} steps; % with 95 % intervals"
    )
    return Comparison(title, ("arm", *(f"{c.name}#" for c in columns)), rows, results)


def verdict(gap: tuple[float, float]) -> str:
    """What the interval of a gap says; more is better."""
    low, high = gap
    return "helps" if low > 0 else "hurts" if high < 0 else "no effect seen"


class _Seeds:
    """Figures of one arm over its seeds; with a baseline, of their differences seed by seed."""

    def __init__(
        self, runs: Sequence[Run], tests: Sequence[PairTest], baseline: Sequence[Run] = ()
    ) -> None:
        self._runs, self._tests, self._baseline = runs, tests, baseline
        self._intervals: dict[str, tuple[float, float]] = {}

    def single(self, column: Figure) -> list[float]:
        """Of each seed."""
        every = np.arange(len(self._tests[column.test].pairs))
        return [self._of(column, every, k) for k in range(len(self._runs))]

    def value(self, column: Figure) -> float:
        """The mean over seeds."""
        return float(np.mean(self.single(column)))

    def interval(self, column: Figure) -> tuple[float, float]:
        """Of that mean, people and seeds drawn."""
        if column.name not in self._intervals:
            self._intervals[column.name] = self._drawn(column)
        return self._intervals[column.name]

    def _drawn(self, column: Figure) -> tuple[float, float]:
        rng, count = np.random.default_rng(0), len(self._runs)

        def statistic(rows: np.ndarray) -> float:
            drawn, often = np.unique(rng.integers(count, size=count), return_counts=True)
            values = [self._of(column, rows, int(k)) for k in drawn]
            return float(np.average(values, weights=often))

        people = self._tests[column.test].people
        return bootstrap_pairs(statistic, people, rounds=ROUNDS).pair

    def _of(self, column: Figure, rows: np.ndarray, seed: int) -> float:
        value = self._metric(column, rows, self._runs[seed])
        return value - self._metric(column, rows, self._baseline[seed]) if self._baseline else value

    def _metric(self, column: Figure, rows: np.ndarray, run: Run) -> float:
        test = self._tests[column.test]
        return column.of(run.scores[column.test][rows], test.same[rows], test.fold[rows])


def _row(name: str, arm: _Seeds, columns: Sequence[Figure]) -> tuple[str, ...]:
    return (name, *(_percent(arm.value(column), arm.interval(column)) for column in columns))


def _percent(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _points(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _result(
    job: Job, material: Material, column: Figure, ours: _Seeds, theirs: _Seeds, gap: str
) -> Result:
    test, train = material.tests[column.test], material.train
    single = ", ".join(f"{100 * value:.1f}" for value in ours.single(column))
    return Result(
        method=job.recipe.slug,
        protocol=f"train {job.recipe.slug}",
        data=f"{test.name} at {train.pixels.shape[1]} px; learnt from {len(train)} faces of "
        f"{train.count} people",
        data_hash=test.hash,
        metric=column.name,
        ours=ours.value(column),
        interval=ours.interval(column),
        baseline_value=theirs.value(column),
        seed=job.seeds[0],
        note=f"Mean of seeds {', '.join(map(str, job.seeds))} ({single} %), {job.settings.steps} "
        f"steps each; people and seeds drawn; less the baseline, in points: {gap}.",
    )
