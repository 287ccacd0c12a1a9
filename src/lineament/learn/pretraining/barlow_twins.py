"""Barlow Twins: two views of a face agree in each number, and no two numbers say the same.

The cross-correlation matrix of what a network makes of two views, over a batch, is brought to the
identity: its diagonal to 1, so that distortions change nothing, the rest to 0, so that nothing is
said twice. The second part is also what keeps the network from saying the same of every face.

Source: J. Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML
2021 (arXiv:2103.03230), equations 1 and 2.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from lineament.core.cards import Card
from lineament.learn.backbones.iresnet import IResNet
from lineament.learn.pretraining.material import Material, gather
from lineament.learn.pretraining.trial import (
    Arm,
    Taught,
    encoder,
    features,
    supervised,
    two_views,
    untrained,
)
from lineament.learn.pretraining.trial import run as compared
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import PRETRAINING_ON_GPU, SHORTER, Settings
from lineament.measure.evidence import Result
from lineament.measure.linear_probes import effective_rank

CARD = Card(
    slug="barlow-twins",
    title="Barlow Twins: Self-Supervised Learning via Redundancy Reduction",
    paper="arXiv:2103.03230",
    verb="train",
    task="Learns features of faces without labels, whose numbers agree between two views of a "
    "face and are uncorrelated with each other.",
    entry="BarlowTwins",
    needs=("crops",),
    gives=("features",),
    code="github.com/facebookresearch/barlowtwins",
    deviations=(
        "A tiny residual network on 9,672 faces of 64 x 64 pixels, 300 steps of 64; the paper "
        "has a ResNet-50 and 1,000 epochs of ImageNet in batches of 2,048.",
        "The projector's three layers have 512 outputs each, not 8,192.",
        "AdamW in place of LARS, which is for large batches.",
        "Distortions are smaller than the paper's, and without solarisation: aligned faces differ "
        "by less than photos of ImageNet do.",
    ),
    risk="Whoever the pictures show too rarely is described worse; without labels nobody sees it.",
    published=(("imagenet", "linear top-1 accuracy", 0.732),),
)

RECIPE = Recipe(
    slug="barlow-twins",
    title="cross-correlation of two views brought to the identity",
    entry="run",
    baseline="the same without redundancy reduction, small batches, labels, first weights",
    settings=SHORTER,
    gpu=PRETRAINING_ON_GPU,
    sets=("celeba64_train", "lfw", "fer2013", "celeba5k", "utkface", "ucla68"),
)

REDUNDANCY = 0.0051
"""Weight of the squared correlations off the diagonal (lambda), as in the authors' code."""
WIDTH = 512
"""Of the projector."""
SMALL = 16
"""A small batch."""


def cross_correlation(
    first: Float[Tensor, "n d"], second: Float[Tensor, "n d"]
) -> Float[Tensor, "d d"]:
    """Of each number of the first views with each of the second, over a batch (equation 2).

    A number that does not vary correlates with nothing.
    """

    def unit(rows: Tensor) -> Tensor:
        off = rows - rows.mean(dim=0)
        return off / off.norm(dim=0).clamp(min=1e-6)

    return unit(first).T @ unit(second)


def barlow_loss(matrix: Float[Tensor, "d d"], redundancy: float) -> Float[Tensor, ""]:
    """How far a cross-correlation matrix is from the identity (equation 1)."""
    diagonal = matrix.diagonal()
    invariance = (1 - diagonal).square().sum()
    rest = matrix.square().sum() - diagonal.square().sum()
    return invariance + redundancy * rest


class BarlowTwins(nn.Module):
    """An encoder and the projector that the loss looks through.

    Args:
        network: faces to a representation, n x `dimension`; None makes the tiny one.
        width: of the projector.
        redundancy: weight of what is off the diagonal.
    """

    def __init__(
        self, network: IResNet | None = None, width: int = WIDTH, redundancy: float = REDUNDANCY
    ) -> None:
        super().__init__()
        self.encoder = network or encoder()
        self.redundancy = redundancy
        layers: list[nn.Module] = []
        inner = self.encoder.dimension
        for _ in range(2):
            layers += [nn.Linear(inner, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
            inner = width
        self.projector = nn.Sequential(*layers, nn.Linear(width, width, bias=False))

    def forward(self, faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """The representation."""
        return self.encoder(faces)

    def loss(self, views: Float[Tensor, "n 2 3 h w"]) -> Float[Tensor, ""]:
        """Each of the two views goes through the network as a batch of its own."""
        first, second = (self.projector(self.encoder(views[:, k])) for k in range(2))
        return barlow_loss(cross_correlation(first, second), self.redundancy)


def objective(model: nn.Module, views: Tensor, rng: np.random.Generator) -> Tensor:
    """For an `Arm`."""
    assert isinstance(model, BarlowTwins)
    return model.loss(views)


def arm() -> Arm:
    """The method."""
    return Arm("Barlow Twins", BarlowTwins, objective, two_views())


def small_batches(settings: Settings) -> Settings:
    """As many faces in batches of `SMALL`, at a rate that falls with the batch."""
    smaller = settings.batch // SMALL
    return replace(
        settings,
        batch=SMALL,
        steps=smaller * settings.steps,
        warm_up=smaller * settings.warm_up,
        measure_every=smaller * settings.measure_every,
        rate=settings.rate / smaller**0.5,
    )


def run(job: Job) -> Comparison:
    """The method beside itself without redundancy reduction and in small batches; beside labels and
    first weights. How many directions each representation uses shows whether it collapsed."""
    material = gather(job)
    arms = [
        arm(),
        Arm(
            "without redundancy reduction",
            lambda: BarlowTwins(redundancy=0.0),
            objective,
            two_views(),
        ),
        Arm(f"batches of {SMALL}", BarlowTwins, objective, two_views(), change=small_batches),
        untrained(),
        supervised(),
    ]
    found = compared(job, arms, material=material)
    ranks = {arm.name: directions(arm, job, material) for arm in arms}
    blank = ("",) * (len(found.headings) - 2)
    rows = [(name, f"uses {np.mean(of):.1f} directions", *blank) for name, of in ranks.items()]
    results = [rank_result(job, material, arms[0].name, name, ranks) for name in list(ranks)[1:]]
    return replace(found, rows=[*found.rows, *rows], results=[*found.results, *results])


def directions(arm: Arm | Taught, job: Job, material: Material) -> list[float]:
    """Effective rank of a representation on faces of people whom it has not seen, for each seed.
    Runs that are finished are taken up, not repeated."""
    people = material.people.choose
    pixels = people.pixels[np.arange(len(people))]
    models = (arm.train(material, replace(job.settings, seed=k), job) for k in job.seeds)
    return [effective_rank(features(arm, model)(pixels)) for model in models]


def rank_result(
    job: Job, material: Material, ours: str, theirs: str, ranks: dict[str, list[float]]
) -> Result:
    """Evidence of how many directions two representations use."""
    shown = {name: ", ".join(f"{rank:.1f}" for rank in ranks[name]) for name in (ours, theirs)}
    return Result(
        method=job.recipe.slug,
        protocol=f"train {job.recipe.slug}",
        data=f"{len(material.people.choose)} faces of {material.people.choose.count} other people",
        data_hash=material.people.choose.digest(),
        metric=f"effective rank of the representation, {ours} beside {theirs}",
        ours=float(np.mean(ranks[ours])),
        baseline=theirs,
        baseline_value=float(np.mean(ranks[theirs])),
        seed=job.seeds[0],
        note=f"By seed: {shown[ours]}; of the baseline: {shown[theirs]}. A collapsed "
        "representation uses few directions.",
    )
