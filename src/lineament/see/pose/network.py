"""What networks of head pose have in common: upright crops in, rotations out, in batches.

The crop is upright by the five points, so a head on its side looks to the network as it was
trained; the turn that was taken out is put back into the answer. In a picture, turning the head in
the picture's plane is turning the picture: Rz(turn) times the pose in the crop, exactly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from lineament.core.cards import Card
from lineament.core.crops import ARCFACE_112, Template
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.onnx_graph import free_axes
from lineament.core.rotations import euler_angles, turns_in_plane
from lineament.core.sessions import Session
from lineament.core.weights import prepared
from lineament.see.batch import align_all, split

_SIDE = 224
_ENLARGED = 1.65
_MIDDLE = (56.0, 72.0)


def _in_crop(x: float, y: float) -> tuple[float, float]:
    """A point of the 112-pixel template in a crop that shows the whole head."""
    middle = (_SIDE - 1) / 2
    return (x - _MIDDLE[0]) * _ENLARGED + middle, (y - _MIDDLE[1]) * _ENLARGED + middle


HEAD_224 = Template("head224", _SIDE, tuple(_in_crop(x, y) for x, y in ARCFACE_112.points))
"""The head with some room around it, as pictures of 300W-LP were cut for training. On faces of LFW
the networks agree best with themselves in the mirror from this size on."""

_MEAN = np.asarray((0.485, 0.456, 0.406), np.float32) * 255
_SPREAD = np.asarray((0.229, 0.224, 0.225), np.float32) * 255
"""Of ImageNet's red, green and blue, by which both networks were trained."""


class PoseNetwork(ABC):
    """A describer of ``pose`` that is one ONNX network over crops of `HEAD_224`.

    Args:
        threads: of the network; None lets ONNX Runtime choose.
        batch: crops a call of the network.

    Raises:
        WeightError: the weight cannot be had.
    """

    card: Card

    def __init__(self, *, threads: int | None = None, batch: int = 8) -> None:
        self.batch = batch
        path = prepared(self.card.weights[0], "batched", free_axes)
        self._session = Session(path, threads=threads)

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        return self._session.seconds

    def __call__(
        self, images: Sequence[Image], found: Sequence[Faces]
    ) -> list[dict[str, Float32[np.ndarray, "n 3"]]]:
        """``pose`` of all faces of all pictures, which must have ``keypoints``."""
        if not images:
            return []
        crops = align_all(images, found, HEAD_224)
        starts = range(0, len(crops), self.batch)
        parts = [self._run(crops.pixels[i : i + self.batch]) for i in starts]
        in_crops = np.concatenate([np.empty((0, 3, 3)), *parts])
        # A crop's transform turns by the opposite of the head's tilt.
        tilts = -np.arctan2(crops.transforms[:, 1, 0], crops.transforms[:, 0, 0])
        poses = euler_angles(turns_in_plane(tilts) @ in_crops).astype(np.float32)
        return [{"pose": rows} for rows in split(poses, found)]

    def _run(self, pixels: UInt8[np.ndarray, "n h w 3"]) -> Float64[np.ndarray, "n 3 3"]:
        return self.rotations((pixels - _MEAN) / _SPREAD)

    @abstractmethod
    def rotations(self, pixels: Float32[np.ndarray, "n h w 3"]) -> Float64[np.ndarray, "n 3 3"]:
        """The network's answer for normalised crops, as rotations of the house."""
