"""Gaze from the irises: how far each lies off the middle of a ball that turns behind the lids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64

from lineament.core.cards import Card
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.rotations import direction_angles, rotations
from lineament.see.batch import Formula, all_landmarks, split
from lineament.see.canonical_face import SOLID, STEADY

CARD = Card(
    slug="iris-gaze",
    title="Gaze from iris landmarks on an eyeball model",
    paper="arXiv:2006.11341",
    verb="describe",
    task="Gives the direction in which a person looks, as pitch and yaw in the camera's frame.",
    entry="IrisGaze",
    needs=("landmarks", "pose"),
    gives=("gaze",),
    code="github.com/google-ai-edge/mediapipe (the irises' landmarks)",
    deviations=(
        "The paper finds irises and their distance, not gaze: the eyeball is a model of ours, a "
        "ball of one size for all, with its middle behind the corners of the eye.",
        "Both eyes are taken to look the same way; the one that is seen wider counts more.",
        "The eye's optical axis is given; the line of sight lies some 5 degrees off it, "
        "differently for each person, and nothing here is calibrated to one.",
        "Beyond 60 degrees off the camera the irises say nothing, and the direction stays there.",
    ),
    risk=(
        "Good for left, right, up and down, not for what exactly is looked at: an iris off by one "
        "pixel of a small face is ten degrees. Closed eyes get a gaze all the same. Glasses, a "
        "squint or a prosthesis make it wrong. Watching where people look is surveillance: ask "
        "them first."
    ),
)

_EYES = ((33, 133, 468), (263, 362, 473))
"""Outer corner, inner corner and middle of the iris, of the right and the left eye."""
_RADIUS = 1.06
"""From the ball's middle to the middle of the iris, in the solid face's centimetres: 10 mm, where
an iris of 11.7 mm is 1.24 of them wide, as on LFW."""
_FORWARD = ((-0.11, -0.17, -0.36), (0.11, -0.17, -0.36))
"""The middle of the iris that looks straight ahead, from the middle of the eye's corners, in the
axes of the head. Depth is of MediaPipe's face model with irises, the rest the mean of 204 faces of
LFW that face the camera within 12 degrees."""
_LIMIT = np.sin(np.radians(60.0))


def gaze(landmarks: Landmarks, pose: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 2"]:
    """Pitch and yaw of where n people look, radians, in the camera's frame.

    Zero is straight at the camera plane; positive looks down, and to the picture's left.

    Args:
        landmarks: scheme "478".
        pose: of the heads, as any method gives it.

    Raises:
        ValueError: the scheme is another.
    """
    if landmarks.scheme != "478":
        raise ValueError(f"gaze needs landmarks of scheme '478', not {landmarks.scheme!r}")
    points, heads = landmarks.points.astype(np.float64), rotations(pose)
    scales = _scales(points[:, STEADY], heads)
    total = np.zeros((len(points), 3))
    for (outer, inner, iris), forward in zip(_EYES, _FORWARD, strict=True):
        corners = points[:, [outer, inner]]
        middle = heads @ (np.asarray(forward) + (0, 0, _RADIUS))
        ball = corners.mean(axis=1) + scales[:, None] * middle[:, :2]
        width = np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1)
        total += width[:, None] * _direction((points[:, iris] - ball) / (_RADIUS * scales[:, None]))
    return direction_angles(total).astype(np.float32)


def _scales(
    points: Float64[np.ndarray, "n k 2"], heads: Float64[np.ndarray, "n 3 3"]
) -> Float64[np.ndarray, " n"]:
    """Pixels a unit of the solid face, whose turn is known: least squares, without perspective."""
    seen = (SOLID @ heads.transpose(0, 2, 1))[:, :, :2]
    about = points - points.mean(axis=1, keepdims=True)
    fitted = (about * seen).sum(axis=(1, 2)) / (seen**2).sum(axis=(1, 2))
    return np.maximum(fitted, 1e-6)


def _direction(across: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 3"]:
    """The unit vector towards the viewer that is so far off in the picture, held to the limit."""
    length = np.linalg.norm(across, axis=1, keepdims=True)
    held = across * np.minimum(1, _LIMIT / np.maximum(length, 1e-12))
    depth = -np.sqrt(1 - (held**2).sum(axis=1, keepdims=True))
    return np.concatenate([held, depth], axis=1)


class IrisGaze(Formula):
    """Gaze for the analyzer; see `gaze`."""

    card = CARD

    def __call__(
        self, images: Sequence[Image], found: Sequence[Faces]
    ) -> list[dict[str, Float32[np.ndarray, "n 2"]]]:
        """``gaze`` of all faces of all pictures, which must have ``landmarks`` and ``pose``."""
        if not found:
            return []
        poses = np.concatenate([faces.pose for faces in found])
        angles = gaze(all_landmarks(found), poses)
        return [{"gaze": rows} for rows in split(angles, found)]
