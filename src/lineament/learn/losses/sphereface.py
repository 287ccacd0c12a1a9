"""SphereFace: the angle times a margin, among softmax's own logits.

Source: W. Liu et al., "SphereFace: Deep Hypersphere Embedding for Face Recognition", CVPR 2017
(arXiv:1704.08063), equations 6 and 7; the schedule of lambda is that of the authors' code.
"""

from __future__ import annotations

from math import cos, pi

import torch
from jaxtyping import Float
from torch import Tensor

from lineament.core.cards import Card
from lineament.learn.losses.baselines import cosines
from lineament.learn.losses.classifier import CosineClassifier
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.trial import Arm, with_head
from lineament.learn.recognition.trial import run as compared
from lineament.learn.settings import SHORT, SHORT_ON_GPU

CARD = Card(
    slug="sphereface",
    title="SphereFace: Deep Hypersphere Embedding for Face Recognition",
    paper="arXiv:1704.08063",
    verb="train",
    task="Learns embeddings whose angle to their own person is smaller by a factor.",
    entry="SphereFace",
    needs=("crops", "people"),
    gives=("a loss",),
    code="github.com/wy1iu/sphereface",
    deviations=(
        "In the recipe lambda falls faster by the ratio of the run's length to the authors' 28,000 "
        "steps, so that the margin comes in after the same share of the run.",
        "A tiny network, 64 x 64 pixels, 9,672 faces of 1,891 people, 800 steps of 64 faces.",
    ),
    risk="Whoever the training pictures show too rarely is told apart worse.",
    published=(("lfw", "accuracy", 0.9942),),
)

RECIPE = Recipe(
    slug="sphereface",
    title="the margin of SphereFace, a factor of the angle",
    entry="run",
    baseline="softmax over cosines without a margin",
    settings=SHORT,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
)


FALL = 0.12
"""How fast lambda falls in the authors' code, a step."""
STEPS = 28_000
"""Of the authors' run."""


class SphereFace(CosineClassifier):
    """A-Softmax: |x| psi(theta) as an embedding's own logit, |x| cos(theta) as those of others.

    psi goes on falling where cos(m theta) would rise again. It is hard to learn from the start, so
    the own logit begins as the plain one: |x| (lambda cos + psi) / (1 + lambda), where lambda falls
    from 1000 to its least value as training goes on.

    Args:
        people: how many there are.
        dimension: of the embeddings.
        margin: the factor, a whole number.
        least: of lambda.
        fall: of lambda; it is 1000 / (1 + fall x calls in training).
    """

    calls: Tensor

    def __init__(
        self, people: int, dimension: int, margin: int = 4, least: float = 5.0, fall: float = FALL
    ) -> None:
        super().__init__(people, dimension, 1.0)
        self.margin, self.least, self.fall = margin, least, fall
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def own(
        self, cosines: Float[Tensor, " n"], embeddings: Float[Tensor, "n d"]
    ) -> Float[Tensor, " n"]:
        """The mean of cos and psi that lambda gives. In training this counts as a call."""
        weight = max(self.least, 1000 / (1 + self.fall * int(self.calls)))
        if self.training:
            self.calls += 1
        return (weight * cosines + psi(cosines, self.margin)) / (1 + weight)

    def scales(self, embeddings: Float[Tensor, "n d"]) -> Float[Tensor, "n 1"]:
        """Embeddings keep their lengths."""
        return embeddings.float().norm(dim=1, keepdim=True)


def of_length(people: int, dimension: int, steps: int) -> SphereFace:
    """The loss for a run of so many steps."""
    return SphereFace(people, dimension, fall=FALL * STEPS / steps)


def psi(cosines: Float[Tensor, " n"], margin: int) -> Float[Tensor, " n"]:
    """(-1)^k cos(m theta) - 2 k for theta in [k pi / m, (k + 1) pi / m]: falls from 1 all the way.

    Args:
        cosines: of theta.
        margin: m, a whole number.
    """
    turns = sum((cosines <= cos(k * pi / margin)).to(cosines.dtype) for k in range(1, margin))
    before, power = torch.ones_like(cosines), cosines
    for _ in range(margin - 1):  # Chebyshev: cos(m theta) as a polynomial of cos(theta)
        before, power = power, 2 * cosines * power - before
    return (1 - 2 * (turns % 2)) * power - 2 * turns


def arm(job: Job) -> Arm:
    """Training under this loss."""
    return Arm(
        "SphereFace", with_head(lambda p, d: of_length(p, d, job.settings.steps)), shared=True
    )


def run(job: Job) -> Comparison:
    """SphereFace beside the softmax over cosines, which has no margin."""
    return compared(job, [arm(job), cosines()])
