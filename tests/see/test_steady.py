"""The One Euro filter against its equations, worked here one number at a time."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.core.errors import BadInput
from lineament.see.landmarks.steady import OneEuro


def points(*values):
    return np.asarray(values, np.float32).reshape(-1, 2)


def run(steady, track, times, size=1.0):
    """One point on a line, from start to end."""
    return np.asarray(
        [steady(points(x, 0), t, size)[0, 0] for x, t in zip(track, times, strict=True)]
    )


def by_the_paper(track, times, min_cutoff, beta, derivative_cutoff):
    """Algorithm 1 of the paper for one number."""

    def alpha(cutoff, step):
        return 1 / (1 + 1 / (2 * pi * cutoff) / step)

    out, speed = [track[0]], 0.0
    for k in range(1, len(track)):
        step = times[k] - times[k - 1]
        share = alpha(derivative_cutoff, step)
        speed = share * (track[k] - out[-1]) / step + (1 - share) * speed
        share = alpha(min_cutoff + beta * abs(speed), step)
        out.append(share * track[k] + (1 - share) * out[-1])
    return np.asarray(out)


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(0.005, 0.4)), min_size=2, max_size=20),
    st.floats(0.05, 5),
    st.floats(0, 80),
    st.floats(0.2, 5),
)
def test_it_is_the_paper_s_algorithm_at_uneven_times(steps, min_cutoff, beta, derivative_cutoff):
    track = [np.float32(x) for x, _ in steps]
    times = np.cumsum([step for _, step in steps])
    expected = by_the_paper(track, times, min_cutoff, beta, derivative_cutoff)
    found = run(OneEuro(min_cutoff, beta, derivative_cutoff), track, times)
    assert np.allclose(found, expected, atol=1e-4)


def test_points_at_rest_stay_as_they_are():
    steady, held = OneEuro(), points(1.5, 2.5, 30, 40)
    for frame in range(50):
        assert np.array_equal(steady(held, frame / 30), held)


def test_without_beta_a_step_is_followed_as_a_first_order_low_pass_does():
    # After t seconds such a filter is 1 - exp(-2 pi fc t) of the way; steps of 1 ms come close.
    times = np.arange(1001) / 1000
    track = np.where(times > 0, 1.0, 0.0)
    found = run(OneEuro(min_cutoff=1.0, beta=0), track, times)
    assert np.allclose(found, 1 - np.exp(-2 * pi * times), atol=0.005)


def test_with_the_same_jitter_at_rest_it_lags_less_than_a_fixed_low_pass():
    rng = np.random.default_rng(0)
    times = np.arange(300) / 30
    noise = rng.normal(0, 0.002, 300)
    fast = np.where(times > 5, times - 5, 0)  # at rest, then one face size a second
    euro = run(OneEuro(0.5, 50), fast + noise, times)
    jitter = euro[60:150].std()
    cutoffs = np.geomspace(0.2, 10, 30)
    fixed = [run(OneEuro(cutoff, 0), fast + noise, times) for cutoff in cutoffs]
    alike = min(fixed, key=lambda track: abs(track[60:150].std() - jitter))
    assert jitter < 0.5 * noise[60:150].std()
    assert np.isclose(alike[60:150].std(), jitter, rtol=0.15)
    lags = [np.abs(track - fast)[200:].mean() for track in (euro, alike)]
    assert lags[0] < 0.25 * lags[1]


def test_a_gap_begins_anew():
    steady = OneEuro(gap=0.5)
    steady(points(0, 0), 0.0, 1.0)
    moved = steady(points(1, 0), 0.4, 1.0)
    assert 0 < moved[0, 0] < 1
    assert steady(points(9, 9), 1.0, 1.0).tolist() == [[9, 9]]
    steady.reset()
    assert steady(points(3, 3), 0.0, 1.0).tolist() == [[3, 3]]


def test_a_face_twice_as_large_is_filtered_alike():
    rng = np.random.default_rng(1)
    small, large = OneEuro(), OneEuro()
    for frame in range(20):
        now = rng.normal(0, 10, (5, 2)).astype(np.float32)
        assert np.allclose(2 * small(now, frame / 30), large(2 * now, frame / 30), atol=1e-4)


def test_a_turned_face_is_filtered_alike():
    rng = np.random.default_rng(2)
    turn = np.asarray([[0.6, -0.8], [0.8, 0.6]], np.float32)
    upright, turned = OneEuro(), OneEuro()
    for frame in range(20):
        now = rng.normal(0, 10, (5, 2)).astype(np.float32)
        expected = upright(now, frame / 30, 20.0) @ turn.T
        assert np.allclose(turned(now @ turn.T, frame / 30, 20.0), expected, atol=1e-4)


def test_what_makes_no_sense_is_refused():
    for settings in ({"min_cutoff": 0}, {"beta": -1}, {"derivative_cutoff": 0}, {"gap": 0}):
        with pytest.raises(BadInput):
            OneEuro(**{name: float(value) for name, value in settings.items()})
    steady = OneEuro()
    steady(points(1, 2, 3, 4), 1.0)
    with pytest.raises(BadInput, match="time"):
        steady(points(1, 2, 3, 4), 1.0)
    with pytest.raises(BadInput, match="1 points after 2"):
        steady(points(1, 2), 1.1)
    with pytest.raises(BadInput, match="finite"):
        steady(points(1, 2, np.nan, 4), 1.1)
    with pytest.raises(BadInput, match="size"):
        steady(points(1, 2, 1, 2), 1.1)
