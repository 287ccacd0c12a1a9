"""MiVOLO: age and sex from two pictures of a person, the face and everything around it.

Source: M. Kuprashevich, I. Tolstykh, "MiVOLO: Multi-input Transformer for Age and Gender
Estimation", arXiv:2307.04616, section 3; the order of the layers and how a face is cut out of its
body as in the authors' published code; Y. Yang et al., "Delving into deep imbalanced regression",
ICML 2021, section 3.1, for the weights of ages.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import Card
from lineament.core.trained import Output, Trained, View
from lineament.learn.attributes.age_trial import (
    AgeLoss,
    Condition,
    answers,
    compare,
    fit,
    note_of,
    ship,
)
from lineament.learn.attributes.aged_faces import SEXES, Answers, gather
from lineament.learn.backbones.volo_blocks import (
    Attention,
    ClassAttention,
    Outlooker,
    Transformer,
    start_small,
)
from lineament.learn.landmarks.augment import Amounts, still
from lineament.learn.landmarks.crops import template
from lineament.learn.landmarks.faces import WIDER
from lineament.learn.landmarks.mobile import InvertedResidual
from lineament.learn.landmarks.trial import seeds_of
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings

CARD = Card(
    slug="mivolo",
    title="MiVOLO: Multi-input Transformer for Age and Gender Estimation",
    paper="arXiv:2307.04616",
    verb="train",
    task="Trains a network of age and sex that sees a face and what is around it as two pictures, "
    "and does with either.",
    entry="FeatureEnhancer",
    needs=("crops",),
    gives=("a network of age and sex",),
    code="github.com/WildChlamydia/MiVOLO",
    deviations=(
        "There are no bodies in the data: the second picture is a square twice as wide as the "
        "face's, of hair, ears, chin, neck and shoulders as far as the picture goes, black beyond. "
        "Of UTKFace's narrow crops that is a rim of the head. The face, from brows to mouth, is "
        "cut out of it, as in the paper; a hidden face is one whose middle is hidden.",
        "Both pictures are parts of one square aligned on five points, 48 x 48 pixels each; the "
        "paper's are boxes of a detector of people and faces, 224 x 224.",
        "One outlooker, one transformer and one class attention of 64 channels, not VOLO-D1; no "
        "auxiliary head on all tokens. What the paper begins with is learnt on ImageNet, what all "
        "arms begin with here on CelebA, with ages that another method said. Light "
        "convolutions make the tokens of a picture, since few faces teach these sooner.",
        "What the enhancer knows of places is a learnt number for each pair of them, which begins "
        "by preferring near ones; the paper's are relative places that depend on the question.",
        "How often the paper leaves out a picture, and how it weighs ages and its two losses, we "
        "could not read: here the face is left out of half of the rows and what is around it of a "
        "tenth, never both; an age weighs one over the root of how common it is.",
        "Learnt from 800 faces of UTKFace and 3,000 of CelebA whose ages another method said.",
    ),
    risk=(
        "Age: how old somebody looks, wrong by many years, by more where the face is hidden. Sex: "
        "it repeats how annotators labelled pictures by looks; where the face is hidden it judges "
        "by hair. It knows nothing of a person's gender, has no answer but two, and is wrong more "
        "often for children and for some groups. Never decide about a person by it. Made to work "
        "where a face is hidden, it can be turned on people who hide theirs for a reason. The "
        "sets that it learns from are for research only: so is what comes of it."
    ),
    published=(
        ("imdb-clean", "age MAE, years, face and body", 4.24),
        ("imdb-clean", "age MAE, years, body alone", 6.87),
        ("imdb-clean", "sex accuracy, face and body", 0.9946),
        ("imdb-clean", "sex accuracy, body alone", 0.9648),
    ),
)

RECIPE = Recipe(
    slug="mivolo",
    title="age and sex from a face and what is around it",
    entry="run",
    baseline="the same network with the face alone, with its surroundings alone, and without "
    "leaving pictures out",
    settings=Settings(
        steps=150,
        batch=32,
        rate=0.002,
        warm_up=20,
        weight_decay=0.05,
        average=0.95,
        clip=5.0,
        save_every=75,
        measure_every=75,
    ),
    sets=("utkface", "celeba5k"),
)

SIZE, ACROSS = 96, 1.2
"""Side of the square that both pictures are cut from, pixels; how much wider it is than the
landmarkers'."""
CUT = template(160, ACROSS * WIDER)
"""Of the wide crops."""
PATCH = 8
"""Side of what becomes a token, pixels of each of the two pictures."""
WIDTH, HEADS = 64, 4
NO_FACE, NO_BODY = 0.5, 0.1
"""Shares of the training rows whose face, or whose surroundings, are left out."""
MIDDLE_AGE, AGES = 50.0, 100.0
"""Years that the network's 0 stands for, and a difference of 1."""
AGE_WEIGHT = 20.0
"""Of the age's loss beside that of sex, so that neither is much the larger."""
START_STEPS = 300
"""Of the common start."""
CHANGES = Amounts(0.04, 0.03, 0.01, light=0.1, grey=0.02, blurred=0.05, noise=2, covered=0.02)
"""How much squares to learn from are changed: little, since runs are short."""
SMOOTH = 2.0
"""Standard deviation of the kernel over the histogram of ages, years."""


def face_of(squares: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 h h"]:
    """The middle half of each square: brows to mouth."""
    quarter = int(squares.shape[2]) // 4
    return squares[:, :, quarter:-quarter, quarter:-quarter]


def body_of(squares: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 h h"]:
    """The whole square at half its size, with the face cut out: black there."""
    return functional.avg_pool2d(squares, 2) * _around(int(squares.shape[2]) // 2)


def without_face(squares: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
    """Squares with a black middle: the face is hidden."""
    return squares * _around(int(squares.shape[2]))


def face_alone(squares: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
    """Squares that are black around the face."""
    return squares * (1 - _around(int(squares.shape[2])))


def _around(side: int) -> Float32[Tensor, "s s"]:
    """1 around the middle half of a square, 0 in it."""
    mask = torch.ones(side, side)
    mask[side // 4 : -(side // 4), side // 4 : -(side // 4)] = 0
    return mask


class PatchEmbedding(nn.Module):
    """A small picture as tokens, one for each patch: three halvings of its size.

    The last layer is a norm over the faces of a batch. It takes off what all faces share: the
    enhancer, through which no token passes unchanged, would else hand on little but that.

    Args:
        width: channels of a token.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1, bias=False),
            nn.BatchNorm2d(24),
            nn.ReLU6(),
            InvertedResidual(24, 40, 2, 3),
            InvertedResidual(40, 40, 1, 3),
            InvertedResidual(40, width, 2, 3),
        )

    def forward(self, x: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n k c"]:
        """RGB from 0 to 255; tokens row by row."""
        return self.layers(x / 127.5 - 1).flatten(2).transpose(1, 2)


class FeatureEnhancer(nn.Module):
    """What the tokens of either picture take from the other's, side by side, made one.

    The face asks the body and the body asks the face, each by attention of its own; both answers
    are put together channel by channel, normalised, and two dense layers make tokens of them.

    Args:
        width: channels of a token.
        side: of the grid that tokens stand on.
        heads: of the attentions; the paper has one.
    """

    def __init__(self, width: int, side: int, heads: int = 1) -> None:
        super().__init__()
        self.face_asks = Attention(width, heads, side)
        self.body_asks = Attention(width, heads, side)
        self.norm = nn.LayerNorm(2 * width)
        self.dense = nn.Sequential(
            nn.Linear(2 * width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, face: Float[Tensor, "n k c"], body: Float[Tensor, "n k c"]
    ) -> Float[Tensor, "n k c"]:
        """One set of tokens of both."""
        both = torch.cat([self.face_asks(face, body), self.body_asks(body, face)], dim=2)
        return self.dense(self.norm(both))


class MiVOLO(nn.Module):
    """Two pictures, one trunk, two heads.

    Args:
        size: of the square that both pictures are cut from, pixels.
        width: channels of a token.
    """

    def __init__(self, size: int = SIZE, width: int = WIDTH) -> None:
        super().__init__()
        self.grid = size // 2 // PATCH
        self.face, self.body = PatchEmbedding(width), PatchEmbedding(width)
        self.enhance = FeatureEnhancer(width, self.grid)
        self.places = nn.Parameter(torch.zeros(1, self.grid**2, width))
        nn.init.trunc_normal_(self.places, std=0.02)
        self.outlook = Outlooker(width, HEADS)
        self.trunk = Transformer(width, HEADS)
        self.gather = ClassAttention(width, HEADS)
        self.norm = nn.LayerNorm(width)
        self.age, self.sex = nn.Linear(width, 1), nn.Linear(width, len(SEXES))
        for part in (self.outlook, self.trunk, self.gather, self.age, self.sex):
            part.apply(start_small)

    def forward(
        self, squares: Float32[Tensor, "n 3 s s"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 2"]]:
        """Years, and the probabilities of `SEXES`.

        Args:
            squares: RGB from 0 to 255. A face that is not to be seen is a black middle.
        """
        age, sex = self.scores(squares)
        return MIDDLE_AGE + AGES * age, sex.softmax(dim=1)

    def scores(
        self, squares: Float32[Tensor, "n 3 s s"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 2"]]:
        """The age from its middle, in `AGES`, and the logits of `SEXES`."""
        x = self.enhance(self.face(face_of(squares)), self.body(body_of(squares))) + self.places
        n, _, width = x.shape
        x = self.outlook(x.reshape(n, self.grid, self.grid, width)).reshape(n, -1, width)
        x = self.norm(self.gather(self.trunk(x)))
        return self.age(x)[:, 0], self.sex(x)


def age_weights(ages: Float32[np.ndarray, " n"]) -> Float64[np.ndarray, " k"]:
    """The weight of each year of age, 0 and up: one over the root of how common it is among labels.

    The histogram is smoothed, since a face of 31 tells of 32 too; weights are 1 on average over the
    labels.
    """
    years = np.arange(121)
    counts = np.bincount(ages.astype(np.int64).clip(0, 120), minlength=121)
    kernel = np.exp(-((years[:, None] - years) ** 2) / (2 * SMOOTH**2))
    density = (kernel / kernel.sum(axis=1, keepdims=True)) @ counts
    weights = np.maximum(density, density[counts > 0].min()) ** -0.5
    return weights / (weights @ counts / counts.sum())


def left_out(
    squares: Float32[Tensor, "n 3 s s"],
    rng: np.random.Generator,
    no_face: float = NO_FACE,
    no_body: float = NO_BODY,
) -> Float32[Tensor, "n 3 s s"]:
    """Squares of which some lack the face and others what is around it; none lacks both."""
    draw = torch.from_numpy(rng.random(len(squares)))[:, None, None, None]
    hidden = torch.where(draw < no_face, without_face(squares), squares)
    return torch.where(draw >= 1 - no_body, face_alone(squares), hidden)


def run(job: Job) -> Comparison:
    """Train with both pictures and with either, once a seed; measure all with both and either.

    All begin with the same weights, learnt on CelebA alone.
    """
    material = gather(job, CUT)
    weights = age_weights(np.concatenate([material.train.ages, material.more.ages]))
    weights = torch.from_numpy(weights.astype(np.float32))
    job.say("the common start")
    start = fit(
        MiVOLO,
        _loss(weights, NO_FACE, NO_BODY),
        replace(material, train=material.more),
        replace(job.settings, seed=0, steps=min(START_STEPS, 4 * job.settings.steps)),
        job.out / "start",
        SIZE,
        amounts=CHANGES,
        say=job.say,
    )
    shares = {
        "MiVOLO": (NO_FACE, NO_BODY),
        "nothing left out": (0.0, 0.0),
        "face alone": (0.0, 1.0),
        "surroundings alone": (1.0, 0.0),
    }
    # A network of one picture is shown no other, whatever there is to be seen.
    own = {"face alone": face_alone, "surroundings alone": without_face}
    views = {
        "face and surroundings": _as_it_is,
        "face hidden": without_face,
        "surroundings hidden": face_alone,
    }
    found: dict[str, dict[str, list[Answers]]] = {
        view: {name: [] for name in shares} for view in views
    }
    files, notes = [], {}
    for seed, settings in seeds_of(job):
        for name, share in shares.items():
            see = own.get(name, _as_it_is)
            job.say(f"{name}, seed {seed}")
            folder = job.out / f"{name.replace(' ', '-').lower()}-{seed}"
            model = fit(
                lambda: deepcopy(start).requires_grad_(True),
                _loss(weights, *share), material, settings, folder, SIZE,
                amounts=CHANGES, change=see, say=job.say,
            )  # fmt: skip
            for view, change in views.items():
                both = lambda seen, see=see, change=change: see(change(seen))  # noqa: E731
                found[view][name].append(answers(model, material.test.pixels, SIZE, both))
            files.append(folder / "age_sex.onnx")
            took = ship(model, still(material.test.pixels[:4], SIZE), files[-1], ABOUT)
            notes[name] = note_of(files[-1], took)
    conditions = [
        Condition(view, arms, rivals=view == next(iter(views))) for view, arms in found.items()
    ]
    return replace(compare(job, material, conditions, notes), files=files)


ABOUT = Trained(
    method="mivolo",
    view=View(kind="keypoints", size=SIZE, wider=ACROSS, std=(1 / 255, 1 / 255, 1 / 255)),
    outputs=(Output(name="age", field="age"), Output(name="sex", field="sex", names=SEXES)),
)
"""What the network says of itself in its file."""


def _as_it_is(squares: Tensor) -> Tensor:
    return squares


def _loss(weights: Float32[Tensor, " k"], no_face: float, no_body: float) -> AgeLoss:
    """Weighted squares of the age's error, and the cross-entropy of sex."""

    def loss(
        model: nn.Module, seen: Tensor, ages: Tensor, sexes: Tensor, rng: np.random.Generator
    ) -> Tensor:
        assert isinstance(model, MiVOLO)
        age, sex = model.scores(left_out(seen, rng, no_face, no_body))
        error = age - (ages - MIDDLE_AGE) / AGES
        weight = weights[ages.long().clamp(0, len(weights) - 1)]
        return AGE_WEIGHT * (weight * error**2).mean() + functional.cross_entropy(sex, sexes)

    return loss
