"""Turned squares of a picture as crops: around a face, its eyes level, as a network wants it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, UInt8

from lineament.core.crops import Crops, warp
from lineament.core.geometry import invert_transform
from lineament.core.image import Image


def square_transforms(
    centres: Float[np.ndarray, "n 2"],
    sides: Float[np.ndarray, " n"],
    angles: Float[np.ndarray, " n"],
    size: int,
) -> Float32[np.ndarray, "n 2 3"]:
    """The similarities that take squares of a picture to crops of `size` pixels.

    Args:
        centres: of the squares, (x, y) in the picture's pixels.
        sides: of the squares, pixels, above 0.
        angles: of their upper edges, radians; clockwise in the picture is positive.
        size: side of the crops, pixels.
    """
    scale = size / np.asarray(sides, np.float64)
    cos, sin = scale * np.cos(angles), scale * np.sin(angles)
    linear = np.stack([cos, sin, -sin, cos], axis=1).reshape(-1, 2, 2)
    shift = size / 2 - np.einsum("nij,nj->ni", linear, centres)
    return np.concatenate([linear, shift[:, :, None]], axis=2).astype(np.float32)


def cut_squares(
    image: Image, transforms: Float32[np.ndarray, "n 2 3"], size: int, name: str
) -> Crops:
    """The crops of `size` pixels that `transforms` map from a picture, under a template's name.

    As `crops.align` samples, but beyond the picture's edge its outermost pixels are repeated, as
    networks expect that were trained so.
    """
    pixels = np.empty((len(transforms), size, size, 3), np.uint8)
    for row, matrix in enumerate(transforms):
        pixels[row] = warp(image, matrix, size)
        _repeat_edges(pixels[row], image, matrix)
    return Crops(pixels, transforms, name)


def cut_all_squares(
    images: Sequence[Image],
    transforms: Sequence[Float32[np.ndarray, "_ 2 3"]],
    size: int,
    name: str,
) -> Crops:
    """`cut_squares` of several pictures as one batch.

    Raises:
        ValueError: there are no pictures.
    """
    pairs = zip(images, transforms, strict=True)
    return Crops.join([cut_squares(image, t, size, name) for image, t in pairs])


def _repeat_edges(
    crop: UInt8[np.ndarray, "size size 3"], image: Image, matrix: Float32[np.ndarray, "2 3"]
) -> None:
    """Fill what lies beyond the picture with the pixel of its edge that is nearest."""
    back = invert_transform(matrix)
    corners = back[:, :2] @ (np.asarray([[0, 1, 0, 1], [0, 0, 1, 1]]) * len(crop)) + back[:, 2:]
    if (corners >= 0).all() and (corners.max(axis=1) < (image.width - 1, image.height - 1)).all():
        return
    (a, b, x), (c, d, y) = back.astype(np.float32)
    across, down = np.meshgrid(*2 * [np.arange(len(crop), dtype=np.float32)])
    columns = np.rint(a * across + b * down + x).astype(np.int64)
    rows = np.rint(c * across + d * down + y).astype(np.int64)
    beyond = (columns < 0) | (columns >= image.width) | (rows < 0) | (rows >= image.height)
    columns = columns[beyond].clip(0, image.width - 1)
    crop[beyond] = image.pixels[rows[beyond].clip(0, image.height - 1), columns]
