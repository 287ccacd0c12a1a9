"""The picture: upright RGB pixels, and where they came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage


class Image:
    """One picture as every room sees it. Nothing of it is ever changed.

    NumPy and Pillow lay pixels out differently. A picture is kept in the form that it was made in,
    and in the other from when that is first asked for: most photos are decoded, cut and resized by
    Pillow, and never wanted as a whole array.

    Args:
        pixels: uint8 RGB, height x width x 3, upright (EXIF orientation applied).
        source: path or name to show in messages; None for a picture made in memory.
        scale: pixels here per pixel of the file: below 1 where a large file was decoded reduced,
            above 1 in an enlarged view. Divide a coordinate by it to get the file's own pixels.

    Raises:
        ValueError: ``pixels`` is not a non-empty height x width x 3 array of uint8.
    """

    __slots__ = ("_pillow", "_pixels", "_scale", "_source")

    def __init__(
        self, pixels: UInt8[np.ndarray, "h w 3"], source: str | None = None, scale: float = 1.0
    ) -> None:
        shape, kind = pixels.shape, pixels.dtype
        if kind != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise ValueError(f"an image is uint8, height x width x 3; got {kind} {shape}")
        self._pixels: UInt8[np.ndarray, "h w 3"] | None = pixels
        self._pillow: PilImage | None = None
        self._source, self._scale = source, scale

    @classmethod
    def of_pillow(cls, picture: PilImage, source: str | None = None, scale: float = 1.0) -> Image:
        """A picture of Pillow's, which is not copied.

        Raises:
            ValueError: its mode is not RGB, or it has no pixels.
        """
        if picture.mode != "RGB" or 0 in picture.size:
            raise ValueError(f"an image is RGB; got {picture.mode} {picture.size}")
        image = cls.__new__(cls)
        image._pixels, image._pillow = None, picture
        image._source, image._scale = source, scale
        return image

    @property
    def source(self) -> str | None:
        return self._source

    @property
    def scale(self) -> float:
        return self._scale

    @property
    def pixels(self) -> UInt8[np.ndarray, "h w 3"]:
        """uint8 RGB, height x width x 3; those of a decoded picture cannot be written to."""
        if self._pixels is None:
            assert self._pillow is not None
            self._pixels = np.asarray(self._pillow)  # not to be written to
        return self._pixels

    @property
    def pillow(self) -> PilImage:
        """The picture as Pillow lays it out; not to be changed."""
        if self._pillow is None:
            from PIL import Image as Pillow

            self._pillow = Pillow.fromarray(self.pixels)
        return self._pillow

    @property
    def height(self) -> int:
        return self._pillow.height if self._pillow else self.pixels.shape[0]

    @property
    def width(self) -> int:
        return self._pillow.width if self._pillow else self.pixels.shape[1]

    def rows(self, start: int, end: int) -> UInt8[np.ndarray, "n w 3"]:
        """Some rows of `pixels`, without making the rest of the array where it is not there."""
        if self._pixels is None:
            return np.asarray(self.cut(0, start, self.width, end))
        return self._pixels[start:end]

    def cut(self, x1: int, y1: int, x2: int, y2: int) -> PilImage:
        """A part of the picture as Pillow lays it out, black beyond the edges.

        Args:
            x1, y1: first column and row.
            x2, y2: those behind the last.
        """
        return self.pillow.crop((x1, y1, x2, y2))
