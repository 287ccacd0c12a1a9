"""MOS beside what it is held against: a table, and the same as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineament.learn.detection.material import Material
from lineament.learn.detection.measured import (
    AP,
    POINTS,
    POSE,
    TAUGHT,
    Figure,
    MeanError,
    gap,
    interval,
    mean,
)
from lineament.learn.detection.trial import Run
from lineament.learn.recipes import Comparison, Job
from lineament.measure.evidence import Result

PERCENT = {AP: 100.0, TAUGHT: 100.0, POINTS: 100.0, POSE: 1.0}
"""Of each figure, what it is shown in: per cent, or degrees."""
METHOD = "MOS"


def compare(
    job: Job,
    material: Material,
    runs: Mapping[str, Sequence[Run]],
    beside: Mapping[str, Run],
    longest: str,
) -> Comparison:
    """All arms in one table. Ablations are held against the method on the same steps; what there
    is besides, against the network that was trained longest.

    Args:
        job: the job.
        material: faces and scenes.
        runs: by arm, one a seed.
        beside: other methods as they are; as "itself", the longest trained network for its time.
        longest: the arm whose network was trained longest.
    """
    results = []
    for name, several in runs.items():
        if name not in (METHOD, longest):
            results += _held(job, material, runs[METHOD], several, name)
    for name, one in beside.items():
        results += _held(job, material, runs[longest], [one], name)
    itself = beside["itself"].milliseconds
    results += [
        _time(job, material, itself, one.milliseconds, name)
        for name, one in beside.items()
        if one.milliseconds and name != "itself"
    ]
    rows = [_row(name, several) for name, several in runs.items()]
    rows += [_row(name, [one]) for name, one in beside.items() if one.figures]
    title = (
        f"{job.recipe.slug}: {job.recipe.title}. {material.source}. {len(job.seeds)} seeds of "
        f"{job.settings.steps} steps; {longest}: one seed. One pass takes {itself:.1f} ms of "
        f"processor time a scene. Beside MOS on the same steps: "
        f"{'; '.join(_verdict(runs, name) for name in runs if name not in (METHOD, longest))}"
    )
    headings = ("arm", "AP50 %#", "NME teacher %#", "NME UCLA-68 %#", "pose MAE\u00b0#", "note")
    return Comparison(title, headings, rows, results)


def _row(name: str, several: Sequence[Run]) -> tuple[str, ...]:
    cells = []
    for figure in (AP, TAUGHT, POINTS, POSE):
        known = [run.figures[figure] for run in several if figure in run.figures]
        cells.append(_cell(known, PERCENT[figure]))
    notes = [run.note for run in several if run.note]
    notes += [f"{run.milliseconds:.1f} ms a scene" for run in several if run.milliseconds]
    return (name, *cells, notes[0] if notes else "")


def _cell(known: Sequence[Figure], factor: float) -> str:
    if not known:
        return ""
    text = f"{factor * mean(known):.2f}"
    if isinstance(known[0], MeanError):
        text += f" ({known[0].found} of {len(known[0])})"
    return text


def _verdict(runs: Mapping[str, Sequence[Run]], name: str) -> str:
    """What leaving an idea out does to each figure, where the interval leaves out nothing."""
    said = []
    for figure, factor in PERCENT.items():
        ours, theirs = _both(runs[METHOD], runs[name], figure)
        if ours:
            less, low, high = (factor * value for value in gap(theirs, ours))
            better = (low > 0) == (figure == AP)
            word = "no effect" if low <= 0 <= high else "better" if better else "worse"
            said.append(f"{figure} {less:+.2f} ({word})")
    return f"{name}: {', '.join(said)}"


def _both(
    ours: Sequence[Run], theirs: Sequence[Run], figure: str
) -> tuple[list[Figure], list[Figure]]:
    if not all(figure in run.figures for run in (*ours, *theirs)):
        return [], []
    return [r.figures[figure] for r in ours], [r.figures[figure] for r in theirs]


def _held(
    job: Job, material: Material, ours: Sequence[Run], theirs: Sequence[Run], name: str
) -> list[Result]:
    """One result for each figure that both have."""
    results = []
    for figure in PERCENT:
        mine, other = _both(ours, theirs, figure)
        if mine:
            results.append(
                Result(
                    method=job.recipe.slug,
                    protocol=f"train {job.recipe.slug}",
                    data=material.names[figure],
                    data_hash=material.hashes[figure],
                    metric=f"{figure}, beside {name}",
                    ours=mean(mine),
                    interval=interval(mine),
                    baseline=name,
                    baseline_value=mean(other),
                    higher_is_better=figure == AP,
                    seed=job.seeds[0],
                    note=f"{material.source}. {_note(mine, other, figure, name)}",
                )
            )
    return results


def _note(mine: Sequence[Figure], other: Sequence[Figure], figure: str, name: str) -> str:
    """Both by seed, the gap, and how many faces each found."""
    factor, unit = PERCENT[figure], "degrees" if PERCENT[figure] == 1 else "%"
    ours, theirs = (", ".join(f"{factor * mean([f]):.2f}" for f in each) for each in (mine, other))
    less, low, high = (factor * value for value in gap(mine, other))
    span = f"{less:+.2f} ({low:+.2f} to {high:+.2f})"
    said = f"By seed, {unit}: {ours}; {name}: {theirs}; less: {span}."
    counts = [[str(f.found) for f in each if isinstance(f, MeanError)] for each in (mine, other)]
    if all(counts):
        said += (
            f" Faces found, of {len(mine[0])}: {', '.join(counts[0])}; "
            f"{name}: {', '.join(counts[1])}."
        )
    return said


def _time(job: Job, material: Material, ours: float, theirs: float, name: str) -> Result:
    return Result(
        method=job.recipe.slug,
        protocol=f"train {job.recipe.slug}",
        data=material.names[AP],
        data_hash=material.hashes[AP],
        metric=f"ms a scene, beside {name}",
        ours=ours,
        baseline=name,
        baseline_value=theirs,
        higher_is_better=False,
        seed=job.seeds[0],
        note="Median over scenes of the processor time from pixels to faces, one thread, at each "
        "method's own settings.",
    )
