"""FP-Age: a head for age looks at a face through the masks of a parser.

Source: Y. Lin, J. Shen, Y. Wang, M. Pantic, "FP-Age: Leveraging Face Parsing Attention for Facial
Age Estimation in the Wild", IEEE TIP 2022 (arXiv:2106.11145); the order of the layers as in the
authors' published code; B.-B. Gao et al., "Age estimation using expectation of label distribution
learning", IJCAI 2018, for the loss.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import Card
from lineament.core.trained import Output, Trained, View
from lineament.learn.attributes.age_trial import (
    Condition,
    answers,
    compare,
    degraded,
    fit,
    note_of,
    ship,
)
from lineament.learn.attributes.aged_faces import Answers, Material, gather
from lineament.learn.attributes.face_parser import (
    CLASSES,
    TEACHER,
    LightParser,
    agreement,
    fit_parser,
    teacher_labels,
)
from lineament.learn.data.cache import kept
from lineament.learn.landmarks.augment import still
from lineament.learn.landmarks.crops import template
from lineament.learn.landmarks.faces import WIDER
from lineament.learn.landmarks.trial import seeds_of
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings

CARD = Card(
    slug="fp-age",
    title="FP-Age: Leveraging Face Parsing Attention for Facial Age Estimation in the Wild",
    paper="arXiv:2106.11145",
    verb="train",
    task="Trains a network of age that attends to the parts of a face through a parser's masks.",
    entry="ParsingAttention",
    needs=("crops", "parsing"),
    gives=("a network of age",),
    code="github.com/ibug-group/fpage",
    deviations=(
        "The parser is a light network of twelve classes on 80 x 80 pixels that learnt from "
        "another parser's answers, not RTNet on 513 x 513; like the paper's, it is frozen.",
        "Faces are squares aligned on five points, not RoI tanh-polar warps of boxes.",
        "The head is three blocks of 64 channels, not four of 256.",
        "How the paper weighs its loss we could not read: here it is the divergence from a normal "
        "distribution of two years around the label, and the distance of the expectation.",
        "101 classes of a year, from 0 to 100; the paper's network has 97. Older faces count as "
        "100.",
        "Learnt from 800 faces of UTKFace and 3,000 of CelebA whose ages another method said, not "
        "from IMDB-Clean.",
    ),
    risk=(
        "An estimate of how old a face looks, wrong by many years, and worse for some ages and "
        "groups than for others (see its evidence). It proves nobody's age and is unfit to decide "
        "what a person may do or buy. The sets that it learns from, and the parser that teaches "
        "its own, are for research only: so is what comes of it."
    ),
)

RECIPE = Recipe(
    slug="fp-age",
    title="age through the masks of a face parser",
    entry="run",
    baseline="the same with uniform masks, and as plain regression without attention",
    settings=Settings(
        steps=240,
        batch=32,
        rate=0.003,
        warm_up=20,
        weight_decay=0.01,
        average=0.95,
        clip=5.0,
        save_every=80,
        measure_every=80,
    ),
    sets=("utkface", "celeba5k"),
)

SIZE, NEAR = 80, 0.9
"""Side of the square that the network sees, pixels; how much wider it is than the landmarkers'."""
CUT = template(128, NEAR * WIDER)
"""Of the wide crops."""
AGES = 101
"""Classes: 0 to 100 years."""
SPREAD = 2.0
"""Standard deviation of the distribution that a label stands for, years."""
PARSED, AGREED = 150, 40
"""Training pictures of UTKFace, and of CelebA, that the parser learns from; pictures of UTKFace
that it is held against its teacher on."""
PARSER_STEPS = 250

Kind = Literal["attention", "uniform", "regression"]


class ParsingAttention(nn.Module):
    """Attention by regions: features of a parser, masked by each class, each class weighed.

    The features are projected to `each` channels a class, and multiplied by that class's mask. From
    their means over the face two dense layers give a weight in (0, 1) to every class.

    Args:
        inner: channels of the features.
        each: channels of a class.
        classes: of the parser.
        reduction: of the dense layers' middle.
    """

    def __init__(self, inner: int, each: int, classes: int, reduction: int = 4) -> None:
        super().__init__()
        self.classes = classes
        self.project = nn.Conv2d(inner, each * classes, 1)
        self.weigh = nn.Sequential(
            nn.Linear(each * classes, each * classes // reduction),
            nn.ReLU(),
            nn.Linear(each * classes // reduction, classes),
        )

    def forward(
        self, high: Float[Tensor, "n b h w"], masks: Float[Tensor, "n k h w"]
    ) -> Float[Tensor, "n c h w"]:
        """The attended features: those of the first class, of the second, ...

        Args:
            high: features of the parser.
            masks: probabilities of the classes.
        """
        n, _, h, w = high.shape
        parts = self.project(high).reshape(n, self.classes, -1, h, w) * masks[:, :, None]
        weights = torch.sigmoid(self.weigh(parts.mean(dim=(3, 4)).flatten(1)))
        return (parts * weights[:, :, None, None, None]).flatten(1, 2)


class HierarchicalBlock(nn.Module):
    """Three convolutions of which each sees the one before; side by side they make the answer.

    Source: A. Bulat, G. Tzimiropoulos, "Binarized convolutional landmark localizers for human pose
    estimation and face alignment with limited resources", ICCV 2017, section 4.3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.steps = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(a), nn.ReLU(), nn.Conv2d(a, b, 3, padding=1, bias=False))
            for a, b in ((channels, half), (half, quarter), (quarter, quarter))
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """As many channels out as in."""
        parts, part = [], x
        for step in self.steps:
            part = step(part)
            parts.append(part)
        return torch.cat(parts, dim=1) + x


class FPAge(nn.Module):
    """The parser, the attention, and the head for age.

    Args:
        parser: is not changed.
        kind: "attention" is the paper's. "uniform" gives each class the same mask. "regression"
            takes the projected features as they are, without masks or weights, and answers with a
            number in place of a distribution.
        width: channels of the head.
        each: channels of a class.
    """

    years: Tensor

    def __init__(
        self, parser: LightParser, kind: Kind = "attention", width: int = 64, each: int = 5
    ) -> None:
        super().__init__()
        self.parser, self.kind = parser.requires_grad_(False), kind
        classes = parser.classes.out_channels
        self.attention = ParsingAttention(parser.high, each, classes)
        blocks: list[nn.Module] = [nn.Conv2d(parser.fine + each * classes, width, 1)]
        for _ in range(3):
            blocks += [HierarchicalBlock(width), nn.MaxPool2d(2, 2)]
        self.head = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.read = nn.Sequential(
            nn.Linear(width, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, 1 if kind == "regression" else AGES),
        )
        self.register_buffer("years", torch.arange(AGES, dtype=torch.float32), persistent=False)

    def train(self, mode: bool = True) -> FPAge:
        """The parser stays as it is: its norms keep their statistics."""
        super().train(mode)
        self.parser.eval()
        return self

    def scores(self, x: Float32[Tensor, "n 3 s s"]) -> Float[Tensor, "n a"]:
        """Of each class of age; of kind "regression" one number in hundreds of years.

        Args:
            x: RGB from 0 to 255.
        """
        with torch.no_grad():
            seen = self.parser.see(x)
            masks = seen.scores.softmax(dim=1)
        if self.kind == "uniform":
            masks = torch.ones_like(masks) / masks.shape[1]
        if self.kind in ("attention", "uniform"):
            attended = self.attention(seen.high, masks)
        else:
            attended = self.attention.project(seen.high)
        return self.read(self.head(torch.cat([seen.fine, attended], dim=1)))

    def forward(self, x: Float32[Tensor, "n 3 s s"]) -> Float[Tensor, " n"]:
        """Years."""
        return self.age(self.scores(x))

    def age(self, scores: Float[Tensor, "n a"]) -> Float[Tensor, " n"]:
        """Years: the expectation of the distribution, or the number itself."""
        if self.kind == "regression":
            return 100 * scores[:, 0]
        return scores.softmax(dim=1) @ self.years


def distribution(ages: Float32[Tensor, " n"]) -> Float32[Tensor, "n a"]:
    """Probabilities of the classes around labels: a normal distribution, cut off and brought to
    sum 1."""
    apart = torch.arange(AGES) - ages.clamp(0, AGES - 1)[:, None]
    return (-(apart**2) / (2 * SPREAD**2)).softmax(dim=1)


def distribution_loss(
    scores: Float[Tensor, "n a"], ages: Float32[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Kullback-Leibler divergence of the label's distribution from the answer's, and the absolute
    difference of expectation and label, years."""
    found, years = scores.log_softmax(dim=1), torch.arange(AGES, dtype=scores.dtype)
    divergence = functional.kl_div(found, distribution(ages), reduction="batchmean")
    return divergence + functional.l1_loss(found.exp() @ years, ages.clamp(0, AGES - 1))


def run(job: Job) -> Comparison:
    """Teach the parser once, then the head of each kind, once a seed."""
    material = gather(job, CUT)
    parser, agreed = _parser(job, material)
    kinds: dict[str, Kind] = {
        "FP-Age": "attention",
        "uniform masks": "uniform",
        "plain regression": "regression",
    }
    wild = degraded(material.test.pixels, CUT)
    found: dict[str, list[Answers]] = {name: [] for name in kinds}
    hard: dict[str, list[Answers]] = {name: [] for name in kinds}
    files, notes = [], {}
    for seed, settings in seeds_of(job):
        for name, kind in kinds.items():
            job.say(f"{name}, seed {seed}")
            folder = job.out / f"{kind}-{seed}"
            model = fit(
                lambda kind=kind: FPAge(parser, kind),
                _loss, material, settings, folder, SIZE, say=job.say,
            )  # fmt: skip
            found[name].append(answers(model, material.test.pixels, SIZE))
            hard[name].append(answers(model, wild, SIZE))
            files.append(folder / "age.onnx")
            took = ship(model, still(material.test.pixels[:4], SIZE), files[-1], ABOUT)
            notes[name] = note_of(files[-1], took)
    notes["FP-Age"] += f"; parser and {TEACHER} agree by a mean IoU of {agreed:.2f}"
    conditions = [
        Condition("as they are", found),
        Condition("degraded by turns", hard, rivals=False),
    ]
    return replace(compare(job, material, conditions, notes), files=files)


ABOUT = Trained(
    method="fp-age",
    view=View(kind="keypoints", size=SIZE, wider=NEAR, std=(1 / 255, 1 / 255, 1 / 255)),
    outputs=(Output(name="age", field="age"),),
)
"""What the network says of itself in its file."""


def _parser(job: Job, material: Material) -> tuple[LightParser, float]:
    """The light parser, and its mean IoU with the teacher on faces that it did not learn."""
    few = np.arange(PARSED)
    parts = {
        "train": material.train[few[: len(material.train)]],
        "more": material.more[few[: len(material.more)]],
        "choose": material.choose[few[:AGREED]],
    }
    labels = {}
    for name, faces in parts.items():
        key = (TEACHER, tuple(CLASSES), CUT, material.hash, *faces.pictures)
        made = kept(
            job.out.parent / "aged", f"parsed-{name}", key,
            lambda faces=faces: {"labels": teacher_labels(faces, CUT, job.say)},
        )  # fmt: skip
        labels[name] = made["labels"]
    job.say("the parser")
    parser = fit_parser(
        np.concatenate([parts["train"].pixels, parts["more"].pixels]),
        np.concatenate([labels["train"], labels["more"]]),
        replace(job.settings, seed=0, steps=min(PARSER_STEPS, 2 * job.settings.steps)),
        job.out / "parser",
        SIZE,
        material.hash,
        job.say,
    )
    ious = agreement(parser, parts["choose"].pixels, labels["choose"], SIZE)
    return parser, float(ious.mean())


def _loss(
    model: nn.Module,
    seen: Float32[Tensor, "n 3 s s"],
    ages: Float32[Tensor, " n"],
    sexes: Tensor,
    rng: np.random.Generator,
) -> Tensor:
    assert isinstance(model, FPAge)
    del sexes, rng
    scores = model.scores(seen)
    if model.kind == "regression":
        return functional.l1_loss(model.age(scores), ages)
    return distribution_loss(scores, ages)
