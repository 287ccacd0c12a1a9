"""The landmarker that is shipped: a light network that learns 68 points of faces of nobody.

The faces are generated (`tools/make_faces.py`), their points are those of MediaPipe's face
landmarker, so nobody's picture and nobody's annotation is in it. No card stands here: what the
network does is the method of `see.landmarks.lineament_68`.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional

from lineament.learn.landmarks.mobile import Mirrored, MobileLandmarker
from lineament.learn.landmarks.trial import compare, errors, fit, gather, seeds_of, ship
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings

RECIPE = Recipe(
    slug="lineament-68",
    title="the landmarker that is shipped, from generated faces",
    entry="run",
    baseline="the landmarker that labelled the faces, and dlib's",
    settings=Settings(
        steps=1600,
        batch=64,
        rate=0.003,
        warm_up=50,
        weight_decay=0.0001,
        average=0.995,
        clip=1.0,
        save_every=100,
        measure_every=250,
    ),
    seeds=1,
    sets=("ucla68",),
)

SIZE = 80
"""Side of the square that it sees, pixels."""


def run(job: Job) -> Comparison:
    """Train it once a seed, beside the methods that are measured on the same faces."""
    material = gather(job, SIZE)
    found, files, notes = [], [], {}
    for seed, settings in seeds_of(job):
        folder = job.out / f"seed-{seed}"
        job.say(f"seed {seed}")
        model = fit(
            lambda: MobileLandmarker(SIZE, material.mean),
            _loss, material, settings, folder, SIZE, say=job.say,
        )  # fmt: skip
        model = Mirrored(model)
        found.append(errors(model, material.test, SIZE))
        files.append(folder / "lineament_68.onnx")
        took = ship(model, material, files[-1], SIZE, RECIPE.slug)
        notes["lineament-68"] = (
            f"{took:.2f} ms a face (network, one thread), {files[-1].stat().st_size:,} bytes"
        )
    return replace(compare(job, material, {"lineament-68": found}, SIZE, notes), files=files)


def _loss(model: nn.Module, seen: Tensor, truth: Tensor) -> Tensor:
    return functional.l1_loss(model(seen), truth)
