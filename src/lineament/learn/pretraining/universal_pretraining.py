"""What any representation of faces is worth: five tasks, few labels and all, frozen and tuned.

Source: A. Bulat et al., "Pre-training strategies and datasets for facial representation learning",
ECCV 2022 (arXiv:2103.16554), sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import replace

from lineament.core.cards import Card
from lineament.learn.pretraining import swav
from lineament.learn.pretraining.figures import compare
from lineament.learn.pretraining.material import gather
from lineament.learn.pretraining.outside import embedder
from lineament.learn.pretraining.tasks import score
from lineament.learn.pretraining.trial import run as compared
from lineament.learn.pretraining.trial import supervised, untrained
from lineament.learn.pretraining.tuning import tuned_runs
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import PRETRAINING_ON_GPU, SHORTER, Settings

CARD = Card(
    slug="universal-pretraining",
    title="Pre-training strategies and datasets for facial representation learning",
    paper="arXiv:2103.16554",
    verb="train",
    task="Says what any representation of faces is worth on five tasks, with few labels and all.",
    entry="score",
    needs=("crops", "a representation"),
    gives=("figures of five tasks",),
    code="github.com/1adrianb/unsupervised-face-representation",
    deviations=(
        "The tasks are recognition (LFW), expression (FER-2013), 40 attributes (CelebA), age "
        "(UTKFace) and landmarks (UCLA-68); the paper's are recognition, landmarks, action units, "
        "expression as valence and arousal, and 3D reconstruction, whose sets are not to be had.",
        "A frozen representation is read by ridge regression in closed form, and by cosines after "
        "whitening within people; the paper trains a linear layer by gradient.",
        "A tiny residual network on 9,672 faces of 64 x 64 pixels, 300 steps of 64; the paper "
        "has a ResNet-50 and millions of faces.",
        "Learning without labels is SwAV with two views, not eight, and 32 prototypes, not 3,000, "
        "which stay as drawn; its assignments are sharper (0.02, not 0.05).",
        "Learning with labels is softmax over cosines of 1,891 people.",
        "The faces are a curated set; the paper's finding on uncurated pictures is not tested.",
    ),
    risk="A figure is of the people in the test sets; it says nothing of groups that they lack.",
)

RECIPE = Recipe(
    slug="universal-pretraining",
    title="representations learnt without labels and with, on five tasks, frozen and tuned",
    entry="run",
    baseline="labels of whose each face is, first weights",
    settings=SHORTER,
    gpu=PRETRAINING_ON_GPU,
    sets=("celeba64_train", "lfw", "fer2013", "celeba5k", "utkface", "ucla68"),
)
TUNING = Settings(steps=40, batch=64, rate=0.001, warm_up=4, weight_decay=0.05, clip=5.0)
"""Of the whole network on the labels of a task."""
TUNED_SHARES = (0.1,)
OUTSIDE = "lineament-s"
"""An embedder that was trained for long, to be among the rows of the table."""

__all__ = ["CARD", "RECIPE", "run", "score"]


def run(job: Job) -> Comparison:
    """No labels beside labels beside first weights: frozen, with 1, 10 and 100 % of a task's
    labels, and tuned as a whole with 10 %."""
    material = gather(job)
    arms = [swav.arm(), supervised(), untrained()]
    beside = {OUTSIDE: embedder(OUTSIDE)}
    found = compared(job, arms, material=material, beside=beside)
    runs = tuned_runs(job, material, arms, TUNING, TUNED_SHARES)
    ours, *others = (f"{arm.name}, tuned" for arm in arms)
    pairs = [(ours, other) for other in others]
    further = compare(job, material, runs, [], pairs, TUNED_SHARES)
    return replace(
        found,
        rows=[*found.rows, *further.rows],
        results=[*found.results, *(replace(r, note=tuned_note(r.note)) for r in further.results)],
    )


def tuned_note(note: str) -> str:
    """The same, of a network that learnt on as a whole."""
    frozen = "Linear probe of the frozen representation"
    return note.replace(frozen, f"The whole network learnt on for {TUNING.steps} steps")
