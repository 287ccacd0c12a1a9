"""Boxes that move steadily are where they are expected, however uneven the time between frames."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.geometry import box_iou
from lineament.see.motion import Motion


def test_a_steady_box_is_foreseen_over_uneven_times():
    """It moves by 80 and -30 pixels a second and grows by a tenth of its side."""
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.15, 60))
    start, slope = np.asarray([100.0, 200, 180, 280]), np.asarray([80.0, -30, 88, -22])
    seen = [start + slope * t + rng.normal(0, 0.5, 4) for t in times]
    motion = Motion.at(seen[0][None], times[0])
    for at, box in zip(times[1:], seen[1:], strict=True):
        motion = motion.to(at).seen(np.asarray([0]), box[None])
    later = times[-1] + 0.5
    expected = (start + slope * later)[None]
    assert motion.to(later).boxes == pytest.approx(expected, abs=4)
    assert box_iou(motion.to(later).boxes, expected)[0, 0] > 0.9
    assert box_iou(motion.boxes, expected)[0, 0] < 0.6, "standing still would not do"


def test_it_is_the_textbook_filter():
    """The same with matrices, for one coordinate: x' = F x, P' = F P F' + Q, K = P H' / S."""
    from lineament.see.motion import _FIRST_SPEED, _JITTER, _PUSH

    steps, seen = [0.04, 0.1, 0.02], [12.0, 11.0, 14.0]
    x, p = np.asarray([10.0, 0.0]), np.diag([_JITTER**2, _FIRST_SPEED**2])
    motion = Motion.at(np.asarray([[-40.0, 0, 60, 100]]), 0.0)
    for step, z in zip(steps, seen, strict=True):
        f = np.asarray([[1, step], [0, 1]])
        g = np.asarray([[step**2 / 2], [step]])
        x, p = f @ x, f @ p @ f.T + g @ g.T * _PUSH**2
        k = p[:, :1] / (p[0, 0] + _JITTER**2)
        x, p = x + k[:, 0] * (z - x[0]), (np.eye(2) - k @ np.asarray([[1.0, 0]])) @ p
        motion = motion.to(motion.seconds + step)
        motion = motion.seen(np.asarray([0]), np.asarray([[z - 50, 0, z + 50, 100]]))
    assert [motion.place[0, 0], motion.speed[0, 0]] == pytest.approx(x.tolist())
    assert motion.spread[0] == pytest.approx(p)


def test_rows_are_independent():
    boxes = np.asarray([[0.0, 0, 10, 10], [50, 50, 70, 80]])
    both = Motion.at(boxes, 0.0).to(0.1).seen(np.asarray([1]), boxes[1:] + 5)
    alone = Motion.at(boxes[1:], 0.0).to(0.1).seen(np.asarray([0]), boxes[1:] + 5)
    assert both.boxes[1] == pytest.approx(alone.boxes[0])
    assert both.boxes[0] == pytest.approx(boxes[0])
    joined = Motion.join([both[np.asarray([0])], alone])
    assert joined.boxes == pytest.approx(both.boxes)
