"""Pictures that do not stand upright."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from lineament.measure.degrade.pixels import Pixels, require


def rotation(
    pixels: Pixels, degrees: float, *, expand: bool = False
) -> UInt8[np.ndarray, "n h2 w2 3"]:
    """Pictures turned counter-clockwise about their middle, as `numpy.rot90` turns.

    Quarter turns of squares are exact, others bicubic; what comes in from outside is black.

    Of aligned crops this is an error of the alignment, which no detector puts right. Turn whole
    pictures, with ``expand``, and find the faces again to see what the whole chain stands.

    Args:
        pixels: n pictures.
        degrees: of the turn; multiples of 360 change nothing.
        expand: grow the pictures so that nothing is cut off.

    Raises:
        BadInput: the angle is not finite.
    """
    from PIL import Image as Pillow

    require(abs(degrees), 0, 1e6, "the angle")
    turned = [
        np.asarray(
            Pillow.fromarray(picture).rotate(degrees, Pillow.Resampling.BICUBIC, expand=expand)
        )
        for picture in pixels
    ]
    return np.stack(turned) if turned else pixels.copy()
