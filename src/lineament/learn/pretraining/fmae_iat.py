"""FMAE-IAT: a masked autoencoder of faces, fine-tuned for what a face does and against who it is.

Features of the fine-tuned encoder feed a layer of units, and through a layer that turns gradients
round, a layer of identities: the encoder is taught units, and to be of no use for the other.

Source: M. Ning et al., "Representation Learning and Identity Adversarial Training for Facial
Behavior Understanding", FG 2025 (arXiv:2407.11243); Y. Ganin, V. Lempitsky, "Unsupervised Domain
Adaptation by Backpropagation", ICML 2015 (arXiv:1409.7495), section 3, for the layer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import Card
from lineament.learn.data.augment import augmented
from lineament.learn.engine import seeded, train
from lineament.learn.pretraining import trial
from lineament.learn.pretraining.behaviour import UNITS, Behaviour, behaviour
from lineament.learn.pretraining.masked import (
    Decoder,
    MaskedViT,
    over,
    patch_errors,
    random_masks,
)
from lineament.learn.pretraining.material import Material, gather
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import PRETRAINING_ON_GPU, Settings

CARD = Card(
    slug="fmae-iat",
    title="Representation Learning and Identity Adversarial Training for Facial Behavior "
    "Understanding",
    paper="arXiv:2407.11243",
    verb="train",
    task="Learns what a face does from features in which it is made hard to tell who it is.",
    entry="Behaving",
    needs=("crops", "blendshapes", "people"),
    gives=("features",),
    code="github.com/forever208/FMAE-IAT",
    deviations=(
        "No action units labelled by people: ten blendshapes of MediaPipe's landmarker above 0.3, "
        "which name a unit each, stand in for them, in training and in the test.",
        "Fine-tuned on still pictures of the 200 people of whom CelebA has most here, about six "
        "each, not on thousands of video frames of 41 people (BP4D).",
        "A vision transformer of 4 blocks and 96 numbers a word on 64 x 64 pixels, not ViT-L on "
        "224 x 224; 9,272 faces to pre-train on, not the 9 million of Face9M; 150 steps of 64 for "
        "each stage.",
        "Identities are told apart by a softmax; the authors' code has one logistic loss a person.",
        "No layer-wise decay of the rate, random erasing or stochastic depth in fine-tuning.",
        "All is read from the features by straight lines, units as well, whose last layer is so "
        "fitted anew to the same faces; balanced accuracy in place of F1.",
    ),
    risk="What is left of an identity can be read by a better reader than ours: this is no "
    "anonymisation. Units are what muscles do, not what a person feels.",
    published=(
        ("bp4d", "mean F1 of 12 action units", 0.671),
        ("bp4d+", "mean F1 of 12 action units", 0.668),
        ("disfa", "mean F1 of 8 action units", 0.701),
    ),
)

RECIPE = Recipe(
    slug="fmae-iat",
    title="units of a face, learnt against its identity after masked autoencoding",
    entry="run",
    baseline="the same without the adversary, and also without pre-training",
    settings=Settings(
        steps=150,
        batch=64,
        rate=0.001,
        warm_up=15,
        weight_decay=0.05,
        clip=5.0,
        measure_every=0,
    ),
    gpu=PRETRAINING_ON_GPU,
    sets=("celeba64_train", "lfw", "fer2013", "celeba5k", "utkface", "ucla68"),
)

AGAINST = 2.0
"""What the gradient of identity is multiplied by on its way back, and turned round: the authors'
lambda for BP4D."""


class Reversed(torch.autograd.Function):
    """The same on the way forward; on the way back, -`strength` times the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        """Nothing is changed."""
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Turned round."""
        return -ctx.strength * gradients[0], None


class Autoencoder(nn.Module):
    """What is pre-trained (FMAE).

    Args:
        size: of faces, pixels.
    """

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.encoder = MaskedViT(size)
        patch = self.encoder.patch
        self.draw = Decoder(size // patch, self.encoder.width, 3 * patch**2)

    def loss(
        self, faces: Float[Tensor, "n 3 s s"], hidden: Bool[Tensor, "n p"]
    ) -> Float[Tensor, ""]:
        """Of guessing hidden patches of faces in [-1, 1]."""
        guess = self.draw(self.encoder.words(faces, hidden), hidden)[:, 1:]
        return over(patch_errors(guess, faces, self.encoder.patch), hidden)


class Behaving(nn.Module):
    """An encoder, a layer of units, and a layer of identities behind a reversal.

    Args:
        encoder: pre-trained or not; it is fine-tuned.
        units: how many.
        people: how many.
        against: strength of the reversal; at 0 the encoder learns nothing from identities.
    """

    def __init__(
        self, encoder: MaskedViT, units: int, people: int, against: float = AGAINST
    ) -> None:
        super().__init__()
        self.encoder, self.against = encoder, against
        self.norm = nn.LayerNorm(encoder.width, eps=1e-6)
        self.units = nn.Linear(encoder.width, units)
        self.people = nn.Linear(encoder.width, people)

    def forward(self, faces: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n d"]:
        """Features of faces in [-1, 1]: what both layers see."""
        return self.norm(self.encoder(faces))

    def loss(
        self,
        faces: Float[Tensor, "n 3 s s"],
        units: Float[Tensor, "n u"],
        people: Int64[Tensor, " n"],
    ) -> Float[Tensor, ""]:
        """Of units, each a yes or no, and of identities.

        The layer of identities always learns to tell people apart; the encoder gets its gradient
        turned round.
        """
        features = self(faces)
        behaviour = functional.binary_cross_entropy_with_logits(self.units(features), units)
        turned = Reversed.apply(features, self.against)
        assert isinstance(turned, Tensor)
        return behaviour + functional.cross_entropy(self.people(turned), people)


@dataclass(frozen=True, eq=False)
class TwoStages(trial.Arm):
    """Pre-training, which arms share, and fine-tuning.

    Attributes:
        known: what is fine-tuned on.
        against: strength of the adversary.
        pretrained: whether the encoder has been.
    """

    known: Behaviour | None = None
    against: float = AGAINST
    pretrained: bool = True

    def train(self, material: Material, settings: Settings, job: Job) -> nn.Module:
        """The fine-tuned model, in evaluation mode."""
        known = self.known
        assert known is not None
        with seeded(settings.seed):
            encoder = self.make()
        if self.pretrained:
            encoder = autoencoder(known, settings, job).encoder
        assert isinstance(encoder, MaskedViT)
        with seeded(settings.seed, 1):
            model = Behaving(encoder, known.units.shape[1], known.count, self.against)

        def of_rows(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
            assert isinstance(model, Behaving)
            seen = (
                augmented(known.pixels[rows], rng),
                torch.from_numpy(known.units[rows]).float(),
                torch.from_numpy(known.subjects[rows]),
            )
            return model.loss(*(each.to(settings.device) for each in seen))

        folder = job.out / f"{trial.file_name(self.name)}-{settings.seed}"
        digest = material.people.train.digest()
        return train(model, of_rows, len(known.pixels), settings, folder, data=digest, say=job.say)


def autoencoder(known: Behaviour, settings: Settings, job: Job) -> Autoencoder:
    """The pre-trained model of a seed; trained once."""

    def of_rows(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        assert isinstance(model, Autoencoder)
        faces = augmented(known.unlabelled[rows], rng)
        patches = (faces.shape[2] // model.encoder.patch) ** 2
        hidden = torch.from_numpy(random_masks(len(rows), patches, rng))
        return model.loss(faces.to(settings.device), hidden.to(settings.device))

    with seeded(settings.seed):
        model = Autoencoder(known.pixels.shape[1])
    folder = job.out / f"fmae-{settings.seed}"
    digest = known.material.people.train.digest()
    count = len(known.unlabelled)
    trained = train(model, of_rows, count, settings, folder, data=digest, say=job.say)
    assert isinstance(trained, Autoencoder)
    return trained


def arms(known: Behaviour) -> list[trial.Arm]:
    """The adversary, none, and no pre-training either."""

    def arm(name: str, against: float, pretrained: bool = True) -> TwoStages:
        size = known.pixels.shape[1]
        return TwoStages(
            name, lambda: MaskedViT(size), known=known, against=against, pretrained=pretrained
        )

    return [
        arm("FMAE-IAT", AGAINST),
        arm("FMAE, no adversary", 0.0),
        arm("no adversary, no pre-training", 0.0, False),
    ]


def run(job: Job) -> Comparison:
    """All arms, judged by units of new people and by what is left of identities."""
    usual = gather(job)
    assert job.data is not None
    known = behaviour(usual, job.data, job.out.parent / "made", job.say)
    done = trial.run(job, arms(known), material=known.material, shares=(1.0,))
    return replace(done, title=f"{done.title}. Units: {', '.join(UNITS)}")
