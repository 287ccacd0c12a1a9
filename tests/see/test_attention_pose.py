"""Attention over time: shares, dwells and scores worked by hand, orientations by real poses."""

from __future__ import annotations

import csv
import io
from itertools import pairwise

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.see.attention_pose import (
    ABSENT,
    HEADINGS,
    ORIENTATIONS,
    attention,
    orientations,
)

NOBODY = (np.nan, np.nan, np.nan)


def poses(*degrees):
    return np.radians(np.asarray(degrees, np.float64))


def test_orientations_go_by_the_larger_angle_and_are_the_persons_own():
    cases = {
        (0, 0, 80): "forward",
        (15, -15, 0): "forward",
        (15.1, 0, 0): "down",
        (-16, 10, 0): "up",
        (0, 16, 0): "right",
        (20, -30, 0): "left",
        (40, 30, 0): "down",
        (0, 120, 0): "right",
        NOBODY: ABSENT,
    }
    assert orientations(poses(*cases)) == list(cases.values())
    assert orientations(poses((0, 25, 0)), limit=np.radians(30)) == ["forward"]


def test_uneven_moments_count_for_as_long_as_they_last():
    # Forward for 1 + 1 s, left for 4 s, forward for 2 s, absent for the median of the gaps, 1.5 s.
    times = [0.0, 1, 2, 6, 8]
    seen = attention(times, poses((0, 0, 0), (9, 9, 9), (0, -20, 0), (0, 0, 0), NOBODY))
    assert seen.lasted.tolist() == [1, 1, 4, 2, 1.5]
    assert seen.score == pytest.approx(4 / 9.5)
    assert seen.shares == pytest.approx(
        {"forward": 4 / 9.5, "left": 4 / 9.5, "right": 0, "up": 0, "down": 0, "absent": 1.5 / 9.5}
    )
    assert [(s.start, s.end, s.orientation) for s in seen.spans] == [
        (0, 2, "forward"),
        (2, 6, "left"),
        (6, 8, "forward"),
        (8, 9.5, "absent"),
    ]
    assert seen.longest == {
        "forward": 2, "left": 4, "right": 0, "up": 0, "down": 0, "absent": 1.5
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_spans_and_shares_account_for_all_time(seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 2, 200)).tolist()
    angles = rng.normal(0, 0.4, (200, 3))
    angles[rng.random(200) < 0.2] = np.nan
    seen = attention(times, angles)
    assert sum(seen.shares.values()) == pytest.approx(1)
    assert set(seen.shares) == {*ORIENTATIONS, ABSENT}
    spans = seen.spans
    for one, other in pairwise(spans):
        assert one.end == other.start
        assert one.orientation != other.orientation
    for name, share in seen.shares.items():
        lasted = sum(s.seconds for s in spans if s.orientation == name)
        assert lasted == pytest.approx(share * seen.lasted.sum())


@pytest.mark.parametrize("window", [0.5, 3.0, 1e6])
def test_the_running_score_is_the_score_of_the_window(window):
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.1, 1, 60))
    angles = rng.normal(0, 0.3, (60, 3))
    seen = attention(times.tolist(), angles)
    forward = np.asarray(seen.orientations) == "forward"
    for row, value in enumerate(seen.running_score(window)):
        recent = (times <= times[row]) & (times > times[row] - window)
        weight = seen.lasted[recent]
        assert value == pytest.approx((weight * forward[recent]).sum() / weight.sum())


def test_rows_can_be_written_and_read_as_csv():
    seen = attention([0.0, 0.04], poses((1.25, -20, 3), NOBODY))
    text = io.StringIO()
    csv.writer(text).writerows([HEADINGS, *seen.rows()])
    read = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert read[0] == {
        "seconds": "0.0", "orientation": "left", "pitch": "1.25", "yaw": "-20.0", "roll": "3.0"
    }  # fmt: skip
    assert (read[1]["orientation"], read[1]["yaw"]) == ("absent", "nan")


def test_one_moment_stands_for_a_second():
    seen = attention([7.0], poses((0, 0, 0)))
    assert (seen.score, seen.spans[0].seconds) == (1, 1)


@pytest.mark.parametrize(
    ("times", "angles", "reason"),
    [
        ([], np.empty((0, 3)), "0 times"),
        ([0.0], np.zeros((2, 3)), "1 times for 2"),
        ([0.0, 0.0], np.zeros((2, 3)), "later"),
        ([0.0, np.nan], np.zeros((2, 3)), "later"),
        ([0.0], np.asarray([[0, np.nan, 0]]), "finite"),
        ([0.0], np.asarray([[0, np.inf, 0]]), "finite"),
    ],
)
def test_what_is_no_course_of_poses_is_refused(times, angles, reason):
    with pytest.raises(BadInput, match=reason):
        attention(times, angles)


def test_a_window_of_nothing_is_refused():
    with pytest.raises(BadInput, match="window"):
        attention([0.0], np.zeros((1, 3))).running_score(0)
