"""The landmarker that is shipped: a light network that learns 68 points of faces of nobody.

The faces are generated (`tools/make_faces.py`), their points are those of MediaPipe's face
landmarker, so nobody's picture and nobody's annotation is in it. Generated faces are mostly
frontal, so each is also learnt from as it would look turned (`solid.turned`); the file that is
shipped was made before that was added, from the faces as they are. No card stands here: what the
network does is the method of `see.landmarks.lineament_68`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.crops import align
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.markups import mesh_to_5, mesh_to_68
from lineament.core.rotations import rotations
from lineament.learn.landmarks.crops import template, to_pixels
from lineament.learn.landmarks.faces import (
    WIDER,
    PointedCrops,
    in_crop,
    join,
    kept,
    pictures,
    wide,
)
from lineament.learn.landmarks.mobile import Mirrored, MobileLandmarker
from lineament.learn.landmarks.solid import meshed, turned
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
TURNS = 2
"""Turned views of each face, beside the face as it is."""
FARTHEST = (15.0, 50.0, 0.0)
"""Largest pitch, yaw and roll of a turn to either side, degrees."""
ROOM = 1.2
"""How much wider the crops are in which faces are turned."""


def run(job: Job) -> Comparison:
    """Train it once a seed, beside the methods that are measured on the same faces."""
    material = gather(job, SIZE)
    if job.faces:
        paths = pictures(job.faces)
        learnt = tuple(paths[row] for row in material.train.rows)
        job.say("turning faces")
        turns = kept(
            job.out / "made", (SIZE, learnt), lambda: turned_faces(learnt, SIZE), "68-turned"
        )
        material = replace(material, train=join(material.train, turns))
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


def turned_faces(paths: Sequence[Path], size: int) -> PointedCrops:
    """Wide crops of faces turned at random, laid by the five points that they then have.

    Args:
        paths: of pictures.
        size: of what a network sees, pixels.
    """
    side = round(ROOM * wide(size))
    faces = meshed(paths, side, ROOM * WIDER)
    rng = np.random.default_rng(0)
    crops, points = [], []
    for pixels, mesh in zip(faces.pixels, faces.points, strict=True):
        for angles in np.radians(rng.uniform(-1, 1, (TURNS, 3)) * FARTHEST):
            seen, moved = turned(pixels, mesh, rotations(angles[None])[0])
            flat = to_pixels(moved[None, :, :2], side).astype(np.float32)
            five = Landmarks(mesh_to_5(flat), "5")
            crops.append(align(Image(seen), five, template(wide(size), WIDER)))
            points.append(in_crop(crops[-1], mesh_to_68(flat)[0]))
    rows = np.repeat(np.arange(len(faces)), TURNS)
    return PointedCrops(
        np.concatenate([crop.pixels for crop in crops]), np.stack(points), rows, faces.hash
    )


def _loss(model: nn.Module, seen: Tensor, truth: Tensor) -> Tensor:
    return functional.l1_loss(model(seen), truth)
