"""Plane geometry of faces: similarity transforms, boxes, overlap and suppression.

Points are (x, y) in pixels, x to the right and y down; the centre of the first pixel is (0, 0).
Boxes are x1, y1, x2, y2 in the same pixels, float32. A transform is a 2 x 3 matrix that takes a
column (x, y, 1) of the source to (x, y) of the target.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64


def umeyama(
    source: Float[np.ndarray, "n k 2"], target: Float[np.ndarray, "k 2"]
) -> Float32[np.ndarray, "n 2 3"]:
    """The similarities (rotation, uniform scale, shift) that best take `source` to `target`.

    Least squares over k >= 2 points, for n sets of points at once, without reflection.

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", TPAMI 1991. In the plane the optimum has a closed form: with points as complex
    numbers about their means, the turn-and-scale is <source, target> / <source, source>.

    Args:
        source: n sets of k points, pixels.
        target: k points, pixels.

    Returns:
        n transforms. Where all points of a set coincide the transform is a pure shift.
    """
    s, t = source.astype(np.float64), target.astype(np.float64)
    s_mean, t_mean = s.mean(axis=1), t.mean(axis=0)
    z, w = s - s_mean[:, None], t - t_mean
    spread = (z * z).sum(axis=(1, 2))
    coincide = spread == 0
    spread[coincide] = 1
    a = (z * w).sum(axis=(1, 2)) / spread
    b = (z[:, :, 0] * w[:, 1] - z[:, :, 1] * w[:, 0]).sum(axis=1) / spread
    a[coincide] = 1
    matrices = np.empty((len(s), 2, 3), np.float32)
    matrices[:, 0, 0] = matrices[:, 1, 1] = a
    matrices[:, 0, 1], matrices[:, 1, 0] = -b, b
    matrices[:, 0, 2] = t_mean[0] - a * s_mean[:, 0] + b * s_mean[:, 1]
    matrices[:, 1, 2] = t_mean[1] - b * s_mean[:, 0] - a * s_mean[:, 1]
    return matrices


def transform_points(
    matrix: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "*n 2"]
) -> Float32[np.ndarray, "*n 2"]:
    """`points` moved by `matrix`; pixels in, pixels out."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def invert_transform(matrix: Float[np.ndarray, "2 3"]) -> Float64[np.ndarray, "2 3"]:
    """The transform that undoes `matrix`.

    Raises:
        numpy.linalg.LinAlgError: the matrix flattens the plane.
    """
    (a, b, x), (c, d, y) = matrix.astype(np.float64).tolist()
    area = a * d - b * c
    if area == 0:
        raise np.linalg.LinAlgError("the transform flattens the plane")
    a, b, c, d = d / area, -b / area, -c / area, a / area
    return np.asarray([[a, b, -a * x - b * y], [c, d, -c * x - d * y]])


def box_area(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """Areas in square pixels; a box turned inside out has none."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return sides[:, 0] * sides[:, 1]


def box_iou(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every pair, in [0, 1]; 0 where both boxes are empty."""
    left, top, right, bottom = a.T[:, :, None]
    other_left, other_top, other_right, other_bottom = b.T[:, None]
    width = np.minimum(right, other_right) - np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    union = box_area(a)[:, None] + box_area(b) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def clip_boxes(
    boxes: Float[np.ndarray, "n 4"], width: int, height: int
) -> Float[np.ndarray, "n 4"]:
    """The parts of `boxes` that lie in a picture of this size."""
    return np.clip(boxes, 0, np.asarray([width, height, width, height], boxes.dtype))


def nms(
    boxes: Float[np.ndarray, "n 4"], scores: Float[np.ndarray, " n"], iou_limit: float
) -> Int64[np.ndarray, " k"]:
    """Greedy non-maximum suppression.

    Args:
        boxes: candidates, pixels.
        scores: higher is better. Equal scores keep their order.
        iou_limit: a candidate that overlaps a better kept one by more than this is dropped.

    Returns:
        Indices of the kept candidates, best first.
    """
    left: Int64[np.ndarray, " m"] = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left):
        best, left = int(left[0]), left[1:]
        kept.append(best)
        if len(left):
            left = left[box_iou(boxes[best : best + 1], boxes[left])[0] <= iou_limit]
    return np.asarray(kept, np.int64)


def rotate_points_quarter(
    points: Float[np.ndarray, "*n 2"], quarters: int, width: int, height: int
) -> Float32[np.ndarray, "*n 2"]:
    """Points of a picture turned by ``numpy.rot90(pixels, quarters)``, taken back to the original.

    Args:
        points: (x, y) in the turned picture.
        quarters: quarter turns counter-clockwise that were made, 0 to 3.
        width: of the original picture, pixels.
        height: of the original picture, pixels.
    """
    x, y = points[..., 0], points[..., 1]
    back = (
        (x, y),
        (width - 1 - y, x),
        (width - 1 - x, height - 1 - y),
        (y, height - 1 - x),
    )[quarters % 4]
    return np.stack(back, axis=-1).astype(np.float32)
