"""Who is near whom: against all cosines, and against itself where it may miss a few."""

from __future__ import annotations

import numpy as np

from lineament.know.graph import neighbour_graph, pairs_between


def faces_of(people: np.ndarray, seed: int, noise: float = 0.7, dimension: int = 64) -> np.ndarray:
    """Vectors of faces; two of one person have a cosine of about 1 / (1 + noise^2)."""
    random = np.random.default_rng(seed)
    persons = random.standard_normal((int(people.max()) + 1, dimension))
    own = random.standard_normal((len(people), dimension))
    persons /= np.linalg.norm(persons, axis=1, keepdims=True)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    vectors = persons[people] + noise * own
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_graph_is_the_exact_one() -> None:
    vectors = faces_of(np.repeat(np.arange(40), 10), seed=0)
    queries = np.arange(0, 400, 3)
    graph = neighbour_graph(vectors, queries, 7, floor=0.2, near=0.5)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    expected = set()
    for row in queries.tolist():
        for other in np.argsort(-cosines[row])[:7].tolist():
            if cosines[row, other] >= 0.2:
                expected.add((min(row, other), max(row, other)))
    assert set(map(tuple, graph.pairs.tolist())) == expected
    crowd = np.minimum((cosines[queries] >= 0.5).sum(axis=1), 7)
    assert np.array_equal(graph.crowd, crowd)


def test_approximate_graph_finds_nearly_all() -> None:
    vectors = faces_of(np.repeat(np.arange(400), 10), seed=0)
    queries = np.arange(4000)
    exact = neighbour_graph(vectors, queries, 9, floor=0.4, near=0.5)
    rough = neighbour_graph(vectors, queries, 9, floor=0.4, near=0.5, exact_work=0)
    found = set(map(tuple, rough.pairs.tolist()))
    wanted = set(map(tuple, exact.pairs.tolist()))
    assert len(wanted & found) > 0.98 * len(wanted)


def test_pairs_between() -> None:
    """Faces 0 and 3 are of group 4, 1 and 2 of groups 0 and 3, 4 of group 1."""
    group = np.array([4, 0, 3, 4, 1])
    pairs = np.array([[1, 3], [0, 1], [2, 4], [0, 3], [1, 3]])
    assert pairs_between(group, pairs, 5).tolist() == [[0, 4], [1, 3]]
    assert pairs_between(group, np.empty((0, 2), np.int64), 5).shape == (0, 2)
