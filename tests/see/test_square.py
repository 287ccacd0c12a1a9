"""Turned squares: placed by hand, sampled as OpenCV samples them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lineament.core.geometry import transform_points
from lineament.core.image import Image
from lineament.see.square import cut_all_squares, cut_squares, square_transforms


def test_corners_of_a_level_square() -> None:
    """A square of 20 around (50, 40) fills a crop of 100: its corner (40, 30) is the crop's."""
    (matrix,) = square_transforms(np.array([[50.0, 40.0]]), np.array([20.0]), np.zeros(1), 100)
    corners = np.array([[40.0, 30], [60, 30], [60, 50], [40, 50]])
    expected = [[0, 0], [100, 0], [100, 100], [0, 100]]
    np.testing.assert_allclose(transform_points(matrix, corners), expected, atol=1e-4)


def test_a_clockwise_angle_turns_the_upper_edge_down_to_the_right() -> None:
    """A quarter turn: the crop's x runs down the picture, its y to the left."""
    centre = np.array([[50.0, 40.0]])
    (matrix,) = square_transforms(centre, np.array([10.0]), np.array([np.pi / 2]), 10)
    moved = transform_points(matrix, np.array([[50.0, 41], [49, 40]]))
    np.testing.assert_allclose(moved, [[6, 5], [5, 6]], atol=1e-5)


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_edges_are_repeated_as_opencv_repeats_them(angle: float) -> None:
    y, x = np.mgrid[:60, :80]
    pixels = np.stack([3 * x, 4 * y, x + y], axis=2).astype(np.uint8)
    matrices = square_transforms(np.array([[70.0, 10.0]]), np.array([60.0]), np.array([angle]), 64)
    crops = cut_squares(Image(pixels), matrices, 64, "test")
    expected = cv2.warpAffine(
        pixels, matrices[0], (64, 64), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    # The nearest pixel of the edge stands for what OpenCV interpolates along it.
    difference = np.abs(crops.pixels[0].astype(int) - expected)
    assert difference.max() <= 4
    assert difference.mean() < 0.6


def test_squares_of_several_pictures_are_one_batch() -> None:
    pixels = np.full((40, 40, 3), 9, np.uint8)
    one = square_transforms(np.array([[20.0, 20]]), np.array([8.0]), np.zeros(1), 8)
    crops = cut_all_squares([Image(pixels), Image(pixels + 1)], [one, one[:0]], 8, "test")
    assert crops.pixels.shape == (1, 8, 8, 3)
    assert (crops.pixels == 9).all()
    assert crops.template == "test"
