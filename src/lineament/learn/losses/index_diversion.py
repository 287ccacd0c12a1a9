"""Index diversion: embeddings that keep away from where unrecognisable faces lie.

The training half of `know.recognizability`. A network learns, along with the embeddings, to say how
recognisable each face is (the recognizability index, RI); faces whose index is no higher than that
of unrecognisable ones are pushed up; and an attention over the last map looks for what of a face
makes it recognisable.

Source: J. C. L. Chai, T.-S. Ng, C.-Y. Low, J. Park, A. B. J. Teoh, "Recognizability Embedding
Enhancement for Very Low-Resolution Face Recognition and Quality Estimation", CVPR 2023
(arXiv:2304.10066), by what others report of it; S. Woo et al., "CBAM: Convolutional Block Attention
Module", ECCV 2018, for the two kinds of attention.

We had a summary of the paper, without its equations: it says which distances raise and lower the
index, that the index is regressed by a smooth L1 with beta 0.75, that an index has to deviate from
the mean of unrecognisable faces by tau, and that the attention's embedding is to equal the base
embedding projected away from their centre. What is decided here:

- the distances are 1 less the cosine, and the index is ``d_UI d_N / (d_P + epsilon)``;
- the deviation is counted in standard deviations of the unrecognisable faces' index, as in G. Pang
  et al., "Deep Anomaly Detection with Deviation Networks", KDD 2019;
- what is compared at the end is the sum of both embeddings at length 1, and ArcFace is taken of it;
- unrecognisable faces are each step's own faces, brought to 4 pixels a side, with noise; their
  centre, and the mean and deviation of their index, are running means. Their index is that of the
  formula: a predicted one rises with the others that the diversion pushes, and the push never ends;
- tau and the weights of the losses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import method
from lineament.learn.backbones.iresnet import IResNet, tiny
from lineament.learn.data.augment import Amounts, augmented, still
from lineament.learn.losses.baselines import SCALE
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.discarding import COLUMN, Quality, compare_qualities, judged
from lineament.learn.recognition.figures import score
from lineament.learn.recognition.material import gather
from lineament.learn.recognition.trial import Arm, Learner, classify, embed, fit, folder_of
from lineament.learn.recognition.trial import run as compared
from lineament.learn.settings import SHORT_ON_GPU, SHORTER

RECIPE = Recipe(
    slug="recognizability",
    title="index diversion and perceptibility attention, with ArcFace",
    entry="run",
    baseline="ArcFace alone; and without the diversion, without the attention; all see the same "
    "faces of few pixels",
    settings=SHORTER,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
)

BETA = 0.75
"""Of the smooth L1 by which the index is learnt."""
TAU = 3.0
"""Standard deviations that an index is to lie above the mean of unrecognisable faces."""
REGRESSION, DIVERSION, ATTENTION = 1.0, 0.1, 1.0
"""Weights of the losses beside ArcFace's, which has 1."""
_EPSILON = 0.1
"""Beside the distance to the own person, which tends to 0."""
_MEMORY = 0.95
"""Share of a running mean that stays."""
_LEAST = 0.1
"""Standard deviation that the index of unrecognisable faces has at least: ours are more alike than
those of a surveillance set, and the diversion divides by it."""
_POOR = "LFW, resolution 14 px"
"""The test whose second pictures have few pixels."""
_LEFT = 4
"""Pixels along a side of an unrecognisable face."""


def index(
    embeddings: Float[Tensor, "n d"],
    prototypes: Float[Tensor, "p d"],
    people: Int64[Tensor, " n"],
    centre: Float[Tensor, " d"],
) -> Float[Tensor, " n"]:
    """The recognizability index (xi): d_UI d_N / (d_P + epsilon), with distances 1 less cosine.

    Args:
        embeddings: of faces, of any length.
        prototypes: of people, of any length; two or more.
        people: whose the faces are.
        centre: of unrecognisable faces, of any length.
    """
    embeddings, prototypes = (functional.normalize(each) for each in (embeddings, prototypes))
    cosines = embeddings @ prototypes.T
    own = people[:, None]
    positive = 1 - cosines.gather(1, own)[:, 0]
    negative = 1 - cosines.scatter(1, own, -1.0).max(dim=1).values
    unrecognisable = 1 - embeddings @ functional.normalize(centre, dim=0)
    return unrecognisable * negative / (positive + _EPSILON)


def diversion(
    predicted: Float[Tensor, " n"], mean: Float[Tensor, ""], deviation: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """The index-diversion loss: what an index lacks of lying `TAU` deviations above the mean.

    Args:
        predicted: index of each face.
        mean: of the index of unrecognisable faces.
        deviation: its standard deviation, above 0.
    """
    return (TAU - (predicted - mean) / deviation).clamp(min=0).mean()


def away(embeddings: Float[Tensor, "n d"], centre: Float[Tensor, " d"]) -> Float[Tensor, "n d"]:
    """Embeddings at length 1, less what of them points to the centre."""
    embeddings, centre = functional.normalize(embeddings), functional.normalize(centre, dim=0)
    return embeddings - (embeddings @ centre)[:, None] * centre


class Perceptibility(nn.Module):
    """Attention to channels, then to places: what a map keeps of itself, in [0, 1] each.

    Args:
        channels: of the map.
        fewer: factor between the channels and the layer between.
    """

    def __init__(self, channels: int, fewer: int = 8) -> None:
        super().__init__()
        self.channels = nn.Sequential(
            nn.Linear(channels, channels // fewer),
            nn.ReLU(inplace=True),
            nn.Linear(channels // fewer, channels),
        )
        self.places = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The weighted map."""
        seen = self.channels(maps.mean(dim=(2, 3))) + self.channels(maps.amax(dim=(2, 3)))
        maps = maps * seen.sigmoid()[:, :, None, None]
        both = torch.stack([maps.mean(dim=1), maps.amax(dim=1)], dim=1)
        return maps * self.places(both).sigmoid()


class Recognizer(Learner):
    """A network with an index for each face and, if wished, attention.

    Args:
        backbone: makes maps of faces, and embeddings of maps.
        head: the loss, whose ``weight`` holds the people's prototypes.
        attention: whether the attention's embedding is made, and added.
        push: weight of the diversion.
    """

    centre: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(
        self, backbone: IResNet, head: nn.Module, *, attention: bool = True, push: float = DIVERSION
    ) -> None:
        super().__init__(backbone, head)
        self.push = push
        norm, linear = backbone.head[0], backbone.head[3]
        assert isinstance(norm, nn.BatchNorm2d)
        assert isinstance(linear, nn.Linear)
        self.indexer = nn.Sequential(nn.Dropout(0.4), nn.Linear(linear.in_features, 1))
        width = backbone.dimension
        self.perceptibility = None
        if attention:
            self.perceptibility = nn.Sequential(
                Perceptibility(norm.num_features),
                nn.Flatten(),
                nn.Linear(linear.in_features, width),
            )
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.zeros(()))

    def parts(
        self, faces: Float[Tensor, "n 3 h w"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"] | None, Float[Tensor, " n"]]:
        """The base embedding at length 1, the attention's embedding, and the predicted index."""
        assert isinstance(self.backbone, IResNet)
        maps = self.backbone.maps(faces)
        base = functional.normalize(self.backbone.head(maps))
        attended = self.perceptibility(maps) if self.perceptibility else None
        return base, attended, self.indexer(maps.flatten(1))[:, 0]

    def forward(self, faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Faces in [-1, 1] to what is compared: both embeddings at length 1, added."""
        base, attended, _ = self.parts(faces)
        return together(base, attended)

    @torch.no_grad()
    def remember(self, faces: Float[Tensor, "n 3 h w"], people: Int64[Tensor, " n"]) -> None:
        """Bring the running means up to date by some unrecognisable faces.

        The network is asked as it is used later, by its running statistics.
        """
        training = self.training
        self.eval()
        base = self.parts(faces)[0]
        self.train(training)
        kept = _MEMORY if float(self.deviation) else 0.0
        self.centre.mul_(kept).add_(base.mean(dim=0), alpha=1 - kept)
        found = self.target(base, people)
        self.mean.mul_(kept).add_(found.mean(), alpha=1 - kept)
        self.deviation.mul_(kept).add_(found.std().clamp(min=_LEAST), alpha=1 - kept)

    @torch.no_grad()
    def target(
        self, base: Float[Tensor, "n d"], people: Int64[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """The index of faces whose owners are known."""
        return index(base, self.head.get_parameter("weight"), people, self.centre)


def together(
    base: Float[Tensor, "n d"], attended: Float[Tensor, "n d"] | None
) -> Float[Tensor, "n d"]:
    """What is compared: the base embedding, and the attention's added to it where there is one."""
    return base if attended is None else base + functional.normalize(attended)


def spoilt(faces: Float[Tensor, "n 3 h w"], rng: np.random.Generator) -> Float[Tensor, "n 3 h w"]:
    """Faces that nobody could recognise: `_LEFT` pixels a side, with noise."""
    few = functional.adaptive_avg_pool2d(faces, _LEFT)
    large = functional.interpolate(few, faces.shape[-2:], mode="bilinear")
    noise = rng.normal(0, 0.1, faces.shape).astype(np.float32)
    return (large + torch.from_numpy(noise).to(faces.device)).clamp(-1, 1)


def objective(model: nn.Module, seen: Tensor, people: Tensor, rng: np.random.Generator) -> Tensor:
    """ArcFace, the regression of the index, the diversion, and the attention's likeness."""
    assert isinstance(model, Recognizer)
    model.remember(spoilt(seen, rng), people)
    base, attended, predicted = model.parts(seen)
    loss = model.head(together(base, attended), people)
    target = model.target(base, people)
    loss = loss + REGRESSION * functional.smooth_l1_loss(predicted, target, beta=BETA)
    if model.push:
        loss = loss + model.push * diversion(predicted, model.mean, model.deviation)
    if attended is not None:
        goal = away(base.detach(), model.centre)
        loss = loss + ATTENTION * (attended - goal).square().sum(dim=1).mean()
    return loss


def few_pixels(pixels: UInt8[np.ndarray, "n s s 3"], rng: np.random.Generator) -> Tensor:
    """Half of the faces at 20 to 100 % of their pixels."""
    return augmented(pixels, rng, Amounts(coarse=0.5))


def arms() -> list[Arm]:
    """The method, without each of its parts, and ArcFace alone; the seen faces are the same."""
    arcface = method("arcface").load()

    def make(people: int, attention: bool = True, push: float = DIVERSION) -> nn.Module:
        network = tiny()
        head = arcface(people, network.dimension, SCALE)
        return Recognizer(network, head, attention=attention, push=push)

    return [
        Arm("all parts", make, objective, few_pixels),
        Arm("without diversion", partial(make, push=0.0), objective, few_pixels),
        Arm("without attention", partial(make, attention=False), objective, few_pixels),
        Arm("ArcFace of few pixels", partial(make, attention=False), classify, few_pixels),
    ]


def run(job: Job) -> Comparison:
    """The arms on faces of few pixels and clear ones, and the index as a quality."""
    material = gather(job)
    tests = tuple(t for t in material.tests if t.name in ("LFW", _POOR, "ORL"))
    material = replace(material, tests=tests)
    ours, *others = arms()
    done = compared(job, [ours, *others], material=material)
    test = next(t for t in tests if t.name == _POOR)
    seeds = []
    for seed in job.seeds:
        settings = replace(job.settings, seed=seed)
        model = fit(ours, material, settings, folder_of(ours, job, settings, material))
        scores = score(partial(embed, model), [test])[0]
        seeds.append(judged(test, scores, qualities(model)))
    rows, results = compare_qualities(job, material, test, seeds)
    blank = [""] * (len(done.headings) - 1)
    return replace(
        done,
        headings=(*done.headings, f"{COLUMN}#"),
        rows=[*((*row, "") for row in done.rows), *((name, *blank, cell) for name, cell in rows)],
        results=[*done.results, *results],
    )


def qualities(model: nn.Module) -> dict[str, Quality]:
    """What a trained network says of faces: its index, and two plainer qualities."""
    assert isinstance(model, Recognizer)
    network = model.backbone
    assert isinstance(network, IResNet)
    far = functional.normalize(model.centre, dim=0)
    return {
        "index": partial(_asked, lambda x: model.parts(x)[2]),
        "distance from the centre": partial(_asked, lambda x: 1 - model.parts(x)[0] @ far),
        "length of the embedding": partial(_asked, lambda x: network(x).norm(dim=1)),
    }


@torch.no_grad()
def _asked(
    of: Callable[[Tensor], Tensor], pixels: UInt8[np.ndarray, "n s s 3"]
) -> Float32[np.ndarray, " n"]:
    parts = [of(still(pixels[start : start + 256])) for start in range(0, len(pixels), 256)]
    return torch.cat(parts).numpy()
