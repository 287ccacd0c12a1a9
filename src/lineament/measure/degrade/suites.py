"""The suites: each a degradation with a ladder of severities, in the units of `ARCFACE_112`.

Lengths are pixels at the scale of that template (35 between the eyes). Pictures of another scale
want their levels scaled, or to be brought to this scale first, as the protocol does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lineament.core.crops import ARCFACE_112
from lineament.measure.degrade import light, occlude, optics, sensor, turn
from lineament.measure.degrade.occlude import HAND, MASK, SUNGLASSES, Shape
from lineament.measure.degrade.pixels import Pixels, Points


@dataclass(frozen=True)
class Suite:
    """One way in which pictures get worse, at several severities.

    Calling it degrades: ``suite(pixels, points, level, seed)`` takes n pictures, uint8 RGB, the
    five points of the face in each, a level and a seed; the same seed gives the same bytes, and
    one picture's noise, colour and place are alike at every level.

    Attributes:
        name: what goes wrong.
        unit: of a level, with {} for its number.
        levels: the ladder, mild to severe.
        clean: the level at which nothing changes; None where there is none.
        degrade: does it.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    clean: float | None
    degrade: Callable[[Pixels, Points, float, int], Pixels]

    def __call__(self, pixels: Pixels, points: Points, level: float, seed: int = 0) -> Pixels:
        return self.degrade(pixels, points, level, seed)

    def label(self, level: float) -> str:
        """A level in words, such as ``resolution 28 px``."""
        return f"{self.name} {self.unit.format(f'{level:g}')}"


def shaken(pixels: Pixels, length: float, seed: int = 0) -> Pixels:
    """Motion blur along 0, 45, 90 or 135 degrees, drawn for each picture."""
    quarter = np.random.default_rng(seed).integers(0, 4, len(pixels))
    result = np.empty_like(pixels)
    for k in range(4):
        result[quarter == k] = optics.motion_blur(pixels[quarter == k], length, 45.0 * k)
    return result


def tilted(pixels: Pixels, degrees: float, seed: int = 0) -> Pixels:
    """Rotation about the middle, to the one or the other side, drawn for each picture."""
    left = np.random.default_rng(seed).integers(0, 2, len(pixels)) == 1
    result = np.empty_like(pixels)
    for side, sign in ((left, 1), (~left, -1)):
        result[side] = turn.rotation(pixels[side], sign * degrees)
    return result


def _covered(shape: Shape, *percent: float) -> Suite:
    return Suite(
        shape.name,
        "{} % covered",
        percent,
        0,
        lambda p, points, level, seed: occlude.occlude(p, points, shape, level / 100, seed),
    )


SUITES = (
    Suite(
        "resolution",
        "{} px",
        (56, 28, 21, 14, 7),
        ARCFACE_112.size,
        lambda p, _, level, seed: optics.resolution(p, level / ARCFACE_112.size),
    ),
    Suite(
        "gaussian blur",
        "sigma {} px",
        (1, 2, 3, 4, 6),
        0,
        lambda p, _, level, seed: optics.gaussian_blur(p, level),
    ),
    Suite(
        "motion blur",
        "{} px",
        (5, 9, 13, 19, 27),
        1,
        lambda p, _, level, seed: shaken(p, level, seed),
    ),
    Suite(
        "gaussian noise",
        "sigma {} of 255",
        (10, 20, 30, 40, 60),
        0,
        lambda p, _, level, seed: sensor.gaussian_noise(p, level, seed),
    ),
    Suite(
        "low light",
        "{} electrons",
        (1000, 300, 100, 30, 10),
        None,
        lambda p, _, level, seed: sensor.low_light(p, level, seed),
    ),
    Suite(
        "jpeg",
        "quality {}",
        (40, 20, 10, 5, 2),
        None,
        lambda p, _, level, seed: sensor.jpeg(p, int(level)),
    ),
    Suite("gamma", "{}", (1.5, 2, 3, 5, 8), 1, lambda p, _, level, seed: light.gamma(p, level)),
    Suite("side light", "{} stops", (1, 2, 4, 6, 9), 0, light.side_light),
    _covered(SUNGLASSES, 3, 6, 9, 12, 16),
    _covered(MASK, 10, 20, 30, 35, 40),
    _covered(HAND, 5, 10, 20, 30, 40),
    Suite(
        "rotation of the crop",
        "{} degrees",
        (5, 10, 20, 30, 45),
        0,
        lambda p, _, level, seed: tilted(p, level, seed),
    ),
)
"""Every suite for aligned crops, in the order of the page that describes them."""


def suite(name: str) -> Suite:
    """The suite of this name.

    Raises:
        BadInput: there is none.
    """
    from lineament.core.errors import BadInput

    known = {each.name: each for each in SUITES}
    if name not in known:
        raise BadInput(f"no suite {name!r}; there are {', '.join(known)}")
    return known[name]
