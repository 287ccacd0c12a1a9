"""Anchors of a one-stage detector, and what its network says about them. No torch here: inference
reads the same maps that training teaches.

An anchor is a square: column and row of its middle and its side, pixels of what the network sees,
the centre of the first pixel being (0, 0). They go stride by stride, then cell by cell (row by
row), then by side.

Source: arXiv:2110.10953 and the authors' published configuration; of the codes, W. Liu et al.,
"SSD", ECCV 2016, equation 2, with its published variances.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, Float32, Int64

STRIDES = (8, 16, 32)
SIDES = ((8, 16), (32, 64), (128, 256))
"""Pixels, of each stride: half of the authors', as the inputs are."""
PER_CELL = 2
VARIANCES = (0.1, 0.2)
"""Of shifts and of logarithms of sides: what one unit of a code stands for."""
BINS, BIN = 22, 9.0
"""Number and width, degrees, of the bins of an angle: from -99 to 99 degrees."""
WIDTHS = {"class": 1, "box": 4, "points": 10, "pose": 3 * BINS}
"""Numbers that each task says of an anchor."""
CHANNELS = PER_CELL * sum(WIDTHS.values())


@cache
def anchors(height: int, width: int) -> Float32[np.ndarray, "n 3"]:
    """All anchors of an input, sides in multiples of 32: x, y, side. Not to be written to."""
    parts = []
    for stride, sides in zip(STRIDES, SIDES, strict=True):
        rows, columns = np.mgrid[: height // stride, : width // stride]
        middles = np.stack([columns, rows], axis=2).reshape(-1, 1, 2) * stride + (stride - 1) / 2
        cells = np.broadcast_to(middles, (len(middles), PER_CELL, 2))
        each = np.broadcast_to(np.asarray(sides)[:, None], (len(middles), PER_CELL, 1))
        parts.append(np.concatenate([cells, each], axis=2).reshape(-1, 3))
    found = np.concatenate(parts).astype(np.float32)
    found.flags.writeable = False
    return found


def to_boxes(places: Float[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 4"]:
    """Anchors as boxes: x1, y1, x2, y2."""
    middles, halves = places[:, :2], places[:, 2:] / 2
    return np.concatenate([middles - halves, middles + halves], axis=1).astype(np.float32)


def encode_boxes(
    boxes: Float[np.ndarray, "n 4"], places: Float[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n 4"]:
    """Boxes, with sides above 0, as the network says them: shift of the middle in sides of the
    anchor, and logarithm of width and height over it, each over its variance."""
    middles, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    shifts = (middles - places[:, :2]) / places[:, 2:] / VARIANCES[0]
    logs = np.log(sides / places[:, 2:]) / VARIANCES[1]
    return np.concatenate([shifts, logs], axis=1).astype(np.float32)


def decode_boxes(
    codes: Float[np.ndarray, "n 4"], places: Float[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n 4"]:
    """The inverse of `encode_boxes`. No side is longer than 64 of the anchor's."""
    middles = places[:, :2] + codes[:, :2] * VARIANCES[0] * places[:, 2:]
    logs = np.minimum(codes[:, 2:] * VARIANCES[1], np.log(64.0))
    halves = np.exp(logs) * places[:, 2:] / 2
    return np.concatenate([middles - halves, middles + halves], axis=1).astype(np.float32)


def encode_points(
    points: Float[np.ndarray, "n k 2"], places: Float[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n k 2"]:
    """Points as shifts from the anchor's middle in sides of it, over the variance."""
    shifts = (points - places[:, None, :2]) / places[:, None, 2:]
    return (shifts / VARIANCES[0]).astype(np.float32)


def decode_points(
    codes: Float[np.ndarray, "n k 2"], places: Float[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n k 2"]:
    """The inverse of `encode_points`."""
    shifts = codes * VARIANCES[0] * places[:, None, 2:]
    return (places[:, None, :2] + shifts).astype(np.float32)


def bin_middles() -> Float32[np.ndarray, " b"]:
    """The middle of each bin, radians."""
    return np.radians((np.arange(BINS) - (BINS - 1) / 2) * BIN).astype(np.float32)


def to_bins(angles: Float[np.ndarray, "*n"]) -> Int64[np.ndarray, "*n"]:
    """The bin of each angle, radians; those beyond the last edges go to the outermost bins."""
    place = np.floor(np.degrees(angles) / BIN + BINS / 2)
    return np.clip(place, 0, BINS - 1).astype(np.int64)


def expected_angles(scores: Float[np.ndarray, "*n b"]) -> Float32[np.ndarray, "*n"]:
    """The mean angle under the softmax of the bins' scores, radians.

    Source: N. Ruiz et al., "Fine-grained head pose estimation without keypoints", CVPR workshops
    2018, section 3.2.
    """
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (shares @ bin_middles() / shares.sum(axis=-1)).astype(np.float32)
