"""How well facial points are placed: normalised mean error, failures and the cumulative curve.

An error is a share of a length of the face, so faces of all sizes count alike. Which length is part
of the figure: errors over the inter-ocular distance are smaller than those over the inter-pupil
distance of the same points. All functions of errors take one error a face, so an interval over
people is ``bootstrap(lambda rows: mean_error(errors[rows]), people)`` of `measure.interval`.

A face that the detector did not find may be entered as an infinite error: it is a failure at every
threshold, and it leaves a mean undefined, which is then refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from lineament.core.geometry import box_area
from lineament.measure.checks import need, need_alike, need_finite, need_rows

RIGHT_EYE_68 = (36, 37, 38, 39, 40, 41)
LEFT_EYE_68 = (42, 43, 44, 45, 46, 47)
OUTER_CORNERS_68 = (36, 45)
"""Scheme `68`, counted from 0; right and left are the person's own."""


@dataclass(frozen=True)
class PointAccuracy:
    """Errors of a set of faces in four numbers.

    Attributes:
        mean: normalised mean error, as a share (not a percentage).
        median: of the faces' errors.
        failures: share of faces whose error exceeds the threshold.
        auc: area under the cumulative curve up to the threshold, over the threshold: in [0, 1].
        threshold: the error that both are held to.
    """

    mean: float
    median: float
    failures: float
    auc: float
    threshold: float


def inter_ocular(points: Float[np.ndarray, "n 68 2"]) -> Float64[np.ndarray, " n"]:
    """Distance of the outer corners of the eyes: the normaliser of the 300-W challenge.

    Source: C. Sagonas et al., "300 Faces in-the-Wild Challenge", ICCV workshops 2013.

    Raises:
        BadInput: the points are of another scheme.
    """
    need(points.shape[1] == 68, "the corners of the eyes are known of scheme 68")
    right, left = OUTER_CORNERS_68
    return _distance(points[:, right], points[:, left])


def inter_pupil(points: Float[np.ndarray, "n k 2"]) -> Float64[np.ndarray, " n"]:
    """Distance of the eyes' middles, of scheme `68` (mean of six points an eye) or `5`.

    Raises:
        BadInput: the points are of neither scheme.
    """
    need(points.shape[1] in (5, 68), "the middles of the eyes are known of schemes 5 and 68")
    if points.shape[1] == 5:
        return _distance(points[:, 0], points[:, 1])
    right, left = (points[:, list(eye)].mean(axis=1) for eye in (RIGHT_EYE_68, LEFT_EYE_68))
    return _distance(right, left)


def box_size(boxes: Float[np.ndarray, "n 4"]) -> Float64[np.ndarray, " n"]:
    """The side of the square of a box's area, sqrt(w h), as usual on AFLW2000-3D."""
    return np.sqrt(box_area(boxes.astype(np.float64)))


def box_diagonal(boxes: Float[np.ndarray, "n 4"]) -> Float64[np.ndarray, " n"]:
    """The diagonal of a box."""
    return _distance(boxes[:, 2:], boxes[:, :2])


def point_errors(
    found: Float[np.ndarray, "n k 2"],
    truth: Float[np.ndarray, "n k 2"],
    length: Float[np.ndarray, " n"],
    visible: Bool[np.ndarray, "n k"] | None = None,
) -> Float64[np.ndarray, " n"]:
    """Normalised mean error of each face: the mean distance of its points over a length of it.

    Args:
        found: points, pixels.
        truth: the same points as annotated.
        length: of each face, pixels: one of the normalisers of this module, made of the truth, or
            any other.
        visible: the points that count; None counts all.

    Raises:
        BadInput: shapes differ, a number is not finite, a length is not above 0, or a face has no
            visible point.
    """
    need_alike(found=found, truth=truth)
    need_rows(found=found, length=length)
    need((length > 0).all(), "every normalising length must be above 0")
    distances = _distance(found, truth)
    counts = np.ones(distances.shape, bool) if visible is None else visible
    need(counts.shape == distances.shape, "one visibility a point expected")
    need(counts.any(axis=1).all(), "a face without a visible point has no error")
    return (distances * counts).sum(axis=1) / counts.sum(axis=1) / length


def failure_rate(errors: Float[np.ndarray, " n"], threshold: float) -> float:
    """Share of faces whose error exceeds `threshold`.

    Raises:
        BadInput: there are no errors, one is negative or NaN, or the threshold is not above 0.
    """
    _need_errors(errors, threshold)
    return float(np.mean(errors > threshold))


def cumulative_curve(
    errors: Float[np.ndarray, " n"], thresholds: Float[np.ndarray, " t"]
) -> Float64[np.ndarray, " t"]:
    """The cumulative error distribution: share of faces with an error of at most each threshold.

    Raises:
        BadInput: there are no errors, or one is negative or NaN, or a threshold is not finite.
    """
    _need_errors(errors)
    need_finite(thresholds=thresholds)
    return np.searchsorted(np.sort(errors), thresholds, side="right") / len(errors)


def curve_area(errors: Float[np.ndarray, " n"], threshold: float) -> float:
    """Area under the cumulative curve from 0 to `threshold`, over `threshold`: in [0, 1].

    Exact: the curve is a staircase, and a face of error e adds a strip from e to the threshold.
    Published figures often integrate a sampled curve and differ in the fourth digit.

    Raises:
        BadInput: there are no errors, one is negative or NaN, or the threshold is not above 0.
    """
    _need_errors(errors, threshold)
    return float(np.mean(np.maximum(1 - errors / threshold, 0)))


def mean_error(errors: Float[np.ndarray, " n"]) -> float:
    """Normalised mean error of a set: the mean of its faces' errors.

    Raises:
        BadInput: there are no errors, or one is negative or not finite.
    """
    _need_errors(errors)
    need_finite(errors=errors)
    return float(np.mean(errors))


def point_accuracy(errors: Float[np.ndarray, " n"], threshold: float) -> PointAccuracy:
    """All figures of one set of faces.

    Raises:
        BadInput: there are no errors, one is negative or not finite, or the threshold is not
            above 0.
    """
    return PointAccuracy(
        mean_error(errors),
        float(np.median(errors)),
        failure_rate(errors, threshold),
        curve_area(errors, threshold),
        threshold,
    )


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a.astype(np.float64) - b.astype(np.float64), axis=-1)


def _need_errors(errors: np.ndarray, threshold: float = 1.0) -> None:
    need(len(errors) > 0, "at least one error expected")
    need((errors >= 0).all(), "errors must be at least 0, and numbers")
    need(threshold > 0 and np.isfinite(threshold), "the threshold must be above 0")
