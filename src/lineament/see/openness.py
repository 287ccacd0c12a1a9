"""How open eyes and mouth are, from ratios of distances between landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64

from lineament.core.cards import Card
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.see.batch import Formula, all_landmarks, split

CARD = Card(
    slug="openness",
    title="Real-Time Eye Blink Detection using Facial Landmarks",
    paper="cmp.felk.cvut.cz/pub/cmp/articles/cech/Soukupova-CVWW-2016.pdf",
    verb="describe",
    task="Says how open a person's eyes and mouth are, from 0 (closed) to 1 (wide open).",
    entry="Openness",
    needs=("landmarks",),
    gives=("eyes_open", "mouth_open"),
    deviations=(
        "The paper's ratio of six points, taken at six of the 478; its classifier over 13 frames "
        "of a video, which tells blinks from squints, is not here.",
        "The ratio is brought to [0, 1] between those of closed and of usually open eyes; the eye "
        "that is seen wider counts more.",
        "The mouth's ratio, gap between the lips over their width, is not of the paper.",
    ),
    risk=(
        "Narrow eyes are not tired eyes: the ratio of open eyes differs between people, and falls "
        "when they laugh or look down. Judge a person against themselves, over time."
    ),
)

_EYES = ((33, 160, 158, 133, 153, 144), (263, 387, 385, 362, 380, 373))
"""p1 to p6 of the paper: outer corner, two of the upper lid, inner corner, two of the lower."""
_LIPS = (78, 308, 13, 14)
"""Right and left corner, upper and lower lip, all of the inner edge."""

CLOSED, OPEN = 0.05, 0.30
"""Eye aspect ratios. Of 381 faces of LFW half are above 0.29; where the blendshape of a blink is
above 0.5, the mean is 0.1."""
WIDE = 0.80
"""Gap over width of a mouth wide open; the widest of the same faces has 0.74."""


def eye_aspect_ratios(landmarks: Landmarks) -> Float64[np.ndarray, "n 2"]:
    """Height over width of the right and the left eye: (|p2 p6| + |p3 p5|) / (2 |p1 p4|).

    Source: T. Soukupova, J. Cech, Computer Vision Winter Workshop 2016, equation 1. An eye of no
    width has the ratio 0.

    Raises:
        ValueError: the landmarks are not of scheme "478".
    """
    return _ratios(landmarks)[0]


def openness(
    landmarks: Landmarks,
) -> tuple[Float32[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """How open the eyes and the mouth of n faces are, each in [0, 1].

    Raises:
        ValueError: the landmarks are not of scheme "478".
    """
    ratios, widths = _ratios(landmarks)
    total = np.maximum(widths.sum(axis=1), 1e-9)
    eyes = ((np.clip((ratios - CLOSED) / (OPEN - CLOSED), 0, 1)) * widths).sum(axis=1) / total
    right, left, upper, lower = (landmarks.points[:, i].astype(np.float64) for i in _LIPS)
    mouth = _over(_lengths(upper - lower), _lengths(right - left)) / WIDE
    return eyes.astype(np.float32), np.clip(mouth, 0, 1).astype(np.float32)


def _ratios(
    landmarks: Landmarks,
) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n 2"]]:
    """Of the right and the left eye: aspect ratio, and width in pixels."""
    if landmarks.scheme != "478":
        raise ValueError(f"openness needs landmarks of scheme '478', not {landmarks.scheme!r}")
    p = landmarks.points[:, np.asarray(_EYES)].astype(np.float64)
    widths = _lengths(p[:, :, 0] - p[:, :, 3])
    heights = _lengths(p[:, :, 1] - p[:, :, 5]) + _lengths(p[:, :, 2] - p[:, :, 4])
    return _over(heights, 2 * widths), widths


def _lengths(vectors: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
    return np.linalg.norm(vectors, axis=-1)


def _over(part: Float64[np.ndarray, "*n"], whole: Float64[np.ndarray, "*n"]) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


class Openness(Formula):
    """Openness for the analyzer; see `openness`."""

    card = CARD

    def __call__(
        self, images: Sequence[Image], found: Sequence[Faces]
    ) -> list[dict[str, Float32[np.ndarray, " n"]]]:
        """``eyes_open`` and ``mouth_open`` of all faces, which must have ``landmarks``."""
        if not found:
            return []
        eyes, mouth = openness(all_landmarks(found))
        pairs = zip(split(eyes, found), split(mouth, found), strict=True)
        return [{"eyes_open": e, "mouth_open": m} for e, m in pairs]
