"""PETALface: a network that knows clear faces learns poor ones by two small sets of weights.

The network stays as it is. Beside its dense layers lie two sets of low-rank weights, one for poor
and one for clear pictures; how much each counts follows from the sharpness of the picture.

Source: K. Narayan et al., "PETALface: Parameter Efficient Transfer Learning for Low-resolution Face
Recognition", WACV 2025 (arXiv:2412.07771), section 3, and the authors' code for the weight alpha;
E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022 (arXiv:2106.09685).
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lineament.core.cards import Card, method
from lineament.learn import processes
from lineament.learn.backbones.vit import Block, ViT
from lineament.learn.data.augment import still
from lineament.learn.losses.baselines import SCALE
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.figures import Run, compare, score
from lineament.learn.recognition.material import SIZE, Material, People, gather
from lineament.learn.recognition.trial import Arm, Learner, embed, fit, folder_of, shipped
from lineament.learn.settings import Settings
from lineament.measure.degrade.optics import resolution

CARD = Card(
    slug="petalface",
    title="PETALface: Parameter Efficient Transfer Learning for Low-resolution Face Recognition",
    paper="arXiv:2412.07771",
    verb="train",
    task="Fits a trained vision transformer to faces of few pixels by two sets of low-rank "
    "weights, mixed by the picture's sharpness; what it knew of clear faces is to stay.",
    entry="Adapted",
    needs=("crops", "people"),
    gives=("embeddings",),
    code="github.com/Kartik-3004/PETALface",
    deviations=(
        "Quality is not CNN-IQA's or BRISQUE's but the strength of fine edges against the "
        "contrast, which the network takes from its input by itself.",
        "The threshold is the median quality of the faces that it is fitted to; the paper sets it "
        "by hand for each set.",
        "Rank 2, not 8: the network is so narrow that 8 would be a twentieth of it. The share of "
        "weights that learn is in the title of what the recipe prints; in the paper it is 0.48 %.",
        "The head has two sets as well, in the authors' code for the plain transformer one.",
        "Batch norm stays as it was learnt; in the authors' code its statistics move on.",
        "TinyFace and BRIAR are stood for by clear pictures of people whom the network has not "
        "seen, brought to 7 to 40 pixels.",
        "A plain vision transformer of four blocks and 16-pixel patches at 64 x 64 pixels, in "
        "place of Swin-B on WebFace. The recipe trains it first, once, with a seed of its own, on "
        "two thirds of the training people, for ten times the steps of the fitting.",
        "ArcFace at a scale of 16, for both.",
    ),
    risk="Made for faces that cameras far away give, it serves surveillance. A match on a few "
    "pixels is weak evidence of who somebody is.",
)

RECIPE = Recipe(
    slug="petalface",
    title="two sets of low-rank weights, mixed by sharpness, fitted to few pixels",
    entry="run",
    baseline="one set of as many weights; all weights (full fine-tuning); no fitting",
    settings=Settings(
        steps=200,
        batch=64,
        rate=0.001,
        warm_up=20,
        weight_decay=0.1,
        clip=5.0,
        measure_every=100,
    ),
    gpu=Settings(
        steps=2_000,
        batch=512,
        rate=0.001,
        warm_up=200,
        weight_decay=0.1,
        clip=5.0,
        device="cuda",
        bfloat16=True,
        save_every=1_000,
    ),
    sets=("celeba64_train", "lfw"),
)

RANK = 2
PATCH, WIDTH, DEPTH, HEADS, DIMENSION = 16, 128, 4, 4, 128
PRETRAINING = 10
"""Times the steps of the fitting."""
FIRST_RATE, FULL_RATE = 0.001, 0.0005
"""Learning rates of the network before it is fitted, and where all its weights are fitted."""
FEW, MANY = 7, 40
"""Pixels along a side that faces are brought to."""
_CRISP = 0.25
"""Fine edges against contrast in a face of 64 pixels in focus."""
_FLAT = 0.01
"""Least contrast; below it a picture counts as flat, and so as not sharp."""


def sharpness(faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
    """The quality of pictures, from 0 to 1: fine edges (by the Laplacian) against contrast.

    It does not change with light or contrast. The border, a fifth on each side, does not count.

    Args:
        faces: in [-1, 1], at least 8 pixels along each side.
    """
    edge = faces.shape[-1] // 5
    red, green, blue = faces[:, :, edge:-edge, edge:-edge].unbind(dim=1)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    rows, columns = grey[:, :, 1:-1], grey[:, 1:-1]
    around = rows[:, :-2] + rows[:, 2:] + columns[:, :, :-2] + columns[:, :, 2:]
    edges = (4 * columns[:, :, 1:-1] - around).abs().mean(dim=(1, 2))
    middle = grey.mean(dim=(1, 2), keepdim=True)
    contrast = (grey - middle).square().mean(dim=(1, 2)).sqrt().clamp(min=_FLAT)
    return (edges / contrast / _CRISP).clamp(max=1)


class Gate:
    """How much each set of adapters counts for the faces that are now being embedded.

    The adapters deep in a network read it; the network's owner sets it before each pass.
    """

    def __init__(self) -> None:
        self.shares: tuple[Tensor | float, ...] = ()


class LowRank(nn.Module):
    """A dense layer through few numbers, 0 at first: ``dropout(B A x)``.

    Args:
        inner: numbers in.
        outer: numbers out.
        rank: numbers between.
    """

    def __init__(self, inner: int, outer: int, rank: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(inner, rank, bias=False), nn.Linear(rank, outer, bias=False)
        self.dropout = nn.Dropout(0.1)
        nn.init.normal_(self.down.weight, std=1 / rank)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Float[Tensor, "*n a"]) -> Float[Tensor, "*n b"]:
        """What is added to the layer beside which it lies."""
        return self.dropout(self.up(self.down(x)))


class Beside(nn.Module):
    """A dense layer that has learnt, with adapters: ``W x + (1 - alpha) B1 A1 x + alpha B2 A2 x``.

    Args:
        layer: stays as it is.
        ranks: of each set.
        gate: says how much each counts.
    """

    def __init__(self, layer: nn.Linear, ranks: tuple[int, ...], gate: Gate) -> None:
        super().__init__()
        self.layer, self._gate = layer, gate
        self.sets = nn.ModuleList(
            LowRank(layer.in_features, layer.out_features, rank) for rank in ranks
        )

    def forward(self, x: Float[Tensor, "n *t a"]) -> Float[Tensor, "n *t b"]:
        """For the faces that the gate was set for."""
        answer = self.layer(x)
        for share, adapter in zip(self._gate.shares, self.sets, strict=True):
            if isinstance(share, Tensor):
                share = share.view(-1, *[1] * (x.ndim - 1))
            answer = answer + share * adapter(x)
        return answer


class Adapted(nn.Module):
    """A vision transformer that stays as it is, with adapters in its attention and its head.

    Args:
        network: has learnt; a copy of it is kept.
        ranks: of the two sets, poor pictures first; of a single one, which then counts in full.
        threshold: quality at which both sets count alike; each further 0.1 of quality moves 0.1 of
            the weight to the second set.
    """

    def __init__(self, network: ViT, ranks: tuple[int, ...], threshold: float = 0.5) -> None:
        super().__init__()
        self.dimension, self.threshold = network.dimension, threshold
        self._twins, self._gate = len(ranks) == 2, Gate()
        self.network = copy.deepcopy(network).requires_grad_(False)
        for block in self.network.blocks:
            assert isinstance(block, Block)
            block.add_module("ask", self._beside(block.ask, ranks))
        self.network.head[0] = self._beside(self.network.head[0], ranks)

    def _beside(self, layer: nn.Module, ranks: tuple[int, ...]) -> Beside:
        assert isinstance(layer, nn.Linear)
        return Beside(layer, ranks, self._gate)

    def alpha(self, faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Weight of the set for clear pictures: 0.5 and what quality exceeds the threshold by."""
        return 0.5 + sharpness(faces) - self.threshold

    def train(self, mode: bool = True) -> Adapted:
        """Norms do not learn, so they go by what they have learnt."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()
        return self

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Faces in [-1, 1] to embeddings of any length."""
        if self._twins:
            alpha = self.alpha(x)
            self._gate.shares = (1 - alpha, alpha)
        else:
            self._gate.shares = (1.0,)
        return self.network(x)


def learning(model: nn.Module) -> int:
    """How many of its numbers learn."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def lowered(people: People) -> People:
    """The same people's faces, each brought to `FEW` to `MANY` pixels a side, and back.

    Sizes are drawn evenly on a logarithmic scale, the same ones each time.
    """
    pixels = people.pixels[np.arange(len(people))]
    rng = np.random.default_rng(0)
    sides = np.exp(rng.uniform(np.log(FEW), np.log(MANY), len(pixels))).round()
    worse = np.empty_like(pixels)
    for side in np.unique(sides):
        rows = sides == side
        worse[rows] = resolution(pixels[rows], min(1.0, side / pixels.shape[1]))
    mark = hashlib.sha256(f"{people.hash} {FEW} {MANY}".encode()).hexdigest()
    return People(worse, people.labels, mark)


def pretrained(job: Job, people: People, choose: People) -> ViT:
    """The network before it is fitted, from clear faces; trained once for all seeds and arms."""
    steps = PRETRAINING * job.settings.steps
    settings = replace(
        job.settings,
        steps=steps,
        rate=FIRST_RATE,
        warm_up=steps // 10,
        measure_every=steps // 2,
        seed=0,
    )
    arm = Arm("pretrained", lambda count: _learner(_vit(), count))
    material = Material(people, choose, ())
    job.say(f"training the network that is fitted, {steps} steps")
    model = fit(arm, material, settings, folder_of(arm, job, settings, material), say=job.say)
    assert isinstance(model, Learner)
    assert isinstance(model.backbone, ViT)
    return model.backbone


def _vit() -> ViT:
    return ViT(SIZE, PATCH, DIMENSION, WIDTH, DEPTH, HEADS)


def _learner(network: nn.Module, people: int) -> Learner:
    arcface = method("arcface").load()
    return Learner(network, arcface(people, DIMENSION, SCALE))


def fitted_arms(network: ViT, threshold: float) -> list[tuple[Arm, Callable[[Settings], Settings]]]:
    """The method, its ablation and full fine-tuning, each with what it changes of the settings."""

    def adapted(ranks: tuple[int, ...], people: int) -> nn.Module:
        return _learner(Adapted(network, ranks, threshold), people)

    def all_weights(people: int) -> nn.Module:
        return _learner(copy.deepcopy(network), people)

    return [
        (Arm("two sets by sharpness", partial(adapted, (RANK, RANK))), lambda s: s),
        (Arm("one set", partial(adapted, (2 * RANK,))), lambda s: s),
        (Arm("all weights", all_weights), lambda s: replace(s, rate=FULL_RATE)),
    ]


def run(job: Job) -> Comparison:
    """All ways of fitting, from one network, and that network; on clear and on poor faces."""
    whole = gather(job)
    known = np.arange(whole.train.count) % 3 < 2
    network = pretrained(job, whole.train.of(known), whole.choose)
    strangers = lowered(whole.train.of(~known))
    tests = tuple(t for t in whole.tests if t.name in ("LFW", "LFW, resolution 14 px"))
    material = Material(strangers, lowered(whole.choose), tests)
    arms = fitted_arms(network, _middle(strangers))
    before = score(lambda x: embed(network, x), tests)
    runs, files = [], []
    for seed in job.seeds:
        runs.append(Run("not fitted", seed, before))
        for arm, change in arms:
            settings = change(replace(job.settings, seed=seed))
            job.say(f"{arm.name}, seed {seed}")
            folder = folder_of(arm, job, settings, material)
            model = fit(arm, material, settings, folder, say=job.say)
            runs.append(Run(arm.name, seed, score(partial(embed, model), tests)))
            if arm is arms[0][0] and not processes.rank():
                files.append(folder.with_suffix(".onnx"))
                shipped(model, material, job.recipe.slug, files[-1])
    first, *others = (arm.name for arm, _ in arms)
    pairs = [(first, other) for other in (*others, "not fitted")]
    done = compare(job, material, runs, [*pairs, ("all weights", "not fitted")])
    return replace(done, title=f"{done.title}; {_share(network)}", files=files)


@torch.no_grad()
def _middle(people: People) -> float:
    """The median quality of faces."""
    return float(sharpness(still(people.pixels[np.arange(len(people))])).median())


def _share(network: ViT) -> str:
    ours = learning(Adapted(network, (RANK, RANK)))
    return f"{100 * ours / learning(network):.1f} % of the network's weights learn"
