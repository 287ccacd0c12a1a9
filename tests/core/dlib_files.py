"""Landmark models in dlib's own format, made here."""

from __future__ import annotations

import math

import numpy as np

from lineament.core.dlib_shape import ShapeTrees

# A writer of the format, from its description; the reader shares nothing with it.


def integers(*values: int) -> bytes:
    out = bytearray()
    for value in values:
        size = max(1, (abs(value).bit_length() + 7) // 8)
        out += bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")
    return bytes(out)


def reals(values: np.ndarray) -> bytes:
    pairs = map(math.frexp, values.ravel().tolist())
    return b"".join(integers(int(part * 2**24), power - 24) for part, power in pairs)


def column(values: np.ndarray) -> bytes:
    return integers(-len(values), -1) + reals(values)


def tree(trees: ShapeTrees, stage: int, number: int) -> bytes:
    at = stage, number
    out = integers(trees.first.shape[2])
    splits = zip(trees.first[at], trees.second[at], trees.thresholds[at], strict=True)
    for first, second, threshold in splits:
        out += integers(int(first), int(second)) + reals(threshold)
    return out + integers(trees.leaves.shape[2]) + b"".join(map(column, trees.leaves[at]))


def write(trees: ShapeTrees) -> bytes:
    stages, count = trees.first.shape[:2]
    out = integers(1) + column(trees.mean.ravel()) + integers(stages)
    for stage in range(stages):
        out += integers(count) + b"".join(tree(trees, stage, n) for n in range(count))
    out += integers(stages)
    for anchors in trees.anchors:
        out += integers(len(anchors), *anchors.tolist())
    out += integers(stages)
    for offsets in trees.offsets:
        out += integers(len(offsets)) + reals(offsets)
    return out


def random_trees(seed: int, points: int = 5, stages: int = 3, trees: int = 4, depth: int = 2):
    rng = np.random.default_rng(seed)
    splits, pixels = 2**depth - 1, 7
    single = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    return ShapeTrees(
        mean=rng.random((points, 2), np.float32),
        anchors=rng.integers(points, size=(stages, pixels)),
        offsets=0.1 * single(stages, pixels, 2),
        first=rng.integers(pixels, size=(stages, trees, splits)),
        second=rng.integers(pixels, size=(stages, trees, splits)),
        thresholds=20 * single(stages, trees, splits),
        leaves=0.02 * single(stages, trees, splits + 1, 2 * points),
    )
