"""G-ACIL: whatever the parts and their order, the head is the ridge regression of everything."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.know.adaptation.g_acil import AnalyticHead

GAMMA = 0.5


def joint(head: AnalyticHead, vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The normal equations of all faces at once, solved directly."""
    x = head.features(vectors)
    targets = (labels[:, None] == np.asarray(head.classes)).astype(float)
    return np.linalg.solve(x.T @ x + GAMMA * np.eye(x.shape[1]), x.T @ targets)


def faces(seed: int, count: int = 300, people: int = 23) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(1000, people, replace=False)[rng.integers(people, size=count)]
    vectors = rng.standard_normal((count, 16)) + np.sin(labels[:, None] * np.arange(1, 17))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


@pytest.mark.parametrize("hidden", [0, 40])
@pytest.mark.parametrize("seed", range(4))
def test_any_parts_in_any_order_equal_joint_training(seed, hidden):
    vectors, labels = faces(seed)
    rng = np.random.default_rng(seed)
    head = AnalyticHead(16, hidden=hidden, gamma=GAMMA, seed=seed)
    cuts = np.sort(rng.choice(np.arange(1, 300), rng.integers(1, 120), replace=False))
    for part in np.split(rng.permutation(300), cuts):
        head.learn(vectors[part], labels[part])
    np.testing.assert_allclose(head.weight, joint(head, vectors, labels), atol=1e-6)
    assert sorted(head.classes) == np.unique(labels).tolist()


def test_one_class_after_the_other_equals_joint_training():
    vectors, labels = faces(9)
    head = AnalyticHead(16, hidden=0, gamma=GAMMA)
    for label in np.unique(labels):
        head.learn(vectors[labels == label], labels[labels == label])
    np.testing.assert_allclose(head.weight, joint(head, vectors, labels), atol=1e-6)


def test_a_thousand_parts_of_one_face_equal_joint_training():
    vectors, labels = faces(3, count=1000)
    head = AnalyticHead(16, hidden=0, gamma=GAMMA)
    for i in range(1000):
        head.learn(vectors[i : i + 1], labels[i : i + 1])
    np.testing.assert_allclose(head.weight, joint(head, vectors, labels), atol=1e-6)


def test_a_part_larger_than_a_piece_equals_joint_training():
    vectors, labels = faces(4, count=1300)
    head = AnalyticHead(16, hidden=0, gamma=GAMMA)
    head.learn(vectors, labels)
    np.testing.assert_allclose(head.weight, joint(head, vectors, labels), atol=1e-6)


def test_exposed_and_unexposed_by_hand():
    # Features are single numbers, the ridge is 1. First x = 1 of person 7: R = 1/2, W = 1/2.
    head = AnalyticHead(1, hidden=0, gamma=1.0)
    head.learn(np.ones((1, 1)), np.asarray([7]))
    assert head.correlation == pytest.approx(1 / 2)
    assert head.weight.tolist() == [[pytest.approx(1 / 2)]]
    # Then x = 2 of person 7 (exposed) and x = 1 of person 3 (unexposed): R = 1 / (1 + 1 + 4 + 1),
    # 7 has x'y = 1 + 2 and 3 has 1.
    head.learn(np.asarray([[2.0], [1.0]]), np.asarray([7, 3]))
    assert head.classes == [7, 3]
    assert head.correlation == pytest.approx(1 / 7)
    np.testing.assert_allclose(head.weight, [[3 / 7, 1 / 7]])


def test_without_the_gain_of_exposed_classes_it_is_not_joint_training():
    class Decaying(AnalyticHead):
        def gain(self, pull: np.ndarray, targets: np.ndarray) -> np.ndarray:
            return np.zeros((len(pull), targets.shape[1]))

    vectors, labels = faces(5)
    head = Decaying(16, hidden=0, gamma=GAMMA)
    for part in np.split(np.arange(300), 10):
        head.learn(vectors[part], labels[part])
    assert np.abs(head.weight - joint(head, vectors, labels)).max() > 0.1


def test_nothing_of_its_size_depends_on_the_number_of_faces():
    vectors, labels = faces(6, count=900)
    sizes = []
    for count in (300, 900):
        head = AnalyticHead(16, hidden=20)
        head.learn(vectors[:count], labels[:count])
        assert len(head.classes) == 23
        sizes.append(sum(v.size for v in vars(head).values() if isinstance(v, np.ndarray)))
    assert sizes[0] == sizes[1]


def test_people_are_told_apart_by_their_labels():
    head = AnalyticHead(3, hidden=0, gamma=0.1)
    head.learn(np.eye(3), np.asarray([30, 10, 20]))
    assert head(np.eye(3)[[2, 0]]).tolist() == [20, 30]


def test_it_refuses_what_it_cannot_do():
    with pytest.raises(BadInput, match="above 0"):
        AnalyticHead(3, gamma=0.0)
    head = AnalyticHead(3)
    with pytest.raises(BadInput, match="nobody"):
        head(np.eye(3))
