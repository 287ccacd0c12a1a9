"""Faces with the labels that somebody has given them: of most tasks, none. No torch here.

A label that is not there is not a number: NaN, or `UNKNOWN` in a mask. Losses leave such rows out
(`losses`), so that sets with different labels can stand in one batch.

Every face is seen in an upright square around the detector's box. What is kept is `WIDER` than
what a network sees, so that it can be moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from lineament.core.errors import BadInput
from lineament.core.geometry import umeyama
from lineament.learn.data.cache import DAMAGED
from lineament.measure.sets.fasseg import CLASSES

SIZE = 64
"""Side of the square that a network sees, pixels."""
AROUND = 1.25
"""That side, in longer sides of the detector's box: little more than the face, so that the edges of
the sets' pictures, which tell them apart, lie outside."""
WIDER = 1.6
KEPT = 112
"""Side of the square that is kept, pixels."""
FACE, UNKNOWN = len(CLASSES), 255
"""In a mask: a pixel of the face, be it skin, eyes, nose or mouth; and one that nobody labelled."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Wide squares of faces and what is known of them.

    Attributes:
        pixels: uint8 RGB.
        points: scheme "68", shares of the wide square from its middle.
        masks: number of each pixel's class in FASSEG's `CLASSES`, `FACE` or `UNKNOWN`.
        pose: pitch, yaw, roll in radians.
        attributes: CelebA's 40, 0 or 1.
        age: years.
        sex: number in `SEXES`: as the set's makers labelled it, not as people said of themselves.
        people: who each is; different numbers where nobody says.
    """

    pixels: UInt8[np.ndarray, "n b b 3"]
    points: Float32[np.ndarray, "n 68 2"]
    masks: UInt8[np.ndarray, "n b b"]
    pose: Float32[np.ndarray, "n 3"]
    attributes: Float32[np.ndarray, "n 40"]
    age: Float32[np.ndarray, " n"]
    sex: Float32[np.ndarray, " n"]
    people: Int64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: np.ndarray) -> Labelled:
        return Labelled(**{name: value[rows] for name, value in self.arrays().items()})

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def of(cls, pixels: UInt8[np.ndarray, "n b b 3"], **known: np.ndarray) -> Labelled:
        """Faces of which only the labels named here are known."""
        count, side = len(pixels), pixels.shape[1]

        def absent(*shape: int) -> np.ndarray:
            return np.full((count, *shape), np.nan, np.float32)

        blank = cls(
            pixels=pixels,
            points=absent(68, 2),
            masks=np.full((count, side, side), UNKNOWN, np.uint8),
            pose=absent(3),
            attributes=absent(40),
            age=absent(),
            sex=absent(),
            people=np.arange(count),
        )
        return replace(blank, **known)

    @staticmethod
    def join(parts: Sequence[Labelled]) -> Labelled:
        """Several sets as one. Nobody is in two of them."""
        arrays = [part.arrays() for part in parts]
        first = 0
        for each in arrays:
            each["people"] = each["people"] + first
            first = int(each["people"].max()) + 1
        return Labelled(**{k: np.concatenate([a[k] for a in arrays]) for k in arrays[0]})

    def knows(self, task: str) -> np.ndarray:
        """Which rows have a label of a task, n flags."""
        if task == "parsing":
            return (self.masks != UNKNOWN).any(axis=(1, 2))
        of = {"landmarks": "points", "visibility": "points"}.get(task, task)
        values = getattr(self, of)
        return np.isfinite(values.reshape(len(values), -1)).all(axis=1)


@dataclass(frozen=True, eq=False)
class Material:
    """Faces of one run.

    Attributes:
        train: to learn from, all sets together.
        shares: of a batch, by row of `train`: whole numbers, how often a row comes in an epoch.
        choose: to watch while training, by set.
        test: to be measured on, once, by set; labels of people or of instruments only.
        specialists: by task, the method of the package that does it, and its answers on the test
            rows: points, poses, probabilities, years, classes of pixels.
        attributes: names of CelebA's 40.
        source: what was learnt from, in words.
        hash: of all that was read.
    """

    train: Labelled
    shares: Int64[np.ndarray, " n"]
    choose: Mapping[str, Labelled]
    test: Mapping[str, Labelled]
    specialists: Mapping[str, tuple[str, np.ndarray]]
    attributes: tuple[str, ...]
    source: str
    hash: str
    notes: Mapping[str, str] = field(default_factory=dict)

    def rows_for(self, tasks: Sequence[str]) -> Int64[np.ndarray, " m"]:
        """Rows of `train` that know one of some tasks, each as often as its share says."""
        known = np.any([self.train.knows(task) for task in tasks], axis=0)
        return np.repeat(np.flatnonzero(known), self.shares[known])

    @property
    def mean_face(self) -> Float32[np.ndarray, "68 2"]:
        """Of the training rows, as shares of what a network sees."""
        points = self.train.points[self.train.knows("landmarks")]
        return (points.mean(axis=0) * WIDER).astype(np.float32)

    @property
    def base_rates(self) -> Float32[np.ndarray, " 40"]:
        """Share of the training rows that have each attribute."""
        return self.train.attributes[self.train.knows("attributes")].mean(axis=0)


def square(
    boxes: Float32[np.ndarray, "n 4"], size: int, around: float
) -> Float32[np.ndarray, "n 2 3"]:
    """From pictures to upright squares around boxes.

    Args:
        boxes: of faces, pixels.
        size: of the squares, pixels.
        around: their side in longer sides of the box.
    """
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) * around / 2
    corners = np.asarray([(-1, -1), (1, -1), (1, 1)], np.float32)
    placed = middle[:, None] + half[:, None, None] * corners
    return umeyama(placed.astype(np.float32), (corners + 1) / 2 * size - 0.5)


def save(path: Path, material: Material) -> None:
    """Keep a run's faces in one file of arrays."""
    arrays: dict[str, np.ndarray] = {"shares": material.shares}
    parts = {"train": {"": material.train}, "choose": material.choose, "test": material.test}
    for part, sets in parts.items():
        for name, faces in sets.items():
            arrays |= {f"{part}/{name}/{k}": value for k, value in faces.arrays().items()}
    for task, (slug, answer) in material.specialists.items():
        arrays[f"specialist/{task}/{slug}"] = answer
    arrays["attributes"] = np.asarray(material.attributes)
    arrays["words"] = np.asarray([material.source, material.hash])
    arrays["notes"] = np.asarray([list(pair) for pair in material.notes.items()], str)
    partial = path.with_suffix(".part.npz")
    np.savez(partial, **arrays)  # pyright: ignore[reportArgumentType]
    partial.replace(path)


def load(path: Path) -> Material:
    """What `save` kept.

    Raises:
        BadInput: the file is something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        source, digest = (str(word) for word in arrays["words"])
        notes = {str(task): str(said) for task, said in arrays["notes"].reshape(-1, 2)}
        specialists = {
            name.split("/")[1]: (name.split("/")[2], value)
            for name, value in arrays.items()
            if name.startswith("specialist/")
        }
        parts = {part: _sets(arrays, part) for part in ("train", "choose", "test")}
        return Material(
            train=parts["train"][""],
            shares=arrays["shares"],
            choose=parts["choose"],
            test=parts["test"],
            specialists=specialists,
            attributes=tuple(str(name) for name in arrays["attributes"]),
            source=source,
            hash=digest,
            notes=notes,
        )
    except DAMAGED as error:
        raise BadInput(f"not a file of labelled faces: {error}", str(path)) from error


def _sets(arrays: Mapping[str, np.ndarray], part: str) -> dict[str, Labelled]:
    names = {name.split("/")[1] for name in arrays if name.startswith(f"{part}/")}
    return {
        name: Labelled(
            **{each.name: arrays[f"{part}/{name}/{each.name}"] for each in fields(Labelled)}
        )
        for name in sorted(names)
    }
