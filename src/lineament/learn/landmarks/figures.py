"""A method beside what it is held against: the same errors as rows of a table and as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lineament.learn.recipes import Job
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap

Runs = Sequence[Float64[np.ndarray, " n"]]
"""Errors of the same test faces, as shares, an array a seed."""


@dataclass(frozen=True)
class Figure:
    """What is measured.

    Attributes:
        data: the test faces and what was learnt from, in words.
        data_hash: of the test faces' source.
        metric: in words.
    """

    data: str
    data_hash: str
    metric: str


def beside(
    job: Job, figure: Figure, arms: Mapping[str, Runs], notes: Mapping[str, str]
) -> tuple[list[tuple[str, ...]], list[Result]]:
    """Every arm, and the first one, the method, less each of the others.

    Args:
        job: the job.
        figure: what the errors are of.
        arms: errors by arm; a mean over seeds stands for an arm.
        notes: of some arms: a cell of the table.

    Returns:
        Rows of arm, error in %, span over seeds, gap with its interval, note; and a result for
        each arm but the first.
    """
    method = next(iter(arms))
    ours = np.mean(arms[method], axis=0)
    rows, results = [], []
    for name, runs in arms.items():
        theirs = np.mean(runs, axis=0)
        single = [100 * float(run.mean()) for run in runs]
        spread = f"{min(single):.2f} to {max(single):.2f}" if len(single) > 1 else ""
        gap = "" if name == method else _gap(ours - theirs)
        rows.append((name, f"{100 * theirs.mean():.2f}", spread, gap, notes.get(name, "")))
        if gap:
            results.append(_result(job, figure, arms[method], name, theirs))
    return rows, results


def _gap(differences: Float64[np.ndarray, " n"]) -> str:
    low, high = _interval(differences)
    return f"{100 * differences.mean():+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def _interval(values: Float64[np.ndarray, " n"]) -> tuple[float, float]:
    """Of a mean over faces, one person each."""
    return bootstrap(lambda rows: float(values[rows].mean()), np.arange(len(values))).pair


def _result(
    job: Job, figure: Figure, runs: Runs, baseline: str, theirs: Float64[np.ndarray, " n"]
) -> Result:
    ours = np.mean(runs, axis=0)
    single = [f"{100 * run.mean():.2f}" for run in runs]
    return Result(
        method=job.recipe.slug,
        protocol=f"train {job.recipe.slug}",
        data=figure.data,
        data_hash=figure.data_hash,
        metric=f"{figure.metric}, beside {baseline}",
        ours=float(ours.mean()),
        interval=_interval(ours),
        baseline=baseline,
        baseline_value=float(theirs.mean()),
        higher_is_better=False,
        seed=job.seeds[0],
        note=f"Mean of seeds {', '.join(map(str, job.seeds))} ({' %, '.join(single)} %), "
        f"{job.settings.steps} steps each; less the baseline: {_gap(ours - theirs)} %.",
    )
