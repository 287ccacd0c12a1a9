"""The square in which a landmarker sees a face, and the 68 points in a mirror. No torch here:
inference uses the same squares as training.

Points are given to networks, and come from them, as shares of the square's side from its middle:
(0, 0) is the middle, (-0.5, -0.5) the outer corner of the first pixel.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

from lineament.core.crops import Template

FIVE = ((-0.15, -0.17), (0.15, -0.17), (0.0, 0.0015), (-0.1243, 0.1758), (0.1243, 0.1758))
"""Scheme "5" in the square, as shares: the template arcface112 brought to eyes 0.3 apart, so that
the jaw of 68 points lies inside, with room for a detector's errors."""


def template(size: int, wider: float = 1.0) -> Template:
    """The square at `size` pixels; with `wider`, one that much wider around the same middle."""
    points = to_pixels(np.asarray(FIVE) / wider, size)
    rows = tuple((float(x), float(y)) for x, y in points)
    return Template(f"landmarks{size}x{wider:g}", size, rows)


def to_pixels(shares: Float[np.ndarray, "*n 2"], size: int) -> Float[np.ndarray, "*n 2"]:
    """Shares to pixels of a square of this size, whose first pixel's centre is (0, 0)."""
    return (shares + 0.5) * size - 0.5


def to_shares(pixels: Float[np.ndarray, "*n 2"], size: int) -> Float32[np.ndarray, "*n 2"]:
    """The inverse of `to_pixels`."""
    return ((pixels + 0.5) / size - 0.5).astype(np.float32)


MIRRORED = (
    *range(16, -1, -1),  # the jaw
    *range(26, 16, -1),  # the brows
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),  # the nose
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # the eyes
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # the outer lips
    *(64, 63, 62, 61, 60, 67, 66, 65),  # the inner lips
)
"""Which of the 68 points each one is in a mirror."""
