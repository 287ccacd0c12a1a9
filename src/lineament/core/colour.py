"""Colour spaces: sRGB to CIE L*a*b*, in which distances are nearly those that an eye sees.

Source: IEC 61966-2-1 (sRGB and its matrix to XYZ); CIE 15:2004, section 8.2.1 (L*a*b*). The white
point is that of sRGB itself, D65.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, UInt8

_TO_XYZ = np.array(
    [
        [0.4124, 0.3576, 0.1805],
        [0.2126, 0.7152, 0.0722],
        [0.0193, 0.1192, 0.9505],
    ]
)
_WHITE = _TO_XYZ.sum(axis=1)
_KNEE = 6 / 29


def linear_rgb(pixels: UInt8[np.ndarray, "*shape 3"]) -> Float64[np.ndarray, "*shape 3"]:
    """sRGB without its transfer curve: shares of the light of each primary, in [0, 1]."""
    levels = np.arange(256) / 255
    curve = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return curve[pixels]


def lab(pixels: UInt8[np.ndarray, "*shape 3"]) -> Float64[np.ndarray, "*shape 3"]:
    """L* in [0, 100], and a* (green to red) and b* (blue to yellow), which are 0 for every grey.

    Args:
        pixels: sRGB, any number of axes before the three colours.
    """
    ratio = linear_rgb(pixels) @ _TO_XYZ.T / _WHITE
    root = np.where(ratio > _KNEE**3, np.cbrt(ratio), ratio / (3 * _KNEE**2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
