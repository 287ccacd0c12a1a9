"""Harmonic embeddings: a new network whose embeddings can be compared with an old one's.

A gallery that an old network embedded can then be searched with faces that the new one embeds. The
new network starts from one that was trained for itself; its last layer is drawn anew and retrained,
then the whole, both by triplets in which anchors, positives and negatives are of either network.

Source: F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet: A Unified Embedding for Face Recognition
and Clustering", CVPR 2015 (arXiv:1503.03832), section 7 and figure 9.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from lineament.learn import processes
from lineament.learn.backbones.iresnet import IResNet
from lineament.learn.losses import facenet
from lineament.learn.losses.baselines import cosines
from lineament.learn.losses.crossing import crossed, found, search, shares
from lineament.learn.losses.triplets import TripletLoss
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.figures import Run, compare
from lineament.learn.recognition.material import Material, gather
from lineament.learn.recognition.trial import Arm, Learner, Objective, fit, folder_of, shipped
from lineament.learn.settings import SHORT, SHORT_ON_GPU, Settings

RECIPE = Recipe(
    slug="facenet-harmonic",
    title="a new network for the gallery of an old one",
    entry="run",
    baseline="the same training without the old network's embeddings, and the old network alone",
    settings=SHORT,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
    of=("facenet",),
)

OLD, START, NEW = "old network", "new network alone", "harmonic network"
APART = "the same without the old"
ACROSS, APART_ACROSS = f"{OLD}'s gallery, {NEW}", f"{OLD}'s gallery, {APART}"
"""Names in the table; a gallery's faces are embedded by the old network, its probes by another."""
LAST_LAYER = 0.25
"""Share of the steps in which only the last layer learns."""
EMBEDDING = slice(3, 5)
"""Of `IResNet.head`: the linear layer that makes embeddings, and their norm."""


class Successor(nn.Module):
    """A new network beside an old one, which learns nothing and whose norms stand still.

    Args:
        new: to be trained, from its present weights.
        old: to be compatible with.
        last_only: whether only the new network's last layer learns.
    """

    def __init__(self, new: IResNet, old: IResNet, last_only: bool = False) -> None:
        super().__init__()
        self.new, self.old = copy.deepcopy(new), copy.deepcopy(old)
        self.last_only = last_only
        self.requires_grad_(False)
        (self.last if last_only else self.new).requires_grad_(True)

    @property
    def last(self) -> nn.Sequential:
        """The layer that makes embeddings."""
        return nn.Sequential(*list(self.new.head)[EMBEDDING])

    def train(self, mode: bool = True) -> Successor:
        """What does not learn keeps the statistics that it has."""
        super().train(mode)
        self.old.eval()
        if self.last_only:
            self.new.eval()
            self.last.train(mode)
        return self

    def forward(self, faces: Float32[Tensor, "n 3 h w"]) -> Float32[Tensor, "n d"]:
        """Embeddings of the new network."""
        return self.new(faces)


def harmonised(model: nn.Module, faces: Tensor, people: Tensor, rng: np.random.Generator) -> Tensor:
    """Triplets of both networks' embeddings: a face has two, and each may be any of a triplet."""
    assert isinstance(model, Successor)
    with torch.no_grad():
        old = model.old(faces)
    return TripletLoss()(torch.cat([model(faces), old]), torch.cat([people, people]))


def apart(model: nn.Module, faces: Tensor, people: Tensor, rng: np.random.Generator) -> Tensor:
    """Triplets of the new network's embeddings alone."""
    return TripletLoss()(model(faces), people)


def run(job: Job) -> Comparison:
    """Old and new networks, alone and across, with harmonic triplets and without."""
    material = gather(job)
    runs: list[Run] = []
    searches: dict[str, list] = {OLD: [], ACROSS: []}
    files = []
    for seed in job.seeds:
        old, start, ours, without = _networks(job, material, seed)
        vectors = [facenet.Remembered(each) for each in (old, start, ours, without)]
        first, second, third, fourth = vectors
        for name, gallery, probes in (
            (OLD, first, first),
            (NEW, third, third),
            (ACROSS, first, third),
            (APART, fourth, fourth),
            (APART_ACROSS, first, fourth),
            (START, second, second),
        ):
            runs.append(Run(name, seed, crossed(gallery, probes, material.tests)))
            if name in searches:
                searches[name].append(search(gallery, probes, material.tests[-1]))
        if not processes.rank():
            files.append(job.out / f"harmonic-{seed}.onnx")
            shipped(ours, material, "facenet", files[-1])
    against = [(ACROSS, OLD), (ACROSS, APART_ACROSS), (NEW, OLD), (NEW, APART)]
    table = compare(job, material, runs, against)
    row, results = shares(job, material, _of(ACROSS, runs), _of(OLD, runs))
    results.append(found(job, material, searches[ACROSS], searches[OLD]))
    return replace(table, rows=[*table.rows, row], results=[*results, *table.results], files=files)


def _of(name: str, runs: list[Run]) -> list[Run]:
    return [each for each in runs if each.arm == name]


def _networks(job: Job, material: Material, seed: int) -> tuple[IResNet, ...]:
    """Those of a seed: the old one, the start of the new one, and the new one with and without
    the old one's embeddings.

    The start is of another seed, since the first weights of one seed are alike.
    """
    old = _backbone(_trained(job, material, facenet.arm(), replace(job.settings, seed=seed)))
    other = replace(job.settings, seed=seed + 1)
    start = _backbone(_trained(job, material, cosines(), other))
    ours = _succeed(job, material, seed, NEW, harmonised, start, old)
    without = _succeed(job, material, seed, APART, apart, start, old)
    return old, start, ours, without


def _succeed(
    job: Job,
    material: Material,
    seed: int,
    name: str,
    objective: Objective,
    start: IResNet,
    old: IResNet,
) -> IResNet:
    """The last layer, drawn anew, and then the whole."""
    steps = job.settings.steps
    few = max(1, round(LAST_LAYER * steps))
    warm = {"warm_up": min(job.settings.warm_up, few), "seed": seed}
    first = replace(job.settings, steps=few, **warm)
    second = replace(job.settings, steps=max(1, steps - few), **warm)

    def anew(people: int) -> nn.Module:
        model = Successor(start, old, last_only=True)
        for layer in model.last:
            layer.reset_parameters()  # pyright: ignore[reportCallIssue]
        return model

    head = _trained(job, material, _stage(f"{name}, last layer", anew, objective), first)
    assert isinstance(head, Successor)
    whole = _stage(name, lambda people: Successor(head.new, old), objective)
    done = _trained(job, material, whole, second)
    assert isinstance(done, Successor)
    return done.new


def _stage(name: str, make: Callable[[int], nn.Module], objective: Objective) -> Arm:
    return Arm(name, make, objective, plan=facenet.balanced)


def _trained(job: Job, material: Material, arm: Arm, settings: Settings) -> nn.Module:
    job.say(f"{arm.name}, seed {settings.seed}")
    return fit(arm, material, settings, folder_of(arm, job, settings, material), say=job.say)


def _backbone(model: nn.Module) -> IResNet:
    assert isinstance(model, Learner)
    assert isinstance(model.backbone, IResNet)
    return model.backbone
