"""From pictures to what a network takes, and from its grid of answers back to pixels."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from lineament.core.image import Image

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

MULTIPLE = 32
"""Sides that a network of strides up to 32 can take are multiples of this."""

_CALL_PIXELS = 1 << 17
"""Pixels in one call of the network, unless one picture has more. Small pictures share a call and
its fixed cost; large ones gain nothing together, for their activations leave the cache."""


_STRIP_PIXELS = 1 << 17
"""Pixels that are laid out at once: they stay in the processor's cache, and take no new memory."""


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


def fit(image: Image, max_side: int) -> Image:
    """The picture scaled down, antialiased, so that no side is longer than `max_side` pixels.

    A smaller picture is handed back as it is.
    """
    return image if long_side(image) <= max_side else resize(image, max_side / long_side(image))


def resize(image: Image, scale: float) -> Image:
    """The picture `scale` times as large, antialiased; no side falls under one pixel."""
    from PIL import Image as Pillow

    width, height = (max(1, round(side * scale)) for side in (image.width, image.height))
    # The gap lets Pillow average whole blocks first, which is faster and looks the same.
    scaled = image.pillow.resize((width, height), Pillow.Resampling.BILINEAR, reducing_gap=2.0)
    return _view(scaled, image)


def shrink(image: Image, factor: int) -> Image:
    """The picture a whole number of times smaller, each pixel the mean of a block."""
    return _view(image.pillow.reduce(factor), image)


def _view(picture: PilImage, of: Image) -> Image:
    return Image.of_pillow(picture, scale=of.scale * max(picture.size) / long_side(of))


def long_side(image: Image) -> int:
    """The greater of height and width."""
    return max(image.height, image.width)


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


class Buffer:
    """Memory that each thread keeps from one use to the next. To get as much anew from the system
    takes several times as long as to fill it."""

    def __init__(self) -> None:
        self._mine = threading.local()

    def __call__(self, shape: tuple[int, ...]) -> Float32[np.ndarray, ...]:
        """An array of any content, good until this thread's next call."""
        size = prod(shape)
        kept = getattr(self._mine, "kept", None)
        if kept is None or len(kept) < size:
            kept = self._mine.kept = np.empty(size, np.float32)
        return kept[:size].reshape(shape)


def stack(
    images: Sequence[Image], bgr: bool, buffer: Buffer | None = None
) -> Float32[np.ndarray, "n 3 h w"]:
    """Pictures of one padded size as planes of 0 to 255; black to the right and below.

    Args:
        images: one or more.
        bgr: whether the first plane is blue.
        buffer: to make them in.
    """
    height, width = padded((images[0].height, images[0].width))
    shape = (len(images), 3, height, width)
    planes = buffer(shape) if buffer else np.empty(shape, np.float32)
    for plane, image in zip(planes, images, strict=True):
        step = max(1, _STRIP_PIXELS // image.width)
        for top in range(0, image.height, step):
            rows = image.rows(top, min(image.height, top + step))
            channels = rows[..., ::-1] if bgr else rows
            plane[:, top : top + len(rows), : image.width] = channels.transpose(2, 0, 1)
        plane[:, image.height :] = 0
        plane[:, : image.height, image.width :] = 0
    return planes


def cell_places(cells: Int64[np.ndarray, " k"], columns: int) -> Float32[np.ndarray, ...]:
    """Column and row of cells that are counted row by row."""
    return np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)


def scale_of(view: Image, image: Image) -> Float64[np.ndarray, " 2"]:
    """How many times as large as a picture a resized `view` of it is, x and y."""
    return np.asarray([view.width / image.width, view.height / image.height])


def to_picture(
    points: Float[np.ndarray, "*k 2"], scale: Float[np.ndarray, " 2"]
) -> Float32[np.ndarray, "*k 2"]:
    """Points of a picture that was made `scale` times as large, in pixels of the original.

    A pixel's centre lies at a whole number, so pixels map about their outer edges.
    """
    return ((points + 0.5) / scale - 0.5).astype(np.float32)
