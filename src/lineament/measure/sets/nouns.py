"""What adapters give: pictures with labels, pairs, points or masks, and the terms of a set.

Each noun has a digest, so that a figure can say which data it was measured on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from lineament.core.errors import MissingFile


@dataclass(frozen=True)
class Terms:
    """Whose a set is, and what may be done with it.

    Attributes:
        name: as its makers call it.
        where: to get it.
        terms: what it may be used for.
    """

    name: str
    where: str
    terms: str

    def missing(self, path: Path) -> MissingFile:
        """The error for a set, or a file of it, that is not here."""
        return MissingFile(
            f"needed of {self.name}; get it from {self.where}; terms: {self.terms}", str(path)
        )


@dataclass(frozen=True, eq=False)
class LabeledPictures:
    """Pictures and what is known of each.

    Attributes:
        paths: one a picture.
        labels: by name, a row a picture: numbers of `classes`, or years for an age, or 0 and 1.
        classes: names of a label's numbers, where they have names.
        people: number of the person of each picture; None where nobody says.
        split: number of the official part of each picture; None where there is none.
    """

    paths: tuple[Path, ...]
    labels: Mapping[str, Int64[np.ndarray, " n"]] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    people: Int64[np.ndarray, " n"] | None = None
    split: Int64[np.ndarray, " n"] | None = None

    def digest(self) -> str:
        """Hash of all pictures' bytes and of what is known of them."""
        known = [self.labels[name] for name in sorted(self.labels)]
        return digest(self.paths, *known, self.people, self.split)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of pictures, in folds.

    Attributes:
        paths: one a picture.
        pairs: rows of two picture numbers.
        same: whether a pair shows one person.
        fold: of each pair, from 0.
    """

    paths: tuple[Path, ...]
    pairs: Int64[np.ndarray, "p 2"]
    same: Bool[np.ndarray, " p"]
    fold: Int64[np.ndarray, " p"]

    def digest(self) -> str:
        """Hash of all pictures' bytes and of the pairs."""
        return digest(self.paths, self.pairs, self.same, self.fold)


@dataclass(frozen=True, eq=False)
class PointedFaces:
    """Pictures of one face each, with its points.

    Attributes:
        paths: one a picture.
        points: (x, y) in pixels of the picture, as the set has them.
        scheme: how many points, in whose order, such as ``300w68``.
        labels: further rows by name, such as ``sex`` or ``pose``.
    """

    paths: tuple[Path, ...]
    points: Float32[np.ndarray, "n k 2"]
    scheme: str
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)

    def digest(self) -> str:
        """Hash of all pictures' bytes and of the points."""
        return digest(self.paths, self.points, *(self.labels[name] for name in sorted(self.labels)))


@dataclass(frozen=True, eq=False)
class BoxedScenes:
    """Pictures of any number of faces, with their boxes.

    Attributes:
        paths: one a picture.
        boxes: of each picture: left, top, right, bottom in pixels.
        labels: class of each box.
        classes: names of the labels.
    """

    paths: tuple[Path, ...]
    boxes: tuple[Float32[np.ndarray, "_ 4"], ...]
    labels: tuple[Int64[np.ndarray, " _"], ...]
    classes: tuple[str, ...]

    def digest(self) -> str:
        """Hash of all pictures' bytes, boxes and labels."""
        return digest(self.paths, *self.boxes, *self.labels)


@dataclass(frozen=True, eq=False)
class MaskedPictures:
    """Pictures whose pixels have classes.

    Attributes:
        paths: one a picture.
        masks: file of the mask of each picture; `colours` says which class a colour is.
        classes: names.
        colours: RGB of each class in the masks.
        labels: further rows by name, such as ``yaw``.
    """

    paths: tuple[Path, ...]
    masks: tuple[Path, ...]
    classes: tuple[str, ...]
    colours: UInt8[np.ndarray, "c 3"]
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)

    def digest(self) -> str:
        """Hash of the bytes of all pictures and masks, of the colours and the labels."""
        rows = [self.labels[name] for name in sorted(self.labels)]
        return digest([*self.paths, *self.masks], self.colours, *rows)


def digest(paths: Iterable[Path], *arrays: np.ndarray | None) -> str:
    """Hash of files' bytes and of arrays, in their order; what is absent leaves it as it is."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    for array in arrays:
        if array is not None:
            total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def need_files(terms: Terms, *paths: Path) -> None:
    """Go on only where all of these are there.

    Raises:
        MissingFile: one is not; the message says where to get the set, and its terms.
    """
    for path in paths:
        if not path.exists():
            raise terms.missing(path)
