"""What protocols of head pose share: every estimator on the same annotated faces.

Each picture goes through the whole chain, from its file to the pose: faces are found by the default
detector with the search for upright faces around it, and of the faces found the one counts whose
box overlaps that of the annotated points best, by at least 0.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from lineament.analyze import Analyzer
from lineament.bench.landmarks import OVERLAP, bounds
from lineament.core.cards import methods
from lineament.core.errors import BadInput
from lineament.core.geometry import box_iou
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.rotations import euler_angles, rotations
from lineament.measure.pose import angle_errors, geodesic_errors

DETECTOR = "yunet"


@dataclass(frozen=True, eq=False)
class FoundPoses:
    """What one estimator says of each annotated face.

    Attributes:
        found: which faces were found.
        poses: pitch, yaw, roll of each, radians; NaN where it was not found.
        keypoints: scheme "5" of those found.
    """

    found: Bool[np.ndarray, " n"]
    poses: Float64[np.ndarray, "n 3"]
    keypoints: Landmarks


def estimators(asked: Sequence[str]) -> list[str]:
    """Methods that give poses: those asked for, or all where none of them is."""
    known = [
        m.card.slug
        for m in methods().values()
        if m.card.verb == "describe" and m.card.entry and "pose" in m.card.gives
    ]
    return [slug for slug in known if slug in asked] or known


def chain(slug: str) -> Analyzer:
    """From a picture to the poses that one method gives."""
    return Analyzer.of(DETECTOR, None, want={"pose"}, using=[slug])


def estimate(
    analyzer: Analyzer, images: Sequence[Image], points: Float64[np.ndarray, "n k 2"]
) -> FoundPoses:
    """The poses of the annotated faces, one of each picture.

    Raises:
        BadInput: the detector found none of them.
    """
    found = np.zeros(len(images), bool)
    poses = np.full((len(images), 3), np.nan)
    keypoints = []
    for row, (image, box) in enumerate(zip(images, bounds(points.astype(np.float32)), strict=True)):
        faces = analyzer([image])[0]
        overlap = box_iou(faces.boxes, box[None])[:, 0]
        if len(faces) and overlap.max() >= OVERLAP:
            best = int(overlap.argmax())
            found[row], poses[row] = True, faces.pose[best]
            keypoints.append(faces.keypoints.points[best])
    if not keypoints:
        raise BadInput("the detector found none of the annotated faces")
    return FoundPoses(found, poses, Landmarks(np.stack(keypoints), "5"))


def own_angles(poses: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """Poses of the house as the pitch, yaw and roll of 300W-LP and AFLW2000-3D, radians."""
    # Their R = Rx(-p) Ry(y) Rz(r) is the transpose of Rz(-r) Ry(-y) Rx(p).
    return euler_angles(rotations(poses).transpose(0, 2, 1)) * (1, -1, -1)


def own_errors(
    found: Float64[np.ndarray, "n 3"], truth: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 4"]:
    """Errors of the set's own pitch, yaw and roll, and of the whole rotation, degrees.

    Args:
        found: poses in the house's convention, radians.
        truth: the same.
    """
    angles = angle_errors(own_angles(found), own_angles(truth))
    return np.degrees(np.concatenate([angles, geodesic_errors(found, truth)[:, None]], axis=1))
