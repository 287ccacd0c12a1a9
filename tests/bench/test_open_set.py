"""The split of the open set, and its searches, on a case worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench.open_set import METRICS, NOTHING, measure, searches, split
from lineament.measure.identification import fnir_at_fpir, rank_accuracy

#                  0  1  2  3  4  5  6
PEOPLE = np.array([7, 7, 3, 5, 5, 5, 9])
ANGLES = np.radians([0, 10, 40, 90, 70, 20, 85])
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)


def test_the_first_picture_of_who_has_two_is_enrolled():
    parts = split(PEOPLE)
    assert parts.gallery.tolist() == [0, 3]
    assert parts.probes.tolist() == [1, 2, 4, 5, 6]
    words = parts.describe(PEOPLE)
    assert "first pictures of 2 people enrolled" in words
    assert "their other 3, and those of 2 people of one picture" in words


def test_searches_worked_by_hand():
    done = searches(split(PEOPLE), PEOPLE, np.ones(7, bool), VECTORS)
    # Probes 1, 4, 5 have mates at 10, 20 and 70 degrees; 5 is nearer to person 7, at 20 degrees.
    assert done.rank.tolist() == [1, 0, 1, 2, 0]
    np.testing.assert_allclose(done.mate[[0, 2, 3]], np.cos(np.radians([10, 20, 70])), atol=1e-6)
    np.testing.assert_allclose(done.other[[1, 4]], np.cos(np.radians([40, 5])), atol=1e-6)
    assert rank_accuracy(done.take(np.flatnonzero(done.mated))) == 2 / 3
    # No alarm allowed: the threshold is above cos 5, and no mate reaches that.
    assert fnir_at_fpir(done, 0.01) == 1
    # One alarm of two allowed: above cos 40; the mates at 10 and 20 degrees reach it.
    assert fnir_at_fpir(done, 0.5) == pytest.approx(1 / 3)


def test_a_face_that_is_not_found_is_a_miss_and_no_alarm():
    found = np.array([True, False, True, True, True, True, False])
    done = searches(split(PEOPLE), PEOPLE, found, VECTORS[found])
    assert done.mated.tolist() == [True, False, True, True, False]
    assert done.mate[0] == done.other[4] == NOTHING
    # No alarm allowed: above cos 40. Missed: the lost probe, and the one at 70 degrees.
    assert fnir_at_fpir(done, 0.01) == pytest.approx(2 / 3)
    assert rank_accuracy(done.take(np.flatnonzero(done.mated))) == 1 / 3


def test_who_was_enrolled_without_a_face_cannot_be_found():
    found = np.array([False, True, True, True, True, True, True])
    done = searches(split(PEOPLE), PEOPLE, found, VECTORS[found])
    assert done.mated.tolist() == [True, False, True, True, False]
    assert done.mate[0] == NOTHING
    # One alarm of two allowed: above cos 50 of probe 2 and person 5. Only probe 4 is found.
    assert fnir_at_fpir(done, 0.5) == pytest.approx(2 / 3)


def test_intervals_hold_the_figures():
    rng = np.random.default_rng(0)
    people = np.sort(rng.integers(0, 150, 400))
    centres = rng.normal(size=(150, 16))[people]
    vectors = centres + rng.normal(size=(400, 16)) * 0.7
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    parts = split(people)
    done = searches(parts, people, np.ones(400, bool), vectors)
    figures = measure(done, people[parts.probes], seed=0)
    assert list(figures) == list(METRICS)
    for figure in figures.values():
        low, high = figure.interval
        assert low <= figure.value <= high
        assert low < high
    assert figures[METRICS[0]].value >= figures[METRICS[1]].value
