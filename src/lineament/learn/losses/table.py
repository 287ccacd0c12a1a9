"""All losses of the margin family on the same network, data, steps and seeds."""

from __future__ import annotations

from lineament.learn.losses import adaface, arcface, cosface, sphereface
from lineament.learn.losses.baselines import cosines, plain
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.trial import run as compared
from lineament.learn.settings import SHORT, SHORT_ON_GPU

RECIPE = Recipe(
    slug="losses",
    title="softmax, plain and over cosines, and four margins",
    entry="run",
    baseline="softmax over cosines without a margin",
    settings=SHORT,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
    of=("softmax", "sphereface", "cosface", "arcface", "adaface"),
)


def run(job: Job) -> Comparison:
    """Every margin beside the softmax over cosines, and that beside the plain one."""
    ground = cosines()
    margins = [module.arm(job) for module in (sphereface, cosface, arcface, adaface)]
    against = [(ground.name, plain().name), *((m.name, ground.name) for m in margins)]
    return compared(job, [ground, plain(), *margins], against=against)
