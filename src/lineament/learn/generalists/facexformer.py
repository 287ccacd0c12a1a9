"""One transformer for many tasks: a token per task reads the face, and the face reads the tokens.

Source: K. Narayan et al., "FaceXFormer: A Unified Transformer for Facial Analysis", ICCV 2025
(arXiv:2403.12960); numbers of tokens and heads as in the authors' published code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from lineament.core.cards import Card
from lineament.learn.generalists.augment import Batch
from lineament.learn.generalists.heads import (
    MLP,
    TASKS,
    WIDE,
    Attention,
    Generalist,
    grid_positions,
)
from lineament.learn.generalists.losses import (
    attribute_loss,
    class_loss,
    dice_loss,
    geodesic_loss,
    group_age_loss,
    pixel_loss,
    point_loss,
)
from lineament.learn.generalists.material import SIZE
from lineament.learn.generalists.pyramid import WIDTHS, Fusion, Pyramid
from lineament.learn.generalists.sets import gather
from lineament.learn.generalists.trial import Arm, mean_face, run_arms
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings

CARD = Card(
    slug="facexformer",
    title="FaceXFormer: A Unified Transformer for Facial Analysis",
    paper="arXiv:2403.12960",
    verb="train",
    task="Trains one network that parses a face and gives its points, pose, attributes and age, "
    "with a learnable token for each task.",
    entry="FaceXFormer",
    needs=("crops", "labels of some tasks"),
    gives=("a generalist",),
    code="github.com/Kartik-3004/facexformer",
    deviations=(
        "The token for race is left out: race is no attribute that this package predicts of a "
        "person. So are expression and recognition, which later versions of the paper add.",
        "One token for all points, as in the published code; later versions of the paper use a "
        "token for each of 68 points, nine for a rotation, and an hourglass head.",
        "A small pyramid of convolutions and dense layers on 64 x 64 pixels, without pre-training, "
        "in place of a Swin-B on 224 x 224 that knows ImageNet; tokens of 64 numbers, not 256.",
        "Face tokens are normed and carry their places as values too; before each head stands a "
        "norm over the batch: tokens learn sooner so.",
        "Points are learnt by the plain error of coordinates, not by the STAR loss.",
        "Twelve groups of age, eight years each, not eight uneven ones: years are measured here.",
        "Positions of cells are fixed waves, not random ones.",
        "Points, pose and parts of CelebA's faces are answers of other methods of this package; "
        "visibility is that of points below rectangles that are laid over faces.",
    ),
    risk="Sex, age and the attributes are what annotators or celebrities' pages said, mostly of "
    "young and light-skinned people; attributes such as attractive are opinions. One network for "
    "all tasks passes the errors of its teachers from task to task.",
    published=(
        ("celebamask-hq", "mean F1", 0.9201),
        ("300w", "NME over inter-ocular distance, full set", 0.0305),
        ("celeba", "mean accuracy of 40 attributes", 0.9183),
        ("biwi", "pose MAE, degrees", 3.52),
    ),
)

RECIPE = Recipe(
    slug="facexformer",
    title="one network with a token for each task",
    entry="run",
    baseline="the same without tokens, with tokens that the face does not read, and a single task",
    settings=Settings(
        steps=400,
        batch=48,
        rate=0.0015,
        warm_up=30,
        weight_decay=0.01,
        average=0.99,
        clip=1.0,
        save_every=200,
    ),
    sets=("ucla68", "celeba5k", "utkface", "fasseg", "aflw2000_16"),
)

WIDTH, HEADS, BLOCKS = 64, 4, 2
AGES = tuple(range(4, 100, 8))
"""Middles of the groups of age, years."""
WEIGHTS = {
    "parsing": 10.0,
    "landmarks": 20.0,
    "pose": 0.2,
    "attributes": 2.0,
    "age": 0.3,
    "sex": 0.5,
    "visibility": 0.5,
}
"""Of each task's loss, so that none drowns the others; chosen on rows that are never measured."""
_QUIET = 0.02
"""Of tokens before they have learnt: were they louder than what they read, the norms would leave
little of the face, and little to learn from."""
_NEAR = 0.02
"""Of the last layer of points: how far they begin from the mean face."""
SINGLE = ("age",)
"""Tasks that are also learnt alone."""


class FaceXBlock(nn.Module):
    """Tasks among themselves, tasks to face, and face to tasks.

    Source: section 3.3 of the paper.

    Args:
        width: of tokens.
        heads: of each attention.
        both_ways: whether the face reads the tasks; without it the face stays as it was fused.
    """

    def __init__(self, width: int, heads: int, both_ways: bool = True) -> None:
        super().__init__()
        self.among = Attention(width, heads)
        self.to_face = Attention(width, heads, width // 2)
        self.mlp = MLP(width, 4 * width, width)
        self.to_tasks = Attention(width, heads, width // 2) if both_ways else None
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4 if both_ways else 3))

    def forward(
        self,
        tokens: Float[Tensor, "n t d"],
        face: Float[Tensor, "n k d"],
        names: Float[Tensor, "t d"],
        places: Float[Tensor, "k d"],
    ) -> tuple[Float[Tensor, "n t d"], Float[Tensor, "n k d"]]:
        """Tokens and face, each with what it has read.

        Args:
            tokens: of tasks.
            face: of cells.
            names: which task each token is of, added wherever tokens are compared.
            places: where each cell is, likewise.
        """
        named = tokens + names
        tokens = self.norms[0](tokens + self.among(named, named, tokens))
        tokens = self.norms[1](tokens + self.to_face(tokens + names, face + places, face))
        tokens = self.norms[2](tokens + self.mlp(tokens))
        if self.to_tasks is not None:
            face = self.norms[3](face + self.to_tasks(face + places, tokens + names, tokens))
        return tokens, face


class FaceXFormer(Generalist):
    """Fused features of a face, a token per task, and blocks in which both read each other.

    Args:
        face: points of a mean face, near which it answers before it has learnt.
        tasks: that it learns; parsing has a token for each class.
        both_ways: whether the face reads the tasks.
    """

    def __init__(
        self,
        face: Float32[Tensor, "68 2"],
        tasks: Sequence[str] = TASKS,
        *,
        both_ways: bool = True,
    ) -> None:
        super().__init__()
        self.tasks = tuple(task for task in TASKS if task in tasks)
        self.encoder, self.fusion = Pyramid(), Fusion(WIDTHS, WIDTH)
        counts = [WIDE["parsing"] if task == "parsing" else 1 for task in self.tasks]
        self._counts = counts
        self.tokens = nn.Parameter(_QUIET * torch.randn(sum(counts), WIDTH))
        self.blocks = nn.ModuleList(FaceXBlock(WIDTH, HEADS, both_ways) for _ in range(BLOCKS))
        self.unified, self.norm = Attention(WIDTH, HEADS, WIDTH // 2), nn.LayerNorm(WIDTH)
        self.heads = nn.ModuleDict({task: _head(task, face) for task in self.tasks})
        if "parsing" in self.tasks:
            self.upsampled = _upsampling()
        self.register_buffer("places", grid_positions(SIZE // 4, WIDTH), persistent=False)
        self.register_buffer("ages", torch.tensor(AGES, dtype=torch.float32), persistent=False)

    places: Tensor

    def raw(self, x: Float[Tensor, "n 3 s s"]) -> dict[str, Tensor]:
        """See `Generalist.raw`."""
        fused = self.fusion(self.encoder(x))
        tokens, face = self.decode(fused.flatten(2).transpose(1, 2) + self.places)
        answers = {}
        for task, own in zip(self.tasks, tokens.split(self._counts, dim=1), strict=True):
            if task == "parsing":
                maps = self.upsampled(face.transpose(1, 2).unflatten(2, fused.shape[2:]))
                answers[task] = torch.einsum("nkd,ndhw->nkhw", self.heads[task](own), maps)
            else:
                answers[task] = _shaped(task, self.heads[task](own[:, 0]))
        return answers

    def decode(
        self, face: Float[Tensor, "n k d"]
    ) -> tuple[Float[Tensor, "n t d"], Float[Tensor, "n k d"]]:
        """The FaceX decoder and the unified head's look at the face, which comes last."""
        tokens = self.tokens.expand(face.shape[0], -1, -1)
        for block in self.blocks:
            tokens, face = block(tokens, face, self.tokens, self.places)
        seen = self.unified(tokens + self.tokens, face + self.places, face)
        return self.norm(tokens + seen), face


class Pooled(Generalist):
    """The same encoder and fusion without a token: the mean over the face, and linear heads.

    A mean has no places, so the parts come from a linear head on each upsampled cell.
    """

    def __init__(self, face: Float32[Tensor, "68 2"], tasks: Sequence[str] = TASKS) -> None:
        super().__init__()
        self.tasks = tuple(task for task in TASKS if task in tasks)
        self.encoder, self.fusion = Pyramid(), Fusion(WIDTHS, WIDTH)
        self.norm = nn.BatchNorm1d(WIDTH)
        linear = {t: nn.Linear(WIDTH, _wide(t)) for t in self.tasks if t != "parsing"}
        if "landmarks" in linear:
            _begin_near(linear["landmarks"], face)
        self.heads = nn.ModuleDict(linear)
        self.parts = nn.Sequential(_upsampling(), nn.Conv2d(WIDTH // 8, WIDE["parsing"], 1))
        self.register_buffer("ages", torch.tensor(AGES, dtype=torch.float32), persistent=False)

    def raw(self, x: Float[Tensor, "n 3 s s"]) -> dict[str, Tensor]:
        """See `Generalist.raw`."""
        fused = self.fusion(self.encoder(x))
        pooled = self.norm(fused.mean(dim=(2, 3)))
        answers = {task: _shaped(task, head(pooled)) for task, head in self.heads.items()}
        return answers | {"parsing": self.parts(fused)}


def loss(model: Generalist, batch: Batch) -> Float[Tensor, ""]:
    """The weighted sum over tasks, each over the rows that know it.

    Source: section 3.5: of parsing, the mean of Dice and cross-entropy; of pose, the angle between
    rotations; of age, the mean of error and cross-entropy; of the rest, cross-entropy.
    """
    raw, total = model.raw(batch.seen), batch.seen.new_zeros(())
    for task in model.tasks:
        if (rows := batch.knows(task)).any():
            answer = task_loss(task, raw[task][rows], batch[rows], model.ages)
            total = total + WEIGHTS[task] * answer
    return total


def task_loss(task: str, answer: Tensor, batch: Batch, ages: Tensor) -> Float[Tensor, ""]:
    """The loss of one task, over rows that know it."""
    match task:
        case "parsing":
            return (dice_loss(answer, batch.masks) + pixel_loss(answer, batch.masks)) / 2
        case "landmarks":
            return point_loss(answer, batch.points)
        case "pose":
            return geodesic_loss(answer, batch.pose)
        case "attributes":
            return attribute_loss(answer, batch.attributes)
        case "age":
            return group_age_loss(answer, batch.age, ages)
        case "sex":
            return class_loss(answer, batch.sex)
        case _:
            return attribute_loss(answer, batch.visible)


def run(job: Job) -> Comparison:
    """Train it, without tokens, with tokens that only read, and single tasks, once a seed."""
    material = gather(job)
    face = mean_face(material)
    arms = [
        Arm("FaceXFormer", TASKS, lambda: FaceXFormer(face), loss),
        Arm("no tokens", TASKS, lambda: Pooled(face), loss),
        Arm("one way", TASKS, lambda: FaceXFormer(face, both_ways=False), loss),
        *(
            Arm("single task", (task,), lambda task=task: FaceXFormer(face, (task,)), loss)
            for task in SINGLE
        ),
    ]
    return run_arms(job, material, arms)


def _upsampling() -> nn.Sequential:
    """From the fused map to the square's own resolution."""
    return nn.Sequential(
        nn.ConvTranspose2d(WIDTH, WIDTH // 4, 2, 2),
        nn.GroupNorm(1, WIDTH // 4),
        nn.GELU(),
        nn.ConvTranspose2d(WIDTH // 4, WIDTH // 8, 2, 2),
        nn.GELU(),
    )


def _wide(task: str) -> int:
    return len(AGES) if task == "age" else WIDE[task]


def _head(task: str, face: Float32[Tensor, "68 2"]) -> nn.Sequential:
    """Three layers, as all heads have; of parsing, what a class's token is multiplied by.

    Before it, but for parsing, a norm over the batch: what a token says of all faces alike, which
    is most of it at first, is taken off.
    """
    head = MLP(WIDTH, WIDTH, WIDTH, WIDTH // 8 if task == "parsing" else _wide(task))
    if task == "parsing":
        return head
    if task == "landmarks":
        _begin_near(head[-1], face)
    return nn.Sequential(nn.BatchNorm1d(WIDTH), head)


def _begin_near(layer: nn.Module, face: Float32[Tensor, "68 2"]) -> None:
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight.mul_(_NEAR)
        layer.bias.copy_(face.flatten())


def _shaped(task: str, answer: Float[Tensor, "n k"]) -> Tensor:
    if task == "landmarks":
        return answer.unflatten(1, (68, 2))
    return answer.softmax(dim=1) if task == "age" else answer
