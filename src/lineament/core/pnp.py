"""Pose of a known solid from its points in a picture (perspective-n-point), for many at once.

The camera looks along the line through the middle of the solid, from a distance that is a number
of the model's units: a point (x, y, z) of the turned solid appears at
``centre + scale * (x, y) / (1 + z / distance)``. At an infinite distance this is the scaled
orthographic view. The answer does not depend on where in the picture the solid is, nor on how the
picture was cropped, so no focal length has to be known.

Source: D. F. DeMenthon, L. S. Davis, "Model-based object pose in 25 lines of code", IJCV 1995 (the
scaled orthographic start); K. Levenberg 1944, D. Marquardt 1963 (the descent); B. Triggs et al.,
"Bundle adjustment: a modern synthesis", 2000, section 4 (local steps of a rotation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from lineament.core.errors import BadInput

_STEPS = 50
_SETTLED = 1e-7
"""Radians, and share of the scale: a step below this changes nothing that matters."""


@dataclass(frozen=True, eq=False)
class View:
    """How n copies of a solid are seen.

    Attributes:
        rotations: n x 3 x 3, of the solid in axes x right, y down, z away.
        scales: pixels a unit of the model, at the depth of its middle.
        centres: where the middle of the model's points appears, pixels.
    """

    rotations: Float64[np.ndarray, "n 3 3"]
    scales: Float64[np.ndarray, " n"]
    centres: Float64[np.ndarray, "n 2"]

    def where(self, better: Bool[np.ndarray, " n"], other: View) -> View:
        """Row by row this view where it is `better`, else the other."""
        return View(
            np.where(better[:, None, None], self.rotations, other.rotations),
            np.where(better, self.scales, other.scales),
            np.where(better[:, None], self.centres, other.centres),
        )


def solve_pnp(
    points: Float[np.ndarray, "n k 2"],
    model: Float[np.ndarray, "k 3"],
    distance: float = np.inf,
) -> View:
    """The views of `model` that put its points nearest to `points`, in least squares.

    Args:
        points: pixels; at least four of each solid.
        model: the same points of the solid, in any unit, not all in one plane.
        distance: from the camera to the middle of the solid, in the model's unit.

    Raises:
        BadInput: there are fewer than four points, one is not finite, the points of a solid
            coincide, or the model is flat or reaches the camera.
    """
    model = model.astype(np.float64) - model.mean(axis=0, dtype=np.float64)
    _check(points, model, distance)
    view = scaled_orthographic(points, model)
    return _descend(view, points.astype(np.float64), model, distance) if len(points) else view


def scaled_orthographic(
    points: Float[np.ndarray, "n k 2"], model: Float[np.ndarray, "k 3"]
) -> View:
    """The best affine view, brought to the nearest rotation and scale by its singular values.

    In closed form; near the best scaled orthographic view, and equal to it without noise.
    """
    flat, solid = points.astype(np.float64), model - model.mean(axis=0)
    centres = flat.mean(axis=1)
    affine = (np.linalg.pinv(solid) @ (flat - centres[:, None])).transpose(0, 2, 1)
    u, lengths, v = np.linalg.svd(affine, full_matrices=False)
    rows = u @ v
    third = np.cross(rows[:, 0], rows[:, 1])
    return View(np.concatenate([rows, third[:, None]], axis=1), lengths.mean(axis=1), centres)


def project(
    view: View, model: Float64[np.ndarray, "k 3"], distance: float = np.inf
) -> Float64[np.ndarray, "n k 2"]:
    """Where the points of a model, about its middle, appear: pixels."""
    turned = model @ view.rotations.transpose(0, 2, 1)
    scales = view.scales[:, None] / (1 + turned[:, :, 2] / distance)
    return view.centres[:, None] + scales[:, :, None] * turned[:, :, :2]


def _descend(
    view: View, points: Float64[np.ndarray, "n k 2"], model: Float64[np.ndarray, "k 3"], far: float
) -> View:
    """Levenberg and Marquardt's descent of the squared distances in the picture, each row alone."""
    damping = np.full(len(points), 1e-3)
    misses = points - project(view, model, far)
    costs = (misses**2).sum(axis=(1, 2))
    for _ in range(_STEPS):
        steps = _steps(_jacobian(view, model, far), misses, damping)
        tried = _moved(view, steps)
        new_misses = points - project(tried, model, far)
        new_costs = (new_misses**2).sum(axis=(1, 2))
        better = new_costs < costs
        view = tried.where(better, view)
        misses = np.where(better[:, None, None], new_misses, misses)
        costs = np.where(better, new_costs, costs)
        damping = np.where(better, damping / 10, damping * 10)
        if np.abs(steps[:, :4]).max() < _SETTLED:
            break
    return view


def _jacobian(
    view: View, model: Float64[np.ndarray, "k 3"], far: float
) -> Float64[np.ndarray, "n k 2 6"]:
    """Of each projected point by a turn about x, y, z, the scale's logarithm, and the centre."""
    x, y, z = np.moveaxis(model @ view.rotations.transpose(0, 2, 1), 2, 0)
    near = view.scales[:, None] / (1 + z / far)  # pixels a unit at each point's depth
    change = near / (far + z)  # of the above by z, without its sign
    none, one = np.zeros_like(x), np.ones_like(x)
    rows = [
        [-change * x * y, near * z + change * x * x, -near * y, near * x, one, none],
        [-near * z - change * y * y, change * x * y, near * x, near * y, none, one],
    ]
    return np.moveaxis(np.asarray(rows), (0, 1), (2, 3))


def _steps(
    jacobian: Float64[np.ndarray, "n k 2 6"],
    misses: Float64[np.ndarray, "n k 2"],
    damping: Float64[np.ndarray, " n"],
) -> Float64[np.ndarray, "n 6"]:
    flat = jacobian.reshape(len(misses), -1, 6)
    normal = flat.transpose(0, 2, 1) @ flat
    slope = flat.transpose(0, 2, 1) @ misses.reshape(len(misses), -1, 1)
    weights = np.einsum("nii->ni", normal) * damping[:, None]
    return np.linalg.solve(normal + weights[:, :, None] * np.eye(6), slope)[:, :, 0]


def _moved(view: View, steps: Float64[np.ndarray, "n 6"]) -> View:
    return View(
        turns(steps[:, :3]) @ view.rotations,
        view.scales * np.exp(np.clip(steps[:, 3], -1, 1)),
        view.centres + steps[:, 4:],
    )


def turns(vectors: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """Rotations about vectors by their lengths in radians (Rodrigues' formula)."""
    angles = np.linalg.norm(vectors, axis=1)[:, None, None]
    x, y, z = vectors.T
    none = np.zeros_like(x)
    skew = np.moveaxis(np.asarray([[none, -z, y], [z, none, -x], [-y, x, none]]), 2, 0)
    once, twice = np.sinc(angles / np.pi), np.sinc(angles / (2 * np.pi)) ** 2 / 2
    return np.eye(3) + once * skew + twice * (skew @ skew)


def _check(points: np.ndarray, model: Float64[np.ndarray, "k 3"], distance: float) -> None:
    if len(model) < 4 or np.linalg.matrix_rank(model, tol=1e-6 * np.abs(model).max()) < 3:
        raise BadInput("pose needs at least four points of a solid that is not flat")
    if not np.isfinite(points).all():
        raise BadInput("a point is not finite")
    if len(points) and not np.ptp(points, axis=1).any(axis=1).all():
        raise BadInput("all points of a solid coincide")
    if not distance > np.linalg.norm(model, axis=1).max():
        raise BadInput("the camera must be outside of the solid")
