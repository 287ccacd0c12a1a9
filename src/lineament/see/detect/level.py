"""Points of tilted and of small faces: each face is looked at again by itself, large and level.

A detector's points are at their best on large faces that stand upright. On small ones they hardly
follow a tilt of the head: YuNet's points turn 2 degrees for a face of 32 pixels that is tilted by
15, and 12 degrees for one of 250 (`tests/see/test_level.py` holds both figures). So each face is
cut out, enlarged and looked at again; as long as its points say that it is tilted, it is turned
back by that much and looked at once more.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, Float64

from lineament.core.crops import warp
from lineament.core.faces import Faces
from lineament.core.geometry import box_iou, invert_transform, transform_points
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.protocols import Detector

_SIDE = 320
"""Pixels of the square that a face is cut out to."""
_FACE = 250
"""Pixels of a box's longer side in it."""
_ROUNDS = 4
_LEVEL = np.radians(2)
"""A face that is tilted by less is level."""
_SLACK = 0.05
"""A later look counts unless its score is worse than the one before by more than this."""
_SAME = 0.3
"""Overlap of a box with the middle of the square from which on it is the face that was cut out."""


def level(detector: Detector, image: Image, faces: Faces) -> Faces:
    """The same faces with better points; boxes and scores stay.

    Faces that are not found again keep the points they have. Tilts up to some 60 degrees are
    followed.

    Args:
        detector: that found them.
        image: the picture.
        faces: with boxes and landmarks of scheme "5".
    """
    low, high = np.split(faces.boxes.astype(np.float64), 2, axis=1)
    centres, sides = (low + high) / 2, (high - low).max(axis=1)
    points = faces.landmarks.points.copy()
    tilts, scores = np.zeros(len(faces)), np.zeros(len(faces))
    rows = np.flatnonzero(sides > 0)
    for _ in range(_ROUNDS):
        matrices = [_cut(centres[row], sides[row], tilts[row]) for row in rows]
        found = detector([Image(warp(image.pixels, matrix, _SIDE)) for matrix in matrices])
        tilted = []
        for row, matrix, again in zip(rows, matrices, found, strict=True):
            again = _middle(again)
            if not len(again) or again.scores[0] < scores[row] - _SLACK:
                continue
            scores[row] = again.scores[0]
            seen = again.landmarks.points[0]
            points[row] = transform_points(invert_transform(matrix), seen)
            tilts[row] += tilt(seen)
            if abs(tilt(seen)) > _LEVEL:
                tilted.append(row)
        rows = tilted
    return faces.with_fields(landmarks=Landmarks(points, "5"))


def tilt(points: Float[np.ndarray, "5 2"]) -> float:
    """How far a face is turned in the picture's plane, clockwise, radians.

    Eyes and corners of the mouth, each from one side of the face to the other, taken together.
    """
    across = points[1] - points[0] + points[4] - points[3]
    return float(np.arctan2(across[1], across[0]))


def _cut(centre: Float64[np.ndarray, " 2"], side: float, tilt: float) -> Float32[np.ndarray, "2 3"]:
    """Picture to square: the face in the middle, to size, turned back by its tilt."""
    size = _FACE / side
    cosine, sine = size * np.cos(tilt), size * np.sin(tilt)
    linear = np.asarray([[cosine, sine], [-sine, cosine]])
    shift = (_SIDE - 1) / 2 - linear @ centre
    return np.concatenate([linear, shift[:, None]], axis=1).astype(np.float32)


def _middle(faces: Faces) -> Faces:
    """The best face in the middle of the square, alone, or none."""
    low, high = (_SIDE - _FACE) / 2, (_SIDE + _FACE) / 2
    middle = np.asarray([[low, low, high, high]], np.float32)
    return faces[box_iou(faces.boxes, middle)[:, 0] > _SAME][:1]
