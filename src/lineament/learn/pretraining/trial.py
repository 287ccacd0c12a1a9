"""What recipes of self-supervision share: encoders, the loop around an objective, the comparison.

An idea is an `Arm`: an encoder, and an objective that sees faces and never a label. Every arm of a
recipe has the same faces, steps and seeds, and begins at the same weights of the encoder. What is
judged is the frozen representation, which the model gives when it is called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from lineament.learn import processes
from lineament.learn.backbones.iresnet import IResNet, tiny
from lineament.learn.data.augment import Amounts, augmented, still
from lineament.learn.engine import seeded
from lineament.learn.losses import baselines
from lineament.learn.pretraining.figures import Run, compare
from lineament.learn.pretraining.material import Material, gather
from lineament.learn.pretraining.tasks import SHARES, Features, Part, remembered, score
from lineament.learn.recipes import Comparison, Job
from lineament.learn.recognition import trial as recognition
from lineament.learn.recognition.figures import raw_pixels
from lineament.learn.recognition.trial import Learner, View, folder_of, shipped
from lineament.learn.settings import Settings

Objective = Callable[[nn.Module, Tensor, np.random.Generator], Tensor]
"""The loss of a model on what `View` made of a step's faces; the generator is for what is random.
It sees no label."""
Represent = Callable[[nn.Module, Tensor], Tensor]
"""The representation of faces (n x 3 x h x w in [-1, 1]) that a model has learnt, n x d."""
DISTORTED = Amounts(shift=0.1, light=0.3, colour=0.15, grey=0.2, cropped=0.8, blurred=0.1)
"""What two views of a face differ by: crops, colour and blur, as T. Chen et al. found best
(arXiv:2002.05709, section 3), in smaller amounts: aligned faces differ by little else."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One way to learn without labels.

    Attributes:
        name: in tables; unique within a recipe.
        make: the model with its first weights: called under the run's seed, and what it draws first
            should be the encoder, so that arms begin alike.
        objective: what is made small; None leaves the first weights, with the statistics of norms
            taken from the faces.
        view: what the objective sees; the first axis is that of the faces.
        represent: the representation to judge; by default the model called on faces.
        change: of the settings, where an arm is to differ in them.
    """

    name: str
    make: Callable[[], nn.Module]
    objective: Objective | None = None
    view: View = augmented
    represent: Represent = lambda model, faces: model(faces)
    change: Callable[[Settings], Settings] = lambda settings: settings

    def train(self, material: Material, settings: Settings, job: Job) -> nn.Module:
        """The model, trained, in evaluation mode."""
        if self.objective is None:
            with seeded(settings.seed):
                model = self.make()
            return settled(model, material.faces, settings)
        objective = self.objective
        unlabelled = recognition.Arm(
            self.name,
            lambda people: self.make(),
            lambda model, seen, people, rng: objective(model, seen, rng),
            self.view,
        )
        return _fitted(unlabelled, material, self.change(settings), job)


@dataclass(frozen=True, eq=False)
class Taught:
    """Learning with labels, of whose each face is: what the other arms are held against.

    Attributes:
        labelled: an arm of recognition.
        represent: the representation to judge.
    """

    labelled: recognition.Arm
    represent: Represent

    @property
    def name(self) -> str:
        """In tables."""
        return self.labelled.name

    def train(self, material: Material, settings: Settings, job: Job) -> nn.Module:
        """The model, trained, in evaluation mode."""
        return _fitted(self.labelled, material, settings, job)


def encoder(size: int = 64) -> IResNet:
    """The tiny residual network up to its last map: 128 channels at 2 x 2 places, as one row of
    512. The projection to an embedding is not part of a representation."""
    network = tiny(size)
    network.head = nn.Sequential(*list(network.head)[:3])
    network.dimension = 128 * ceil(size / 32) ** 2
    return network


def untrained(make: Callable[[], nn.Module] = encoder) -> Arm:
    """The same network at its first weights."""
    return Arm("untrained", make)


def supervised() -> Taught:
    """The same network taught whose each face is: softmax over cosines, the arm that the recipes of
    recognition share. Judged at the same place as `encoder`."""

    def before_projection(model: nn.Module, faces: Tensor) -> Tensor:
        assert isinstance(model, Learner)
        assert isinstance(model.backbone, IResNet)
        return model.backbone.maps(faces).flatten(1)

    return Taught(baselines.cosines(), before_projection)


def two_views(amounts: Amounts = DISTORTED) -> View:
    """Each face distorted twice: n x 2 x 3 x h x w."""

    def view(pixels: np.ndarray, rng: np.random.Generator) -> Tensor:
        return torch.stack([augmented(pixels, rng, amounts) for _ in range(2)], dim=1)

    return view


def run(
    job: Job,
    arms: Sequence[Arm | Taught],
    *,
    material: Material | None = None,
    against: Sequence[tuple[str, str]] = (),
    beside: dict[str, Features] | None = None,
    shares: Sequence[float] = SHARES,
    ship: bool = True,
) -> Comparison:
    """Train every arm once a seed, judge what they represent by five tasks, compare.

    Args:
        job: the job.
        arms: the method first, then its ablations and baselines.
        material: faces; None gathers the usual ones.
        against: names of arms to hold against each other, as (arm, baseline); by default the first
            arm against each other one.
        beside: representations from elsewhere, for the table only; raw pixels are always there.
        shares: of the labels.
        ship: write the first arm's encoders as ONNX.
    """
    material = material or gather(job)
    pairs = against or [(arms[0].name, other.name) for other in arms[1:]]
    runs, files = [], []
    for seed in job.seeds:
        settings = replace(job.settings, seed=seed)
        for arm in arms:
            job.say(f"{arm.name}, seed {seed}")
            model = arm.train(material, settings, job)
            runs.append(
                Run(arm.name, seed, score(features(arm, model), material.tasks, shares, seed))
            )
            if ship and arm is arms[0] and not processes.rank():
                files.append(job.out / f"encoder-{seed}.onnx")
                job.out.mkdir(parents=True, exist_ok=True)
                shipped(
                    Represented(model, arm.represent), material.people, job.recipe.slug, files[-1]
                )
    outside = {"raw pixels": raw_pixels, **(beside or {})}
    outside = {name: remembered(known) for name, known in outside.items()}
    others = [
        Run(name, seed, score(known, material.tasks, shares, seed))
        for name, known in outside.items()
        for seed in job.seeds
    ]
    compared = compare(job, material, runs, others, pairs, shares)
    return replace(compared, files=files)


class Represented(nn.Module):
    """A model as nothing but what it represents faces by."""

    def __init__(self, model: nn.Module, represent: Represent) -> None:
        super().__init__()
        self.model, self.represent = model, represent

    def forward(self, faces: Float32[Tensor, "n 3 h w"]) -> Float32[Tensor, "n d"]:
        """Faces in [-1, 1]."""
        return self.represent(self.model, faces)


def features(arm: Arm | Taught, model: nn.Module) -> Features:
    """A trained model as the tasks ask for it."""

    @torch.no_grad()
    def represent(pixels: UInt8[np.ndarray, "n s s 3"]) -> Float32[np.ndarray, "n d"]:
        model.eval()
        device = next(model.parameters()).device
        starts = range(0, len(pixels), 256)
        seen = (still(pixels[start : start + 256]).to(device) for start in starts)
        return torch.cat([arm.represent(model, faces).float().cpu() for faces in seen]).numpy()

    return represent


def watched(
    arm: Arm | Taught, job: Job, material: Material, part: Part = "choose"
) -> dict[tuple[str, float], float]:
    """Figures of one arm on what choices are made by: for a look, never for a table."""
    model = arm.train(material, job.settings, job)
    found = score(features(arm, model), material.tasks, part=part)
    return {key: found.value(*key) for key in found.credits}


@torch.no_grad()
def settled(model: nn.Module, faces: UInt8[np.ndarray, "n s s 3"], settings: Settings) -> nn.Module:
    """A model at its first weights, whose norms have seen as many faces as 50 steps show."""
    model.train()
    rng = np.random.default_rng(settings.seed)
    for _ in range(50):
        rows = rng.choice(len(faces), min(settings.batch, len(faces)), replace=False)
        model(still(faces[np.sort(rows)]))
    return model.eval()


def _fitted(arm: recognition.Arm, material: Material, settings: Settings, job: Job) -> nn.Module:
    folder = folder_of(arm, job, settings, material.people)
    return recognition.fit(arm, material.people, settings, folder, say=job.say)


def file_name(name: str) -> str:
    """A name in tables as a part of a path."""
    return re.sub(r"\W+", "-", name.lower()).strip("-")
