"""The picture of a run's curve: which numbers it shows, and where."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lineament.learn.curve import Curve, read_curve
from lineament.learn.curve_picture import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    draw,
    series,
    smoothed,
)


@pytest.fixture
def path(tmp_path):
    curve = Curve(tmp_path / "curve.csv", ["NME"], 0)
    curve.add(0, 0.0, 0.0, float("nan"), {"NME": 0.5})
    for step in range(1, 101):
        curve.add(step, step, 0.1, 100.0 - step, {"NME": 0.1} if step == 100 else {})
    return tmp_path / "curve.csv"


def test_only_numbers_are_shown(path):
    rows = read_curve(path)
    assert series(rows, "NME") == [(0.0, 0.5), (100.0, 0.1)]
    loss = series(rows, "loss")
    assert (len(loss), loss[0]) == (100, (1.0, 99.0))


def test_the_running_mean_is_a_mean_of_what_was_seen():
    assert smoothed([4.0]) == [4.0]
    assert smoothed([4.0, 8.0], memory=0.5) == [4.0, pytest.approx((0.5 * 4 + 8) / 1.5)]
    assert smoothed([3.0] * 50) == pytest.approx([3.0] * 50)


def test_a_falling_loss_is_a_line_from_the_upper_left_to_the_lower_right(path, tmp_path):
    draw(path, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape == (2 * HEIGHT, WIDTH, 3)
    inside = pixels[TOP + 4 : HEIGHT - BOTTOM - 4, LEFT + 4 : WIDTH - RIGHT - 4]
    rows, columns = np.nonzero(inside.sum(axis=2) < 3 * 230)
    assert np.corrcoef(rows, columns)[0, 1] > 0.95
    assert rows.min() < 15
    assert rows.max() > inside.shape[0] - 15
    assert [p.name for p in tmp_path.glob("*.part*")] == []


def test_without_rows_there_is_no_picture(tmp_path):
    Curve(tmp_path / "curve.csv", [], 0)
    draw(tmp_path / "curve.csv", tmp_path / "curve.png")
    assert not (tmp_path / "curve.png").exists()
