"""ASPL: each step of the alternation against brute force, and the loop of answers."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from lineament.core.errors import BadInput
from lineament.know.adaptation.aspl import (
    NOBODY,
    SelfPaced,
    hinge,
    pseudo_labels,
    self_paced_weights,
)
from lineament.know.adaptation.svm import Machines, train


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def crowd(people: int, shots: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Faces of random people, a person's one after the other."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.standard_normal((people, 32)))
    noises = noise * rng.standard_normal((people * shots, 32)) / 32**0.5
    return unit(np.repeat(centres, shots, axis=0) + noises), np.repeat(np.arange(people), shots)


def test_the_weights_minimise_their_objective():
    losses = np.asarray([[0.0, 0.1], [0.3, 0.9], [2.0, 0.29]])
    ages, cost = np.asarray([6.0, 3.0]), 10.0
    grid = np.linspace(0, 1, 2001)
    value = cost * losses[..., None] * grid + ages[:, None] * (grid**2 / 2 - grid)
    np.testing.assert_allclose(
        self_paced_weights(losses, ages, cost), grid[value.argmin(axis=2)], atol=1e-3
    )


def test_older_machines_take_in_harder_faces():
    losses = np.asarray([[0.2], [0.4], [0.8]])
    young, old = (self_paced_weights(losses, np.asarray([age]), 1.0) for age in (0.3, 0.6))
    assert young[:, 0].tolist() == [pytest.approx(1 / 3), 0, 0]
    assert old[:, 0].tolist() == [pytest.approx(2 / 3), pytest.approx(1 / 3), 0]


def test_the_name_is_the_best_of_all_allowed_ones():
    rng = np.random.default_rng(1)
    scores = rng.normal(-0.3, 1, (200, 4))
    weights = rng.random((200, 4))
    allowed = [s for s in product((-1.0, 1.0), repeat=4) if s.count(1.0) <= 1]
    for row in range(200):
        loss = [
            (weights[row] * hinge(scores[row][None], np.asarray([s]))[0]).sum() for s in allowed
        ]
        best = allowed[int(np.argmin(loss))]
        found = pseudo_labels(scores[row][None], weights[row][None])[0]
        assert found == (best.index(1.0) if 1.0 in best else NOBODY)


def test_machines_are_those_of_liblinear():
    vectors, people = crowd(3, 12, 1.2)
    rng = np.random.default_rng(2)
    weights = rng.random((36, 3))
    signs = np.where(people[:, None] == np.arange(3), 1.0, -1.0)
    ours = train(vectors, signs, 5.0 * weights, epochs=2000, tolerance=1e-7)
    for j in range(3):
        theirs = LinearSVC(loss="hinge", C=5.0, tol=1e-8, max_iter=1_000_000, random_state=0)
        theirs.fit(vectors, signs[:, j], sample_weight=weights[:, j])
        np.testing.assert_allclose(ours.weight[:-1, j], theirs.coef_[0], atol=1e-4)
        assert ours.weight[-1, j] == pytest.approx(np.ravel(theirs.intercept_)[0], abs=1e-4)
    left_out = train(vectors, signs, np.where(people[:, None] == 2, 0.0, 5.0) * np.ones((1, 3)))
    assert not left_out.dual[people == 2].any()


def test_the_alternation_lowers_the_objective():
    vectors, people = crowd(4, 10, 1.0)
    signs = np.where(people[:, None] == np.arange(4), 1.0, -1.0)
    ages, cost = np.full(4, 4.0), 10.0

    def objective(weight: np.ndarray, v: np.ndarray, losses: np.ndarray) -> float:
        pace = (ages * (v**2 / 2 - v)).sum()
        return float((weight**2).sum() / 2 + cost * (v * losses).sum() + pace)

    v = np.full((40, 4), 0.5)
    values = []
    for _ in range(5):
        machines = train(vectors, signs, cost * v, epochs=3000, tolerance=1e-6)
        losses = hinge(machines.scores(vectors), signs)
        values.append(objective(machines.weight, v, losses))
        v = self_paced_weights(losses, ages, cost)
        values.append(objective(machines.weight, v, losses))
    assert np.all(np.diff(values) <= 1e-4)
    assert values[0] - values[-1] > 1


def named(people: np.ndarray, some: int, shots: int) -> np.ndarray:
    """The first face each of some people is named."""
    answers = np.full(len(people), -1)
    answers[np.arange(some) * shots] = people[np.arange(some) * shots]
    return answers


def test_answers_weigh_one_and_are_never_changed():
    vectors, people = crowd(6, 8, 0.9)
    learner = SelfPaced(vectors, named(people, 6, 8))
    for _ in range(6):
        learner.round()
    told = learner.answers >= 0
    assert (learner.assumed[told] == NOBODY).all()
    assert (learner.assumed >= 0).sum() > 20
    assumed = learner.assumed >= 0
    assert (np.asarray(learner.people)[learner.assumed[assumed]] == people[assumed]).all()
    assert (learner.weights[assumed] <= 1).all()
    assert not learner.weights[~assumed].any()
    assert not set(learner.questions(50).tolist()) & set(np.flatnonzero(told | assumed).tolist())


def test_ages_grow_with_skill_alone():
    vectors, people = crowd(3, 4, 0.5)
    learner = SelfPaced(vectors, named(people, 3, 4), cost=10.0, age=0.5, growth=0.02)
    assert learner.ages.tolist() == [5.0] * 3
    assert learner.skill().tolist() == [1.0] * 3
    learner.round()
    np.testing.assert_allclose(learner.ages, 5.2)


def test_contested_faces_are_asked_about_first_then_those_like_nobody():
    # Faces are the axes, so that each row of the weights is the scores of a face.
    scores = [
        [1.0, -1.0, -1.0],  # named
        [-1.0, 1.0, -1.0],  # named
        [-1.0, -1.0, 1.0],  # named
        [0.4, -0.5, -0.9],  # one side: of person 0
        [0.9, 0.2, -1.0],  # contested, by 0.7
        [-0.9, -0.8, -0.7],  # nobody's
        [-1.0, 0.3, 0.2],  # contested, by 0.1
        [-0.2, -0.3, -0.9],  # nobody's, but less so
    ]
    learner = SelfPaced(np.eye(8), np.asarray([0, 1, 2, -1, -1, -1, -1, -1]))
    learner._machines = Machines(np.asarray([*scores, [0.0] * 3]), np.zeros((8, 3)))
    assert learner.questions(8).tolist() == [6, 4, 5, 7, 3]
    # At the start a loss below 0.5 is a claim: of face 4 by one machine, of the others by none.
    assert learner.claims().names.tolist() == [-1, -1, -1, -1, 0, -1, -1, -1]
    assert learner.claims().weights[4].tolist() == [pytest.approx(0.8), 0.0, 1.0]
    # With lambda / C = 0.85 faces 4 and 6 are claimed twice, and so assumed to be nobody's.
    learner.ages = np.full(3, 8.5)
    assert learner.claims().count.tolist() == [0, 0, 0, 1, 2, 0, 2, 0]
    assert learner.claims().names.tolist() == [-1, -1, -1, 0, -1, -1, -1, -1]


def test_a_new_name_is_a_new_machine():
    vectors, people = crowd(3, 5, 0.6)
    learner = SelfPaced(vectors, named(people, 2, 5))
    assert learner.people == [0, 1]
    learner.answer(np.asarray([10]), np.asarray([2]))
    assert learner.people == [0, 1, 2]
    assert learner.ages[2] == learner.cost * learner.age
    assert (learner.named() == people).mean() == 1


def test_a_wrong_answer_is_to_be_looked_at_again():
    vectors, people = crowd(4, 8, 0.6)
    answers = people.copy()
    answers[3] = 2  # the fourth face of person 0 was called person 2
    assert SelfPaced(vectors, answers).doubtful().tolist() == [3]
    assert not len(SelfPaced(vectors, people).doubtful())


def test_barred_faces_are_never_claimed():
    vectors, people = crowd(3, 8, 0.6)
    answers = named(people, 3, 8)
    barred = np.zeros((24, 3), bool)
    barred[1:4, 0] = True
    learner = SelfPaced(vectors, answers, barred)
    for _ in range(5):
        learner.round()
    assert (learner.assumed[1:4] != 0).all()
    assert (learner.assumed[4:8] == 0).all()


def test_somebody_must_be_named():
    with pytest.raises(BadInput, match="nobody is named"):
        SelfPaced(np.eye(3), np.full(3, -1))
