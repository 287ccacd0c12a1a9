"""Scenes to train, choose and measure a detector on, and annotated faces to measure it on.

Scenes are split, not faces; those that look alike, of which FaceMask-853 holds some, stay together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64

from lineament.core.errors import BadInput
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.core.media import read_image
from lineament.learn.detection.labels import Teachers, alike, kept, labelled, portrait
from lineament.learn.detection.measured import AP, POINTS, POSE, TAUGHT
from lineament.learn.detection.scenes import Scene
from lineament.learn.landmarks.faces import pictures as picture_files
from lineament.learn.recipes import Job
from lineament.measure.pose import AFLW2000_LIMIT, within
from lineament.measure.sets.aflw2000 import read_aflw2000
from lineament.measure.sets.facemask853 import read_facemask853
from lineament.measure.sets.nouns import BoxedScenes, PointedFaces, digest
from lineament.measure.sets.ucla68 import read_ucla68

PARTS = {"train": 0.6, "choose": 0.1, "test": 0.3}
"""Shares of the scenes."""
_SEED = 853


@dataclass(frozen=True, eq=False)
class Portrait:
    """An annotated picture of one face.

    Attributes:
        picture: the picture.
        points: its 68 points, pixels.
        five: scheme "5" of it.
        pose: pitch, yaw, roll, radians; None where nobody says.
    """

    picture: Image
    points: Float32[np.ndarray, "68 2"]
    five: Float32[np.ndarray, "5 2"]
    pose: Float64[np.ndarray, " 3"] | None = None


@dataclass(frozen=True, eq=False)
class Material:
    """All that a job learns from and is measured on.

    Attributes:
        train: scenes to learn from.
        portraits: generated faces to learn from; may be none.
        choose: scenes to watch while training.
        test: scenes to be measured on, once.
        pointed: faces whose points are annotated.
        turned: faces whose pose is annotated.
        names: of the data of each figure.
        hashes: the same data's.
        source: what was learned from, in words.
    """

    train: Sequence[Scene]
    portraits: Sequence[Scene]
    choose: Sequence[Scene]
    test: Sequence[Scene]
    pointed: Sequence[Portrait]
    turned: Sequence[Portrait]
    names: Mapping[str, str]
    hashes: Mapping[str, str]
    source: str

    @property
    def key(self) -> str:
        """Of everything to learn from: no run goes on with anything else."""
        return f"{self.hashes[AP]} {len(self.portraits)}"

    @property
    def learnt(self) -> Sequence[Scene]:
        """Everything to learn from."""
        return [*self.train, *self.portraits]


def gather(job: Job) -> Material:
    """Scenes, portraits and annotated faces for a job; labels are kept in its folder.

    Raises:
        BadInput: no folder of test sets is named, or a set is not there.
    """
    if job.data is None:
        raise BadInput("a detector is trained on facemask853: name the folder of test sets")
    known = read_facemask853(job.data / "facemask853")
    ucla = read_ucla68(job.data / "ucla68")
    aflw = read_aflw2000(job.data / "aflw2000_16")
    teachers, made = Teachers.usual(), job.out / "made"
    made.mkdir(parents=True, exist_ok=True)
    scenes = _scenes(job, known, teachers, made)
    portraits = _portraits(job, teachers, made)
    tested = f"FaceMask-853, {len(scenes['test'])} of its scenes"
    measured = {
        AP: (tested, known),
        TAUGHT: (f"{tested}, points by face-landmarker", known),
        POINTS: ("UCLA-68, every other of its faces", ucla),
        POSE: (f"AFLW2000-3D, {len(aflw.paths)} of its pictures", aflw),
    }
    return Material(
        scenes["train"],
        portraits,
        scenes["choose"],
        scenes["test"],
        _annotated(ucla, np.arange(0, len(ucla.paths), 2)),
        _annotated(aflw, np.flatnonzero(within(aflw.labels["pose"], AFLW2000_LIMIT))),
        {figure: name for figure, (name, _) in measured.items()},
        {figure: data.digest() for figure, (_, data) in measured.items()},
        f"Learnt from {len(scenes['train'])} scenes of FaceMask-853 and {len(portraits)} "
        f"generated portraits, tested on {len(scenes['test'])} other scenes",
    )


def split_scenes(pictures: Sequence[Image]) -> dict[str, Int64[np.ndarray, " k"]]:
    """Rows of each part; those of scenes that look alike are in one."""
    groups = alike(pictures)
    known, group = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(_SEED).permutation(len(known))
    ends = np.round(np.cumsum(list(PARTS.values())) * len(known)).astype(int)
    part = np.searchsorted(ends, order[group], side="right")
    return {name: np.flatnonzero(part == k) for k, name in enumerate(PARTS)}


def _scenes(job: Job, known: BoxedScenes, teachers: Teachers, made: Path) -> dict[str, list[Scene]]:
    """Labelled scenes of each part."""
    pictures, key = [read_image(path) for path in known.paths], known.digest()
    scenes = {}
    for name, rows in split_scenes(pictures).items():
        some, boxes = [pictures[row] for row in rows], [known.boxes[row] for row in rows]

        def make(some: list[Image] = some, boxes: list[np.ndarray] = boxes) -> list[Scene]:
            job.say(f"labelling {len(some)} scenes")
            return [labelled(p, b, teachers) for p, b in zip(some, boxes, strict=True)]

        scenes[name] = kept(made / f"{name}.npz", key, make).scenes(some)
    return scenes


def _portraits(job: Job, teachers: Teachers, made: Path) -> list[Scene]:
    if job.faces is None:
        return []
    paths = picture_files(job.faces)
    job.say(f"labelling {len(paths)} portraits")
    pictures = [read_image(path) for path in paths]
    labels = kept(
        made / "portraits.npz",
        digest(paths),
        lambda: [portrait(picture, teachers) for picture in pictures],
    )
    return [scene for scene in labels.scenes(pictures) if len(scene.boxes)]


def _annotated(faces: PointedFaces, rows: np.ndarray) -> list[Portrait]:
    fives = convert(Landmarks(faces.points, faces.scheme), "5").points
    poses = faces.labels.get("pose")
    return [
        Portrait(
            read_image(faces.paths[row]),
            faces.points[row],
            fives[row],
            None if poses is None else poses[row],
        )
        for row in rows
    ]
