"""A reader of the landmark models that dlib saves as ``.dat`` files; dlib itself is not needed.

Such a file is nothing but whole numbers, tens of millions of them: a control byte (sign and count
of bytes) and that many little-endian bytes, where a real number is a mantissa and a power of two.
Where a number begins is known only once the one before it has been read. Rather than walk through
them one by one, the numbers of a block are found together: from where each byte's number would end,
were it the first byte of one, the ends of two, four, eight numbers follow by looking up the table
in itself.

Lengths are held against what a model can be, so hostile bytes give a `WeightError`.

Source: dlib's ``serialize.h`` and the ``serialize`` functions of its ``shape_predictor.h`` (D. E.
King, "Dlib-ml: A Machine Learning Toolkit", JMLR 2009).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from lineament.core.errors import WeightError

_BLOCK = 1 << 15
_LONGEST = 4
"""Bytes of a number: the mantissa of a float has three."""
_MOST_POINTS, _MOST_CASCADES, _MOST_TREES, _MOST_DEPTH, _MOST_PIXELS = 512, 64, 4096, 8, 1 << 14


@dataclass(frozen=True, eq=False)
class ShapeTrees:
    """A cascade of regression trees that moves k points of a mean face, c times t trees.

    Points and offsets are (x, y) in the unit square of the face's box. A tree of s = 2^d - 1
    splits is stored from its root, level by level; a face goes to the left child of a split where
    the first of its two pixels is brighter than the second by more than the threshold.

    Attributes:
        mean: the face to begin with.
        anchors: of each pixel that a stage of the cascade looks at: the point it is nearest to.
        offsets: of each such pixel from its point, on the mean face.
        first: the brighter pixel of each split, a number of that stage's pixels.
        second: the darker one.
        thresholds: of each split.
        leaves: what is added to all points, x and y of each in turn.
    """

    mean: Float32[np.ndarray, "k 2"]
    anchors: Int64[np.ndarray, "c p"]
    offsets: Float32[np.ndarray, "c p 2"]
    first: Int64[np.ndarray, "c t s"]
    second: Int64[np.ndarray, "c t s"]
    thresholds: Float32[np.ndarray, "c t s"]
    leaves: Float32[np.ndarray, "c t l d"]


def read_shape_trees(data: bytes) -> ShapeTrees:
    """The landmark model of a ``.dat`` file.

    Raises:
        WeightError: the bytes are not such a model; nothing of it is then to be trusted.
    """
    numbers = _Numbers(np.frombuffer(data, np.uint8))
    numbers.expect(1)  # the format's version
    count = -numbers.one(-2 * _MOST_POINTS, -2)
    numbers.expect(-1)
    if count % 2:
        raise numbers.fail(f"{count} coordinates")
    mean = numbers.reals(count).reshape(-1, 2)
    cascades = numbers.one(1, _MOST_CASCADES)
    stages = [_stage(numbers, count) for _ in range(cascades)]
    if len({stage[0].shape for stage in stages}) > 1:
        raise numbers.fail("stages of different sizes")
    splits, thresholds, leaves = (np.stack(part) for part in zip(*stages, strict=True))
    anchors, offsets = _pixels(numbers, cascades)
    numbers.end()
    if not (anchors.min() >= 0 and anchors.max() < len(mean)):
        raise numbers.fail("a pixel anchored at no point")
    if not (splits.min() >= 0 and splits.max() < anchors.shape[1]):
        raise numbers.fail("a split on no pixel")
    return ShapeTrees(mean, anchors, offsets, splits[..., 0], splits[..., 1], thresholds, leaves)


def _stage(
    numbers: _Numbers, count: int
) -> tuple[Int64[np.ndarray, "t s 2"], Float32[np.ndarray, "t s"], Float32[np.ndarray, "t l d"]]:
    """The trees of one stage, which are all of one depth."""
    trees = numbers.one(1, _MOST_TREES)
    splits = numbers.peek()
    if splits + 1 not in (2**depth for depth in range(1, _MOST_DEPTH + 1)):
        raise numbers.fail(f"a tree of {splits} splits")
    leaf = 2 + 2 * count  # a matrix begins with its size
    width = 1 + 4 * splits + 1 + leaf * (splits + 1)
    rows = numbers.take(trees * width).reshape(trees, width)
    split = rows[:, 1 : 1 + 4 * splits].reshape(trees, splits, 4)
    leaves = rows[:, 2 + 4 * splits :].reshape(trees, splits + 1, leaf)
    sizes = (rows[:, 0], splits), (rows[:, 1 + 4 * splits], splits + 1)
    shapes = (leaves[..., 0], -count), (leaves[..., 1], -1)
    if any((found != expected).any() for found, expected in (*sizes, *shapes)):
        raise numbers.fail("trees of different sizes")
    moves = leaves[..., 2:].reshape(trees, splits + 1, count, 2)
    return split[..., :2].copy(), numbers.real(split[..., 2:]), numbers.real(moves)


def _pixels(
    numbers: _Numbers, cascades: int
) -> tuple[Int64[np.ndarray, "c p"], Float32[np.ndarray, "c p 2"]]:
    """Anchors and offsets of the pixels that each stage looks at."""
    numbers.expect(cascades)
    pixels = numbers.peek()
    if not 1 <= pixels <= _MOST_PIXELS:
        raise numbers.fail(f"{pixels} pixels")
    anchors = numbers.take(cascades * (1 + pixels)).reshape(cascades, -1)
    numbers.expect(cascades)
    offsets = numbers.take(cascades * (1 + 4 * pixels)).reshape(cascades, -1)
    if (anchors[:, 0] != pixels).any() or (offsets[:, 0] != pixels).any():
        raise numbers.fail("stages with different numbers of pixels")
    return anchors[:, 1:].copy(), numbers.real(offsets[:, 1:].reshape(cascades, pixels, 2, 2))


class _Numbers:
    """The whole numbers of a file, first to last, found a block at a time."""

    def __init__(self, data: UInt8[np.ndarray, " n"]) -> None:
        self._data = data
        self._at = 0
        self._ready: Int64[np.ndarray, " m"] = np.empty(0, np.int64)

    def fail(self, found: str) -> WeightError:
        return WeightError(f"not a landmark model of dlib's: {found} before byte {self._at}")

    def take(self, count: int) -> Int64[np.ndarray, " count"]:
        parts, left = [self._ready[:count]], count - len(self._ready)
        self._ready = self._ready[count:]
        # Each number takes two bytes at least, so a count that cannot be there costs nothing.
        if 2 * left > len(self._data) - self._at:
            raise self.fail(f"{count} numbers expected, the file ends")
        while left > 0:
            block = self._block()
            parts.append(block[:left])
            self._ready = block[left:]
            left -= len(block)
        return np.concatenate(parts)

    def peek(self) -> int:
        """The next number, which stays."""
        (number,) = self.take(1)
        self._ready = np.concatenate([[number], self._ready])
        return int(number)

    def one(self, low: int, high: int) -> int:
        number = int(self.take(1)[0])
        if not low <= number <= high:
            raise self.fail(f"number {number} outside {low}..{high}")
        return number

    def expect(self, number: int) -> None:
        self.one(number, number)

    def reals(self, count: int) -> Float32[np.ndarray, " count"]:
        return self.real(self.take(2 * count).reshape(count, 2))

    def real(self, pairs: Int64[np.ndarray, "*n 2"]) -> Float32[np.ndarray, "*n"]:
        """Mantissa times a power of two. Exponents that stand for infinities and NaN are out."""
        exponents = pairs[..., 1]
        if len(pairs) and not (exponents.min() > -200 and exponents.max() < 64):
            raise self.fail("a real number out of range")
        return np.ldexp(pairs[..., 0].astype(np.float32), exponents.astype(np.int32))

    def end(self) -> None:
        if len(self._ready) or self._at < len(self._data):
            raise self.fail("bytes too many")

    def _block(self) -> Int64[np.ndarray, " m"]:
        """The numbers that begin in the next block of bytes."""
        block = self._data[self._at : self._at + _BLOCK]
        if not len(block):
            raise self.fail("the file ends")
        starts = _starts(block)
        controls = block[starts]
        sizes = (controls & 0x0F).astype(np.int64)
        ends = self._at + starts + 1 + sizes
        if (controls & 0x70).any() or not (sizes.min() >= 1 and sizes.max() <= _LONGEST):
            raise self.fail("a bad control byte")
        if ends[-1] > len(self._data):
            raise self.fail("the file ends within a number")
        numbers = np.zeros(len(starts), np.int64)
        last = len(self._data) - 1
        for byte in range(_LONGEST):
            places = np.minimum(self._at + starts + 1 + byte, last)
            numbers |= np.where(byte < sizes, self._data[places].astype(np.int64) << 8 * byte, 0)
        self._at = int(ends[-1])
        return np.where(controls & 0x80, -numbers, numbers)


def _starts(block: UInt8[np.ndarray, " n"]) -> Int64[np.ndarray, " m"]:
    """Where numbers begin in a block whose first byte begins one, in order."""
    end = len(block)
    jump = np.arange(1, end + 2)
    jump[:end] += block & 0x0F
    np.minimum(jump, end, out=jump)  # the end leads to itself
    starts = np.zeros(1, np.int64)
    while starts[-1] < end:  # as many numbers again, each `jump` further on
        starts = np.concatenate([starts, jump.take(starts)])
        jump = jump.take(jump)
    return starts[: np.searchsorted(starts, end)]
