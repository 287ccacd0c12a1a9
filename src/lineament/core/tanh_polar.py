"""The RoI tanh-polar transform: a whole picture seen from one face, and back.

A picture is written in polar coordinates about the middle of a face's box. The radius is counted in
the radius of the ellipse that has the shape and the area of the box, and goes through tanh: the
face takes tanh(1) = 76 % of the columns whatever its size, all the rest of the picture the others.
Rows are angles, so that a turn of the picture is a shift of the rows.

Source: Y. Lin, J. Shen, Y. Wang, M. Pantic, "RoI Tanh-polar Transformer Network for Face Parsing in
the Wild", Image and Vision Computing 2021 (arXiv:2102.02717), section 3; the pixel grid is that of
the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from lineament.core.errors import BadInput


@dataclass(frozen=True)
class RoiTanhPolar:
    """The transform about one box.

    With a square box, turning the picture about the middle of the box by k rows' angle shifts the
    rows by k. With another box this holds where the box turns along (`turn`).

    Attributes:
        box: x1, y1, x2, y2 of the face, pixels of the picture.
        width: columns of the warped picture; column i is the radius i / width.
        height: its rows; row j is the angle 2 pi j / height, clockwise from the right.
        turn: of the box about its middle, radians, clockwise; the first row turns along.

    Raises:
        BadInput: the box is empty or not finite, or the warped picture has no pixel.
    """

    box: tuple[float, float, float, float]
    width: int = 512
    height: int = 512
    turn: float = 0.0

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box
        if not (np.isfinite((*self.box, self.turn)).all() and x1 < x2 and y1 < y2):
            raise BadInput(f"a box with an area expected, got {self.box}")
        if self.width < 1 or self.height < 1:
            raise BadInput(f"a warped picture of {self.width} x {self.height} pixels")

    def to_polar(self, points: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """Points (x, y) of the picture as radius in [0, 1] and angle in [0, 2 pi).

        The middle of the box has the angle 0. From 19 radii of the face on the radius is 1 in
        double precision; up to 8 a point comes back to within a millionth of a pixel.
        """
        x, y = np.moveaxis(points.astype(np.float64) - self._middle, -1, 0)
        angle = np.arctan2(y, x) - self.turn
        angle = np.where((x == 0) & (y == 0), 0.0, angle) % (2 * np.pi)
        radius = np.tanh(np.hypot(x, y) / self._reach(angle))
        # A tiny negative angle rounds to a whole turn, which is none.
        return np.stack([radius, np.where(angle < 2 * np.pi, angle, 0.0)], axis=-1)

    def to_picture(self, polar: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """Points (x, y) of the picture from radius and angle; a radius of 1 lies at infinity."""
        radius, angle = np.moveaxis(polar.astype(np.float64), -1, 0)
        with np.errstate(divide="ignore"):
            length = np.arctanh(radius) * self._reach(angle)
        away = np.stack([np.cos(angle + self.turn), np.sin(angle + self.turn)], axis=-1)
        return self._middle + length[..., None] * away

    def grid(self) -> Float64[np.ndarray, "height width 2"]:
        """Where each pixel of the warped picture looks, (x, y) in the picture."""
        radius = np.arange(self.width) / self.width
        angle = np.arange(self.height) * (2 * np.pi / self.height)
        return self.to_picture(np.stack(np.meshgrid(radius, angle), axis=-1))

    def inverse_grid(self, width: int, height: int) -> Float64[np.ndarray, "height width 2"]:
        """Where each pixel of a picture of this size looks, (column, row) in the warped one.

        Columns lie in [0, width of the warped picture], rows in [0, its height).
        """
        return self._place(_pixels(width, height))

    def warp(self, pixels: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "height width c"]:
        """The picture in tanh-polar space, sampled bilinearly; black beyond its edges."""
        framed = np.pad(pixels, ((1, 1), (1, 1), (0, 0))).astype(np.float32)
        high, wide = pixels.shape[:2]
        at = np.clip(self.grid() + 1, 0, (wide + 1, high + 1))
        return np.rint(_sampled(framed, at)).astype(np.uint8)

    def restore(
        self, values: Float32[np.ndarray, "height width c"], width: int, height: int
    ) -> Float32[np.ndarray, "h w c"]:
        """Values in tanh-polar space, such as scores of classes, brought back to a picture of
        this size, sampled bilinearly. Every pixel gets one.

        Raises:
            BadInput: the values are not of this transform's size.
        """
        return self.restore_at(values, _pixels(width, height))

    def restore_at(
        self,
        values: Float32[np.ndarray, "height width c"],
        points: Float[np.ndarray, "m n 2"],
    ) -> Float32[np.ndarray, "m n c"]:
        """Values in tanh-polar space at points (x, y) of the picture, sampled bilinearly.

        Raises:
            BadInput: the values are not of this transform's size.
        """
        if values.shape[:2] != (self.height, self.width):
            raise BadInput(f"values of {values.shape[1]} x {values.shape[0]} for {self}")
        column, row = np.moveaxis(self._place(points), -1, 0)
        around = np.concatenate([values, values[:1]])  # below the last row comes the first
        return _sampled(around, np.stack([np.minimum(column, self.width - 1), row], axis=-1))

    def _place(self, points: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """Where points of the picture lie in the warped one, (column, row)."""
        return self.to_polar(points) * (self.width, self.height / (2 * np.pi))

    @property
    def _middle(self) -> Float64[np.ndarray, " 2"]:
        x1, y1, x2, y2 = self.box
        return np.asarray([(x1 + x2) / 2, (y1 + y2) / 2])

    def _reach(self, angle: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
        """The radius of the ellipse at this angle, pixels; its area is that of the box."""
        x1, y1, x2, y2 = self.box
        a, b = (x2 - x1) / np.sqrt(np.pi), (y2 - y1) / np.sqrt(np.pi)
        return a * b / np.hypot(b * np.cos(angle), a * np.sin(angle))


def _pixels(width: int, height: int) -> Float64[np.ndarray, "height width 2"]:
    """The pixels of a picture, as points."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)


def _sampled(
    values: Float32[np.ndarray, "h w c"], at: Float64[np.ndarray, "m n 2"]
) -> Float32[np.ndarray, "m n c"]:
    """`values` at points (x, y) within them, bilinearly."""
    high, wide = values.shape[:2]
    low = np.clip(np.floor(at).astype(np.int64), 0, np.maximum((wide - 2, high - 2), 0))
    right, down = np.moveaxis((at - low).astype(np.float32), -1, 0)[..., None]
    x, y = np.moveaxis(low, -1, 0)
    after_x, after_y = np.minimum(x + 1, wide - 1), np.minimum(y + 1, high - 1)
    above = values[y, x] * (1 - right) + values[y, after_x] * right
    below = values[after_y, x] * (1 - right) + values[after_y, after_x] * right
    return above * (1 - down) + below * down
