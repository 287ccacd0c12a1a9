"""Plots lie where their axes say; the expectations are worked from the scales' equations."""

from __future__ import annotations

import re
from statistics import NormalDist

import numpy as np
import pytest

from lineament.bench.plots import Axis, Bars, Curve
from lineament.cli.plots import Picture, lay_out, number
from lineament.measure.verification import roc


def points(picture: Picture, line: int = 0) -> np.ndarray:
    """The pixels of a line."""
    numbers = re.findall(r"-?[\d.]+", picture.lines[line].path)
    return np.asarray(numbers, float).reshape(-1, 2)


def test_the_ends_of_an_axis_are_the_edges_of_the_box():
    curve = Curve(
        "t",
        Axis("x", "log", (1e-4, 1.0)),
        Axis("y", span=(0.5, 1.0)),
        {"a": ([1e-4, 1e-2, 1.0], [0.5, 0.75, 1.0])},
    )
    picture = lay_out(curve)
    left, top, right, bottom = picture.box
    middle = [(left + right) / 2, (top + bottom) / 2]
    np.testing.assert_allclose(points(picture), [[left, bottom], middle, [right, top]], atol=0.02)
    assert [tick.label for tick in picture.x_ticks] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    np.testing.assert_allclose(np.diff([t.at for t in picture.x_ticks]), (right - left) / 4, atol=1)


def test_normal_scores_are_a_straight_line_on_probit_axes():
    """FNMR = Phi(t - d), FMR = Phi(-t): probit(FNMR) = -d - probit(FMR), of slope -1."""
    normal, rates = NormalDist(), np.geomspace(1e-3, 0.4, 40)
    misses = [normal.cdf(-normal.inv_cdf(rate) - 2) for rate in rates]
    span = (1e-3, 0.4)
    axes = Axis("FMR", "probit", span), Axis("FNMR", "probit", span)
    picture = lay_out(Curve("DET", *axes, {"a": (rates.tolist(), misses)}, diagonal=True))
    left, top, right, bottom = picture.box
    x, y = points(picture).T
    slope, start = np.polyfit(x, y, 1)
    np.testing.assert_allclose(y, slope * x + start, atol=0.05)
    assert slope * (right - left) == pytest.approx(bottom - top, rel=1e-3)
    assert picture.diagonal == f"M{left:g} {bottom:g}L{right:g} {top:g}"


def test_what_a_scale_has_no_place_for_is_left_out():
    rng = np.random.default_rng(0)
    curve = roc(rng.normal(size=200), np.arange(200) % 2 == 0)
    drawn = Curve(
        "ROC",
        Axis("FMR", "log", (0.01, 1.0)),
        Axis("TAR"),
        {"a": (curve.fmr.tolist(), curve.tpr.tolist())},
    )
    picture = lay_out(drawn)
    assert curve.fmr[0] == 0
    assert points(picture)[0, 0] == pytest.approx(picture.box[0], abs=0.02)
    assert len(points(picture)) <= (curve.fmr > 0).sum()
    empty = Curve("DET", Axis("x", "probit"), Axis("y", "probit"), {"a": ([0.0, 1.0], [1.0, 0.0])})
    assert lay_out(empty).lines[0].path == ""


def test_whiskers_reach_from_low_to_high():
    curve = Curve(
        "t",
        Axis("x", span=(0.0, 1.0)),
        Axis("y", span=(0.0, 1.0)),
        {"a": ([0.5], [0.5])},
        {"a": [(0.25, 1.0)]},
    )
    picture = lay_out(curve)
    left, top, right, bottom = picture.box
    ((x, y, low, high),) = picture.lines[0].marks
    assert (x, y) == ((left + right) / 2, (top + bottom) / 2)
    assert (low, high) == ((top + 3 * bottom) / 4, top)
    assert picture.rows == [["0.5", "0.5 (0.25 to 1)"]]


def test_a_long_line_is_tabled_at_the_ticks():
    x = np.linspace(0, 10, 1001)
    picture = lay_out(Curve("t", Axis("x", span=(0.0, 10.0)), Axis("y"), {"a": (x.tolist(),) * 2}))
    assert picture.rows == [[number(v), number(v)] for v in range(0, 11, 2)]
    assert picture.headings == ("x", "a")


def test_few_points_are_tabled_where_they_are():
    curve = Curve("t", Axis("x"), Axis("y"), {"a": ([-1.0, 2.0], [3.0, 4.0]), "b": ([2.0], [5.0])})
    assert lay_out(curve).rows == [["-1", "3", ""], ["2", "4", "5"]]


def test_bars_are_as_long_as_their_figures():
    bars = Bars(
        "t",
        "share",
        ["women", "men"],
        {"a": [0.5, 1.0], "b": [None, 0.25]},
        {"a": [(0.4, 0.6), None]},
    )
    picture = lay_out(bars)
    lengths = [bar.length for bar in picture.bars]
    np.testing.assert_allclose(lengths, np.asarray([2, 4, 1]) / 4 * lengths[1], atol=0.02)
    assert [bar.series for bar in picture.bars] == [0, 0, 1]
    first, second, _ = picture.bars
    assert first.whisker == pytest.approx(
        (first.x + 0.8 * first.length, first.x + 1.2 * first.length), abs=0.02
    )
    assert second.whisker is None
    assert picture.rows == [["women", "0.5 (0.4 to 0.6)", ""], ["men", "1", "0.25"]]


def test_bars_below_nothing_go_to_the_left():
    picture = lay_out(Bars("t", "x", ["g", "h"], {"a": [-1.0, 1.0]}))
    left, right = picture.bars
    assert left.x + left.length == pytest.approx(right.x)
    assert left.length == pytest.approx(right.length)


@pytest.mark.parametrize("values", [[], [3.0], [0.0, 0.0]])
@pytest.mark.parametrize("scale", ["linear", "log", "probit"])
def test_a_plot_of_little_is_a_plot(scale, values):
    axes = Axis("x", scale), Axis("y", scale)
    picture = lay_out(Curve("t", *axes, {"a": (values, values)}))
    assert all(np.isfinite(tick.at) for tick in [*picture.x_ticks, *picture.y_ticks])


def test_numbers_have_four_digits_that_count():
    written = [number(v) for v in (0.99466, 1e-5, 0.0, 12345.6, 999.96, -0.5, None)]
    assert written == ["0.9947", "1e-5", "0", "12,346", "1000", "-0.5", ""]
