"""Warping against exact turns, OpenCV, and marked points that must come back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.core.crops import ARCFACE_112, Crops, align, warp
from lineament.core.geometry import invert_transform, transform_points
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks

TEMPLATE = np.asarray(ARCFACE_112.points, np.float32)


def smooth_picture(height: int, width: int) -> np.ndarray:
    """Slow waves in three colours: bilinear sampling of it hardly depends on the sampler."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin(x / 19) + np.cos(y / 23), np.sin((x + y) / 29), np.cos((x - y) / 17)]
    low, high = np.min(waves, axis=(1, 2)), np.max(waves, axis=(1, 2))
    scaled = (np.stack(waves, -1) - low) / (high - low)
    return (scaled * 255).round().astype(np.uint8)


def to_crop(scale: float, angle: float, centre: tuple[float, float], size: int) -> np.ndarray:
    """A picture-to-crop similarity that shows `centre` in the middle, at `scale`."""
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.asarray([[c, -s], [s, c]])
    shift = (size - 1) / 2 - linear @ centre
    return np.concatenate([linear, shift[:, None]], axis=1).astype(np.float32)


def test_the_identity_changes_nothing():
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    np.testing.assert_array_equal(warp(Image(picture), np.eye(2, 3, dtype=np.float32), 40), picture)


def test_whole_shifts_are_exact_and_black_beyond_the_edge():
    picture = np.random.default_rng(0).integers(1, 256, (40, 50, 3), np.uint8)
    matrix = np.asarray([[1, 0, -30], [0, 1, 5]], np.float32)  # right part, five rows down
    crop = warp(Image(picture), matrix, 32)
    np.testing.assert_array_equal(crop[5:, :20], picture[:27, 30:])
    assert not crop[:5].any()
    assert not crop[:, 20:].any()


def test_quarter_turns_are_those_of_numpy():
    picture = np.random.default_rng(0).integers(0, 256, (30, 30, 3), np.uint8)
    # rot90 takes the pixel (x, y) to (y, w - 1 - x), which only pixel centres at wholes can do.
    matrix = np.asarray([[0, 1, 0], [-1, 0, 29]], np.float32)
    np.testing.assert_array_equal(warp(Image(picture), matrix, 30), np.rot90(picture))


def test_a_crop_of_nothing_is_black():
    picture = np.full((20, 20, 3), 255, np.uint8)
    far = np.asarray([[1, 0, -500], [0, 1, 0]], np.float32)
    assert not warp(Image(picture), far, 16).any()


@given(st.floats(0.51, 3), st.floats(-np.pi, np.pi), st.integers(1, 2**20))
def test_bilinear_sampling_equals_opencv(scale, angle, seed):
    picture = smooth_picture(420, 460)
    centre = np.random.default_rng(seed).uniform(180, 240, 2)
    matrix = to_crop(scale, angle, tuple(centre), 112)
    ours = warp(Image(picture), matrix, 112).astype(int)
    theirs = cv2.warpAffine(picture, matrix, (112, 112), flags=cv2.INTER_LINEAR).astype(int)
    difference = np.abs(ours - theirs)
    assert difference.max() <= 2
    assert difference.mean() <= 0.6


@pytest.mark.parametrize("shrink", [4.2, 8.5, 16.3])
def test_fine_stripes_are_averaged_not_skipped(shrink):
    picture = np.zeros((2600, 2600, 3), np.uint8)
    picture[:, ::2] = 255
    matrix = to_crop(1 / shrink, 0.3, (1300, 1300), 112)
    ours = warp(Image(picture), matrix, 112)
    # Over a window of n columns stripes average to within half a stripe: 255 / (2 n).
    assert np.abs(ours.astype(float) - 127.5).max() <= 255 / (2 * int(shrink)) + 1
    skipped = cv2.warpAffine(picture, matrix, (112, 112), flags=cv2.INTER_LINEAR)
    assert skipped.std() > 20 > ours.std()


@pytest.mark.parametrize("shrink", [2.0, 3.7, 9.2])
@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_a_shrunk_crop_lies_where_it_should(shrink, angle):
    """Averaging by a whole factor must not shift the crop, not even by a fraction of a pixel."""
    picture = smooth_picture(1200, 1300)
    matrix = to_crop(1 / shrink, angle, (630.3, 570.8), 112)
    crop_points = np.stack(np.meshgrid(np.arange(112), np.arange(112)), -1).reshape(-1, 2)
    seen = transform_points(invert_transform(matrix), crop_points.astype(float)).astype(float)
    sigma = shrink / 2
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.float32)
    maps = seen.astype(np.float32).reshape(112, 112, 2)
    expected = cv2.remap(
        blurred, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    shown = warp(Image(picture), matrix, 112)
    inside = ((seen >= 20) & (seen < (1280, 1180))).all(axis=1).reshape(112, 112)
    # To first order a crop that is shifted by (dx, dy) differs by gradient . (dx, dy); the constant
    # takes up that Pillow rounds down.
    down, right = np.gradient(expected, axis=(0, 1))
    terms = np.stack([right[inside], down[inside], np.ones_like(right[inside])], -1).reshape(-1, 3)
    error = (shown.astype(float) - expected)[inside].ravel()
    shift = np.linalg.lstsq(terms, error, rcond=None)[0][:2]
    assert np.abs(shift).max() < 0.03
    assert np.abs(error).max() < 8


@given(st.floats(0.5, 6), st.floats(-np.pi, np.pi), st.integers(0, 4))
def test_marked_points_land_on_the_template_and_come_back(size, angle, marked):
    away = to_crop(size, angle, (56, 56), 900)
    points = transform_points(away, TEMPLATE.astype(float))
    height = width = 900
    y, x = np.mgrid[:height, :width]
    spread = max(2.0, 2.0 * size)
    blob = np.exp(-((x - points[marked, 0]) ** 2 + (y - points[marked, 1]) ** 2) / (2 * spread**2))
    picture = np.repeat((blob * 255).round().astype(np.uint8)[..., None], 3, axis=2)
    crops = align(Image(picture), Landmarks(points[None], "5"))
    weight = crops.pixels[0, :, :, 0].astype(float)
    ys, xs = np.mgrid[:112, :112]
    found = np.asarray([(weight * xs).sum(), (weight * ys).sum()]) / weight.sum()
    assert np.abs(found - TEMPLATE[marked]).max() < 0.15
    home = transform_points(invert_transform(crops.transforms[0]), found[None])[0]
    assert np.abs(home - points[marked]).max() < 0.15 * size + 0.01


def test_align_gives_a_crop_a_face():
    picture = Image(smooth_picture(300, 300))
    points = np.stack([TEMPLATE, TEMPLATE + 60]).astype(np.float32)
    crops = align(picture, Landmarks(points, "5"))
    assert (len(crops), crops.template) == (2, "arcface112")
    for crop, part in zip(crops.pixels, (slice(0, 112), slice(60, 172)), strict=True):
        np.testing.assert_allclose(crop.astype(int), picture.pixels[part, part], atol=1)
    none = align(picture, Landmarks(np.empty((0, 5, 2), np.float32), "5"))
    assert none.pixels.shape == (0, 112, 112, 3)
    assert len(Crops.join([none, crops, crops[:1]])) == 3


def test_align_wants_five_points():
    with pytest.raises(ValueError, match="scheme '5', not '68'"):
        align(
            Image(np.zeros((9, 9, 3), np.uint8)),
            Landmarks(np.zeros((1, 68, 2), np.float32), "68"),
        )


def test_crops_of_two_templates_do_not_join():
    crops = align(Image(smooth_picture(120, 120)), Landmarks(TEMPLATE[None], "5"))
    other = Crops(crops.pixels, crops.transforms, "dlib150")
    with pytest.raises(ValueError, match=r"\['arcface112', 'dlib150'\]"):
        Crops.join([crops, other])
    with pytest.raises(ValueError, match="one template"):
        Crops.join([])


def test_points_go_back_to_the_picture():
    # A crop twice as large, moved by (3, 4); and one turned by a quarter.
    transforms = np.asarray([[[2, 0, 3], [0, 2, 4]], [[0, 1, 0], [-1, 0, 10]]], np.float32)
    crops = Crops(np.zeros((2, 8, 8, 3), np.uint8), transforms, "toy")
    points = np.asarray([[[3, 4], [5, 10]], [[7, 8], [0, 10]]], np.float32)
    expected = [[[0, 0], [1, 3]], [[2, 7], [0, 0]]]
    np.testing.assert_allclose(crops.to_picture(points), expected, atol=1e-6)
    assert crops[:0].to_picture(points[:0]).shape == (0, 2, 2)
