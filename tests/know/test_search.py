"""Search against brute force over the same codes."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.embeddings import encode
from lineament.core.errors import SpaceMismatch
from lineament.know.search import VectorIndex

SPACE = "test@0"


def random_codes(n: int, d: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return encode(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def planted(codes: np.ndarray, rows: np.ndarray, noise: float) -> np.ndarray:
    """Queries near some of the stored faces."""
    rng = np.random.default_rng(1)
    vectors = codes[rows].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors += noise * rng.standard_normal(vectors.shape).astype(np.float32)
    return encode(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@pytest.mark.parametrize("dimension", [128, 512])
def test_exact_search_is_brute_force(dimension):
    codes = random_codes(5_000, dimension, 0)
    ids = np.random.default_rng(2).permutation(5_000).astype(np.int64) + 7
    queries = planted(codes, np.arange(0, 5_000, 50), 0.05)
    found, scores = VectorIndex(ids, codes, SPACE).search(queries, 10, space=SPACE)
    products = queries.astype(np.int64) @ codes.astype(np.int64).T
    assert np.array_equal(found[:, 0], ids[products.argmax(axis=1)])
    ranked = -np.sort(-products, axis=1)[:, :10]
    scale = 127 * dimension**0.5 / 6
    np.testing.assert_allclose(scores, np.minimum(ranked / scale**2, 1), rtol=1e-5)


def test_approximate_search_finds_the_neighbours():
    codes = random_codes(60_000, 128, 3)
    queries = planted(codes, np.arange(0, 60_000, 1_000), 0.05)
    index = VectorIndex(np.arange(60_000), codes, SPACE)
    exact, _ = index.search(queries, 10, space=SPACE)
    near, scores = index.search(queries, 10, space=SPACE, exact=False)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, near, strict=True)])
    assert recall >= 0.99
    assert np.array_equal(exact[:, 0], near[:, 0])
    assert np.all(np.diff(scores, axis=1) <= 0)


def test_fewer_faces_than_asked_for():
    index = VectorIndex(np.asarray([4, 9]), random_codes(2, 128, 0), SPACE)
    found, _ = index.search(random_codes(3, 128, 1), 10, space=SPACE)
    assert found.shape == (3, 2)
    empty = VectorIndex(np.empty(0, np.int64), np.empty((0, 128), np.int8), SPACE)
    assert empty.search(random_codes(3, 128, 1), 10, space=SPACE)[0].shape == (3, 0)


def test_other_spaces_are_refused():
    index = VectorIndex(np.asarray([1]), random_codes(1, 128, 0), SPACE)
    with pytest.raises(SpaceMismatch):
        index.search(random_codes(1, 128, 0), 1, space="other@1")


def test_saved_index_answers_alike_and_damage_is_noticed(tmp_path):
    codes = random_codes(60_000, 128, 5)
    index = VectorIndex(np.arange(60_000) * 3, codes, SPACE)
    index.prepare(exact=False)
    path = tmp_path / "g.index"
    index.save(path, "12/60000")
    again = VectorIndex.load(path, "12/60000")
    assert again is not None
    for exact in (True, False):
        a = index.search(codes[:50], 5, space=SPACE, exact=exact)
        b = again.search(codes[:50], 5, space=SPACE, exact=exact)
        assert np.array_equal(a[0], b[0])
        assert np.array_equal(a[1], b[1])
    assert VectorIndex.load(path, "13/60001") is None
    data = bytearray(path.read_bytes())
    for cut in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        assert VectorIndex.load(path, "12/60000") is None
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert VectorIndex.load(path, "12/60000") is None
    assert VectorIndex.load(tmp_path / "absent", "12/60000") is None
