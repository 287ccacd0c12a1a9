"""The other way to use a representation: the whole network learns on, from the labels of a task.

One linear layer on top, and the squared error of targets at one scale: what the linear probe makes
small as well, so that the two differ in nothing but in what may move.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from lineament.learn.data.augment import Amounts, augmented
from lineament.learn.engine import seeded, train
from lineament.learn.pretraining.figures import Run
from lineament.learn.pretraining.material import Material
from lineament.learn.pretraining.tasks import LEAST, Part, Probed, Scores
from lineament.learn.pretraining.trial import Arm, Represent, Taught, features, file_name
from lineament.learn.recipes import Job
from lineament.learn.settings import Settings
from lineament.measure.linear_probes import few

UNMOVED = Amounts(shift=0, mirrored=0)
"""Light and colour only: points must stay where they are."""


class Tuned(nn.Module):
    """A trained model and a linear layer on what it represents.

    Args:
        model: it is copied.
        represent: as its arm has it.
        dimension: of the representation.
        targets: columns.
    """

    def __init__(
        self, model: nn.Module, represent: Represent, dimension: int, targets: int
    ) -> None:
        super().__init__()
        self.model, self.represent = copy.deepcopy(model), represent
        self.line = nn.Linear(dimension, targets)

    def forward(self, faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        """Targets, each less its mean and over its spread."""
        return self.line(self.represent(self.model, faces))


def tuned(
    arm: Arm | Taught,
    model: nn.Module,
    task: Probed,
    share: float,
    settings: Settings,
    folder: Path,
    part: Part = "test",
) -> Float64[np.ndarray, " n"]:
    """Credits of a task after the whole network has learnt on from a share of its labels, which are
    the first of the draws that the linear probe is fitted on.

    Args:
        arm: that made the model.
        model: trained; it stays as it is.
        task: of what a face shows.
        share: of its labels.
        settings: of the run.
        folder: of the run.
        part: of the task.
    """
    kinds = np.zeros(len(task.train.pixels), np.int64) if task.kinds is None else task.kinds
    rows = few(kinds, share, LEAST, np.random.default_rng((settings.seed, 0)))
    known = task.train[rows]
    middle, spread = known.targets.mean(axis=0), np.maximum(known.targets.std(axis=0), 1e-3)
    wanted = torch.from_numpy((known.targets - middle) / spread)

    def squared(model: nn.Module, chosen: np.ndarray, rng: np.random.Generator) -> Tensor:
        seen = augmented(known.pixels[chosen], rng, UNMOVED).to(settings.device)
        return (model(seen) - wanted[chosen].to(settings.device)).square().mean()

    dimension = features(arm, model)(known.pixels[:1]).shape[1]
    with seeded(settings.seed):
        whole = Tuned(model, arm.represent, dimension, known.targets.shape[1])
    settings = replace(settings, batch=min(settings.batch, len(rows)))
    train(whole, squared, len(rows), settings, folder, data=task.hash)
    judged = task.test if part == "test" else task.choose
    answers = features(Arm("", lambda: whole), whole)(judged.pixels) * spread + middle
    return task.measure.credits(answers, judged.targets, middle)


def tuned_runs(
    job: Job,
    material: Material,
    arms: Sequence[Arm | Taught],
    settings: Settings,
    shares: Sequence[float],
) -> list[Run]:
    """Every arm after tuning, for each task of what a face shows, named after it."""
    tasks = [task for task in material.tasks if isinstance(task, Probed)]
    runs = []
    for seed in job.seeds:
        for arm in arms:
            model = arm.train(material, replace(job.settings, seed=seed), job)
            worth = {}
            for task in tasks:
                for share in shares:
                    job.say(f"{arm.name}, seed {seed}: tuned on {share:.0%} of {task.name}")
                    name = f"{file_name(arm.name)}-{seed}-{task.name}-{100 * share:g}"
                    place = job.out / "tuned" / name
                    own = replace(settings, seed=seed)
                    worth[task.name, share] = tuned(arm, model, task, share, own, place)
            runs.append(Run(f"{arm.name}, tuned", seed, Scores(worth)))
    return runs
