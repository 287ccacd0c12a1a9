"""RotNet: a network that can tell which way up a picture is has learnt what is in it.

Every picture of a step is shown in its four quarter turns at once, and the network says which turn
each copy has.

Source: S. Gidaris, P. Singh, N. Komodakis, "Unsupervised Representation Learning by Predicting
Image Rotations", ICLR 2018 (arXiv:1803.07728), equations 1 to 3.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import Card
from lineament.learn.backbones.iresnet import IResNet
from lineament.learn.data.augment import augmented
from lineament.learn.pretraining.trial import Arm, encoder, supervised, untrained
from lineament.learn.pretraining.trial import run as compared
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import PRETRAINING_ON_GPU, SHORTER, Settings

CARD = Card(
    slug="rotnet",
    title="Unsupervised Representation Learning by Predicting Image Rotations",
    paper="arXiv:1803.07728",
    verb="train",
    task="Learns features of faces without labels, from which of four quarter turns each has.",
    entry="RotNet",
    needs=("crops",),
    gives=("features",),
    code="github.com/gidariss/FeatureLearningRotNet",
    deviations=(
        "A tiny residual network on 9,672 aligned faces of 64 x 64 pixels, 300 steps of 16 faces "
        "in four turns each, where the paper has AlexNet and ImageNet.",
        "The representation is the last map, as of every arm here; the paper probes earlier ones "
        "as well and finds them better.",
        "AdamW in place of SGD with momentum.",
    ),
    risk="Whoever the pictures show too rarely is described worse; without labels nobody sees it.",
    published=(("cifar10", "accuracy of a non-linear classifier on the second block", 0.8906),),
)

RECIPE = Recipe(
    slug="rotnet",
    title="which quarter turn a face has",
    entry="run",
    baseline="one turn a face instead of all four, first weights, labels",
    settings=SHORTER,
    gpu=PRETRAINING_ON_GPU,
    sets=("celeba64_train", "lfw", "fer2013", "celeba5k", "utkface", "ucla68"),
)

TURNS = 4


def turned(faces: Float[Tensor, "n c s s"], turns: Int64[Tensor, " n"]) -> Float[Tensor, "n c s s"]:
    """Each face by its own number of quarter turns against the clock: transposed and mirrored, so
    that no pixel is made up."""
    every = torch.stack([faces.rot90(k, (2, 3)) for k in range(TURNS)], dim=1)
    return every[torch.arange(len(faces)), turns]


def in_all_turns(pixels: UInt8[np.ndarray, "n s s 3"], rng: np.random.Generator) -> Tensor:
    """Each face in its four turns: n x 4 x 3 x s x s, turn by turn."""
    faces = augmented(pixels, rng)
    return torch.stack([faces.rot90(k, (2, 3)) for k in range(TURNS)], dim=1)


class RotNet(nn.Module):
    """An encoder and a linear layer that names the turn.

    Args:
        network: faces to a representation, n x `dimension`; None makes the tiny one.
    """

    def __init__(self, network: IResNet | None = None) -> None:
        super().__init__()
        self.encoder = network or encoder()
        self.turns = nn.Linear(self.encoder.dimension, TURNS)

    def forward(self, faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """The representation."""
        return self.encoder(faces)

    def named(self, faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 4"]:
        """What the softmax over turns is taken of."""
        return self.turns(self.encoder(faces))


def all_four(model: nn.Module, seen: Tensor, rng: np.random.Generator) -> Tensor:
    """Mean log-loss over all faces and their four turns (equations 2 and 3).

    Args:
        model: a `RotNet`.
        seen: as `in_all_turns` gives it.
        rng: not used.
    """
    assert isinstance(model, RotNet)
    turns = torch.arange(TURNS, device=seen.device).repeat(len(seen))
    return functional.cross_entropy(model.named(seen.flatten(0, 1)), turns)


def one_each(model: nn.Module, faces: Tensor, rng: np.random.Generator) -> Tensor:
    """The same with one turn a face, drawn by chance."""
    assert isinstance(model, RotNet)
    turns = torch.from_numpy(rng.integers(TURNS, size=len(faces))).to(faces.device)
    return functional.cross_entropy(model.named(turned(faces, turns)), turns)


def a_quarter(settings: Settings) -> Settings:
    """As many pictures a step as other arms see, each face in four of them."""
    return replace(settings, batch=settings.batch // TURNS)


def arm() -> Arm:
    """The method."""
    return Arm("RotNet", RotNet, all_four, in_all_turns, change=a_quarter)


def run(job: Job) -> Comparison:
    """The method beside one turn a face, first weights, and labels."""
    return compared(
        job, [arm(), Arm("one turn a face", RotNet, one_each), untrained(), supervised()]
    )
