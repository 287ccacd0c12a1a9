"""Errors of facial points against numerical integration, plain loops and worked values."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from lineament.core.errors import BadInput
from lineament.measure.points import (
    LEFT_EYE_68,
    RIGHT_EYE_68,
    box_diagonal,
    box_size,
    cumulative_curve,
    curve_area,
    failure_rate,
    inter_ocular,
    inter_pupil,
    mean_error,
    point_accuracy,
    point_errors,
)


@pytest.mark.parametrize("seed", range(100))
def test_errors_agree_with_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 50, (5, 9, 2))
    found = truth + rng.normal(0, 3, truth.shape)
    length = rng.uniform(20, 90, 5)
    visible = rng.random((5, 9)) < 0.6
    visible[:, 0] = True
    expected = []
    for face in range(5):
        distances = [
            (
                (found[face, k, 0] - truth[face, k, 0]) ** 2
                + (found[face, k, 1] - truth[face, k, 1]) ** 2
            )
            ** 0.5
            for k in range(9)
            if visible[face, k]
        ]
        expected.append(sum(distances) / len(distances) / length[face])
    assert point_errors(found, truth, length, visible) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(100))
def test_area_agrees_with_numerical_integration(seed):
    rng = np.random.default_rng(seed)
    errors = np.round(rng.gamma(2, 0.03, 30), 2)  # with ties
    threshold = rng.uniform(0.02, 0.15)

    def curve(x: float) -> float:
        return sum(e <= x for e in errors) / len(errors)

    steps = sorted({e for e in errors if 0 < e < threshold})
    edges = [0.0, *steps, threshold]
    expected = sum(quad(curve, a, b)[0] for a, b in pairwise(edges)) / threshold
    assert curve_area(errors, threshold) == pytest.approx(expected, abs=1e-9)
    assert failure_rate(errors, threshold) == pytest.approx(1 - curve(threshold), abs=1e-12)
    asked = np.asarray([0.0, 0.05, threshold, 1.0])
    assert cumulative_curve(errors, asked) == pytest.approx([curve(x) for x in asked], abs=1e-12)


def test_normalisers_worked_by_hand():
    points = np.zeros((1, 68, 2))
    points[0, 36], points[0, 45] = (10, 0), (40, 40)
    assert inter_ocular(points) == pytest.approx([50])
    eyes = np.zeros((1, 68, 2))
    eyes[0, list(RIGHT_EYE_68)] = [[x, 0] for x in (0, 0, 0, 6, 6, 6)]
    eyes[0, list(LEFT_EYE_68)] = [[x, 8] for x in (9, 9, 9, 9, 9, 9)]
    assert inter_pupil(eyes) == pytest.approx([10])
    five = np.asarray([[[0, 0], [3, 4], [9, 9], [9, 9], [9, 9]]], np.float32)
    assert inter_pupil(five) == pytest.approx([5])
    boxes = np.asarray([[10, 10, 13, 14], [0, 0, 4, 9]], np.float32)
    assert box_size(boxes) == pytest.approx([12**0.5, 6])
    assert box_diagonal(boxes) == pytest.approx([5, 97**0.5])


def test_the_eyes_are_the_persons_own():
    # The right eye lies on the picture's left, and scheme 68 goes from left to right.
    assert [*RIGHT_EYE_68, *LEFT_EYE_68] == [*range(36, 48)]


def test_accuracy_worked_by_hand():
    found = point_accuracy(np.asarray([0.02, 0.04, 0.08, 0.5]), 0.08)
    assert found.mean == pytest.approx(0.16)
    assert found.median == pytest.approx(0.06)
    assert found.failures == 0.25  # an error of the threshold itself is none
    assert found.auc == pytest.approx((0.75 + 0.5 + 0 + 0) / 4)


def test_a_face_that_was_not_found_fails_and_has_no_mean():
    errors = np.asarray([0.0, np.inf])
    assert failure_rate(errors, 10.0) == 0.5
    assert curve_area(errors, 0.1) == 0.5
    assert cumulative_curve(errors, np.asarray([1e9])) == pytest.approx([0.5])
    with pytest.raises(BadInput, match="finite"):
        mean_error(errors)


@pytest.mark.parametrize("errors", [[], [np.nan], [-0.1]])
def test_errors_that_are_none_are_refused(errors):
    for metric in (lambda e: failure_rate(e, 0.1), lambda e: curve_area(e, 0.1), mean_error):
        with pytest.raises(BadInput):
            metric(np.asarray(errors, np.float64))


def test_faces_that_cannot_be_measured_are_refused():
    points = np.zeros((2, 5, 2))
    with pytest.raises(BadInput, match="above 0"):
        point_errors(points, points, np.asarray([1.0, 0.0]))
    with pytest.raises(BadInput, match="visible"):
        point_errors(points, points, np.ones(2), np.zeros((2, 5), bool))
    with pytest.raises(BadInput, match="finite"):
        point_errors(points * np.nan, points, np.ones(2))
    with pytest.raises(BadInput, match="schemes"):
        inter_pupil(np.zeros((1, 106, 2)))
    with pytest.raises(BadInput, match="threshold"):
        failure_rate(np.ones(1), 0.0)
