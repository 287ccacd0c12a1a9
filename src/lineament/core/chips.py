"""Face chips as dlib cuts them: its mean face in the middle of a square, with a border around it.

Networks that were trained on such chips differ in side and border alone.
"""

from __future__ import annotations

from lineament.core.crops import Template

DLIB_MEAN = (122.781998, 117.000999, 104.297997)
DLIB_GAIN = 1 / 256
"""What dlib's networks take off the red, green and blue of a chip, and what they scale by then."""
_MEAN_FACE = (
    (0.225492, 0.215990),
    (0.754761, 0.215990),
    (0.490127, 0.515625),
    (0.254149, 0.780233),
    (0.726104, 0.780233),
)
"""The five points in the unit square of dlib's mean face, which leaves the jaw out: each eye the
mean of its six contour points (37-42, 43-48), then points 31, 49 and 55 of the 68."""


def dlib_chip(name: str, side: int, border: float) -> Template:
    """The template of a chip.

    Args:
        name: what crops made with it are called.
        side: of the chip, pixels.
        border: around the mean face's unit square, as a share of that; dlib's `padding`.
    """
    scale = side / (1 + 2 * border)

    def place(share: float) -> float:
        # dlib counts pixels from their edge here, this library from their centre: hence the half.
        return (share + border) * scale - 0.5

    return Template(name, side, tuple((place(x), place(y)) for x, y in _MEAN_FACE))
