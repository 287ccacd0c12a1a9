"""How good a picture of a face is, from what can be seen without a network.

Four ratios, each in [0, 1], are multiplied: a face is as good as its worst side. They are made to
choose a person's best face and to say why a face is weak, not to decide who somebody is.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.core.crops import Crops
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks

_FULL_EYE_DISTANCE = 40.0
"""Pixels between the eyes from which on a 112 x 112 crop (35 between the eyes) gains nothing."""
_SHARP = 8.0
"""Mean absolute Laplacian, in grey levels, of a crop in good focus."""
_CONTRAST = 40.0
"""Standard deviation of brightness, in grey levels, of a well lit crop."""


def quality(crops: Crops, landmarks: Landmarks) -> Float32[np.ndarray, " n"]:
    """Quality of n faces, in [0, 1].

    Args:
        crops: aligned faces.
        landmarks: scheme "5" in pixels of the original picture; size and turn are read off them.
    """
    grey = middle_grey(crops.pixels)
    parts = [size_ratio(landmarks), frontal_ratio(landmarks), light_ratio(grey), sharp_ratio(grey)]
    return np.prod(parts, axis=0).astype(np.float32)


def size_ratio(landmarks: Landmarks) -> Float32[np.ndarray, " n"]:
    """Distance between the eyes against what a full-size crop needs."""
    right, left = landmarks.points[:, 0], landmarks.points[:, 1]
    return np.clip(np.linalg.norm(right - left, axis=1) / _FULL_EYE_DISTANCE, 0, 1)


def frontal_ratio(landmarks: Landmarks) -> Float32[np.ndarray, " n"]:
    """1 where the nose lies midway between the eyes, 0 where it lies beyond one of them."""
    right, left, nose = (landmarks.points[:, i] for i in range(3))
    across = left - right
    length = np.maximum((across**2).sum(axis=1), 1e-6)
    place = ((nose - right) * across).sum(axis=1) / length
    return np.clip(1 - 2 * np.abs(place - 0.5), 0, 1)


def light_ratio(grey: Float32[np.ndarray, "n h w"]) -> Float32[np.ndarray, " n"]:
    """Contrast of a crop's middle against that of a well lit face."""
    return np.clip(grey.std(axis=(1, 2)) / _CONTRAST, 0, 1)


def sharp_ratio(grey: Float32[np.ndarray, "n h w"]) -> Float32[np.ndarray, " n"]:
    """Strength of fine edges against that of a face in focus."""
    rows, columns = grey[:, :, 1:-1], grey[:, 1:-1]
    around = rows[:, :-2] + rows[:, 2:] + columns[:, :, :-2] + columns[:, :, 2:]
    edges = 4 * columns[:, :, 1:-1] - around
    return np.clip(np.abs(edges).mean(axis=(1, 2)) / _SHARP, 0, 1)


def middle_grey(pixels: UInt8[np.ndarray, "n h w 3"]) -> Float32[np.ndarray, "n h2 w2"]:
    """Brightness without the border, where background and black corners would count."""
    edge = pixels.shape[1] // 5
    return pixels[:, edge:-edge, edge:-edge] @ np.asarray([0.299, 0.587, 0.114], np.float32)


def thumbnail(
    image: Image,
    box: Float32[np.ndarray, " 4"],
    points: Float32[np.ndarray, "5 2"],
    side: int = 128,
) -> UInt8[np.ndarray, "n n 3"]:
    """A square around a face, half as large again as its box, for people to look at.

    It is moved, and made smaller, to stay within the picture; a face that lies on its side or on
    its head is turned upright by quarters. Its side is the whole fraction of its side in the
    picture that is nearest to `side`; a smaller one is not enlarged.
    """
    size = np.asarray([image.width, image.height])
    span = int(min(1.5 * max(*(box[2:] - box[:2]), 1.0), *size))
    x, y = np.clip((box[:2] + box[2:] - span) / 2, 0, size - span).round().astype(int).tolist()
    factor = max(1, round(span / side))
    square = image.pillow.reduce(factor, (x, y, x + span, y + span))
    across = points[1] - points[0]
    return np.rot90(np.asarray(square), round(np.arctan2(across[1], across[0]) / (np.pi / 2)))
