"""Sizes, stacking and coordinates around the detecting networks, held to their equations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.core.geometry import rotate_points_quarter
from lineament.core.image import Image
from lineament.see.detect.grid import (
    MULTIPLE,
    calls,
    cell_places,
    fit,
    padded,
    resize,
    stack,
    to_picture,
)

SHAPES = st.lists(st.tuples(st.integers(1, 900), st.integers(1, 900)), max_size=40)


@given(SHAPES)
def test_every_picture_goes_through_once_with_its_equals(shapes):
    groups = list(calls(shapes))
    assert sorted(row for rows in groups for row in rows) == list(range(len(shapes)))
    for rows in groups:
        assert len({padded(shapes[row]) for row in rows}) == 1
        height, width = padded(shapes[rows[0]])
        assert len(rows) == 1 or len(rows) * height * width <= 1 << 17


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_padding_is_the_least_that_is_a_multiple(height, width):
    for side, full in zip((height, width), padded((height, width)), strict=True):
        assert full % MULTIPLE == 0
        assert 0 <= full - side < MULTIPLE


def test_small_pictures_share_a_call_and_large_ones_do_not():
    assert list(calls([(150, 150)] * 7)) == [[0, 1, 2, 3, 4], [5, 6]]
    assert list(calls([(640, 640)] * 2)) == [[0], [1]]


@pytest.mark.parametrize("bgr", [False, True])
def test_stack_keeps_pixels_and_fills_with_black(bgr):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(1, 256, (40, w, 3), dtype=np.uint8) for w in (33, 64)]
    planes = stack([Image(pixels) for pixels in pictures], bgr)
    assert planes.shape == (2, 3, 64, 64)
    for plane, pixels in zip(planes, pictures, strict=True):
        order = (2, 1, 0) if bgr else (0, 1, 2)
        for channel, colour in enumerate(order):
            np.testing.assert_array_equal(
                plane[channel, :40, : pixels.shape[1]], pixels[..., colour]
            )
        assert not plane[:, 40:].any()
        assert not plane[:, :, pixels.shape[1] :].any()


def test_fit_leaves_small_pictures_alone_and_keeps_proportions():
    image = Image(np.zeros((300, 400, 3), np.uint8), scale=0.5)
    assert fit(image, 400) is image
    half = fit(image, 200)
    assert (half.pixels.shape, half.scale) == ((150, 200, 3), 0.25)
    assert fit(Image(np.zeros((4000, 1, 3), np.uint8)), 400).pixels.shape == (400, 1, 3)


def test_resize_is_antialiased():
    # Columns of black and white: what is skipped would leave one of the two.
    stripes = np.zeros((600, 600, 3), np.uint8)
    stripes[:, ::2] = 255
    middle = resize(Image(stripes), 1 / 6).pixels[20:-20, 20:-20]
    assert np.abs(middle.astype(float) - 127.5).max() < 16


@pytest.mark.parametrize("factor", [2, 4, 6])
def test_points_go_back_to_the_pixels_that_were_averaged(factor):
    # A block of factor x factor pixels becomes one; its centre is the mean of their centres.
    pixels = np.zeros((10 * factor, 10 * factor, 3), np.uint8)
    pixels[3 * factor : 4 * factor, 7 * factor : 8 * factor] = 255
    small = np.asarray(resize(Image(pixels), 1 / factor).pixels, np.float64)[..., 0]
    rows, columns = np.indices(small.shape)
    found = np.asarray([[(columns * small).sum(), (rows * small).sum()]]) / small.sum()
    truth = np.argwhere(pixels[..., 0])[:, ::-1].mean(axis=0)
    back = to_picture(found, np.full(2, 1 / factor))[0]
    np.testing.assert_allclose(back, truth, atol=0.1)


def test_turning_and_scaling_agree():
    points = np.asarray([[0.0, 0.0], [39.0, 19.0], [12.5, 3.0]])
    scale = np.asarray([0.5, 0.5])
    turned = rotate_points_quarter(points, 1, 20, 40)
    first = to_picture(turned, scale)
    second = rotate_points_quarter(to_picture(points, scale), 1, 40, 80)
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_cells_are_counted_row_by_row():
    places = cell_places(np.asarray([0, 4, 5, 13]), 5)
    assert places.tolist() == [[0, 0], [4, 0], [0, 1], [3, 2]]
