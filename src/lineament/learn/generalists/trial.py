"""The loop around a generalist, and what its answers are worth on labels that people gave.

Every figure is of one task on the test rows of one set (`sets`), so a generalist has one for each
task. Where two arms differ, the interval is of their paired difference: the same people are drawn
for both, and the mean is over seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from lineament.learn.engine import seeded, train
from lineament.learn.export import export
from lineament.learn.generalists.augment import Amounts, Batch, see
from lineament.learn.generalists.figures import MEASURED_ON, MEASURES, Bench, Measure
from lineament.learn.generalists.heads import Generalist, note
from lineament.learn.generalists.material import Material
from lineament.learn.recipes import Comparison, Job
from lineament.learn.settings import Settings
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.sets.fasseg import CLASSES

BatchLoss = Callable[[Generalist, Batch], Tensor]
_ROUNDS = 500
"""Draws of people for an interval."""
_WATCHED = 10
"""Faces of a set below which its figures while training say nothing."""


def mean_face(material: Material) -> Float32[Tensor, "68 2"]:
    """Points of the mean training face, shares of what a network sees."""
    return torch.from_numpy(material.mean_face)


def fit(
    model: Generalist,
    loss: BatchLoss,
    material: Material,
    settings: Settings,
    folder: Path,
    say: Callable[[str], None] = lambda line: None,
) -> Generalist:
    """Train a network on the rows that know one of its tasks, which differ at every step.

    A network of few tasks gets fewer rows a step: as many of its own as one of all tasks gets.

    Args:
        model: with random weights, or with parts of it frozen.
        loss: of some faces.
        material: faces.
        settings: of the run; its batch is for all rows.
        folder: of the run.
        say: shows a line of progress.
    """
    rows = material.rows_for(model.tasks)
    batch = max(2, round(settings.batch * len(rows) / int(material.shares.sum())))
    watched = {name: f for name, f in material.choose.items() if len(f) >= _WATCHED}
    amounts, bench = Amounts(), Bench(watched, material.base_rates)

    def of_rows(model: torch.nn.Module, places: np.ndarray, rng: np.random.Generator) -> Tensor:
        assert isinstance(model, Generalist)
        batch = see(material.train[rows[places]], rng, amounts)
        seen = batch.seen.to(memory_format=torch.channels_last)  # convolutions are faster so
        return loss(model, replace(batch, seen=seen))

    def measure(model: torch.nn.Module) -> dict[str, float]:
        assert isinstance(model, Generalist)
        return bench.figures(model)

    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    trained = train(
        model,
        of_rows,
        len(rows),
        replace(settings, batch=batch),
        folder,
        data=material.hash,
        measure=measure,
        say=say,
    )
    assert isinstance(trained, Generalist)
    return trained


@dataclass(frozen=True)
class Arm:
    """One network of a comparison.

    Attributes:
        name: of the arm; networks of single tasks share one.
        tasks: that it learns.
        make: gives it with random weights.
        loss: of some faces.
    """

    name: str
    tasks: tuple[str, ...]
    make: Callable[[], Generalist]
    loss: BatchLoss


Found = dict[str, dict[str, list[np.ndarray]]]
"""By arm and task, the records of each seed."""


def ship(job: Job, model: Generalist, material: Material, path: Path) -> Path:
    """Write a network as ONNX, with its note on itself."""
    seen = see(material.test["ucla68"][np.arange(4)], np.random.default_rng(0)).seen
    export(model, seen, path, about=note(job.recipe.slug, model.tasks, material.attributes))
    return path


def add(found: Found, name: str, records: Mapping[str, np.ndarray]) -> None:
    """One more seed of an arm."""
    for task, rows in records.items():
        found.setdefault(name, {}).setdefault(task, []).append(rows)


def run_arms(job: Job, material: Material, arms: Sequence[Arm]) -> Comparison:
    """Train every arm once a seed, and compare; the first arm is the method."""
    bench = Bench(material.test, material.base_rates)
    found: Found = {}
    files = []
    for seed in job.seeds:
        for arm in arms:
            job.say(f"{arm.name} ({', '.join(arm.tasks)}), seed {seed}")
            single = arm.tasks if len(arm.tasks) == 1 else ()
            name = "-".join([*arm.name.lower().split(), *single, str(seed)])
            with seeded(seed):
                model = arm.make()
            settings, folder = replace(job.settings, seed=seed), job.out / name
            model = fit(model, arm.loss, material, settings, folder, job.say)
            add(found, arm.name, bench.records(bench.ask(model)))
            if arm is arms[0]:
                files.append(ship(job, model, material, folder / f"{job.recipe.slug}.onnx"))
    return compare(job, material, found, files)


def compare(
    job: Job, material: Material, found: Found, files: Sequence[Path], words: str = ""
) -> Comparison:
    """The method, which is the first arm, beside all others, constants and specialists.

    Args:
        job: the job.
        material: faces.
        found: what every arm answered.
        files: that were made.
        words: said after the title.
    """
    bench = Bench(material.test, material.base_rates)
    own = next(iter(found))
    everything: Found = {name: dict(tasks) for name, tasks in found.items()}
    add(everything, "constant", bench.records(constants(material, bench)))
    add(everything, "specialist", bench.records(specialists(material, bench)))
    measures = [m for m in MEASURES if m.task in found[own]]
    rows = [(name, *(_cell(m, tasks) for m in measures)) for name, tasks in everything.items()]
    results, verdicts = [], []
    for name, tasks in everything.items():
        if name == own:
            continue
        paired = [
            _result(job, material, m, found[own], name, tasks) for m in measures if m.task in tasks
        ]
        results += [result for result, _, _ in paired]
        said = {
            m.name: cell for m, (_, cell, _) in zip(_held(measures, tasks), paired, strict=True)
        }
        rows.append((f"{own} less {name}", *(said.get(m.name, "") for m in measures)))
        verdicts.append(f"beside {name}: {_tally([verdict for *_, verdict in paired])}")
    title = (
        f"{job.recipe.slug}: {job.recipe.title}. Learnt from {material.source}; "
        f"{len(job.seeds)} seeds of {job.settings.steps} steps. {own} {'; '.join(verdicts)}.{words}"
    )
    headings = [f"{m.name}{', %' if m.percent else ''}#" for m in measures]
    return Comparison(title, ("arm", *headings), rows, results, files)


def _held(measures: Sequence[Measure], tasks: Mapping[str, object]) -> list[Measure]:
    return [measure for measure in measures if measure.task in tasks]


def _tally(verdicts: Sequence[str]) -> str:
    kinds = {kind: verdicts.count(kind) for kind in ("better", "worse", "no clear difference")}
    return ", ".join(f"{kind} on {count}" for kind, count in kinds.items() if count)


def _cell(measure: Measure, tasks: Mapping[str, Sequence[np.ndarray]]) -> str:
    """The mean over seeds, and their range."""
    if measure.task not in tasks:
        return ""
    single = [measure.of(rows) for rows in tasks[measure.task]]
    low, high = measure.shown(min(single)), measure.shown(max(single))
    spread = f" ({low} to {high})" if len(single) > 1 else ""
    return measure.shown(float(np.mean(single))) + spread


def _result(
    job: Job,
    material: Material,
    measure: Measure,
    ours: Mapping[str, Sequence[np.ndarray]],
    name: str,
    theirs: Mapping[str, Sequence[np.ndarray]],
) -> tuple[Result, str, str]:
    """The evidence, the paired gap as a cell, and the verdict in words."""
    task, where = measure.task, MEASURED_ON[measure.task]
    people = material.test[where].people
    mine, other = ours[task], theirs[task]

    def figure(seeds: Sequence[np.ndarray], rows: np.ndarray) -> float:
        return float(np.mean([measure.of(one[rows]) for one in seeds]))

    everyone = np.arange(len(people))
    value, beside = figure(mine, everyone), figure(other, everyone)
    interval = bootstrap(lambda rows: figure(mine, rows), people, rounds=_ROUNDS).pair
    low, high = bootstrap(
        lambda rows: figure(mine, rows) - figure(other, rows), people, rounds=_ROUNDS
    ).pair
    gap, *ends = (measure.shown(each, "+") for each in (value - beside, low, high))
    gap = f"{gap} ({' to '.join(ends)})"
    verdict = "no clear difference"
    if low > 0 or high < 0:
        verdict = "better" if (low > 0) == measure.higher else "worse"
    baseline = name
    if name == "specialist":
        baseline = material.specialists[task][0]
    single = ", ".join(measure.shown(measure.of(rows)) for rows in mine)
    unit = " (in per cent)" if measure.percent else ""
    result = Result(
        method=job.recipe.slug,
        protocol=f"train {job.recipe.slug}",
        data=f"{material.notes[where]}; learnt from {material.source}",
        data_hash=material.hash,
        metric=f"{measure.name}, beside {baseline}",
        ours=value,
        interval=interval,
        baseline=baseline,
        baseline_value=beside,
        higher_is_better=measure.higher,
        seed=job.seeds[0],
        note=f"Seeds {', '.join(map(str, job.seeds))}: {single}; less the baseline: {gap}{unit}. "
        f"{verdict.capitalize()} at this scale, {job.settings.steps} steps each.",
    )
    return result, gap, verdict


def constants(material: Material, bench: Bench) -> dict[str, np.ndarray]:
    """What is answered without a look: training means, medians and commonest classes."""
    train, batches = material.train, bench.batches
    plain = see(train[np.flatnonzero(train.knows("parsing"))], np.random.default_rng(0))
    counts = np.stack([(plain.masks == k).sum(dim=0).numpy() for k in range(len(CLASSES))])
    of = {
        "landmarks": material.mean_face,
        "pose": train.pose[train.knows("pose")].mean(axis=0),
        "attributes": material.base_rates,
        "age": np.float32(np.median(train.age[train.knows("age")])),
        "sex": np.int64(np.median(train.sex[train.knows("sex")])),
        "parsing": counts.argmax(axis=0),
        "visibility": np.ones(68, np.float32),
    }
    return {
        task: np.broadcast_to(answer, (len(batches[task].seen), *np.shape(answer))).copy()
        for task, answer in of.items()
        if task in batches
    }


def specialists(material: Material, bench: Bench) -> dict[str, np.ndarray]:
    """What the package's own method of each task answers, as a network would."""
    answers = {task: answer for task, (_, answer) in material.specialists.items()}
    for task, answer in answers.items():
        faces = bench.sets[MEASURED_ON[task]]
        if task == "landmarks":
            moved = replace(faces, points=answer.astype(np.float32))
            answers[task] = see(moved, np.random.default_rng(0)).points.numpy()
        if task == "parsing":
            moved = replace(faces, masks=answer.astype(np.uint8))
            answers[task] = see(moved, np.random.default_rng(0)).masks.numpy()
    return answers
