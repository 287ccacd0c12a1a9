"""The picture: upright RGB pixels, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage


@dataclass(frozen=True, eq=False)
class Image:
    """One picture as every room sees it.

    Attributes:
        pixels: uint8 RGB, height x width x 3, upright (EXIF orientation applied).
        source: path or name to show in messages; None for a picture made in memory.
        scale: pixels here per pixel of the file: below 1 where a large file was decoded reduced,
            above 1 in an enlarged view. Divide a coordinate by it to get the file's own pixels.

    Raises:
        ValueError: ``pixels`` is not a non-empty height x width x 3 array of uint8.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    source: str | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        shape, kind = self.pixels.shape, self.pixels.dtype
        if kind != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise ValueError(f"an image is uint8, height x width x 3; got {kind} {shape}")

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def pillow(self) -> PilImage:
        """A copy as Pillow lays it out."""
        from PIL import Image as Pillow

        return Pillow.fromarray(self.pixels)

    def cut(self, x1: int, y1: int, x2: int, y2: int) -> PilImage:
        """A part of the picture as Pillow lays it out, black beyond the edges.

        Args:
            x1, y1: first column and row.
            x2, y2: those behind the last.
        """
        from PIL import Image as Pillow

        left, top = min(max(0, x1), self.width), min(max(0, y1), self.height)
        inside = self.pixels[top : max(top, y2), left : max(left, x2)]
        if 0 in inside.shape:
            return Pillow.new("RGB", (x2 - x1, y2 - y1))
        part = Pillow.fromarray(inside)
        return part.crop((x1 - left, y1 - top, x2 - left, y2 - top))
