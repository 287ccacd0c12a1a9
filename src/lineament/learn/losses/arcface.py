"""ArcFace: a margin on the angle.

Source: J. Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019
(arXiv:1801.07698), equation 3.
"""

from __future__ import annotations

from math import cos, pi, sin

import torch
from jaxtyping import Float
from torch import Tensor

from lineament.core.cards import Card
from lineament.learn.losses.baselines import SCALE, cosines
from lineament.learn.losses.classifier import CosineClassifier
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.trial import Arm, with_head
from lineament.learn.recognition.trial import run as compared
from lineament.learn.settings import SHORT, SHORT_ON_GPU

CARD = Card(
    slug="arcface",
    title="ArcFace: Additive Angular Margin Loss for Deep Face Recognition",
    paper="arXiv:1801.07698",
    verb="train",
    task="Learns embeddings whose angle to their own person is smaller by a margin.",
    entry="ArcFace",
    needs=("crops", "people"),
    gives=("a loss",),
    code="github.com/deepinsight/insightface",
    deviations=(
        "In the recipe the scale is 16, not 64: a run this short hardly starts at 64.",
        "Where the angle and the margin exceed a half turn, the cosine falls on in a straight line "
        "(cos(theta) - m sin(m)), as in the authors' code; the equation says nothing of it.",
        "A tiny network, 64 x 64 pixels, 9,672 faces of 1,891 people, 800 steps of 64 faces.",
    ),
    risk="Whoever the training pictures show too rarely is told apart worse.",
    published=(("lfw", "accuracy", 0.9983),),
)

RECIPE = Recipe(
    slug="arcface",
    title="the margin of ArcFace, on the angle",
    entry="run",
    baseline="the same softmax without a margin",
    settings=SHORT,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
)


class ArcFace(CosineClassifier):
    """cos(theta + m) in place of an embedding's cosine with its own person.

    Args:
        people: how many there are.
        dimension: of the embeddings.
        scale: of the cosines.
        margin: radians.
    """

    def __init__(
        self, people: int, dimension: int, scale: float = 64.0, margin: float = 0.5
    ) -> None:
        super().__init__(people, dimension, scale)
        self.margin = margin

    def own(
        self, cosines: Float[Tensor, " n"], embeddings: Float[Tensor, "n d"]
    ) -> Float[Tensor, " n"]:
        """By the sum of angles, which needs no arc cosine, whose slope is infinite at 1."""
        m = self.margin
        sines = (1 - cosines**2).clamp(min=1e-9).sqrt()
        moved = cosines * cos(m) - sines * sin(m)
        return torch.where(cosines > cos(pi - m), moved, cosines - m * sin(m))


def arm(job: Job) -> Arm:
    """Training under this loss."""
    return Arm("ArcFace", with_head(lambda p, d: ArcFace(p, d, SCALE)), shared=True)


def run(job: Job) -> Comparison:
    """ArcFace beside the softmax over cosines, which has no margin."""
    return compared(job, [arm(job), cosines()])
