"""Faces to learn parsing from and to be measured on: small whole pictures with the class of each
pixel, a box and five points.

Two sources. FASSEG has true masks of six classes, few pictures. CelebA has none here: the masks
of its pictures are another parser's answers (pseudo-labels) of 19 classes, so a figure on its rows
is agreement with that parser.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from lineament.core.cards import method
from lineament.core.errors import BadInput
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.core.protocols import Describer, Detector
from lineament.learn.data.cache import DAMAGED
from lineament.learn.parsing.classes import OUTSIDE
from lineament.measure.sets.fasseg import read_mask
from lineament.measure.sets.nouns import MaskedPictures, digest

CANVAS = 128
"""Side of the square that holds each picture, pixels. Larger pictures are made smaller."""


@dataclass(frozen=True, eq=False)
class ParsedFaces:
    """Pictures of one face each, in the upper left corner of a square canvas.

    Attributes:
        pixels: uint8 RGB, black beyond the picture.
        labels: class of each pixel, or `OUTSIDE`.
        boxes: of the faces, pixels of the canvas.
        points: scheme "5", pixels of the canvas.
        people: who each picture shows.
        rows: of the source, in which no face may have been found on some.
        hash: of the source.
    """

    pixels: UInt8[np.ndarray, "n s s 3"]
    labels: UInt8[np.ndarray, "n s s"]
    boxes: Float32[np.ndarray, "n 4"]
    points: Float32[np.ndarray, "n 5 2"]
    people: Int64[np.ndarray, " n"]
    rows: Int64[np.ndarray, " n"]
    hash: str

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: np.ndarray) -> ParsedFaces:
        return ParsedFaces(
            self.pixels[rows],
            self.labels[rows],
            self.boxes[rows],
            self.points[rows],
            self.people[rows],
            self.rows[rows],
            self.hash,
        )


def labelled(
    paths: Sequence[Path],
    people: Int64[np.ndarray, " n"],
    labeller: Describer,
    say: Callable[[str], None] = lambda line: None,
) -> ParsedFaces:
    """Pictures with another parser's classes.

    Args:
        paths: of pictures; those without a face are left out.
        people: who they show.
        labeller: gives ``parsing``.
        say: shows a line of progress.

    Raises:
        BadInput: no picture has a face.
    """

    def found() -> Iterator[tuple[int, Image, Faces, np.ndarray]]:
        detector = default_detector()
        for row, path in enumerate(paths):
            if row % 250 == 0:
                say(f"labelling picture {row} of {len(paths)} by {labeller.card.slug}")
            if len(face := detector([image := read_image(path)])[0][:1]):
                yield row, image, face, answer(labeller, image, face)

    return _together(found(), people, digest(paths, people))


def annotated(pictures: MaskedPictures) -> ParsedFaces:
    """Pictures with their true classes; those in which no face is found are left out.

    Raises:
        BadInput: no picture has a face.
    """

    def found() -> Iterator[tuple[int, Image, Faces, np.ndarray]]:
        detector = default_detector()
        for row, (path, mask) in enumerate(zip(pictures.paths, pictures.masks, strict=True)):
            if len(face := detector([image := read_image(path)])[0][:1]):
                yield row, image, face, read_mask(mask)

    people = pictures.labels.get("person", np.arange(len(pictures.paths)))
    return _together(found(), people, pictures.digest())


def answers(
    paths: Sequence[Path], rows: Int64[np.ndarray, " m"], parser: Describer
) -> UInt8[np.ndarray, "m s s"]:
    """Another parser's classes of some pictures, on the canvases of `annotated`.

    It sees the pictures at their own size.
    """
    detector, labels = default_detector(), []
    for row in rows:
        image = read_image(paths[row])
        found = answer(parser, image, detector([image])[0][:1])
        labels.append(_on_canvas(found, shrink(image.width, image.height)))
    return np.stack(labels)


def answer(parser: Describer, image: Image, face: Faces) -> UInt8[np.ndarray, "h w"]:
    """Classes of the pixels of a picture, for one face."""
    return parser([image], [face])[0]["parsing"].label_map(0, image.width, image.height)


def kept(folder: Path, key: str, make: Callable[[], ParsedFaces]) -> ParsedFaces:
    """What `make` gives, made once and kept in a folder that exists.

    Args:
        folder: for the file.
        key: of what it is made of.
        make: makes it.

    Raises:
        BadInput: the file there is something else.
    """
    path = folder / f"parsed-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
    if not path.is_file():
        made = make()
        partial = path.with_suffix(".part.npz")
        np.savez(
            partial,
            pixels=made.pixels,
            labels=made.labels,
            boxes=made.boxes,
            points=made.points,
            people=made.people,
            rows=made.rows,
            hash=made.hash,
        )
        partial.replace(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return ParsedFaces(**{**archive, "hash": str(archive["hash"])})
    except DAMAGED as error:
        raise BadInput(f"not a file of parsed faces: {error}", str(path)) from error


def default_detector() -> Detector:
    """What finds faces where nothing is said, on one thread."""
    return method("yunet", "detect").load()(threads=1)


def shrink(width: int, height: int) -> float:
    """The factor that brings a picture onto the canvas: 1 where it fits."""
    return min(1.0, CANVAS / max(width, height))


def _together(
    found: Iterator[tuple[int, Image, Faces, np.ndarray]],
    people: Int64[np.ndarray, " n"],
    hash_of_source: str,
) -> ParsedFaces:
    rows, pixels, labels, boxes, points = [], [], [], [], []
    for row, image, face, classes in found:
        factor = shrink(image.width, image.height)
        rows.append(row)
        pixels.append(_on_canvas(image.pixels, factor))
        labels.append(_on_canvas(classes.astype(np.uint8), factor))
        # A pixel's centre lies at a whole number: corners, not centres, lie on each other.
        boxes.append((face.boxes[0] + 0.5) * factor - 0.5)
        points.append((face.keypoints.points[0] + 0.5) * factor - 0.5)
    if not rows:
        raise BadInput("no face was found to learn from")
    at = np.asarray(rows, np.int64)
    return ParsedFaces(
        np.stack(pixels),
        np.stack(labels),
        np.stack(boxes).astype(np.float32),
        np.stack(points).astype(np.float32),
        np.asarray(people)[at],
        at,
        hash_of_source,
    )


def _on_canvas(values: UInt8[np.ndarray, "h w *c"], factor: float) -> UInt8[np.ndarray, "s s *c"]:
    """A picture averaged down, or a map of classes picked out, in the canvas's corner."""
    from PIL import Image as Pillow

    is_map = values.ndim == 2
    canvas = np.full((CANVAS, CANVAS, *values.shape[2:]), OUTSIDE if is_map else 0, np.uint8)
    high, wide = (max(1, round(side * factor)) for side in values.shape[:2])
    how = Pillow.Resampling.NEAREST if is_map else Pillow.Resampling.BILINEAR
    canvas[:high, :wide] = np.asarray(Pillow.fromarray(values).resize((wide, high), how))
    return canvas
