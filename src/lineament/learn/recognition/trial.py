"""What recipes of recognition share: the network, the loop around an objective, the comparison.

An idea is an `Arm`: a model, and an objective of what it makes of a step's faces. Arms of one
recipe differ in nothing else: network, first weights, order of faces, steps and augmentation follow
from the seed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor, nn

from lineament.core import trained
from lineament.learn import processes
from lineament.learn.backbones.iresnet import IResNet, tiny
from lineament.learn.data.augment import augmented, still
from lineament.learn.engine import Rows, seeded, train
from lineament.learn.export import export
from lineament.learn.recipes import Comparison, Job
from lineament.learn.recognition.figures import Run, compare, score
from lineament.learn.recognition.material import SIZE, Material, People, every_pair, gather
from lineament.learn.settings import Settings
from lineament.measure.verification import true_accept_rate

Objective = Callable[[nn.Module, Tensor, Tensor, np.random.Generator], Tensor]
"""The loss of a model on a step's faces: what `View` made of them, their people's numbers, and a
generator for what is random."""
View = Callable[[UInt8[np.ndarray, "n s s 3"], np.random.Generator], Tensor]
"""What an objective sees of a step's faces; the first axis is that of the faces."""
Plan = Callable[[Int64[np.ndarray, " n"], Settings], Rows]
"""Which rows a step takes, given each row's person."""
Say = Callable[[str], None]


class Learner(nn.Module):
    """A network that embeds faces, and what is trained along with it.

    Args:
        backbone: faces to embeddings.
        head: the loss, where it has weights of its own.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, faces: Float32[Tensor, "n 3 h w"]) -> Tensor:
        """Embeddings, n x d, of any length."""
        return self.backbone(faces)


def classify(model: nn.Module, faces: Tensor, people: Tensor, rng: np.random.Generator) -> Tensor:
    """The usual objective: the head's loss of the embeddings and of whose they are."""
    assert isinstance(model, Learner)
    return model.head(model(faces), people)


@dataclass(frozen=True, eq=False)
class Arm:
    """One way to train.

    Attributes:
        name: in tables; unique within a recipe.
        make: a model for this many people, with its first weights: called under the run's seed,
            and what it draws first should be the backbone, so that arms begin alike. The model
            called on faces (n x 3 x h x w in [-1, 1]) gives their embeddings.
        objective: what is made small.
        view: what the objective sees.
        plan: which rows a step takes; None takes each once an epoch.
        shared: whether other recipes may take over its finished runs. Only for arms whose name
            says all of what they are.
    """

    name: str
    make: Callable[[int], nn.Module]
    objective: Objective = classify
    view: View = augmented
    plan: Plan | None = None
    shared: bool = False


def with_head(
    head: Callable[[int, int], nn.Module], backbone: Callable[[], IResNet] = tiny
) -> Callable[[int], nn.Module]:
    """Makes learners for an `Arm`.

    Args:
        head: makes the loss, given how many people there are and the embeddings' dimension.
        backbone: makes the network, which has a ``dimension``.
    """

    def make(people: int) -> nn.Module:
        network = backbone()
        return Learner(network, head(people, network.dimension))

    return make


def run(
    job: Job,
    arms: Sequence[Arm],
    *,
    material: Material | None = None,
    against: Sequence[tuple[str, str]] = (),
    ship: bool = True,
) -> Comparison:
    """Train every arm once a seed, measure, compare.

    Args:
        job: the job.
        arms: the method first, then its ablations and baselines.
        material: faces; None gathers the usual ones.
        against: names of arms to hold against each other, as (arm, baseline); by default the first
            arm against each other one.
        ship: write the first arm's networks as ONNX.
    """
    material = material or gather(job)
    pairs = against or [(arms[0].name, other.name) for other in arms[1:]]
    runs, files = [], []
    for seed in job.seeds:
        settings = replace(job.settings, seed=seed)
        for arm in arms:
            job.say(f"{arm.name}, seed {seed}")
            folder = folder_of(arm, job, settings, material)
            model = fit(arm, material, settings, folder, say=job.say)
            runs.append(Run(arm.name, seed, score(lambda x, m=model: embed(m, x), material.tests)))
            if ship and arm is arms[0] and not processes.rank():
                files.append(job.out / f"{_file_name(arm)}-{seed}.onnx")
                shipped(model, material, job.recipe.slug, files[-1])
    return replace(compare(job, material, runs, pairs), files=files)


def fit(
    arm: Arm, material: Material, settings: Settings, folder: Path, *, say: Say = lambda line: None
) -> nn.Module:
    """Train one arm, or take its run up where it was stopped.

    Args:
        arm: what is trained.
        material: its people to learn and to choose by.
        settings: of the run.
        folder: of the run.
        say: shows a line of progress.

    Returns:
        The model in evaluation mode.
    """
    people = material.train

    def of_rows(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        seen = arm.view(people.pixels[rows], rng).to(settings.device)
        labels = torch.from_numpy(people.labels[rows]).to(settings.device)
        return arm.objective(model, seen, labels, rng)

    with seeded(settings.seed):
        model = arm.make(people.count)
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return train(
        model,
        of_rows,
        len(people),
        settings,
        folder,
        data=people.digest(),
        measure=lambda m: {"choose TAR@1e-2": chosen(m, material.choose)},
        say=say,
        order=arm.plan(people.labels, settings) if arm.plan else None,
    )


def shipped(model: nn.Module, material: Material, slug: str, path: Path) -> None:
    """Write what makes embeddings of faces as ONNX (see `export`); it gives them at any length.

    Args:
        model: as `fit` gives it.
        material: for faces to hold the file to torch with.
        slug: of the method.
        path: of the file.
    """
    half = (0.5, 0.5, 0.5)
    example = still(material.choose.pixels[np.arange(4)])
    view = trained.View(kind="aligned", size=example.shape[-1], mean=half, std=half)
    given = trained.Output(name="output", field="embeddings")
    about = trained.Trained(method=slug, view=view, outputs=(given,))
    export(model, example, path, about=about)


@torch.no_grad()
def embed(model: nn.Module, pixels: UInt8[np.ndarray, "n s s 3"]) -> Float32[np.ndarray, "n d"]:
    """Embeddings of aligned faces, of length 1."""
    model.eval()
    device = next(model.parameters()).device
    parts = [
        model(still(pixels[start : start + 256]).to(device)).float().cpu()
        for start in range(0, len(pixels), 256)
    ]
    return nn.functional.normalize(torch.cat(parts)).numpy()


def chosen(model: nn.Module, people: People) -> float:
    """Share of the pairs of one person that pass where 1 % of the others do, over all pairs."""
    test = every_pair("choose", people)
    vectors = embed(model, test.gallery)
    scores = (vectors @ vectors.T)[tuple(test.pairs.T)]
    return true_accept_rate(scores, test.same, 1e-2)


def folder_of(arm: Arm, job: Job, settings: Settings, material: Material) -> Path:
    """Where a run of an arm lies: with the recipe, or with all of them where it is shared."""
    name = _file_name(arm)
    if not arm.shared:
        return job.out / f"{name}-{settings.seed}"
    ours = {**asdict(settings), "data": material.train.digest(), "size": SIZE}
    ours = {key: value for key, value in ours.items() if key not in ("device", "save_every")}
    mark = hashlib.sha256(repr(sorted(ours.items())).encode()).hexdigest()[:8]
    return job.out.parent / "runs" / f"{name}-{settings.seed}-{mark}"


def _file_name(arm: Arm) -> str:
    return re.sub(r"\W+", "-", arm.name.lower()).strip("-")
