"""Cuts are seen; movement, a shaken camera and slow changes of light are none."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.image import Image
from lineament.see.cuts import CutDetector


def scenery(seed: int) -> np.ndarray:
    """A coarse pattern of colours, 900 x 500 pixels."""
    small = np.random.default_rng(seed).integers(0, 256, (10, 18, 3), dtype=np.uint8)
    return small.repeat(50, axis=0).repeat(50, axis=1)


def cuts(frames: list[np.ndarray]) -> list[int]:
    detector = CutDetector()
    return [number for number, pixels in enumerate(frames) if detector(Image(pixels))]


def test_a_cut_is_seen_where_it_is():
    shots = [scenery(1), scenery(2), scenery(1)]
    assert cuts([view[:360, :640] for view in shots for _ in range(10)]) == [10, 20]


def test_two_shots_of_the_same_colours_are_two():
    """The second is the first upside down: a histogram of the whole picture cannot tell them."""
    view = scenery(3)[:360, :640]
    assert cuts([view] * 5 + [view[::-1]] * 5) == [5]


@pytest.mark.parametrize("step", [2, 8])
def test_a_moving_camera_makes_no_cut(step):
    view = scenery(4)
    assert cuts([view[: 500 - 60, step * n : step * n + 640] for n in range(30)]) == []


def test_fading_light_makes_no_cut():
    view = scenery(5)[:360, :640].astype(float)
    assert cuts([(view * (1 - n / 40)).astype(np.uint8) for n in range(30)]) == []


def test_tiny_frames_are_taken():
    assert cuts([np.zeros((3, 5, 3), np.uint8), np.full((3, 5, 3), 255, np.uint8)]) == [1]
