"""Quality and thumbnails: each ratio falls when its side of the picture gets worse."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.crops import ARCFACE_112, Crops
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.see.quality import (
    frontal_ratio,
    light_ratio,
    quality,
    sharp_ratio,
    size_ratio,
    thumbnail,
)

TEMPLATE = np.asarray(ARCFACE_112.points, np.float32)


def landmarks(*sets: np.ndarray) -> Landmarks:
    return Landmarks(np.stack(sets).astype(np.float32), "5")


def blurred(grey: np.ndarray) -> np.ndarray:
    """The mean over 5 x 5 pixels."""
    out = np.zeros_like(grey)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            out += np.roll(grey, (dy, dx), (1, 2))
    return out / 25


def test_size_is_the_distance_between_the_eyes():
    # 35.24 pixels in the template; 40 count as full size.
    ratios = size_ratio(landmarks(TEMPLATE, TEMPLATE / 2, TEMPLATE * 3))
    distance = np.hypot(73.5318 - 38.2946, 51.5014 - 51.6963)
    np.testing.assert_allclose(ratios, [distance / 40, distance / 80, 1], rtol=1e-5)


def test_a_turned_head_is_less_frontal():
    turned, beyond = TEMPLATE.copy(), TEMPLATE.copy()
    turned[2, 0] += 9
    beyond[2, 0] += 40
    straight, half, none = frontal_ratio(landmarks(TEMPLATE, turned, beyond))
    assert straight > 0.95
    assert 0.4 < half < 0.6
    assert none == 0


def test_light_and_focus_fall_with_contrast_and_blur():
    grey = np.random.default_rng(0).normal(128, 60, (1, 112, 112)).clip(0, 255).astype(np.float32)
    soft = blurred(grey)
    dark = grey / 10
    assert light_ratio(grey)[0] == 1
    assert light_ratio(dark)[0] < 0.2
    assert sharp_ratio(grey)[0] == 1
    assert sharp_ratio(blurred(blurred(soft)) / 2)[0] < 0.5


def test_quality_is_the_product_of_its_sides():
    pixels = np.random.default_rng(1).integers(0, 256, (2, 112, 112, 3), np.uint8)
    crops = Crops(pixels, np.zeros((2, 2, 3), np.float32), "arcface112")
    points = landmarks(TEMPLATE, TEMPLATE / 4)
    near, far = quality(crops, points)
    assert far == pytest.approx(near / 4, rel=1e-5)
    assert quality(crops[:0], points[:0]).shape == (0,)


def test_a_thumbnail_shows_the_face_and_stays_in_the_picture():
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[60:100, 120:160] = (255, 0, 0)
    box = np.asarray([120, 60, 160, 100], np.float32)
    seen = thumbnail(Image(pixels), box, TEMPLATE, side=60)
    assert seen[30, 30].tolist() == [255, 0, 0]
    # The box is 2/3 of the side: red from 10 to 50.
    assert seen[30, 5].tolist() == [0, 0, 0]
    assert seen[30, 13].tolist() == [255, 0, 0]
    whole = np.full((50, 40, 3), 7, np.uint8)
    edge = thumbnail(Image(whole), np.asarray([20, 30, 60, 70], np.float32), TEMPLATE, side=64)
    assert np.all(edge == 7)


@pytest.mark.parametrize("quarters", range(4))
def test_a_face_on_its_side_is_turned_upright(quarters):
    upright = np.zeros((100, 100, 3), np.uint8)
    upright[:50] = (9, 9, 9)
    points = TEMPLATE
    pixels = upright
    for _ in range(quarters):  # a quarter turn clockwise takes (x, y) to (99 - y, x)
        pixels = np.rot90(pixels, -1)
        points = np.stack([99 - points[:, 1], points[:, 0]], axis=1)
    box = np.asarray([20, 20, 80, 80], np.float32)
    seen = thumbnail(Image(np.ascontiguousarray(pixels)), box, points.astype(np.float32), side=50)
    assert seen.shape == (45, 45, 3)  # half of 90, the nearest to 50
    assert seen[5, 22].tolist() == [9, 9, 9]
    assert seen[40, 22].tolist() == [0, 0, 0]
