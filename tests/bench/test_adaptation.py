"""What adaptation is measured with: arrivals, streams, and the courses of naming."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench import adaptation, incremental, naming
from lineament.bench.identities import by_person, mean_and_interval


def crowd(people: int, shots: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((people, 32))
    vectors = np.repeat(centres, shots, axis=0) + noise * rng.standard_normal((people * shots, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.repeat(np.arange(people), shots)


def test_half_of_the_people_come_in_one_step_and_others_nearly_so():
    people = np.repeat(np.arange(400), 10)
    came = incremental.arrivals(people, 10, np.random.default_rng(0)).reshape(400, 10)
    assert sorted(np.unique(came)) == list(range(10))
    steps = np.asarray([len(np.unique(row)) for row in came])
    # Disjoint people, and blurry ones of whom by chance no face strays: 0.91 ^ 10 = 0.39.
    assert np.mean(steps == 1) == pytest.approx(0.5 + 0.5 * 0.39, abs=0.06)
    most = np.asarray([np.bincount(row).max() for row in came])
    assert np.mean(most) == pytest.approx(10 - 0.5 * 0.9, abs=0.15)


def test_two_faces_of_each_person_are_held_back():
    people = np.random.default_rng(0).permutation(np.repeat(np.arange(30), 7))
    test = incremental.held_back(people, np.random.default_rng(1))
    assert np.bincount(people[test]).tolist() == [2] * 30


def test_the_closed_form_ends_where_joint_training_does():
    vectors, people = crowd(12, 6, 0.8)
    found = {}
    rng = np.random.default_rng(0)
    test = incremental.held_back(people, rng)
    came = incremental.arrivals(people[~test], incremental.STEPS, rng)
    for head in incremental.heads():
        found[head.name] = incremental.follow(head, vectors, people, test, came)
    np.testing.assert_array_equal(found[incremental.OURS][-1], found["joint ridge"][-1])
    assert np.isnan(found[incremental.OURS][0]).sum() == 12 - len(
        np.unique(people[~test][came < 1])
    )
    assert not np.isnan(found[incremental.OURS][-1]).any()
    assert found[incremental.OURS][-1].mean() > 0.8


def test_streams_hold_everybody_and_damage_only_what_comes():
    vectors, people = crowd(5, 6, 0.3)
    bad = {"a": -vectors, "b": vectors[:, ::-1].copy()}
    made = adaptation.streams(people, vectors, bad, seed=0)
    assert set(made) == {"a", "b", adaptation.SERIES}
    for stream in made.values():
        assert np.bincount(stream.names).tolist() == [2] * 5
        assert np.bincount(stream.people).tolist() == [4] * 5
    enrolled = {row.tobytes() for row in made["a"].enrolled}
    assert enrolled <= {row.tobytes() for row in vectors}
    assert not enrolled & {(-row).tobytes() for row in made["a"].vectors}
    first, second = np.split(made[adaptation.SERIES].vectors, 2)
    np.testing.assert_array_equal(first, made["a"].vectors[:10])
    np.testing.assert_array_equal(second, made["b"].vectors[10:])


def test_an_oracle_never_errs_on_what_it_has_seen():
    vectors, _ = crowd(3, 4, 0.01)
    twice = adaptation.Stream(
        vectors[[0, 4]], np.asarray([0, 1]), vectors[[8, 9, 8, 10]], np.asarray([2, 2, 2, 2])
    )
    named = adaptation.oracle((1, 0.1, 0.5))(twice)
    assert named.labels[0] in {0, 1}
    assert named.labels[1:].tolist() == [2, 2, 2]
    assert 2 not in adaptation.memory((1, 0.1, 0.5))(twice).labels


def test_a_mean_over_people_and_seeds():
    right = np.asarray([True, False, True, True])
    assert by_person(right, np.asarray([0, 0, 2, 2]), 3)[[0, 2]].tolist() == [0.5, 1.0]
    mean, (low, high) = mean_and_interval(np.asarray([[0.5, 1.0, 0.6], [0.5, 1.0, 0.0]]))
    assert mean == pytest.approx(0.6)
    assert low < mean < high


def pool(people: int = 12, shots: int = 6, noise: float = 0.6) -> naming.Pool:
    vectors, who = crowd(people, shots, noise)
    return naming.begin(vectors, np.arange(len(who)), who, seed=0)


def test_every_way_of_asking_reaches_the_goal_and_none_beats_the_least():
    made = pool()
    assert made.least == 12 - naming.KNOWN
    for name, (asking, assume) in naming.WAYS.items():
        course = naming.name_all(made, asking, assume, seed=0)
        assert course.right[-1] >= naming.GOAL, name
        # Five per cent of twelve people's faces are no whole person: all must be known.
        assert course.needed >= made.least, name
        assert course.answers == tuple(range(0, course.needed + 1, naming.ASK)), name


def test_groups_are_named_whole(monkeypatch):
    made = pool(noise=0.2)
    truth = made.people + 50
    monkeypatch.setattr(naming, "calibration_of", lambda space: None)
    monkeypatch.setattr(naming, "threshold_for", lambda count, calibration: 0.5)
    monkeypatch.setattr(naming, "cluster", lambda vectors, **settings: truth)
    assert naming.name_groups(made, "space").needed == made.least
    # Two people in one group: the one not asked about is told face by face, to the goal.
    mixed = np.where(truth == 51, 50, truth)
    monkeypatch.setattr(naming, "cluster", lambda vectors, **settings: mixed)
    assert naming.name_groups(made, "space").needed > made.least
