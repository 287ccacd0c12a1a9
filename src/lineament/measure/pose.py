"""How well the pose of a head is estimated: errors of its angles and of the whole rotation.

Angles are radians, in the order pitch, yaw, roll, and turn as R = Rz(roll) Ry(yaw) Rx(pitch); only
what is printed is in degrees. Near a profile view two sets of angles far apart can be one pose, so
the error of the rotation is the one to trust; those of the angles are what papers report.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import degrees

import numpy as np
from jaxtyping import Bool, Float, Float64

from lineament.core import rotations as core_rotations
from lineament.measure.checks import need, need_alike, need_finite

AFLW2000_LIMIT = float(np.radians(99.0))
"""Faces with an angle beyond this are left out of figures on AFLW2000-3D, by custom: their angles,
fitted by a model, are no longer trustworthy."""


@dataclass(frozen=True)
class PoseAccuracy:
    """Mean absolute errors in radians; as text, in degrees.

    Attributes:
        pitch: about the axis to the right.
        yaw: about the axis down.
        roll: about the axis away from the viewer.
        geodesic: mean angle of the rotation that is left between the two poses.
        faces: how many were measured.
    """

    pitch: float
    yaw: float
    roll: float
    geodesic: float
    faces: int

    @property
    def mean(self) -> float:
        """MAE: of the three angles, radians."""
        return (self.pitch + self.yaw + self.roll) / 3

    def __str__(self) -> str:
        parts = ("pitch", "yaw", "roll", "mean", "geodesic")
        said = ", ".join(f"{part} {degrees(getattr(self, part)):.2f}\u00b0" for part in parts)
        return f"{said} over {self.faces} faces"


def angle_errors(
    found: Float[np.ndarray, "n 3"], truth: Float[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 3"]:
    """Absolute error of each angle the short way round, in [0, pi].

    Raises:
        BadInput: shapes differ, there are no faces, or an angle is not finite.
    """
    _need_angles(found, truth)
    difference = found.astype(np.float64) - truth.astype(np.float64)
    return np.abs((difference + np.pi) % (2 * np.pi) - np.pi)


def rotations(angles: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """R = Rz(roll) Ry(yaw) Rx(pitch) of each row.

    Raises:
        BadInput: an angle is not finite.
    """
    need_finite(angles=angles)
    return core_rotations.rotations(angles)


def geodesic_errors(
    found: Float[np.ndarray, "n 3"], truth: Float[np.ndarray, "n 3"]
) -> Float64[np.ndarray, " n"]:
    """Angle of the rotation between two poses, in [0, pi].

    Of R = found truth^T, the sine comes from its skew part and the cosine from its trace; together
    they stay exact where the arc cosine of the trace alone loses half its digits.

    Source: D. Q. Huynh, "Metrics for 3D rotations", J. Math. Imaging and Vision 2009, phi_6.

    Raises:
        BadInput: shapes differ, there are no faces, or an angle is not finite.
    """
    _need_angles(found, truth)
    left = rotations(found) @ rotations(truth).transpose(0, 2, 1)
    skew = (left - left.transpose(0, 2, 1)) / 2
    sine = np.sqrt((skew**2).sum(axis=(1, 2)) / 2)
    cosine = (np.trace(left, axis1=1, axis2=2) - 1) / 2
    return np.arctan2(sine, cosine)


def within(truth: Float[np.ndarray, "n 3"], limit: float) -> Bool[np.ndarray, " n"]:
    """Faces none of whose angles exceeds `limit` radians either way.

    Raises:
        BadInput: an angle is not finite.
    """
    need_finite(truth=truth)
    return np.abs(truth).max(axis=1) <= limit


def pose_accuracy(
    found: Float[np.ndarray, "n 3"],
    truth: Float[np.ndarray, "n 3"],
    limit: float | None = None,
) -> PoseAccuracy:
    """All figures of one set of faces.

    Args:
        found: pitch, yaw and roll, radians.
        truth: the same, as annotated.
        limit: leave out faces with a true angle beyond it, radians; `AFLW2000_LIMIT` is the custom.

    Raises:
        BadInput: shapes differ, no face is left, or an angle is not finite.
    """
    _need_angles(found, truth)
    kept = np.ones(len(truth), bool) if limit is None else within(truth, limit)
    need(kept.any(), "no face lies within the limit")
    pitch, yaw, roll = angle_errors(found[kept], truth[kept]).mean(axis=0)
    geodesic = geodesic_errors(found[kept], truth[kept]).mean()
    return PoseAccuracy(float(pitch), float(yaw), float(roll), float(geodesic), int(kept.sum()))


def _need_angles(found: np.ndarray, truth: np.ndarray) -> None:
    need_alike(found=found, truth=truth)
    need(truth.ndim == 2 and truth.shape[1] == 3, "pitch, yaw and roll of each face expected")
