"""What the networks of a comparison cost, beside what they reach.

Costs do not depend on the weights, so they are those of fresh networks. Times are of the exported
file on one thread, a face at a time; the networks take turns, so that whatever else the machine
does hits all alike.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float64

from lineament.core.sessions import Session
from lineament.learn.backbones.cost import multiplications, parameters
from lineament.learn.engine import seeded
from lineament.learn.export import export
from lineament.learn.recipes import Comparison, Job
from lineament.learn.recognition.material import SIZE
from lineament.learn.recognition.trial import Arm, Learner
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap

PASSES = 100
"""Timed, of each network."""


@dataclass(frozen=True, eq=False)
class Cost:
    """Of one network, for one face.

    Attributes:
        multiplications: each with its addition.
        learnt: numbers that are trained.
        kept: bytes of its ONNX file.
        milliseconds: of each pass.
    """

    multiplications: int
    learnt: int
    kept: int
    milliseconds: Float64[np.ndarray, " n"]


def beside_costs(job: Job, arms: Sequence[Arm], found: Comparison) -> Comparison:
    """A comparison with columns of costs, and with the first arm's held against the others'."""
    costs = costs_of(arms)
    rows = [(*row, *_cells(costs.get(row[0]))) for row in found.rows]
    headings = (
        *found.headings, "million multiplications#", "thousand weights#", "MB#", "ms a face#",
    )  # fmt: skip
    first, *others = arms
    results = [r for other in others for r in _results(job, costs, first.name, other.name)]
    return replace(found, headings=headings, rows=rows, results=[*found.results, *results])


def costs_of(arms: Sequence[Arm], passes: int = PASSES) -> dict[str, Cost]:
    """Costs of the backbones that arms train, by name; their heads are left behind."""
    with TemporaryDirectory() as folder:
        networks, files = {}, {}
        for number, arm in enumerate(arms):
            with seeded(0):
                learner = arm.make(2)
            assert isinstance(learner, Learner)
            networks[arm.name] = learner.backbone
            files[arm.name] = Path(folder) / f"{number}.onnx"
            export(learner.backbone, torch.zeros(2, 3, SIZE, SIZE), files[arm.name])
        times = _times(files, passes)
        face = torch.zeros(1, 3, SIZE, SIZE)
        return {
            name: Cost(
                multiplications(network, face),
                parameters(network),
                files[name].stat().st_size,
                times[name],
            )
            for name, network in networks.items()
        }


def _times(files: dict[str, Path], passes: int) -> dict[str, Float64[np.ndarray, " n"]]:
    sessions = {name: Session(path, threads=1) for name, path in files.items()}
    face = np.zeros((1, 3, SIZE, SIZE), np.float32)
    taken: dict[str, list[float]] = {name: [] for name in files}
    for number in range(passes + 3):
        for name, session in sessions.items():
            started = time.perf_counter()
            session.run(face)
            if number >= 3:  # the first passes also make ready
                taken[name].append(1e3 * (time.perf_counter() - started))
    return {name: np.asarray(each) for name, each in taken.items()}


def _typical(milliseconds: Float64[np.ndarray, " n"]) -> float:
    """Of a pass that nothing else on the machine held up."""
    return float(np.quantile(milliseconds, 0.1))


def _cells(cost: Cost | None) -> tuple[str, str, str, str]:
    if cost is None:
        return "", "", "", ""
    return (
        f"{cost.multiplications / 1e6:.2f}",
        f"{cost.learnt / 1e3:.0f}",
        f"{cost.kept / 1e6:.2f}",
        f"{_typical(cost.milliseconds):.2f}",
    )


def _results(job: Job, costs: dict[str, Cost], ours: str, theirs: str) -> list[Result]:
    first, other = costs[ours], costs[theirs]
    counted = Result(
        method=job.recipe.slug,
        protocol=f"train {job.recipe.slug}",
        data=f"a face of {SIZE} px",
        data_hash="",
        metric=f"million multiplications a face, {ours} beside {theirs}",
        ours=first.multiplications / 1e6,
        baseline=theirs,
        baseline_value=other.multiplications / 1e6,
        higher_is_better=False,
        note=f"Weights to learn: {first.learnt} and {other.learnt}; the ONNX file: "
        f"{first.kept / 1e6:.2f} and {other.kept / 1e6:.2f} MB.",
    )
    passes = np.arange(len(first.milliseconds))
    interval = bootstrap(lambda rows: _typical(first.milliseconds[rows]), passes, rounds=200)
    timed = replace(
        counted,
        metric=f"milliseconds a face, {ours} beside {theirs}",
        ours=_typical(first.milliseconds),
        interval=interval.pair,
        baseline_value=_typical(other.milliseconds),
        note=f"The fastest tenth of {len(passes)} passes of the ONNX files at its slow end, on one "
        "thread, taken by turns: whatever else the machine does only adds to the others.",
    )
    return [counted, timed]
