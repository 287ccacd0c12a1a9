"""Aligned faces: where each network expects the eyes, and how a face is brought there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, hypot

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from lineament.core.geometry import invert_transform, umeyama
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks


@dataclass(frozen=True)
class Template:
    """Where the five points of scheme "5" lie in an aligned crop.

    Attributes:
        name: what crops made with it are called.
        size: side of the square crop, pixels.
        points: (x, y) of the five points, pixels.
    """

    name: str
    size: int
    points: tuple[tuple[float, float], ...]


ARCFACE_112 = Template(
    "arcface112",
    112,
    (
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ),
)
"""The 112 x 112 template that SFace, ArcFace, MobileFaceNet and EdgeFace were trained with."""


@dataclass(frozen=True, eq=False)
class Crops:
    """Aligned faces, ready for a network, with the way back to the picture.

    Attributes:
        pixels: uint8 RGB, n x size x size x 3.
        transforms: picture to crop, n x 2 x 3.
        template: name of the `Template`.
    """

    pixels: UInt8[np.ndarray, "n h w 3"]
    transforms: Float32[np.ndarray, "n 2 3"]
    template: str

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: slice | np.ndarray) -> Crops:
        return Crops(self.pixels[rows], self.transforms[rows], self.template)

    def to_picture(self, points: Float[np.ndarray, "n k 2"]) -> Float32[np.ndarray, "n k 2"]:
        """Points in the pixels of each crop, in those of the picture that the crop is from.

        Raises:
            numpy.linalg.LinAlgError: a transform flattens the plane.
        """
        linear, shift = self.transforms[:, :, :2], self.transforms[:, :, 2]
        back = np.linalg.inv(linear.astype(np.float64))
        return ((points - shift[:, None]) @ back.transpose(0, 2, 1)).astype(np.float32)

    @staticmethod
    def join(parts: Sequence[Crops]) -> Crops:
        """Crops of several pictures as one batch.

        Raises:
            ValueError: there are no parts, or their templates differ.
        """
        templates = {part.template for part in parts}
        if len(templates) != 1:
            raise ValueError(f"crops of one template expected, got {sorted(templates)}")
        return Crops(
            np.concatenate([part.pixels for part in parts]),
            np.concatenate([part.transforms for part in parts]),
            templates.pop(),
        )


def align(image: Image, landmarks: Landmarks, template: Template = ARCFACE_112) -> Crops:
    """Faces brought upright, centred and to size by the best similarity on their five points.

    Large faces are first averaged down by a whole factor, so that bilinear sampling does not skip
    pixels (without this a 900-pixel face aliases); beyond the picture's edge the crop is black.

    Args:
        image: the picture.
        landmarks: scheme "5", pixels of that picture, n faces.
        template: where the points are to go.

    Raises:
        ValueError: the landmarks are not of scheme "5".
    """
    if landmarks.scheme != "5":
        raise ValueError(f"alignment needs landmarks of scheme '5', not {landmarks.scheme!r}")
    target = np.asarray(template.points, np.float32)
    transforms = umeyama(landmarks.points, target)
    pixels = np.empty((len(transforms), template.size, template.size, 3), np.uint8)
    for row, matrix in enumerate(transforms):
        pixels[row] = warp(image, matrix, template.size)
    return Crops(pixels, transforms, template.name)


def warp(
    image: Image, matrix: Float32[np.ndarray, "2 3"], size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """The square of `size` pixels that `matrix` (picture to crop) maps from `image`."""
    from PIL import Image as Pillow

    back = invert_transform(matrix)
    (a, b, x), (c, d, y) = back.tolist()
    x1, y1, x2, y2 = _window(back, size, image.width, image.height)
    if x1 >= x2 or y1 >= y2:
        return np.zeros((size, size, 3), np.uint8)
    picture, step = image.pillow, max(1, int(hypot(a, c)))
    if step > 1:
        picture = picture.reduce(step, (x1, y1, x2, y2))
        a, b, c, d = a / step, b / step, c / step, d / step
    else:
        x1 = y1 = 0
    # A pixel's centre lies at a whole number here; Pillow's lie at halves, hence the 0.5.
    x, y = (x - x1 + 0.5) / step - (a + b) / 2, (y - y1 + 0.5) / step - (c + d) / 2
    crop = picture.transform(
        (size, size), Pillow.Transform.AFFINE, (a, b, x, c, d, y), Pillow.Resampling.BILINEAR
    )
    return np.asarray(crop)


def _window(
    back: Float64[np.ndarray, "2 3"], size: int, width: int, height: int
) -> tuple[int, int, int, int]:
    """The part of the picture that a crop looks at, with room for sampling, as x1, y1, x2, y2."""
    (a, b, x), (c, d, y) = back.tolist()
    margin = 2 + hypot(a, c)

    def span(p: float, q: float, start: float, end: int) -> tuple[int, int]:
        low = start + size * (min(p, 0) + min(q, 0)) - margin
        high = start + size * (max(p, 0) + max(q, 0)) + margin
        return max(0, min(end, floor(low))), max(0, min(end, ceil(high)))

    (x1, x2), (y1, y2) = span(a, b, x, width), span(c, d, y, height)
    return x1, y1, x2, y2
