"""Plain softmax, and softmax over cosines: what the margins are held against.

Source: F. Wang et al., "NormFace: L2 Hypersphere Embedding for Face Verification", ACM MM 2017
(arXiv:1704.06369), section 3.
"""

from __future__ import annotations

from lineament.core.cards import Card
from lineament.learn.losses.baselines import cosines, plain
from lineament.learn.losses.classifier import CosineClassifier as CosineClassifier
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.trial import run as compared
from lineament.learn.settings import SHORT, SHORT_ON_GPU

CARD = Card(
    slug="softmax",
    title="NormFace: L2 Hypersphere Embedding for Face Verification",
    paper="arXiv:1704.06369",
    verb="train",
    task="Learns embeddings by telling known people apart, with lengths normalised or not.",
    entry="CosineClassifier",
    needs=("crops", "people"),
    gives=("a loss",),
    code="github.com/happynear/NormFace",
    deviations=(
        "The scale of the cosines is fixed, not learnt.",
        "Of the paper's losses only the normalised softmax; not its contrastive and triplet forms.",
        "A tiny network, 64 x 64 pixels, 9,672 faces of 1,891 people, 800 steps of 64 faces.",
    ),
    risk="Whoever the training pictures show too rarely is told apart worse.",
)

RECIPE = Recipe(
    slug="softmax",
    title="softmax over scaled cosines",
    entry="run",
    baseline="plain softmax, with lengths and biases",
    settings=SHORT,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
)


def run(job: Job) -> Comparison:
    """Softmax over cosines beside the plain one."""
    return compared(job, [cosines(), plain()])
