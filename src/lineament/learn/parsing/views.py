"""What a parser sees of a picture, and how its answer comes back: squares, and tanh-polar space.

A view is a grid about a frame, and a frame is the middle, the size and the turn of a face in its
picture. Points of a view are counted in sides of the frame, from its middle, and are complex
numbers: x + iy. So what moves the frame (augmentation, an inexact box, a turn) is the same for all
views.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex128, Float, Float32, Float64, UInt8
from torch import Tensor
from torch.nn import functional

from lineament.core.geometry import umeyama
from lineament.core.tanh_polar import RoiTanhPolar
from lineament.learn.landmarks.crops import FIVE
from lineament.learn.parsing.classes import MIRRORED, OUTSIDE

ROOT_PI = float(np.sqrt(np.pi))


@dataclass(frozen=True, eq=False)
class Frames:
    """Of n faces.

    Attributes:
        middle: pixels.
        unit: the frame's side, pixels, with the turn of its axis to the right.
        mirrored: whether the view is seen in a mirror.
    """

    middle: Complex128[np.ndarray, " n"]
    unit: Complex128[np.ndarray, " n"]
    mirrored: np.ndarray

    def __getitem__(self, rows: slice) -> Frames:
        return Frames(self.middle[rows], self.unit[rows], self.mirrored[rows])

    def places(self, points: Complex128[np.ndarray, "h w"]) -> Complex128[np.ndarray, "n h w"]:
        """Where points of the view lie in the picture, pixels."""
        seen = np.where(self.mirrored[:, None, None], -points.conj(), points)
        return self.middle[:, None, None] + self.unit[:, None, None] * seen

    def points(self, places: Complex128[np.ndarray, "h w"]) -> Complex128[np.ndarray, "n h w"]:
        """Where points of the picture lie in the view."""
        seen = (places - self.middle[:, None, None]) / self.unit[:, None, None]
        return np.where(self.mirrored[:, None, None], -seen.conj(), seen)

    def moved(
        self,
        turn: Float64[np.ndarray, " n"] | float = 0.0,
        zoom: Float64[np.ndarray, " n"] | float = 1.0,
        shift: Complex128[np.ndarray, " n"] | complex = 0j,
        mirrored: np.ndarray | None = None,
    ) -> Frames:
        """Frames turned (radians, clockwise), made larger, and shifted by sides of their own."""
        middle = self.middle + self.unit * shift
        here = self.mirrored if mirrored is None else mirrored
        return Frames(middle, self.unit * zoom * np.exp(1j * np.asarray(turn)), here)

    def carried(self, turn: float, old: complex, new: complex) -> Frames:
        """The frames of pictures that are turned about `old`, which comes to lie at `new`."""
        by = np.exp(1j * turn)
        return Frames((self.middle - old) * by + new, self.unit * by, self.mirrored)

    def upright(self) -> Frames:
        """The same without their turn: a box that does not know how its face lies."""
        return Frames(self.middle, np.abs(self.unit).astype(np.complex128), self.mirrored)


def by_points(points: Float32[np.ndarray, "n 5 2"]) -> Frames:
    """Squares as `crops.template` lays them by the five points."""
    matrix = umeyama(points, np.asarray(FIVE)).astype(np.float64)
    gain = matrix[:, 0, 0] + 1j * matrix[:, 1, 0]
    shift = matrix[:, 0, 2] + 1j * matrix[:, 1, 2]
    return Frames(-shift / gain, 1 / gain, np.zeros(len(points), bool))


def by_box(boxes: Float32[np.ndarray, "n 4"]) -> Frames:
    """Upright squares with the middles and the areas of the boxes."""
    corner, other = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64)
    middle, size = (corner + other) / 2, other - corner
    side = np.sqrt(np.maximum(size.prod(axis=1), 1.0))
    mirrored = np.zeros(len(boxes), bool)
    return Frames(middle @ (1, 1j), side.astype(np.complex128), mirrored)


def eye_line(points: Float32[np.ndarray, "n 5 2"]) -> Float64[np.ndarray, " n"]:
    """The angle of the line from the right eye to the left, radians, clockwise."""
    return np.angle((points[:, 1] - points[:, 0]).astype(np.float64) @ (1, 1j))


class View(ABC):
    """A square picture of `size` pixels of a framed face."""

    def __init__(self, size: int) -> None:
        self.size = size

    @abstractmethod
    def grid(self) -> Complex128[np.ndarray, "s s"]:
        """What each pixel of the view looks at."""

    @abstractmethod
    def restore(
        self, values: Float[Tensor, "n c s s"], points: Complex128[np.ndarray, "n h w"]
    ) -> Float[Tensor, "n c h w"]:
        """Values of the view at points of it, sampled bilinearly."""


class Square(View):
    """The plain crop, beyond which values are 0.

    Args:
        size: pixels.
        wider: than the frame.
    """

    def __init__(self, size: int, wider: float) -> None:
        super().__init__(size)
        self.wider = wider

    def grid(self) -> Complex128[np.ndarray, "s s"]:
        """Equal steps across and down."""
        axis = ((np.arange(self.size) + 0.5) / self.size - 0.5) * self.wider
        return axis[None, :] + 1j * axis[:, None]

    def restore(
        self, values: Float[Tensor, "n c s s"], points: Complex128[np.ndarray, "n h w"]
    ) -> Float[Tensor, "n c h w"]:
        """Values of the crop, 0 beyond it."""
        at = torch.from_numpy(np.stack([np.real(points), np.imag(points)], axis=-1)).to(
            values.dtype
        )
        return functional.grid_sample(values, 2 * at / self.wider, align_corners=False)


class TanhPolar(View):
    """The whole picture in tanh-polar space; every box counts as the square of its area."""

    FRAME = (-0.5, -0.5, 0.5, 0.5)

    def grid(self) -> Complex128[np.ndarray, "s s"]:
        """Angles down, from the middle outwards to the right."""
        return RoiTanhPolar(self.FRAME, self.size, self.size).grid() @ (1, 1j)

    def restore(
        self, values: Float[Tensor, "n c s s"], points: Complex128[np.ndarray, "n h w"]
    ) -> Float[Tensor, "n c h w"]:
        """Values of tanh-polar space, which goes around in the angle."""
        column = np.minimum(np.tanh(np.abs(points) * ROOT_PI) * self.size, self.size - 1)
        row = (np.angle(points) / (2 * np.pi) % 1.0) * self.size
        around = torch.cat([values, values[:, :, :1]], dim=2)  # below the last comes the first
        at = np.stack([2 * column / (self.size - 1) - 1, 2 * row / self.size - 1], axis=-1)
        at = torch.from_numpy(at).to(values.dtype)
        return functional.grid_sample(around, at, padding_mode="border", align_corners=True)


def look(
    pixels: UInt8[np.ndarray, "n b c 3"], places: Complex128[np.ndarray, "n h w"]
) -> Float32[Tensor, "n 3 h w"]:
    """Colours at places of pictures, bilinearly, 0 to 255; black beyond."""
    planes = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    return functional.grid_sample(planes, _torch_grid(places, planes), align_corners=False)


def look_up(
    labels: UInt8[np.ndarray, "n b c"],
    places: Complex128[np.ndarray, "n h w"],
    mirrored: np.ndarray | None = None,
) -> UInt8[np.ndarray, "n h w"]:
    """Classes at the nearest pixels; `OUTSIDE` beyond. In a mirror left is right."""
    high, wide = labels.shape[1:]
    column, row = np.rint(np.real(places)), np.rint(np.imag(places))
    inside = (column >= 0) & (column < wide) & (row >= 0) & (row < high)
    at = np.where(inside, row * wide + column, 0).astype(np.int64)
    found = np.take_along_axis(labels.reshape(len(labels), -1), at.reshape(len(at), -1), axis=1)
    found = np.where(inside, found.reshape(at.shape), OUTSIDE).astype(np.uint8)
    if mirrored is None:
        return found
    return np.where(mirrored[:, None, None], MIRRORED[found], found)


def _torch_grid(places: Complex128[np.ndarray, "n h w"], planes: Tensor) -> Tensor:
    high, wide = planes.shape[2:]
    x, y = (2 * np.real(places) + 1) / wide - 1, (2 * np.imag(places) + 1) / high - 1
    return torch.from_numpy(np.stack([x, y], axis=-1).astype(np.float32))
