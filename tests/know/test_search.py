"""Search against brute force over the same codes."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.embeddings import Embeddings, encode
from lineament.core.errors import SpaceMismatch
from lineament.know import search
from lineament.know.search import VectorIndex

SPACE = "test@0"
FACES = 20_000


def random_codes(n: int, d: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return encode(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def planted(codes: np.ndarray, rows: np.ndarray, noise: float) -> Embeddings:
    """Queries near some of the stored faces."""
    rng = np.random.default_rng(1)
    vectors = codes[rows].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors += noise * rng.standard_normal(vectors.shape).astype(np.float32)
    return Embeddings.normalised(vectors, SPACE)


@pytest.mark.parametrize("dimension", [128, 512])
@pytest.mark.parametrize("noise", [0.05, 1.0])
def test_exact_search_is_brute_force(dimension, noise):
    codes = random_codes(5_000, dimension, 0)
    ids = np.random.default_rng(2).permutation(5_000).astype(np.int64) + 7
    queries = planted(codes, np.arange(0, 5_000, 50), noise)
    found, scores = VectorIndex.build(ids, codes, SPACE).search(queries, 10)
    products = queries.vectors.astype(np.float64) @ codes.astype(np.float64).T
    assert np.array_equal(found, ids[np.argsort(-products, axis=1)[:, :10]])
    ranked = -np.sort(-products, axis=1)[:, :10]
    scale = 127 * dimension**0.5 / 6
    np.testing.assert_allclose(scores, np.minimum(ranked / scale, 1), rtol=1e-5)


def test_approximate_search_finds_the_neighbours(monkeypatch):
    monkeypatch.setattr(search, "SKETCH_FROM", FACES)
    codes = random_codes(FACES, 128, 3)
    queries = planted(codes, np.arange(0, FACES, 500), 0.05)
    index = VectorIndex.build(np.arange(FACES), codes, SPACE)
    exact, _ = index.search(queries, 10)
    near, scores = index.search(queries, 10, exact=False)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, near, strict=True)])
    assert recall >= 0.99
    assert np.array_equal(exact[:, 0], near[:, 0])
    assert np.all(np.diff(scores, axis=1) <= 0)


def test_fewer_faces_than_asked_for():
    queries = planted(random_codes(3, 128, 1), np.arange(3), 0.1)
    index = VectorIndex.build(np.asarray([4, 9]), random_codes(2, 128, 0), SPACE)
    assert index.search(queries, 10)[0].shape == (3, 2)
    assert VectorIndex(SPACE, 128).search(queries, 10)[0].shape == (3, 0)


def test_removed_faces_are_not_found_and_ids_are_unique():
    codes = random_codes(500, 128, 4)
    index = VectorIndex.build(np.arange(500), codes, SPACE)
    assert index.remove(np.asarray([3, 4, 999])) == 2
    found, _ = index.search(planted(codes, np.asarray([3]), 0.0), 498)
    assert set(found[0]) == set(range(500)) - {3, 4}
    with pytest.raises(ValueError, match="only once"):
        index.add(np.asarray([7]), codes[:1])


def test_other_spaces_are_refused():
    index = VectorIndex.build(np.asarray([1]), random_codes(1, 128, 0), SPACE)
    with pytest.raises(SpaceMismatch):
        index.search(Embeddings.from_codes(random_codes(1, 128, 0), "other@1"), 1)


def test_saved_index_answers_alike_and_damage_is_noticed(tmp_path):
    codes = random_codes(2_000, 128, 5)
    index = VectorIndex.build(np.arange(2_000) * 3, codes, SPACE)
    path = tmp_path / "g.index"
    index.save(path, "12/2000")
    again = VectorIndex.load(path, SPACE, 128, "12/2000")
    assert again is not None
    queries = planted(codes, np.arange(50), 0.3)
    for a, b in zip(index.search(queries, 5), again.search(queries, 5), strict=True):
        assert np.array_equal(a, b)
    assert VectorIndex.load(path, SPACE, 128, "13/2001") is None
    assert VectorIndex.load(path, "other@1", 128, "12/2000") is None
    data = bytearray(path.read_bytes())
    for cut in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        assert VectorIndex.load(path, SPACE, 128, "12/2000") is None
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert VectorIndex.load(path, SPACE, 128, "12/2000") is None
    assert VectorIndex.load(tmp_path / "absent", SPACE, 128, "12/2000") is None
