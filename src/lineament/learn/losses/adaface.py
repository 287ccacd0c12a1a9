"""AdaFace: a margin that follows the quality of the picture, read from the embedding's length.

Source: M. Kim, A. K. Jain, X. Liu, "AdaFace: Quality Adaptive Margin for Face Recognition", CVPR
2022 (arXiv:2204.00964), equations 7 to 10.
"""

from __future__ import annotations

from math import pi

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
    slug="adaface",
    title="AdaFace: Quality Adaptive Margin for Face Recognition",
    paper="arXiv:2204.00964",
    verb="train",
    task="Learns embeddings with a margin that asks less of pictures of low quality.",
    entry="AdaFace",
    needs=("crops", "people"),
    gives=("a loss",),
    code="github.com/mk-minchul/AdaFace",
    deviations=(
        "In the recipe the scale is 16, not 64: a run this short hardly starts at 64.",
        "The running statistics of lengths start at those of the first batch; in the authors' code "
        "they start at 20 and 100, and a short run would never leave them.",
        "Without the paper's augmentations of low quality, which all its baselines got as well.",
        "A tiny network, 64 x 64 pixels, 9,672 faces of 1,891 people, 800 steps of 64 faces.",
    ),
    risk="Whoever the training pictures show too rarely is told apart worse.",
    published=(("lfw", "accuracy", 0.9982),),
)

RECIPE = Recipe(
    slug="adaface",
    title="the margin of AdaFace, by the embedding's length",
    entry="run",
    baseline="the same softmax without a margin",
    settings=SHORT,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
)


class AdaFace(CosineClassifier):
    """cos(theta + g_angle) - g_add in place of an embedding's cosine with its own person.

    With z the standardised length of the embedding, h times as wide and clipped to [-1, 1]:
    g_angle = -m z and g_add = m z + m. At z = -1 that is ArcFace's margin, at z = 0 CosFace's. No
    gradient goes through the length.

    Args:
        people: how many there are.
        dimension: of the embeddings.
        scale: of the cosines.
        margin: m, radians and units of the cosine.
        concentration: h.
        memory: share of the running statistics that a batch leaves.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self,
        people: int,
        dimension: int,
        scale: float = 64.0,
        margin: float = 0.4,
        concentration: float = 0.333,
        memory: float = 0.99,
    ) -> None:
        super().__init__(people, dimension, scale)
        self.margin, self.concentration, self.memory = margin, concentration, memory
        self.register_buffer("mean", torch.full((), torch.nan))
        self.register_buffer("spread", torch.full((), torch.nan))

    def own(
        self, cosines: Float[Tensor, " n"], embeddings: Float[Tensor, "n d"]
    ) -> Float[Tensor, " n"]:
        """In training, the batch's lengths enter the running statistics first."""
        z = self.quality(embeddings)
        angle = cosines.clamp(-1 + 1e-6, 1 - 1e-6).arccos() - self.margin * z
        return angle.clamp(1e-3, pi - 1e-3).cos() - self.margin * (z + 1)

    @torch.no_grad()
    def quality(self, embeddings: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """The standardised lengths, in [-1, 1]."""
        lengths = embeddings.detach().float().norm(dim=1).clamp(0.001, 100)
        if self.training:
            self._remember(self.mean, lengths.mean())
            self._remember(self.spread, lengths.std())
        return (self.concentration * (lengths - self.mean) / (self.spread + 1e-3)).clamp(-1, 1)

    def _remember(self, running: Tensor, now: Tensor) -> None:
        running.copy_(now if running.isnan() else torch.lerp(now, running, self.memory))


def arm(job: Job) -> Arm:
    """Training under this loss."""
    return Arm("AdaFace", with_head(lambda p, d: AdaFace(p, d, SCALE)), shared=True)


def run(job: Job) -> Comparison:
    """AdaFace beside the softmax over cosines, which has no margin."""
    return compared(job, [arm(job), cosines()])
