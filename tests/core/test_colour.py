"""sRGB to L*a*b*, held to published values, to symmetry, and to OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lineament.core.colour import lab, linear_rgb


def test_greys_have_no_chroma_and_grow_lighter():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    lightness, red, yellow = lab(greys).T
    np.testing.assert_allclose([red, yellow], 0, atol=1e-9)
    assert lightness[0] == pytest.approx(0, abs=1e-9)
    assert lightness[255] == pytest.approx(100)
    assert np.all(np.diff(lightness) > 0)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [  # the corners of sRGB under D65, as colour science tables have them
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_primaries(rgb, expected):
    np.testing.assert_allclose(lab(np.array([rgb], np.uint8))[0], expected, atol=0.03)


def test_the_transfer_curve_at_its_ends_and_its_knee():
    light = linear_rgb(np.array([[0, 255, 10]], np.uint8))[0]
    np.testing.assert_allclose(light, [0, 1, 10 / 255 / 12.92])


def test_agrees_with_opencv_on_random_colours():
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    expected = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    # OpenCV rounds its white point otherwise, and interpolates tables.
    np.testing.assert_allclose(lab(pixels), expected, atol=0.5)
    assert np.abs(lab(pixels) - expected).mean() < 0.15
