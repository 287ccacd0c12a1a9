"""Figures of representations on several tasks, with intervals, and of one arm less another.

Intervals are bootstraps in which people are drawn, and with them the seeds of training. A gap
between two arms is taken over the same draws of both, seed by seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from lineament.learn.pretraining.material import Material
from lineament.learn.pretraining.tasks import Measure, Scores, Task
from lineament.learn.recipes import Comparison, Job
from lineament.learn.recognition.figures import verdict
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap, bootstrap_pairs

ROUNDS = 200
"""Of each bootstrap."""
Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Run:
    """What one representation is worth.

    Attributes:
        arm: its name.
        seed: of its training, and of the draws of few labels.
        scores: on the tasks.
    """

    arm: str
    seed: int
    scores: Scores


def compare(
    job: Job,
    material: Material,
    runs: Sequence[Run],
    beside: Sequence[Run],
    against: Sequence[tuple[str, str]],
    shares: Sequence[float],
) -> Comparison:
    """Arms side by side, each with few labels and with all, and each (arm, baseline) of `against`
    with its gap.

    Args:
        job: the job.
        material: whose tasks were scored.
        runs: of every arm, for the same seeds.
        beside: of representations from elsewhere, for the same seeds.
        against: which gaps to give.
        shares: of the labels.
    """
    arms: dict[str, list[Run]] = {}
    for each in (*runs, *beside):
        arms.setdefault(each.arm, []).append(each)
    rows, results = [], []
    for name, arm in arms.items():
        for share in shares:
            known = [(task, stacked(arm, task, share)) for task in material.tasks]
            if any(worth is not None for _, worth in known):
                cells = ("" if worth is None else cell(task, worth) for task, worth in known)
                rows.append((name, labels(share), *cells))
    for ours, theirs in against:
        for share in shares:
            cells = []
            for task in material.tasks:
                mine, other = (stacked(arms[name], task, share) for name in (ours, theirs))
                if mine is None or other is None:
                    cells.append("")
                    continue
                cells.append(_gap(task, mine - other))
                result = _result(job, material, task, share, mine, other, cells[-1])
                beside_it = f"{result.metric}, {ours} beside {theirs}"
                results.append(replace(result, metric=beside_it, baseline=theirs))
            if any(cells):
                rows.append((f"{ours} less {theirs}", labels(share), *cells))
    train = material.people.train
    title = (
        f"{job.recipe.slug}: {job.recipe.title}. Learnt from {len(train)} faces at "
        f"{train.pixels.shape[1]} px; {len(job.seeds)} seeds of {job.settings.steps} steps; linear "
        "probes of the frozen representation; 95 % intervals"
    )
    headings = (f"{task.name}: {task.measure.name}#" for task in material.tasks)
    return Comparison(title, ("arm", "labels", *headings), rows, results)


def labels(share: float) -> str:
    """A share of the labels, in words."""
    return f"{100 * share:g} %"


def stacked(runs: Sequence[Run], task: Task, share: float) -> Float64[np.ndarray, "s n"] | None:
    """Credits of each seed; None where the task was not scored with that share of the labels."""
    known = [run.scores.credits.get((task.name, share)) for run in runs]
    found = [worth for worth in known if worth is not None]
    return np.stack(found) if found else None


def interval(worth: Float64[np.ndarray, "s n"], people: Int64[np.ndarray, "n ..."]) -> Interval:
    """Of the mean over seeds and rows, people and seeds drawn."""
    rng, count = np.random.default_rng(0), len(worth)

    def statistic(rows: np.ndarray) -> float:
        drawn = rng.integers(count, size=count)
        return float(worth[drawn][:, rows].mean())

    draw = bootstrap_pairs if people.ndim == 2 else bootstrap
    return draw(statistic, people, rounds=ROUNDS).pair


def said(gap: Interval, measure: Measure) -> str:
    """What the interval of a gap says of the first of the two."""
    low, high = gap
    return verdict((low, high) if measure.higher_is_better else (-high, -low))


def cell(task: Task, worth: Float64[np.ndarray, "s n"]) -> str:
    """The figure and its interval, as tables have it."""
    low, high = interval(worth, task.people())
    scale = 100 if task.measure.percent else 1
    return f"{scale * worth.mean():.1f} ({scale * low:.1f} to {scale * high:.1f})"


def _gap(task: Task, difference: Float64[np.ndarray, "s n"]) -> str:
    ends = interval(difference, task.people())
    scale = 100 if task.measure.percent else 1
    low, high = (scale * end for end in ends)
    shown = f"{scale * difference.mean():+.1f} ({low:+.1f} to {high:+.1f})"
    return f"{shown} {said(ends, task.measure)}"


def _result(
    job: Job,
    material: Material,
    task: Task,
    share: float,
    ours: Float64[np.ndarray, "s n"],
    theirs: Float64[np.ndarray, "s n"],
    gap: str,
) -> Result:
    train, measure = material.people.train, task.measure
    scale = 100 if measure.percent else 1
    single = ", ".join(f"{scale * value:.1f}" for value in ours.mean(axis=1))
    return Result(
        method=job.recipe.slug,
        protocol=f"train {job.recipe.slug}",
        data=f"{task.data} at {train.pixels.shape[1]} px; learnt from {len(train)} faces",
        data_hash=task.hash,
        metric=f"{task.name}: {measure.name}, {labels(share)} of the labels",
        ours=float(ours.mean()),
        interval=interval(ours, task.people()),
        baseline_value=float(theirs.mean()),
        higher_is_better=measure.higher_is_better,
        seed=job.seeds[0],
        note=f"Linear probe of the frozen representation; mean of seeds "
        f"{', '.join(map(str, job.seeds))} ({single}), {job.settings.steps} steps each; people and "
        f"seeds drawn; less the baseline: {gap}.",
    )
