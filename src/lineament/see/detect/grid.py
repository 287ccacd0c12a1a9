"""From pictures to what a network takes, and from its grid of answers back to pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64, UInt8

MULTIPLE = 32
"""Sides that a network of strides up to 32 can take are multiples of this."""

_CALL_PIXELS = 1 << 17
"""Pixels in one call of the network, unless one picture has more. Small pictures share a call and
its fixed cost; large ones gain nothing together, for their activations leave the cache."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Faces as a network proposes them, many to a face.

    Attributes:
        boxes: x1, y1, x2, y2 in pixels of what the network saw, k x 4.
        scores: in [0, 1], k.
        points: scheme "5" in the same pixels, k x 5 x 2.
    """

    boxes: Float32[np.ndarray, ...]
    scores: Float32[np.ndarray, " k"]
    points: Float32[np.ndarray, "k 5 2"]

    @staticmethod
    def none() -> Candidates:
        """No face at all."""
        empty = np.empty(0, np.float32)
        return Candidates(empty.reshape(0, 4), empty, empty.reshape(0, 5, 2))

    @staticmethod
    def join(parts: Sequence[Candidates]) -> Candidates:
        """Candidates of several strides of one picture."""
        parts = [part for part in parts if len(part.scores)]
        if len(parts) < 2:
            return parts[0] if parts else Candidates.none()
        return Candidates(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.points for part in parts]),
        )


def fit(pixels: UInt8[np.ndarray, "h w 3"], max_side: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The picture scaled down, antialiased, so that no side is longer than `max_side` pixels.

    A smaller picture is handed back as it is.
    """
    if long_side(pixels) <= max_side:
        return pixels
    return resize(pixels, max_side / long_side(pixels))


def resize(pixels: UInt8[np.ndarray, "h w 3"], scale: float) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The picture `scale` times as large, antialiased; no side falls under one pixel."""
    from PIL import Image as Pillow

    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    picture = Pillow.fromarray(pixels)
    # The gap lets Pillow average whole blocks first, which is faster and looks the same.
    scaled = picture.resize((width, height), Pillow.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(scaled)


def shrink(pixels: UInt8[np.ndarray, "h w 3"], factor: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The picture a whole number of times smaller, each pixel the mean of a block."""
    from PIL import Image as Pillow

    return np.asarray(Pillow.fromarray(pixels).reduce(factor))


def long_side(pixels: UInt8[np.ndarray, "h w 3"]) -> int:
    """The greater of height and width."""
    return max(pixels.shape[:2])


def padded(shape: Sequence[int]) -> tuple[int, int]:
    """Height and width of a picture once it is filled up to whole multiples."""
    height, width = (-(-side // MULTIPLE) * MULTIPLE for side in shape[:2])
    return height, width


def calls(shapes: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Which pictures go through the network together: rows of equal padded size.

    The padding of a picture does not depend on its company, so neither does its answer.
    """
    order = sorted(range(len(shapes)), key=lambda row: padded(shapes[row]))
    for (height, width), group in groupby(order, key=lambda row: padded(shapes[row])):
        rows = list(group)
        count = max(1, _CALL_PIXELS // (height * width))
        yield from (rows[start : start + count] for start in range(0, len(rows), count))


def stack(
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], bgr: bool
) -> Float32[np.ndarray, "n 3 h w"]:
    """Pictures of one padded size as planes of 0 to 255; black to the right and below."""
    height, width = padded(pictures[0].shape)
    planes = np.empty((len(pictures), 3, height, width), np.float32)
    for plane, pixels in zip(planes, pictures, strict=True):
        rows, columns = pixels.shape[:2]
        channels = pixels[..., ::-1] if bgr else pixels
        plane[:, :rows, :columns] = channels.transpose(2, 0, 1)
        plane[:, rows:] = 0
        plane[:, :rows, columns:] = 0
    return planes


def cell_places(cells: Int64[np.ndarray, " k"], columns: int) -> Float32[np.ndarray, ...]:
    """Column and row of cells that are counted row by row."""
    return np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)


def scale_of(
    view: UInt8[np.ndarray, "h2 w2 3"], pixels: UInt8[np.ndarray, "h w 3"]
) -> Float64[np.ndarray, " 2"]:
    """How many times as large as `pixels` a resized `view` of them is, x and y."""
    return np.asarray([view.shape[1] / pixels.shape[1], view.shape[0] / pixels.shape[0]])


def to_picture(
    points: Float[np.ndarray, "*k 2"], scale: Float[np.ndarray, " 2"]
) -> Float32[np.ndarray, "*k 2"]:
    """Points of a picture that was made `scale` times as large, in pixels of the original.

    A pixel's centre lies at a whole number, so pixels map about their outer edges.
    """
    return ((points + 0.5) / scale - 0.5).astype(np.float32)
