"""All losses of the margin family on the same network, data, steps and seeds."""

from __future__ import annotations

from lineament.learn.losses import adaface, arcface, cosface, sphereface
from lineament.learn.losses.baselines import cosines, plain
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.trial import run as compared
from lineament.learn.settings import Settings

RECIPE = Recipe(
    slug="losses",
    title="softmax, plain and over cosines, and four margins",
    entry="run",
    baseline="softmax over cosines without a margin",
    settings=Settings(
        steps=800,
        batch=64,
        rate=0.003,
        warm_up=40,
        weight_decay=0.05,
        clip=5.0,
        measure_every=400,
    ),
    gpu=Settings(
        steps=20_000,
        batch=512,
        rate=0.002,
        warm_up=1_000,
        weight_decay=0.05,
        clip=5.0,
        device="cuda",
        bfloat16=True,
        save_every=1_000,
        measure_every=2_000,
    ),
    sets=("celeba64_train", "lfw", "orl"),
    of=("softmax", "sphereface", "cosface", "arcface", "adaface"),
)


def run(job: Job) -> Comparison:
    """Every margin beside the softmax over cosines, and that beside the plain one."""
    ground = cosines()
    margins = [module.arm(job) for module in (sphereface, cosface, arcface, adaface)]
    against = [(ground.name, plain().name), *((m.name, ground.name) for m in margins)]
    return compared(job, [ground, plain(), *margins], against=against)
