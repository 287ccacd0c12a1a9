"""Faces to learn points from and to be measured on: wide crops with their points.

Two sources. Annotated: a set such as UCLA-68, split by file, since nobody says who is on a picture:
of its files in order of name every other one, from the first, is for the test (the same that
`lineament bench ucla68` measures); of those between, each fifth chooses between runs and the rest
trains. Labelled here: a folder of pictures, whose largest faces get the points of another method.

Points are of scheme "68" where nothing else is said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.core.cards import method
from lineament.core.crops import Crops, align
from lineament.core.errors import BadInput, UnreadableImage
from lineament.core.faces import Faces
from lineament.core.geometry import box_iou, transform_points
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.core.media import read_image
from lineament.core.protocols import Describer, Detector
from lineament.learn.data.cache import DAMAGED
from lineament.learn.landmarks.crops import template, to_shares
from lineament.measure.sets.nouns import PointedFaces, digest

WIDER = 1.6
"""Crops to learn from are this much wider than what a network sees, so that it can be moved."""
_OVERLAP = 0.3
_DOUBT = 0.2
"""Mean distance of a labeller's five points from the detector's, over that of the eyes, beyond
which a label is not trusted."""


@dataclass(frozen=True, eq=False)
class PointedCrops:
    """Wide crops of faces with their points.

    Attributes:
        pixels: uint8 RGB.
        points: shares of the wide crop's side from its middle.
        rows: of the source, which may have held faces that were not found.
        hash: of the source.
    """

    pixels: UInt8[np.ndarray, "n b b 3"]
    points: Float32[np.ndarray, "n k 2"]
    rows: np.ndarray
    hash: str

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: np.ndarray) -> PointedCrops:
        return PointedCrops(self.pixels[rows], self.points[rows], self.rows[rows], self.hash)


def split_by_file(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Places in `rows` (numbers of files in order of name) of each part: train, choose, test."""
    test, between = rows % 2 == 0, rows // 2
    choose = ~test & (between % 5 == 4)
    parts = {"train": ~test & ~choose, "choose": choose, "test": test}
    return {name: np.flatnonzero(part) for name, part in parts.items()}


def annotated(
    faces: PointedFaces, size: int, detector: Detector, scheme: str = "68"
) -> PointedCrops:
    """Crops of annotated faces by a detector's five points; those that it does not find are left
    out.

    Args:
        faces: in a scheme that leads to the one wanted.
        size: of what a network sees, pixels.
        detector: finds them.
        scheme: of the crops' points.

    Raises:
        BadInput: it finds none.
    """
    truth = convert(Landmarks(faces.points, faces.scheme), scheme).points
    crops, points, rows = [], [], []
    for row, path in enumerate(faces.paths):
        image = read_image(path)
        if (face := _match(detector([image])[0], truth[row])) is not None:
            crops.append(align(image, face.keypoints, template(wide(size), WIDER)))
            points.append(in_crop(crops[-1], truth[row]))
            rows.append(row)
    return _together(crops, points, rows, faces.digest())


def pictures(folder: Path) -> tuple[Path, ...]:
    """JPEG and PNG files under a folder, at any depth, in order of name.

    Raises:
        BadInput: there are none.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not paths:
        raise BadInput("holds no JPEG or PNG picture", str(folder))
    return tuple(paths)


def labelled(
    paths: Sequence[Path],
    size: int,
    detector: Detector,
    labeller: Describer,
    say: Callable[[str], None] = lambda line: None,
    scheme: str = "68",
) -> PointedCrops:
    """Crops of the largest face of each picture, with another method's points.

    A label whose five points lie far from the detector's is dropped, and so is a picture without a
    face, or that cannot be read.

    Args:
        paths: of pictures.
        size: of what a network sees, pixels.
        detector: finds the faces.
        labeller: gives ``landmarks`` in a scheme that leads to the one wanted.
        say: shows a line of progress.
        scheme: of the crops' points.

    Raises:
        BadInput: no picture has a face.
    """
    crops, points, rows = [], [], []
    for row, path in enumerate(paths):
        if row % 500 == 0:
            say(f"labelling picture {row} of {len(paths)} by {labeller.card.slug}")
        if (image := _read(path)) is None or not len(found := detector([image])[0]):
            continue
        face = found[_largest(found) : _largest(found) + 1]
        label = labeller([image], [face])[0]["landmarks"]
        if _is_trusted(label, face):
            crops.append(align(image, face.keypoints, template(wide(size), WIDER)))
            points.append(in_crop(crops[-1], convert(label, scheme).points[0]))
            rows.append(row)
    return _together(crops, points, rows, digest(paths))


def answers(
    faces: PointedFaces,
    rows: np.ndarray,
    size: int,
    detector: Detector,
    describer: Describer,
    scheme: str = "68",
) -> Float32[np.ndarray, "n k 2"]:
    """Another method's points of annotated faces, as shares of the same wide crops.

    Args:
        faces: as for `annotated`.
        rows: of faces that the detector finds.
        size: of what a network sees, pixels.
        detector: the same.
        describer: gives ``landmarks`` in a scheme that leads to the one wanted.
        scheme: of the points.
    """
    truth = convert(Landmarks(faces.points, faces.scheme), scheme).points
    points = []
    for row in rows:
        image = read_image(faces.paths[row])
        face = _match(detector([image])[0], truth[row])
        if face is None:
            raise BadInput("the detector does not find this face", str(faces.paths[row]))
        crop = align(image, face.keypoints, template(wide(size), WIDER))
        label = convert(describer([image], [face])[0]["landmarks"], scheme)
        points.append(in_crop(crop, label.points[0]))
    return np.stack(points)


def kept(
    folder: Path,
    source: tuple[int, Sequence[Path]],
    make: Callable[[], PointedCrops],
    scheme: str = "68",
) -> PointedCrops:
    """What `make` gives, made once and kept in a folder.

    Args:
        folder: that exists.
        source: what it is made of: a size, and files, which are known by name and length.
        make: makes it.
        scheme: of the points.

    Raises:
        BadInput: the file there is something else.
    """
    size, paths = source
    listing = "".join(f"{path.name} {path.stat().st_size}\n" for path in paths)
    key = hashlib.sha256(f"{size}\n{listing}".encode()).hexdigest()[:12]
    path = folder / f"crops{scheme}-{key}.npz"
    if not path.is_file():
        made = make()
        partial = path.with_suffix(".part.npz")
        np.savez(partial, pixels=made.pixels, points=made.points, rows=made.rows, hash=made.hash)
        partial.replace(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            parts = [archive[name] for name in ("pixels", "points", "rows", "hash")]
    except DAMAGED as error:
        raise BadInput(f"not a file of crops: {error}", str(path)) from error
    return PointedCrops(parts[0], parts[1], parts[2], str(parts[3]))


def wide(size: int) -> int:
    """Side of the wide crop, pixels: a little finer than what the network sees."""
    return 2 * size


def default_detector() -> Detector:
    """What finds faces where nothing is said, on one thread."""
    return method("yunet", "detect").load()(threads=1)


def describer(slug: str) -> Describer:
    """A method that gives landmarks, on one thread.

    Raises:
        UnknownMethod: there is none of this name.
        WeightError: its weight cannot be had, or its terms have not been accepted.
    """
    return method(slug, "describe").load()(threads=1)


def _match(found: Faces, truth: Float32[np.ndarray, "k 2"]) -> Faces | None:
    """The face whose box overlaps that of the points best, by at least 0.3."""
    around = np.concatenate([truth.min(axis=0), truth.max(axis=0)])
    overlap = box_iou(found.boxes, around[None])[:, 0]
    if not len(found) or overlap.max() < _OVERLAP:
        return None
    best = int(overlap.argmax())
    return found[best : best + 1]


def _largest(found: Faces) -> int:
    return int((found.boxes[:, 2:] - found.boxes[:, :2]).prod(axis=1).argmax())


def _is_trusted(label: Landmarks, face: Faces) -> bool:
    five, seen = convert(label, "5").points[0], face.keypoints.points[0]
    apart = np.linalg.norm(seen[1] - seen[0])
    return bool(np.linalg.norm(five - seen, axis=1).mean() <= _DOUBT * apart)


def _read(path: Path) -> Image | None:
    try:
        return read_image(path)
    except UnreadableImage:
        return None


def in_crop(crop: Crops, points: Float32[np.ndarray, "k 2"]) -> Float32[np.ndarray, "k 2"]:
    """Points of a picture as shares of the side of the first of these crops."""
    return to_shares(transform_points(crop.transforms[0], points), crop.pixels.shape[1])


def _together(
    crops: Sequence[Crops],
    points: Sequence[np.ndarray],
    rows: Sequence[int],
    hash_of_source: str,
) -> PointedCrops:
    if not crops:
        raise BadInput("no face was found to learn from")
    pixels = np.concatenate([crop.pixels for crop in crops])
    return PointedCrops(pixels, np.stack(points), np.asarray(rows), hash_of_source)
