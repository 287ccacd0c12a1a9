"""FRA: not only the whole face but each of its regions is the same in two views.

A network and its slow copy look at two views of a face. What they find is to agree for the whole
and for each of K regions, whose heatmaps come of no labels: they are clusters of the map's places,
and which place belongs to which is learnt from the slow copy's balanced assignment.

Source: Z. Gao, I. Patras, "Self-Supervised Facial Representation Learning with Facial Region
Awareness", CVPR 2024 (arXiv:2403.02138); constants as in the authors' code.
"""

from __future__ import annotations

from math import log

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import Card
from lineament.learn.pretraining import trial
from lineament.learn.pretraining.fra_network import FeatureMap, Head, RegionNetwork, Views
from lineament.learn.pretraining.momentum import Follower, apart
from lineament.learn.pretraining.sinkhorn import balanced
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import PRETRAINING_ON_GPU, Settings

CARD = Card(
    slug="fra",
    title="Self-Supervised Facial Representation Learning with Facial Region Awareness",
    paper="arXiv:2403.02138",
    verb="train",
    task="Learns features of faces without labels, from wholes and regions that two views share.",
    entry="FRA",
    needs=("crops",),
    gives=("features",),
    code="github.com/zaczgao/Facial_Region_Awareness",
    deviations=(
        "A residual network of 64 channels on 64 x 64 pixels, whose map has 8 x 8 places, not "
        "ResNet-50 on 224 x 224; heads of 256 and 64 numbers, not 4096 and 256; no dropout.",
        "9,672 faces of CelebA and 200 steps of 64, not 50 epochs of VGGFace2 in batches of 512; "
        "AdamW, not LARS; the momentum begins at 0.99, not 0.996, since the run is so short.",
        "Judged frozen, by straight lines fitted to the map's means over 2 x 2 places; the paper "
        "trains the network on for each task, and face alignment on maps of several sizes.",
        "The penalty on regions that are alike is in the authors' code; we could not see whether "
        "the paper's equations have it.",
    ),
    risk="Nothing tells the features what to hold: whose face it is can be read from them, by "
    "anybody who has them.",
)

RECIPE = Recipe(
    slug="fra",
    title="two views that agree for the whole face and for eight learnt regions",
    entry="run",
    baseline="the same without regions (BYOL), and the first weights",
    settings=Settings(
        steps=200,
        batch=64,
        rate=0.003,
        warm_up=20,
        weight_decay=0.05,
        clip=5.0,
        measure_every=0,
    ),
    gpu=PRETRAINING_ON_GPU,
    sets=("celeba64_train", "lfw", "fer2013", "celeba5k", "utkface", "ucla68"),
)

REGIONS = 8
GLOBAL = 0.5
"""Share of the whole face in the loss of consistency; the regions have the rest."""
RELATION = 0.1
"""Weight of the loss of the regions themselves."""
UNLIKE = 0.02
"""Weight of the squared cosines of a face's different regions, within the loss of regions."""
SHARP, SLOW_SHARP = 0.1, 0.04
"""Temperatures of the online and of the slow network's assignments."""
ROUNDS = 3
"""Of Sinkhorn and Knopp's iteration."""
MOMENTUM = 0.99
"""Of the slow copy, at first."""


class FRA(nn.Module):
    """Both branches, and the predictors that only the online one has.

    Args:
        steps: of the run.
        regions: looked for; 0 is the same without them (BYOL).
        width: of projections.
        hidden: between the layers of a head.
    """

    def __init__(
        self, steps: int, regions: int = REGIONS, width: int = 64, hidden: int = 256
    ) -> None:
        super().__init__()
        self.online = RegionNetwork(FeatureMap(), regions, width, hidden)
        self.slow = Follower(self.online, MOMENTUM, steps)
        self.of_whole = Head(width, width, hidden)
        self.of_regions = Head(width, width, hidden) if regions else None

    def forward(self, faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Features of faces in [-1, 1]: the map's means over 2 x 2 places, as one row."""
        return functional.adaptive_avg_pool2d(self.online.backbone(faces), 2).flatten(1)

    def loss(self, views: Float[Tensor, "n v 3 h w"]) -> Float[Tensor, ""]:
        """Of two views of each face: each branch sees both, and each view is compared with the
        other one in the slow branch."""
        self.slow.follow(self.online)
        first, second = views.unbind(dim=1)
        online = self.online(first), self.online(second)
        slow = self.slow(first), self.slow(second)
        crossed = self._consistency(online[0], slow[1]) + self._consistency(online[1], slow[0])
        if self.of_regions is None:
            return crossed
        pairs = zip(online, slow, strict=True)
        related = torch.stack([semantic_relation(o.scores, s.scores) for o, s in pairs]).mean()
        return crossed + RELATION * related

    def _consistency(self, online: Views, slow: Views) -> Float[Tensor, ""]:
        whole = apart(self.of_whole(online.whole), slow.whole)
        if self.of_regions is None:
            return whole
        regions = self.of_regions(online.regions)
        local = apart(regions, slow.regions) + UNLIKE * likeness(regions, slow.regions)
        return GLOBAL * whole + (1 - GLOBAL) * local


def likeness(ours: Float[Tensor, "n k d"], theirs: Float[Tensor, "n k d"]) -> Float[Tensor, ""]:
    """Mean over regions of the sum of squared cosines with other regions, over k."""
    cosine = functional.normalize(ours, dim=2) @ functional.normalize(theirs, dim=2).mT
    others = 1 - torch.eye(ours.shape[1]).to(cosine)
    return (cosine**2 * others).mean(dim=2).mean()


def semantic_relation(
    online: Float[Tensor, "n h w k"], slow: Float[Tensor, "n h w k"]
) -> Float[Tensor, ""]:
    """Cross-entropy of the online assignments of places to regions against the slow network's of
    the same view, made balanced; less the entropy of the mean assignment, so that no region dies.

    Args:
        online: cosines of places and mask embeddings.
        slow: the same of the slow network.
    """
    ours = (online.flatten(0, 2) / SHARP).log_softmax(dim=1)
    # Shares first, which are then balanced, as in the authors' code.
    theirs = balanced((slow.flatten(0, 2) / SLOW_SHARP).log_softmax(dim=1), 1.0, ROUNDS)
    usual = ours.exp().mean(dim=0)
    entropy = -(usual * usual.log()).sum()
    return -(theirs * ours).sum(dim=1).mean() + log(len(usual)) - entropy


def arm(job: Job, name: str, regions: int) -> trial.Arm:
    """Training with this many regions."""

    def objective(model: nn.Module, seen: Tensor, rng: np.random.Generator) -> Tensor:
        assert isinstance(model, FRA)
        return model.loss(seen)

    return trial.Arm(name, lambda: FRA(job.settings.steps, regions), objective, trial.two_views())


def arms(job: Job) -> list[trial.Arm]:
    """FRA, the same without regions, and the first weights."""
    first = trial.untrained(lambda: FRA(job.settings.steps, 0))
    return [arm(job, "FRA", REGIONS), arm(job, "whole face only", 0), first]


def run(job: Job) -> Comparison:
    """All arms, judged by the five tasks."""
    return trial.run(job, arms(job))
