"""The main face of each picture of a set, and what lies where in the square around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from lineament.core.crops import warp
from lineament.core.faces import Faces
from lineament.core.geometry import box_iou, invert_transform, transform_points
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.learn.generalists.material import AROUND, KEPT, UNKNOWN, WIDER, square
from lineament.learn.landmarks.crops import to_shares
from lineament.learn.landmarks.faces import default_detector

_OVERLAP = 0.3


@dataclass(frozen=True, eq=False)
class Found:
    """The main face of each picture of a set.

    Attributes:
        paths: of pictures.
        faces: of one row, or None where none was found.
    """

    paths: tuple[Path, ...]
    faces: tuple[Faces | None, ...]

    @property
    def rows(self) -> Int64[np.ndarray, " n"]:
        """Pictures with a face."""
        return np.asarray([i for i, face in enumerate(self.faces) if face is not None], np.int64)

    def at_usual_place(self) -> Found:
        """With the median of the faces found where none was: for sets of pictures cut alike."""
        seen = [face for face in self.faces if face is not None]
        boxes = np.median([face.boxes for face in seen], axis=0).astype(np.float32)
        points = np.median([f.keypoints.points for f in seen], axis=0).astype(np.float32)
        usual = Faces(boxes, scores=np.zeros(1, np.float32), keypoints=Landmarks(points, "5"))
        return Found(self.paths, tuple(face or usual for face in self.faces))

    def face(self, row: int) -> Faces:
        """That of a picture which has one."""
        face = self.faces[row]
        assert face is not None
        return face

    def square(self, row: int) -> Float32[np.ndarray, "2 3"]:
        """From a picture to the wide square around its face."""
        return square(self.face(row).boxes, KEPT, AROUND * WIDER)[0]

    def cut(self, rows: np.ndarray) -> UInt8[np.ndarray, "n b b 3"]:
        """The wide squares."""
        squares = [warp(read_image(self.paths[r]), self.square(r), KEPT) for r in rows.tolist()]
        return np.stack(squares)

    def place(self, row: int, points: Float32[np.ndarray, "68 2"]) -> Float32[np.ndarray, "68 2"]:
        """Points of a picture as shares of its wide square."""
        return to_shares(transform_points(self.square(row), points), KEPT)

    def mask(self, row: int, labels: np.ndarray) -> UInt8[np.ndarray, "b b"]:
        """The class of the picture's pixel that is nearest to each of the square's."""
        back = invert_transform(self.square(row))
        down, across = np.mgrid[:KEPT, :KEPT]
        places = transform_points(back, np.stack([across, down], axis=-1).astype(np.float32))
        x, y = np.moveaxis(np.floor(places + 0.5).astype(np.int64), 2, 0)
        height, width = labels.shape
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        mask = np.full((KEPT, KEPT), UNKNOWN, np.uint8)
        mask[inside] = labels[y[inside], x[inside]]
        return mask


def find(paths: Sequence[Path], truth: Float32[np.ndarray, "n k 2"] | None = None) -> Found:
    """The main face of each picture: the likeliest, or that of annotated points."""
    detector = default_detector()
    faces = []
    for row, path in enumerate(paths):
        seen = detector([read_image(path)])[0]
        best = 0
        if truth is not None and len(seen):
            around = np.concatenate([truth[row].min(axis=0), truth[row].max(axis=0)])
            overlap = box_iou(seen.boxes, around[None].astype(np.float32))[:, 0]
            best = int(overlap.argmax()) if overlap.max() >= _OVERLAP else len(seen)
        faces.append(seen[best : best + 1] if best < len(seen) else None)
    return Found(tuple(paths), tuple(faces))
