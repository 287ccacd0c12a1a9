"""Where one shot of a video ends and the next begins: a jump of the colour histograms.

Source: H. Zhang, A. Kankanhalli, S. Smoliar, "Automatic partitioning of full-motion video",
Multimedia Systems 1993, section 2 (comparison of histograms). Here each part of the picture has a
histogram of its own, for two shots of one room have the same colours in other places; and the limit
rises with the change that the shot shows anyway, so that a shaken camera makes no cuts.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from lineament.core.image import Image

_LEVELS = 4
"""Levels of each colour in a histogram: 64 bins in all."""
_PARTS = 4
"""Parts of the picture along each side."""
_SAMPLES = 16
"""Rows and columns of a part that are looked at."""
_JUMP = 0.35
"""Least share of pixels that change their bin at a cut."""
_STANDS_OUT = 3.0
"""How many times the usual change of the shot that must be."""
_HABIT = 0.2
"""How fast what is usual follows what is seen."""


class CutDetector:
    """Tells of each frame in turn whether a new shot begins with it."""

    def __init__(self) -> None:
        self._before: Float64[np.ndarray, " bins"] | None = None
        self._usual = 0.0

    def __call__(self, image: Image) -> bool:
        """Whether this frame, shown after the one before, is of another shot."""
        now = _histograms(image)
        before, self._before = self._before, now
        if before is None:
            return False
        change = float(np.abs(now - before).sum()) / 2
        if change >= max(_JUMP, _STANDS_OUT * self._usual):
            self._usual = 0.0
            return True
        self._usual += _HABIT * (change - self._usual)
        return False


def _histograms(image: Image) -> Float64[np.ndarray, " bins"]:
    """Shares of all pixels in each bin of colour of each part."""
    side = _PARTS * _SAMPLES
    rows = np.linspace(0, image.height - 1, side).round().astype(np.int64)
    columns = np.linspace(0, image.width - 1, side).round().astype(np.int64)
    levels = image.pixels[rows[:, None], columns].astype(np.int64) * _LEVELS // 256
    part = np.arange(side) // _SAMPLES
    bins = levels @ np.asarray([_LEVELS**2, _LEVELS, 1])
    bins += _LEVELS**3 * (_PARTS * part[:, None] + part)
    return np.bincount(bins.ravel(), minlength=_LEVELS**3 * _PARTS**2) / bins.size
