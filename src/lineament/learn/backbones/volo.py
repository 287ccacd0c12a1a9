"""VOLO: tokens that say themselves how they spread among their neighbours, before attention.

A vision transformer looks far, and coarsely. Here the first stage stands on a finer grid and looks
near: an outlooker's weights come from a token by one dense layer, and no token is compared with
another, so a fine grid stays cheap. A second stage of plain transformers stands on the coarse grid,
and in a third a token of its own gathers from all others.

Source: L. Yuan et al., "VOLO: Vision Outlooker for Visual Recognition", TPAMI 2022
(arXiv:2106.13112), sections 3.1 to 3.3 and table 2; the layers that make tokens, neighbourhoods two
tokens apart and the lack of biases as in the authors' published code.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lineament.core.cards import Card
from lineament.learn.backbones.cost_table import beside_costs
from lineament.learn.backbones.vit import ViT
from lineament.learn.backbones.volo_blocks import (
    ClassAttention,
    Outlooker,
    Transformer,
    start_small,
)
from lineament.learn.losses.baselines import SCALE
from lineament.learn.losses.classifier import CosineClassifier
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.material import SIZE
from lineament.learn.recognition.trial import Arm, Learner
from lineament.learn.recognition.trial import run as compared
from lineament.learn.settings import PRETRAINING_ON_GPU, Settings

CARD = Card(
    slug="volo",
    title="VOLO: Vision Outlooker for Visual Recognition",
    paper="arXiv:2106.13112",
    verb="train",
    task="A backbone of outlook attention on a fine grid of tokens and plain attention on a coarse "
    "one.",
    entry="VOLO",
    needs=("crops",),
    gives=("a backbone",),
    code="github.com/sail-sg/volo",
    deviations=(
        "It is taught people, not ImageNet's classes: the last layer gives an embedding, after a "
        "norm over the batch, and the softmax is over cosines.",
        "No labels of tokens, no mixing of tokens between pictures, no stochastic depth.",
        "In the recipe: one outlooker of 48 channels, four transformers and one attention of a "
        "class, of 96; patches of 8 pixels of a 64 x 64 face, and a stem of 16 channels.",
        "Learnt from 9,672 faces of 1,891 people in 800 steps.",
    ),
    risk="Whoever the training pictures show too rarely is told apart worse.",
    published=(("imagenet", "top-1 accuracy, VOLO-D1 at 224 px", 0.842),),
)

RECIPE = Recipe(
    slug="volo",
    title="outlook attention on a fine grid",
    entry="run",
    baseline="the same with self-attention in place of outlook attention, and a plain vision "
    "transformer of about as many multiplications and half the weights",
    settings=Settings(
        steps=800,
        batch=64,
        rate=0.0005,
        warm_up=80,
        weight_decay=0.05,
        clip=5.0,
        measure_every=400,
    ),
    gpu=PRETRAINING_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
)


class Tokens(nn.Module):
    """Pictures as tokens on their grid, made by three convolutions and one that cuts patches.

    Args:
        patch: side of what becomes a token, an even number of pixels.
        inner: channels of the convolutions.
        width: of a token.
    """

    def __init__(self, patch: int, inner: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels, kernel, stride in ((3, 7, 2), (inner, 3, 1), (inner, 3, 1)):
            convolution = nn.Conv2d(channels, inner, kernel, stride, kernel // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(inner), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(inner, width, patch // 2, patch // 2))

    def forward(self, x: Float[Tensor, "n 3 a b"]) -> Float[Tensor, "n h w c"]:
        """Pictures in [-1, 1]."""
        return self.layers(x).permute(0, 2, 3, 1)


class VOLO(nn.Module):
    """Faces to embeddings of any length. The defaults are VOLO-D1.

    Args:
        size: of the square that it sees, a multiple of twice `patch` pixels.
        patch: side of what becomes a token of the fine grid, pixels.
        dimension: of the embedding.
        widths: of tokens on the fine and on the coarse grid.
        depths: outlookers, transformers, and class attentions at the end.
        heads: of outlook attention, and of all other.
        stem: channels of the convolutions before the first tokens.
        stride: of the outlookers' neighbourhoods.
        outlook: transformers stand in place of the outlookers where this is off.
    """

    def __init__(
        self,
        size: int = 224,
        patch: int = 8,
        dimension: int = 512,
        widths: tuple[int, int] = (192, 384),
        depths: tuple[int, int, int] = (4, 14, 2),
        heads: tuple[int, int] = (6, 12),
        stem: int = 64,
        stride: int = 2,
        outlook: bool = True,
    ) -> None:
        super().__init__()
        self.dimension, self.outlook = dimension, outlook
        (fine, coarse), (near, far, last), (few, many) = widths, depths, heads
        self.tokens = Tokens(patch, stem, fine)
        self.near = nn.Sequential(
            *(
                Outlooker(fine, few, stride) if outlook else Transformer(fine, few, bias=False)
                for _ in range(near)
            )
        )
        self.merge = nn.Conv2d(fine, coarse, 2, 2)
        side = size // patch // 2
        self.places = nn.Parameter(torch.empty(1, side * side, coarse))
        nn.init.trunc_normal_(self.places, std=0.02)
        self.far = nn.Sequential(*(Transformer(coarse, many, bias=False) for _ in range(far)))
        self.gather = nn.ModuleList(
            ClassAttention(coarse, many, bias=False, token=not k) for k in range(last)
        )
        self.norm = nn.LayerNorm(coarse)
        self.head = nn.Sequential(nn.Linear(coarse, dimension), nn.BatchNorm1d(dimension))
        self.apply(start_small)

    def forward(self, x: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n d"]:
        """Faces in [-1, 1]."""
        fine = self.tokens(x)
        row = fine if self.outlook else fine.flatten(1, 2)
        fine = self.near(row).view(fine.shape)
        seen = self.merge(fine.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        seen = self.far(seen + self.places)
        gathered = None
        for layer in self.gather:
            gathered = layer(seen, gathered)
        return self.head(self.norm(gathered))


def run(job: Job) -> Comparison:
    """`VOLO` beside itself without outlook attention, and beside a plain vision transformer."""
    arms = [
        Arm("VOLO", lambda people: learner(people, small(outlook=True))),
        Arm("self-attention in its place", lambda people: learner(people, small(outlook=False))),
        Arm("plain vision transformer", lambda people: learner(people, plain())),
    ]
    return beside_costs(job, arms, compared(job, arms))


def small(outlook: bool) -> VOLO:
    """The network of the recipe."""
    return VOLO(SIZE, 8, 128, (48, 96), (1, 4, 1), (2, 4), stem=16, outlook=outlook)


def plain() -> ViT:
    """The vision transformer that the recipe holds it against."""
    return ViT(SIZE, 8, 128, 64, 5, 4)


def learner(people: int, network: VOLO | ViT) -> Learner:
    """What the recipe trains."""
    return Learner(network, CosineClassifier(people, network.dimension, SCALE))
