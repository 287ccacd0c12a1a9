"""CosFace: a margin on the cosine.

Source: H. Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", CVPR 2018
(arXiv:1801.09414), equation 4.
"""

from __future__ import annotations

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
    slug="cosface",
    title="CosFace: Large Margin Cosine Loss for Deep Face Recognition",
    paper="arXiv:1801.09414",
    verb="train",
    task="Learns embeddings whose cosine with their own person is ahead by a margin.",
    entry="CosFace",
    needs=("crops", "people"),
    gives=("a loss",),
    deviations=(
        "In the recipe the scale is 16, not 64: a run this short hardly starts at 64.",
        "A tiny network, 64 x 64 pixels, 9,672 faces of 1,891 people, 800 steps of 64 faces.",
    ),
    risk="Whoever the training pictures show too rarely is told apart worse.",
    published=(("lfw", "accuracy", 0.9973),),
)

RECIPE = Recipe(
    slug="cosface",
    title="the margin of CosFace, on the cosine",
    entry="run",
    baseline="the same softmax without a margin",
    settings=SHORT,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
)


class CosFace(CosineClassifier):
    """cos(theta) - m in place of an embedding's cosine with its own person.

    Args:
        people: how many there are.
        dimension: of the embeddings.
        scale: of the cosines.
        margin: in units of the cosine.
    """

    def __init__(
        self, people: int, dimension: int, scale: float = 64.0, margin: float = 0.35
    ) -> None:
        super().__init__(people, dimension, scale)
        self.margin = margin

    def own(
        self, cosines: Float[Tensor, " n"], embeddings: Float[Tensor, "n d"]
    ) -> Float[Tensor, " n"]:
        """The cosines less the margin."""
        return cosines - self.margin


def arm(job: Job) -> Arm:
    """Training under this loss."""
    return Arm("CosFace", with_head(lambda p, d: CosFace(p, d, SCALE)), shared=True)


def run(job: Job) -> Comparison:
    """CosFace beside the softmax over cosines, which has no margin."""
    return compared(job, [arm(job), cosines()])
