"""What each embedder's representation of faces is worth for five tasks, with few labels and all.

Faces are aligned at 112 pixels; the embedder stays as it is. Ridge regression reads from it what a
face shows, and whitening within people whose it is. With a share of the labels below 1, figures are
means over draws of them. The baseline is the grey pixels. The same evaluation, on representations
that are trained for it, is the recipe `universal-pretraining`.

Source: A. Bulat et al., "Pre-training strategies and datasets for facial representation learning",
ECCV 2022 (arXiv:2103.16554).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.faces import embedders
from lineament.bench.probes import BASELINE
from lineament.core.crops import ARCFACE_112
from lineament.learn.pretraining.figures import cell, interval, labels
from lineament.learn.pretraining.material import SETS, Material, read
from lineament.learn.pretraining.outside import embedder
from lineament.learn.pretraining.tasks import SHARES, Scores, Task, score
from lineament.learn.recognition.figures import raw_pixels
from lineament.measure.evidence import Result


def run(context: Context) -> Outcome:
    """Judge every embedder asked for, and the pixels."""
    folders = {name: context.set_folder(name) for name in SETS}
    with TemporaryDirectory() as made:
        data = folders["lfw"].parent
        side = ARCFACE_112.size
        material = read(data, folders[SETS[0]], Path(made), side, context.say)
    return judged(context, material)


def judged(context: Context, material: Material) -> Outcome:
    """The same on faces that have been read."""
    representations = {BASELINE: raw_pixels}
    representations |= {slug: embedder(slug) for slug in embedders(context.methods, context.say)}
    worth: dict[str, Scores] = {}
    for name, features in representations.items():
        context.say(f"representations: {name}")
        worth[name] = score(features, material.tasks, seed=context.seed)
    return Outcome(
        [table(task, worth) for task in material.tasks],
        [
            result(context, task, share, name, worth)
            for name in worth
            if name != BASELINE
            for task in material.tasks
            for share in SHARES
        ],
    )


def table(task: Task, worth: Mapping[str, Scores]) -> Table:
    """One task: a row a representation, a column a share of the labels."""
    rows = [
        (name, *(cell(task, found.credits[task.name, share][None]) for share in SHARES))
        for name, found in worth.items()
    ]
    title = f"{task.name}: {task.measure.name}. {task.data}"
    return Table(title, ("representation", *(f"{labels(s)} of the labels#" for s in SHARES)), rows)


def result(
    context: Context, task: Task, share: float, name: str, worth: Mapping[str, Scores]
) -> Result:
    """Evidence of one figure."""
    return Result(
        method=name,
        protocol="representations",
        data=task.data,
        data_hash=task.hash,
        metric=f"{task.name}: {task.measure.name}, {labels(share)} of the labels",
        ours=worth[name].value(task.name, share),
        interval=interval(worth[name].credits[task.name, share][None], task.people()),
        baseline=f"the same read from {BASELINE}",
        baseline_value=worth[BASELINE].value(task.name, share),
        higher_is_better=task.measure.higher_is_better,
        seed=context.seed,
        note="Read from the frozen representation in closed form; people drawn.",
    )


PROTOCOL = Protocol(
    "representations", "five tasks read from frozen representations, few-shot", run, SETS
)
"""`lineament bench representations`."""
