"""Who might be who: for each face, the faces most like it. The edges that clustering works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int, Int32, Int64

BLOCK = 1024
"""Faces searched for at a time; bounds the memory of a search."""


@dataclass(frozen=True, eq=False)
class Graph:
    """Pairs of faces that are alike, each pair once.

    Attributes:
        pairs: rows of the two faces, the smaller first, in rising order.
        crowd: for each face searched for, how many others it is at least `near` alike (at most k).
    """

    pairs: Int32[np.ndarray, "e 2"]
    crowd: Int64[np.ndarray, " q"]


def neighbour_graph(
    vectors: Float32[np.ndarray, "n d"],
    queries: Int64[np.ndarray, " q"],
    k: int,
    *,
    floor: float,
    near: float,
    exact_work: float = 9e10,
) -> Graph:
    """Join each face of `queries` to its `k` most similar faces of all `vectors`.

    Exact by inner products up to `exact_work` of them; beyond that an inverted file searches 64 of
    its cells, which misses a few of the faint neighbours.

    Args:
        vectors: unit rows, all faces.
        queries: rows to search for.
        k: neighbours a face.
        floor: cosine below which faces are not joined.
        near: cosine from which faces count as a crowd.
        exact_work: most inner products (q times n) to compute.
    """
    n = len(vectors)
    index = _flat(vectors) if len(queries) * n <= exact_work else _inverted_file(vectors)
    found = [np.empty(0, np.int64)]
    crowd = [np.empty(0, np.int64)]
    for start in range(0, len(queries), BLOCK):
        rows = queries[start : start + BLOCK]
        cosines, others = index.search(vectors[rows], min(k + 1, n))
        sources = np.broadcast_to(rows[:, None], others.shape)
        real = (others != sources) & (others >= 0)
        joined = real & (cosines >= floor)
        found.append(_keys(sources[joined], others[joined], n))
        crowd.append((real & (cosines >= near)).sum(axis=1))
    return Graph(_unique(np.concatenate(found), n), np.concatenate(crowd))


def pairs_between(
    group: Int[np.ndarray, " n"], pairs: Int[np.ndarray, "e 2"], m: int
) -> Int32[np.ndarray, "u 2"]:
    """The pairs of different groups that pairs of their members make, as `Graph.pairs`.

    Args:
        group: of each member, below `m`.
        pairs: of members.
        m: how many groups there are.
    """
    a, b = group.astype(np.int32)[pairs].T
    apart = a != b
    return _unique(_keys(a[apart], b[apart], m), m)


def _keys(a: Int[np.ndarray, " e"], b: Int[np.ndarray, " e"], n: int) -> Int64[np.ndarray, " e"]:
    """One number a pair, whichever of the two comes first."""
    keys = np.minimum(a, b, dtype=np.int64)
    keys *= n
    keys += np.maximum(a, b)
    return keys


def _unique(keys: Int64[np.ndarray, " e"], n: int) -> Int32[np.ndarray, "u 2"]:
    keys.sort()
    first = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    keys = keys[first]
    pairs = np.empty((len(keys), 2), np.int32)
    np.floor_divide(keys, n, out=pairs[:, 0], casting="unsafe")
    np.remainder(keys, n, out=pairs[:, 1], casting="unsafe")
    return pairs


def _flat(vectors: Float32[np.ndarray, "n d"]):
    from faiss import IndexFlatIP

    index = IndexFlatIP(vectors.shape[1])
    index.add(vectors)  # pyright: ignore[reportCallIssue]
    return index


def _inverted_file(vectors: Float32[np.ndarray, "n d"]):
    from faiss import METRIC_INNER_PRODUCT, IndexFlatIP, IndexIVFFlat

    n, dimension = vectors.shape
    cells = max(1, int(4 * n**0.5))
    index = IndexIVFFlat(IndexFlatIP(dimension), dimension, cells, METRIC_INNER_PRODUCT)
    index.train(vectors[:: max(1, n // (64 * cells))])  # pyright: ignore[reportCallIssue]
    index.add(vectors)  # pyright: ignore[reportCallIssue]
    index.nprobe = min(64, cells)
    return index
