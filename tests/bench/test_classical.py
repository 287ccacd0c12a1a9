"""The draws and the hits of the classical protocol, worked by hand."""

from __future__ import annotations

import numpy as np

from lineament.bench.classical import DRAWS, ENROLLED, PROBES, Draw, Pictures, draw, hits, measure

PEOPLE = np.repeat([4, 7, 9], [12, 10, 7])


def test_a_draw_enrols_five_of_each_and_searches_up_to_five_others():
    split = draw(PEOPLE, np.random.default_rng(0))
    assert np.bincount(PEOPLE[split.enrolled])[[4, 7, 9]].tolist() == [ENROLLED] * 3
    assert np.bincount(PEOPLE[split.probes])[[4, 7, 9]].tolist() == [PROBES, PROBES, 2]
    assert not set(split.enrolled.tolist()) & set(split.probes.tolist())


def test_draws_differ_and_every_picture_gets_its_turn():
    rng = np.random.default_rng(1)
    draws = [draw(PEOPLE, rng) for _ in range(60)]
    probed = np.unique(np.concatenate([d.probes for d in draws]))
    assert probed.tolist() == list(range(len(PEOPLE)))
    assert len({tuple(d.enrolled) for d in draws}) > 50


def test_hits_worked_by_hand():
    people = np.array([1, 1, 2, 2, 2])
    features = np.array([[0.0], [4.0], [5.0], [9.0], [1.0]])
    split = Draw(np.array([0, 2]), np.array([1, 3, 4]))
    everything = np.ones(5, bool)
    # 4 lies nearer to 5, which is of 2; 9 too; 1 lies nearer to 0, which is of 1.
    assert hits(split, people, everything, features).tolist() == [False, True, False]


def test_a_face_that_was_not_found_is_neither_reference_nor_answer():
    people = np.array([1, 1, 2, 2, 2])
    found = np.array([True, True, False, True, True])
    features = np.array([[0.0], [4.0], [9.0], [1.0]])
    split = Draw(np.array([0, 2]), np.array([1, 3, 4]))
    assert hits(split, people, found, features).tolist() == [True, False, False]
    lost = np.array([True, False, True, True, True])
    assert hits(split, people, lost, np.array([[0.0], [5], [9], [1]])).tolist() == [
        False,
        True,
        False,
    ]


def test_features_that_are_the_person_are_always_right_and_noise_is_not():
    people = np.repeat(np.arange(20), 10)
    rng = np.random.default_rng(0)
    everything = np.ones(len(people), bool)
    pictures = Pictures(
        "",
        "",
        people,
        np.empty((0, 128, 128), np.uint8),
        everything,
        np.eye(20)[people],
        everything,
    )
    sure = measure(pictures, lambda: (everything, np.eye(20)[people]), 0)
    assert (sure.value, sure.interval) == (1, (1, 1))
    noise = measure(pictures, lambda: (everything, rng.normal(size=(len(people), 8))), 0)
    # By chance one in twenty, over 100 probes in each draw.
    assert abs(noise.value - 1 / 20) < 4 * (0.05 * 0.95 / (100 * DRAWS)) ** 0.5 + 0.02
    assert noise.interval[0] < noise.value < noise.interval[1]
