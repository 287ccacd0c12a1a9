"""Rotations of heads: the house's three angles, matrices, and the angles of others.

Angles are radians in the order pitch, yaw, roll; a matrix R = Rz(roll) Ry(yaw) Rx(pitch) turns a
face that looks straight at the viewer, in axes x right, y down, z away. `docs/conventions.md` says
which way is positive.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

_LOCKED = 1e-6
"""Below this cosine of the yaw, pitch and roll turn about one axis and only their sum is known."""


def rotations(angles: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """R = Rz(roll) Ry(yaw) Rx(pitch) of each row."""
    (cp, cy, cr), (sp, sy, sr) = (f(angles.astype(np.float64)).T for f in (np.cos, np.sin))
    rows = [
        [cr * cy, cr * sy * sp - sr * cp, cr * sy * cp + sr * sp],
        [sr * cy, sr * sy * sp + cr * cp, sr * sy * cp - cr * sp],
        [-sy, cy * sp, cy * cp],
    ]
    return np.moveaxis(np.asarray(rows), 2, 0)


def euler_angles(matrices: Float[np.ndarray, "n 3 3"]) -> Float64[np.ndarray, "n 3"]:
    """Pitch, yaw and roll of R = Rz(roll) Ry(yaw) Rx(pitch).

    Each rotation has two such sets; this is the one whose pitch lies within a quarter turn of 0.
    So a head turned past profile keeps a small pitch and a yaw beyond 90 degrees. Looking exactly
    along x, pitch and roll cannot be told apart: the pitch is then 0.
    """
    m = matrices.astype(np.float64)
    side = np.where(m[:, 2, 2] < 0, -1.0, 1.0)  # the sign of the yaw's cosine
    cosine = np.hypot(m[:, 2, 1], m[:, 2, 2])
    locked = cosine < _LOCKED
    pitch = np.where(locked, 0.0, np.arctan2(side * m[:, 2, 1], side * m[:, 2, 2]))
    yaw = np.arctan2(-m[:, 2, 0], side * cosine)
    free = np.arctan2(side * m[:, 1, 0], side * m[:, 0, 0])
    roll = np.where(locked, np.arctan2(-m[:, 0, 1], m[:, 1, 1]), free)
    return np.stack([pitch, yaw, roll], axis=1)


def rotations_of_300w_lp(angles: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """Rotations of the pitch, yaw and roll that 300W-LP and AFLW2000-3D annotate.

    Their angles make up R = Rx(-pitch) Ry(yaw) Rz(roll) in the house's axes: other signs, and the
    other order. Networks that learned from them speak these angles.

    Source: X. Zhu et al., "Face alignment across large poses: a 3D solution", CVPR 2016; that this
    is their order shows in the points of the sets: turned back so, all faces fall together.
    """
    # Rx(-p) Ry(y) Rz(r) is the transpose of Rz(-r) Ry(-y) Rx(p).
    return rotations(angles * np.asarray([1.0, -1.0, -1.0])).transpose(0, 2, 1)


def turns_in_plane(angles: Float[np.ndarray, " n"]) -> Float64[np.ndarray, "n 3 3"]:
    """Rz of each angle: clockwise in the picture."""
    zero = np.zeros_like(angles)
    return rotations(np.stack([zero, zero, angles], axis=1))


def directions(matrices: Float[np.ndarray, "n 3 3"]) -> Float64[np.ndarray, "n 3"]:
    """Where each head looks: the unit vector that (0, 0, -1), towards the viewer, turns into."""
    return -matrices[:, :, 2].astype(np.float64)


def direction_angles(vectors: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 2"]:
    """Pitch and yaw of a direction in the camera's frame; positive looks down, to picture's left.

    The inverse of ``directions(rotations([pitch, yaw, 0]))``; of no length, both are 0.
    """
    x, y, z = vectors.astype(np.float64).T
    return np.stack([np.arctan2(y, np.hypot(x, z)), np.arctan2(0.0 - x, 0.0 - z)], axis=1)
