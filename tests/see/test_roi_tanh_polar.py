"""The transform roi_tanh_polar against its equations, OpenCV, and turns of the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.core.errors import BadInput
from lineament.core.tanh_polar import RoiTanhPolar

ROOT = np.sqrt(np.pi)
TEN = RoiTanhPolar((-5 * ROOT + 30, -5 * ROOT + 20, 5 * ROOT + 30, 5 * ROOT + 20))
"""About (30, 20); its circle has a radius of 10 pixels."""


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth picture, so that sampling twice does little to it."""
    rough = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(rough, (0, 0), 5)


def test_cases_worked_by_hand():
    atanh_half = 0.5493061443340549  # ln(3) / 2
    points = np.asarray([(30, 20), (40, 20), (30, 30), (20, 20), (30, 10), (30, 20 + 5.493061443)])
    expected = np.tanh(1)
    turns = np.asarray([0, 0, 0.25, 0.5, 0.75, 0.25]) * 2 * np.pi
    polar = TEN.to_polar(points)
    assert polar[:, 0] == pytest.approx([0, *[expected] * 4, 0.5])
    assert polar[:, 1] == pytest.approx(turns)
    grid = RoiTanhPolar(TEN.box, 4, 8).grid()
    assert grid[0, 0] == pytest.approx((30, 20))
    assert grid[0, 2] == pytest.approx((30 + 10 * atanh_half, 20))
    assert grid[2, 2] == pytest.approx((30, 20 + 10 * atanh_half))
    tall = RoiTanhPolar((0, 0, ROOT, 3 * ROOT))  # half axes 1 and 3, about (0.886, 2.659)
    middle = np.asarray([ROOT / 2, 1.5 * ROOT])
    assert tall.to_polar(middle + [[1, 0], [0, 3]])[:, 0] == pytest.approx([expected] * 2)


def test_the_ellipse_has_the_area_of_the_box():
    polar = RoiTanhPolar((10, 20, 110, 70))
    angle = np.linspace(0, 2 * np.pi, 100_001)
    edge = polar.to_picture(np.stack([np.full_like(angle, np.tanh(1)), angle], axis=-1))
    x, y = edge.T
    area = np.abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
    assert area == pytest.approx(100 * 50, rel=1e-6)


sides = st.floats(1, 500)
places = st.floats(-1000, 1000)


@given(places, places, sides, sides, st.floats(-10, 10), st.integers(0, 2**32))
def test_to_polar_and_back_is_the_identity(x, y, wide, high, turn, seed):
    polar = RoiTanhPolar((x, y, x + wide, y + high), turn=turn)
    rng = np.random.default_rng(seed)
    reach = min(wide, high) / ROOT
    away = rng.uniform(-1, 1, (50, 2)) * 5 * reach  # at most 5 * 1.42 radii
    points = away + (x + wide / 2, y + high / 2)
    there = polar.to_polar(points)
    assert (there >= 0).all()
    assert (there[:, 0] < 1).all()
    assert (there[:, 1] < 2 * np.pi).all()
    np.testing.assert_allclose(polar.to_picture(there), points, atol=1e-6, rtol=0)


@given(st.integers(0, 2**32))
def test_from_polar_and_back_is_the_identity(seed):
    rng = np.random.default_rng(seed)
    there = rng.uniform(0, 1, (50, 2)) * (0.999, 6.283)
    polar = RoiTanhPolar((3, 4, 90, 160), turn=0.3)
    np.testing.assert_allclose(polar.to_polar(polar.to_picture(there)), there, atol=1e-9)


def test_the_face_takes_tanh_1_of_the_columns():
    """76 % in the paper, for a box of any size and shape."""
    for box in ((0, 0, 10, 10), (5, -7, 400, 90)):
        polar = RoiTanhPolar(box, 1000, 64)
        x, y = np.moveaxis(polar.grid(), -1, 0)
        a, b = (box[2] - box[0]) / ROOT, (box[3] - box[1]) / ROOT
        from_middle = ((x - (box[0] + box[2]) / 2) / a, (y - (box[1] + box[3]) / 2) / b)
        inside = np.hypot(*from_middle) <= 1
        assert inside.mean() == pytest.approx(0.762, abs=0.0011)


@pytest.mark.parametrize("turn", [0.0, 0.7])
def test_the_warp_is_that_of_opencv_on_the_equations(turn):
    """The authors' form: x = a b cos / sqrt(b^2 cos^2 + a^2 sin^2) artanh(i / W)."""
    pixels, box = noise(90, 120), (20.0, 10.0, 80.0, 70.0)
    polar = RoiTanhPolar(box, 96, 64, turn)
    a, b = 60 / ROOT, 60 / ROOT
    maps = np.zeros((2, 64, 96), np.float32)
    for j, i in np.ndindex(64, 96):
        t = 2 * np.pi * j / 64
        r = np.arctanh(i / 96) * a * b / np.sqrt((b * np.cos(t)) ** 2 + (a * np.sin(t)) ** 2)
        x, y = r * np.cos(t), r * np.sin(t)
        maps[0, j, i] = 50 + np.cos(turn) * x - np.sin(turn) * y
        maps[1, j, i] = 40 + np.cos(turn) * y + np.sin(turn) * x
    expected = cv2.remap(pixels, maps[0], maps[1], cv2.INTER_LINEAR)
    found = polar.warp(pixels)
    # OpenCV samples at 32nds of a pixel, which tells most at the picture's edge.
    assert np.abs(found.astype(int) - expected).mean() < 0.5
    assert np.quantile(np.abs(found.astype(int) - expected), 0.99) <= 3


@pytest.mark.parametrize("rows", [0, 5, 16, 32, 61])
def test_a_turn_of_the_picture_is_a_shift_of_the_rows(rows):
    """To within what sampling the turned picture costs: 2 levels of 256 on average."""
    pixels = noise(201, 201)
    polar = RoiTanhPolar((60.0, 60.0, 140.0, 140.0), 128, 64)
    degrees = 360 * rows / 64
    matrix = cv2.getRotationMatrix2D((100, 100), -degrees, 1)  # OpenCV turns counter-clockwise
    turned = cv2.warpAffine(pixels, matrix, (201, 201), flags=cv2.INTER_CUBIC)
    # What leaves the picture as it turns is lost: the circle within it stays.
    kept = np.hypot(*np.moveaxis(polar.grid() - 100, -1, 0)) < 99
    expected = np.roll(polar.warp(pixels), rows, axis=0).astype(int)
    difference = np.abs(polar.warp(turned) - expected)[kept]
    assert difference.mean() < 2
    if rows:
        unshifted = np.abs(polar.warp(turned) - polar.warp(pixels).astype(int))[kept]
        assert unshifted.mean() > 3 * difference.mean()


def test_a_turned_box_is_exactly_a_shift_of_angles():
    """Any box that turns with the picture: the points' radii stay, their angles too."""
    points = np.random.default_rng(2).uniform(-50, 150, (100, 2))
    still = RoiTanhPolar((10, 20, 110, 70))
    turned = RoiTanhPolar((10, 20, 110, 70), turn=0.4)
    rotation = np.asarray([(np.cos(0.4), -np.sin(0.4)), (np.sin(0.4), np.cos(0.4))])
    moved = (points - (60, 45)) @ rotation.T + (60, 45)
    np.testing.assert_allclose(turned.to_polar(moved), still.to_polar(points), atol=1e-9)


def test_every_pixel_of_the_picture_comes_back():
    polar = RoiTanhPolar((300.0, 20.0, 330.0, 60.0), 64, 48)
    grid = polar.inverse_grid(400, 300)
    assert (grid >= 0).all()
    assert (grid <= (64, 48)).all()
    assert (grid[..., 1] < 48).all()
    ones = np.ones((48, 64, 2), np.float32)
    np.testing.assert_allclose(polar.restore(ones, 400, 300), 1, rtol=1e-6)


def test_warped_and_restored_the_face_is_as_it_was():
    pixels = noise(160, 160, 3)
    polar = RoiTanhPolar((40.0, 40.0, 120.0, 120.0), 512, 512)
    back = polar.restore(polar.warp(pixels).astype(np.float32), 160, 160)
    inside = np.hypot(*(np.indices((160, 160)) - 80)) < 45
    assert np.abs(back - pixels)[inside].mean() < 0.6


def test_angles_go_around():
    """Row 0 and the last row are neighbours: a step between them comes back smooth."""
    polar = RoiTanhPolar((0.0, 0.0, 20.0, 20.0), 32, 4)
    values = np.zeros((4, 32, 1), np.float32)
    values[0] = 1
    point = polar.to_picture(np.asarray([[0.5, 2 * np.pi * 7 / 8]]))  # between row 3 and row 0
    x, y = np.rint(point[0]).astype(int)
    row = polar.inverse_grid(30, 30)[y, x, 1]
    assert 3 < row < 4
    assert polar.restore(values, 30, 30)[y, x, 0] == pytest.approx(row - 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ((0.0, 0.0, 0.0, 5.0),),
        ((5.0, 0.0, 0.0, 5.0),),
        ((0.0, 0.0, np.nan, 5.0),),
        ((0.0, 0.0, np.inf, 5.0),),
        ((0.0, 0.0, 5.0, 5.0), 0),
        ((0.0, 0.0, 5.0, 5.0), 5, 5, np.nan),
    ],
)
def test_what_is_no_box_is_refused(arguments):
    with pytest.raises(BadInput):
        RoiTanhPolar(*arguments)


def test_values_of_another_size_are_refused():
    with pytest.raises(BadInput, match="8 x 9"):
        TEN.restore(np.zeros((9, 8, 1), np.float32), 10, 10)
