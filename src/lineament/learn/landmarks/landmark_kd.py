"""A light student learns 68 points from two teachers, one of which was taught a simpler face.

Source: A. P. Fard, M. H. Mahoor, "Facial Landmark Points Detection Using Knowledge
Distillation-Based Neural Networks", CVIU 2022 (arXiv:2111.07047); constants as in the authors'
published code.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import Card
from lineament.learn.landmarks.mobile import MobileLandmarker
from lineament.learn.landmarks.trial import (
    Material,
    compare,
    errors,
    fit,
    gather,
    seeds_of,
    ship,
)
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings

CARD = Card(
    slug="landmark-kd",
    title="Facial Landmark Points Detection Using Knowledge Distillation-Based Neural Networks",
    paper="arXiv:2111.07047",
    verb="train",
    task="Trains a light network of 68 points with the help of a tough and a tolerant teacher.",
    entry="kd_loss",
    needs=("crops", "landmarks"),
    gives=("a landmarker",),
    code="github.com/aliprf/KD-Loss",
    deviations=(
        "The student is a small relative of MobileNetV2 on 80 x 80 pixels, not MobileNetV2 on "
        "224 x 224; the teachers are the same network made wider, not EfficientNet-b3.",
        "Coordinates are means under the softmax of small maps, not outputs of a dense layer: "
        "that learns from far fewer faces.",
        "Trained on 400 faces of UCLA-68, or on generated faces with the points of another "
        "landmarker in place of annotations; not on 300-W, COFW and WFLW.",
        "Soft landmarks come from principal components over aligned faces, without refitting.",
        "Held against the same student under L2, as in the paper, and under L1 as well: the loss "
        "is nearer to L1, and what that alone brings is not the teachers' doing.",
    ),
    risk="A student takes over its teachers' errors, on whatever faces they are made.",
    published=(
        ("300w", "NME over inter-ocular distance, full set", 0.0406),
        ("300w", "NME over inter-ocular distance, challenging subset", 0.0613),
    ),
)

RECIPE = Recipe(
    slug="landmark-kd",
    title="a light student of 68 points under KD-Loss",
    entry="run",
    baseline="the same student without teachers, under L2 and under L1",
    settings=Settings(
        steps=200,
        batch=64,
        rate=0.003,
        warm_up=20,
        weight_decay=0.0001,
        average=0.99,
        clip=1.0,
        save_every=100,
        measure_every=100,
    ),
    sets=("ucla68",),
)

SIZE = 80
"""Side of the square that student and teachers see, pixels."""
TOUGH, TOLERANT = (1.9, -0.45), (1.8, -0.4)
"""Weights of each teacher's help: where the student is farther from the truth than the teacher,
and where it is nearer."""
NEAR = 0.15
"""Nearer to the truth than this share of the teacher's distance, a teacher has nothing to say."""
MAIN = 2.0
"""Weight of the loss against the truth."""
SLOPE = 3.0
"""Of that loss below the tolerant teacher's distance."""
SOFT = 0.9
"""Share of the variance of faces that soft landmarks keep."""
TEACHER_WIDTHS = (24, 40, 64, 96)


def assistive_loss(
    error: Float[Tensor, "n k 2"], teacher: Float[Tensor, "n k 2"], weights: tuple[float, float]
) -> Float[Tensor, ""]:
    """ALoss: what a teacher adds, by how far off it is itself.

    The teacher's answer is mirrored about the truth to the student's side, so only distances count.
    Farther off than the teacher, the student pays for the way to it; nearer, it is paid for having
    left it, until it is so near that the teacher is no help.

    Args:
        error: absolute errors of the student, coordinate by coordinate, shares of the side.
        teacher: those of the teacher.
        weights: beyond the teacher, and between it and `NEAR`.
    """
    beyond, between = weights
    weight = torch.where(error > teacher, beyond, torch.where(error >= NEAR * teacher, between, 0))
    return (weight * (error - teacher).abs()).mean()


def main_loss(error: Float[Tensor, "n k 2"], tolerant: Float[Tensor, "n k 2"]) -> Float[Tensor, ""]:
    """Against the truth: a cone up to the tolerant teacher's error, a parabola beyond it, which
    meet there."""
    beyond = error**2 + SLOPE * tolerant - tolerant**2
    return torch.where(error <= tolerant, SLOPE * error, beyond).mean()


def kd_loss(
    answer: Float[Tensor, "n k 2"],
    truth: Float[Tensor, "n k 2"],
    tough: Float[Tensor, "n k 2"],
    tolerant: Float[Tensor, "n k 2"],
) -> Float[Tensor, ""]:
    """KD-Loss: twice the loss against the truth, and the help of both teachers.

    Args:
        answer: of the student, shares of the side.
        truth: the annotated (hard) landmarks.
        tough: answer of the teacher that learnt these.
        tolerant: answer of the teacher that learnt soft landmarks.
    """
    error = (answer - truth).abs()
    tough_error, tolerant_error = (tough - truth).abs(), (tolerant - truth).abs()
    helped = assistive_loss(error, tough_error, TOUGH)
    helped = helped + assistive_loss(error, tolerant_error, TOLERANT)
    return MAIN * main_loss(error, tolerant_error) + helped


def soft_landmarks(
    points: Float32[np.ndarray, "n k 2"], share: float = SOFT
) -> Float32[np.ndarray, "n k 2"]:
    """Faces as an active shape model sees them: the principal components that keep `share` of the
    variance, none beyond 3 standard deviations.

    Source: T. F. Cootes et al., "Active Shape Models: their training and application", CVIU 1995.
    """
    flat = points.reshape(len(points), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    _, lengths, axes = np.linalg.svd(flat - mean, full_matrices=False)
    explained = np.cumsum(lengths**2) / np.sum(lengths**2)
    count = int(np.searchsorted(explained, share)) + 1
    limit = 3 * lengths[:count] / np.sqrt(len(points))
    places = ((flat - mean) @ axes[:count].T).clip(-limit, limit)
    return (mean + places @ axes[:count]).reshape(points.shape).astype(np.float32)


def run(job: Job) -> Comparison:
    """Teach both teachers, then the student with and without them, once a seed."""
    material = gather(job, SIZE)
    tough = _teacher(job, material, "tough", None)
    tolerant = _teacher(job, material, "tolerant", soft_landmarks(material.train.points))

    def with_teachers(model: nn.Module, seen: Tensor, truth: Tensor) -> Tensor:
        with torch.no_grad():
            theirs = tough(seen), tolerant(seen)
        return kd_loss(model(seen), truth, *theirs)

    arms = {"KD-Loss": with_teachers, "L2 alone": _l2, "L1 alone": _l1}
    found: dict[str, list[np.ndarray]] = {name: [] for name in arms}
    files, notes = [], {}
    for seed, settings in seeds_of(job):
        for name, loss in arms.items():
            folder = job.out / f"{name.split()[0].lower()}-{seed}"
            job.say(f"{name}, seed {seed}")
            model = fit(
                lambda: MobileLandmarker(SIZE, material.mean),
                loss, material, settings, folder, SIZE, say=job.say,
            )  # fmt: skip
            found[name].append(errors(model, material.test, SIZE))
            files.append(folder / "student.onnx")
            notes[name] = _note(files[-1], ship(model, material, files[-1], SIZE, RECIPE.slug))
    taught = {
        "tough teacher": [errors(tough, material.test, SIZE)],
        "tolerant teacher": [errors(tolerant, material.test, SIZE)],
    }
    return replace(compare(job, material, found | taught, SIZE, notes), files=files)


def _teacher(
    job: Job, material: Material, name: str, targets: Float32[np.ndarray, "n 68 2"] | None
) -> nn.Module:
    """A wider network that learns under L2, and is not changed any more."""
    job.say(f"{name} teacher")
    return fit(
        lambda: MobileLandmarker(SIZE, material.mean, TEACHER_WIDTHS),
        _l2,
        material,
        replace(job.settings, seed=0),
        job.out / name,
        SIZE,
        targets=targets,
        say=job.say,
    ).requires_grad_(False)


def _l2(model: nn.Module, seen: Tensor, truth: Tensor) -> Tensor:
    return functional.mse_loss(model(seen), truth)


def _l1(model: nn.Module, seen: Tensor, truth: Tensor) -> Tensor:
    return functional.l1_loss(model(seen), truth)


def _note(path: Path, milliseconds: float) -> str:
    return f"{milliseconds:.2f} ms a face (network, one thread), {path.stat().st_size:,} bytes"
