"""What face parsers that are one network have in common: framing, batches, label maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, UInt8

from lineament.core.cards import Card
from lineament.core.crops import warp
from lineament.core.faces import Faces
from lineament.core.geometry import invert_transform
from lineament.core.image import Image
from lineament.core.masks import Masks
from lineament.core.sessions import Session
from lineament.see.batch import split


class Parser(ABC):
    """Cuts faces into parts: frames each by its five points, and labels the frame's pixels.

    Args:
        threads: of the network; None lets ONNX Runtime choose.

    Attributes:
        card: of the method.
        names: of the classes, by number.
        side: of the frame and of the label map, pixels.
        widen: side of the frame in the sides of `frames`.
        mirror: what a frame holds beyond the picture: see `continued`.
        batch: faces a call of the network.

    Raises:
        WeightError: the weight cannot be had, or its terms have not been accepted.
    """

    card: Card
    names: tuple[str, ...]
    side: int
    widen: float = 1.0
    mirror: bool = False
    batch: int = 4

    def __init__(self, *, threads: int | None = None) -> None:
        self._session = self._open(threads)

    @abstractmethod
    def _open(self, threads: int | None) -> Session: ...

    @abstractmethod
    def _label(self, pixels: UInt8[np.ndarray, "n s s 3"]) -> UInt8[np.ndarray, "n s s"]:
        """The class of each pixel of n framed faces, RGB."""

    def _framed(
        self, image: Image, matrix: Float32[np.ndarray, "2 3"]
    ) -> UInt8[np.ndarray, "s s 3"]:
        return continued(warp(image, matrix, self.side), image, matrix, self.mirror)

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        return self._session.seconds

    def __call__(self, images: Sequence[Image], found: Sequence[Faces]) -> list[dict[str, Masks]]:
        """``parsing`` of all faces of all pictures."""
        pairs = [
            (image, frames(faces.keypoints.points, self.side, self.widen))
            for image, faces in zip(images, found, strict=True)
        ]
        todo = [(image, matrix) for image, matrices in pairs for matrix in matrices]
        none = Masks.none(self.side, self.names)
        labels = [none.labels]
        for start in range(0, len(todo), self.batch):
            part = todo[start : start + self.batch]
            framed = [self._framed(*face) for face in part]
            labels.append(self._label(np.stack(framed)))
        transforms = np.concatenate([none.transforms, *(matrices for _, matrices in pairs)])
        masks = Masks(np.concatenate(labels), transforms, self.names)
        return [{"parsing": part} for part in split(masks, found)]


def continued(
    pixels: UInt8[np.ndarray, "s s 3"],
    image: Image,
    matrix: Float32[np.ndarray, "2 3"],
    mirror: bool,
) -> UInt8[np.ndarray, "s s 3"]:
    """A frame in which the picture goes on where the frame leaves it.

    Black there looks like hair or clothes to networks that never saw it.

    Args:
        pixels: what `warp` made of ``image`` and ``matrix``.
        mirror: mirror the picture at its edge; else the edge's own pixels go on.
    """
    back = invert_transform(matrix)
    last = np.asarray([image.width - 1, image.height - 1], np.float32)
    end = len(pixels) - 1
    corners = np.asarray([(0, 0), (end, 0), (0, end), (end, end)]) @ back[:, :2].T + back[:, 2]
    if ((corners >= 0) & (corners <= last)).all():
        return pixels
    x, y = _places(back, len(pixels))
    outside = (x < 0) | (y < 0) | (x > last[0]) | (y > last[1])
    if not outside.any() or outside.all():
        return pixels
    at = np.stack([x[outside], y[outside]], axis=1)
    # Rounding moves a point by up to 0.7 pixels of the frame, which must stay in the picture.
    border = np.minimum(np.float32(0.5 + 0.75 * np.hypot(*back[:, 0])), last / 2)
    inner = last - 2 * border
    beyond = at - border
    if mirror:  # once: what lies further out than the picture is wide takes the pixels of its edge
        beyond = inner - np.abs(inner - np.abs(beyond))
    kept = (np.clip(beyond, 0, inner) + border) @ matrix[:, :2].T + matrix[:, 2]
    column, row = np.clip(kept.round().astype(np.int64), 0, len(pixels) - 1).T
    filled = pixels.copy()
    filled[outside] = pixels[row, column]
    return filled


def _places(
    back: Float[np.ndarray, "2 3"], side: int
) -> tuple[Float32[np.ndarray, "s s"], Float32[np.ndarray, "s s"]]:
    """Where in the picture, x and y, each pixel of a frame lies."""
    steps = np.arange(side, dtype=np.float32)
    (a, b, x), (c, d, y) = back.astype(np.float32)
    return a * steps + (b * steps + x)[:, None], c * steps + (d * steps + y)[:, None]


def frames(
    points: Float[np.ndarray, "n 5 2"], side: int, widen: float = 1.0
) -> Float32[np.ndarray, "n 2 3"]:
    """Transforms from the picture to an upright square that holds the whole head.

    The square stands on the line from the eyes to the mouth. Its middle lies a tenth of the way
    from the one to the other; half its side is twice the distance between the eyes or 1.8 times
    that from eyes to mouth, whichever is more, so that it keeps its size as the head turns.

    Source: T. Karras et al., "Progressive Growing of GANs", ICLR 2018 (arXiv:1710.10196), appendix
    C: the alignment of CelebA-HQ.

    Args:
        points: scheme "5", pixels.
        side: of the square, pixels.
        widen: the square is this much larger.
    """
    right_eye, left_eye, _, right_mouth, left_mouth = np.moveaxis(points.astype(np.float64), 1, 0)
    across, eyes = left_eye - right_eye, (left_eye + right_eye) / 2
    down = (left_mouth + right_mouth) / 2 - eyes
    turned = down[:, ::-1] * (1, -1)
    axis = across + turned
    half = np.maximum(2 * np.linalg.norm(across, axis=1), 1.8 * np.linalg.norm(down, axis=1))
    # Points that coincide give no direction and no size: the frame is then upright, and a pixel.
    half = np.maximum(half, 1.0) * widen
    length = np.linalg.norm(axis, axis=1)[:, None]
    axis = np.where(length > 0, axis / np.where(length > 0, length, 1), (1.0, 0.0))
    gain = side / (2 * half)
    cosine, sine = (axis * gain[:, None]).T
    linear = np.stack([cosine, sine, -sine, cosine], axis=1).reshape(-1, 2, 2)
    middle = eyes + 0.1 * down
    shift = (side - 1) / 2 - np.einsum("nij,nj->ni", linear, middle)
    return np.concatenate([linear, shift[:, :, None]], axis=2).astype(np.float32)
