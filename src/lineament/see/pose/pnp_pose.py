"""Head pose from 478 landmarks: where a solid face must stand to be seen so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.pnp import solve_pnp
from lineament.core.rotations import euler_angles
from lineament.see.batch import Formula, all_landmarks, split
from lineament.see.canonical_face import SOLID, STEADY

CARD = Card(
    slug="pnp-pose",
    title="Head pose by perspective-n-point on MediaPipe's canonical face",
    paper="doi:10.1007/BF01450852",
    verb="describe",
    task="Gives pitch, yaw and roll of a head from its 478 landmarks, without a network.",
    entry="PnpPose",
    needs=("landmarks",),
    gives=("pose",),
    code="github.com/google-ai-edge/mediapipe, mediapipe/modules/face_geometry (the solid face)",
    deviations=(
        "The paper's iteration is replaced: its scaled orthographic pose is only the start of a "
        "descent of the distances in the picture.",
        "The camera is a metre away and looks at the face, wherever that is in the picture. So a "
        "face that looks into the lens from the picture's edge has no yaw, and cropping changes "
        "nothing. A focal length taken from the picture's size gave the same errors on LFW and "
        "AFLW2000-3D within half a degree, but other poses for other crops.",
        "One face stands for all: a nose longer or a forehead steeper than its is taken for pitch.",
    ),
    risk=(
        "Where a head points is not where a person looks, and says nothing of what they think. "
        "Faces unlike the solid one get a pose that is off by some degrees, always the same way."
    ),
)

DISTANCE = 100.0
"""Centimetres from the camera to the face: as in most portraits. The pose depends on it little."""


def head_pose(landmarks: Landmarks) -> Float32[np.ndarray, "n 3"]:
    """Pitch, yaw and roll of n heads, radians.

    Args:
        landmarks: scheme "478".

    Raises:
        BadInput: a point is not finite, or the points of a face coincide.
        ValueError: the scheme is another.
    """
    if landmarks.scheme != "478":
        raise ValueError(f"head pose needs landmarks of scheme '478', not {landmarks.scheme!r}")
    view = solve_pnp(landmarks.points[:, STEADY], SOLID, DISTANCE)
    return euler_angles(view.rotations).astype(np.float32)


class PnpPose(Formula):
    """Head pose for the analyzer; see `head_pose`."""

    card = CARD

    def __call__(
        self, images: Sequence[Image], found: Sequence[Faces]
    ) -> list[dict[str, Float32[np.ndarray, "n 3"]]]:
        """``pose`` of all faces of all pictures, which must have ``landmarks``."""
        if not found:
            return []
        poses = head_pose(all_landmarks(found))
        return [{"pose": rows} for rows in split(poses, found)]
