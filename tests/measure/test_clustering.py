"""Clustering metrics against hand-worked values, their definitions, and scikit-learn."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import pair_confusion_matrix

from lineament.core.errors import BadInput
from lineament.measure.clustering import (
    Agreement,
    bcubed,
    bcubed_of_each,
    nmi,
    pairwise,
)


def as_labels(*values: int) -> np.ndarray:
    return np.asarray(values)


def bcubed_by_definition(truth: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """The definition face by face, over an n x n table of pairs."""
    same_person = truth[:, None] == truth[None]
    same_cluster = clusters[:, None] == clusters[None]
    both = (same_person & same_cluster).sum(axis=1)
    precision = sum(map(Fraction, both.tolist(), same_cluster.sum(axis=1).tolist()))
    recall = sum(map(Fraction, both.tolist(), same_person.sum(axis=1).tolist()))
    return float(precision / len(truth)), float(recall / len(truth))


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    n = int(random.integers(2, 120))
    truth = random.integers(-1, random.integers(1, n + 1), n)
    guess = np.where(random.random(n) < random.random(), truth, random.integers(0, n, n))
    return truth, guess


# Two people: a a a a b b. One cluster takes three of a, the other one of a and both of b.
TRUTH, CLUSTERS = as_labels(1, 1, 1, 1, 2, 2), as_labels(7, 7, 7, -1, -1, -1)


def test_bcubed_by_hand() -> None:
    # Precision: 3 faces at 3/3, one at 1/3, two at 2/3. Recall: 3 at 3/4, one at 1/4, 2 at 2/2.
    found = bcubed(TRUTH, CLUSTERS)
    assert found.precision == pytest.approx((3 + 1 / 3 + 4 / 3) / 6)
    assert found.recall == pytest.approx((9 / 4 + 1 / 4 + 2) / 6)


def test_bcubed_of_each_face_by_hand() -> None:
    precision, recall = bcubed_of_each(TRUTH, CLUSTERS)
    assert precision.tolist() == pytest.approx([1, 1, 1, 1 / 3, 2 / 3, 2 / 3])
    assert recall.tolist() == pytest.approx([3 / 4, 3 / 4, 3 / 4, 1 / 4, 1, 1])


def test_pairwise_by_hand() -> None:
    # Pairs within clusters: 3 + 3. Pairs within people: 6 + 1. In both: 3 + 1.
    found = pairwise(TRUTH, CLUSTERS)
    assert (found.precision, found.recall) == pytest.approx((4 / 6, 4 / 7))
    assert found.f == pytest.approx(8 / 13)


def test_nmi_by_hand() -> None:
    # Entropies: H(4/6, 2/6) and H(1/2, 1/2); joint H(3/6, 1/6, 2/6).
    def entropy(*shares: float) -> float:
        return -sum(s * np.log(s) for s in shares)

    people, clusters = entropy(2 / 3, 1 / 3), entropy(1 / 2, 1 / 2)
    shared = people + clusters - entropy(1 / 2, 1 / 6, 1 / 3)
    assert nmi(TRUTH, CLUSTERS) == pytest.approx(shared / ((people + clusters) / 2))


@pytest.mark.parametrize("seed", range(100))
def test_random_cases_match_the_oracles(seed: int) -> None:
    truth, guess = random_case(seed)
    found = bcubed(truth, guess)
    assert (found.precision, found.recall) == pytest.approx(bcubed_by_definition(truth, guess))

    (_, only_cluster), (only_person, both) = pair_confusion_matrix(truth, guess)
    found = pairwise(truth, guess)
    claimed, real = both + only_cluster, both + only_person
    assert found.precision == pytest.approx(both / claimed if claimed else 1.0)
    assert found.recall == pytest.approx(both / real if real else 1.0)

    assert nmi(truth, guess) == pytest.approx(normalized_mutual_info_score(truth, guess), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_truth_and_clusters_trade_precision_for_recall(seed: int) -> None:
    truth, guess = random_case(seed)
    for metric in (bcubed, pairwise):
        there, back = metric(truth, guess), metric(guess, truth)
        assert (there.precision, there.recall) == pytest.approx((back.recall, back.precision))


@pytest.mark.parametrize("n", [1, 2, 50])
def test_agreement_up_to_numbering_is_perfect(n: int) -> None:
    for truth in (np.arange(n), np.zeros(n, int), np.arange(n) // 3):
        renamed = 1000 - 7 * truth
        for metric in (bcubed, pairwise):
            assert metric(truth, renamed) == Agreement(1.0, 1.0)
        assert nmi(truth, renamed) == 1.0


def test_everything_in_one_cluster() -> None:
    truth, lump = np.repeat(np.arange(5), 4), np.zeros(20, int)
    for metric, precision in ((bcubed, 4 / 20), (pairwise, 30 / 190)):
        found = metric(truth, lump)
        assert (found.precision, found.recall) == pytest.approx((precision, 1.0))
    assert nmi(truth, lump) == 0.0


def test_every_face_alone() -> None:
    truth, alone = np.repeat(np.arange(5), 4), np.arange(20)
    for metric, recall in ((bcubed, 1 / 4), (pairwise, 0.0)):
        found = metric(truth, alone)
        assert (found.precision, found.recall) == pytest.approx((1.0, recall))
    assert pairwise(truth, alone).f == 0.0


def test_large_tables_are_sparse() -> None:
    """200,000 singletons on both sides: a dense table would take 300 GB."""
    labels = np.arange(200_000)
    assert bcubed(labels, labels[::-1]) == Agreement(1.0, 1.0)


def test_bad_input_is_refused() -> None:
    for truth, clusters in (([], []), ([1, 2], [1]), ([[1]], [[1]])):
        with pytest.raises((BadInput, TypeCheckError)):
            bcubed(np.asarray(truth, int), np.asarray(clusters, int))
