"""What all degradations share: the types, rounding, and the way to linear light and back.

Source of the two curves: IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.core.errors import BadInput

Pixels = UInt8[np.ndarray, "n h w 3"]
"""n pictures of one size, uint8 RGB."""
Light = Float32[np.ndarray, "n h w 3"]
"""n pictures in linear light, 0 to 1."""
Points = Float32[np.ndarray, "n 5 2"]
"""The five points of each picture's face, in its pixels (scheme "5")."""


def rounded(values: Light) -> Pixels:
    """Grey levels to the nearest byte; what lies outside 0 to 255 is clipped."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def linear(pixels: Pixels) -> Light:
    """sRGB bytes as linear light, 0 to 1."""
    v = np.arange(256) / 255
    curve = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    return curve.astype(np.float32)[pixels]


def encoded(light: Light) -> Pixels:
    """Linear light as sRGB bytes; what lies outside 0 to 1 is clipped."""
    v = np.clip(light, 0, 1)
    return rounded(255 * np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055))


def require(value: float, low: float, high: float, what: str) -> None:
    """Refuse a severity outside [low, high].

    Raises:
        BadInput: it is outside, or not a number.
    """
    if not low <= value <= high:
        raise BadInput(f"{what} lies in {low:g} to {high:g}; got {value:g}")
