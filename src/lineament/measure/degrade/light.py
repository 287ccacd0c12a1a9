"""Light that is too little, or comes from one side. Both act without noise; `sensor.low_light`
is the dark with it."""

from __future__ import annotations

import numpy as np

from lineament.measure.degrade.pixels import Pixels, Points, encoded, linear, require


def gamma(pixels: Pixels, exponent: float) -> Pixels:
    """Mid-tones darkened or lightened, while black and white stay: 255 (v / 255) ** exponent.

    Args:
        pixels: n pictures.
        exponent: above 1 is darker, 1 changes nothing, below 1 is lighter.

    Raises:
        BadInput: the exponent is not positive and finite.
    """
    require(exponent, 1e-3, 1e3, "the exponent")
    curve = 255 * (np.arange(256) / 255) ** exponent
    return np.rint(curve).astype(np.uint8)[pixels]


def side_light(pixels: Pixels, points: Points, stops: float, seed: int = 0) -> Pixels:
    """Faces lit from one side: full light up to one eye, then falling evenly in stops.

    In linear light a pixel at the place t along the line of the eyes, 0 at the lit eye and 1 at
    the other, keeps ``2 ** (-stops * max(t, 0))`` of its light. A stop is half the light. Shadows
    of the face's own shape are left out.

    Source of the question: the illumination sets such as Yale B (A. Georghiades et al., IEEE PAMI
    2001), where a lamp moves around the face.

    Args:
        pixels: n pictures.
        points: the five points of each.
        stops: between the eyes; 0 changes nothing.
        seed: draws which eye of each face is lit.

    Raises:
        BadInput: the stops are negative or not finite.
    """
    require(stops, 0, 1e3, "the stops between the eyes")
    lit = np.random.default_rng(seed).integers(0, 2, len(pixels))
    rows = np.arange(len(pixels))
    start, end = points[rows, lit], points[rows, 1 - lit]
    way = (end - start) / ((end - start) ** 2).sum(axis=1, keepdims=True)
    y, x = np.mgrid[: pixels.shape[1], : pixels.shape[2]].astype(np.float32)
    across = x * way[:, 0, None, None] + y * way[:, 1, None, None]
    across -= (start * way).sum(axis=1)[:, None, None]
    kept = np.exp2(-np.float32(stops) * np.maximum(across, 0))
    return encoded(linear(pixels) * kept[..., None])
