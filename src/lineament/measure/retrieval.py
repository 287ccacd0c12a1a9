"""Retrieval metrics: a query ranks the whole gallery, where several items can be relevant.

`rank_relevance` turns similarities into a table of what is relevant, best first; every metric is
computed from that table and gives one number a query. Their mean is the figure that papers print
(the mean of `average_precision` is mAP), and `interval.bootstrap` over the queries' people gives
its interval.

**Ties are held against us.** Of equal scores, what is not relevant ranks first.

Source: C. D. Manning et al., "Introduction to Information Retrieval", 2008, section 8.4;
K. Musgrave et al., "A metric learning reality check", ECCV 2020 (R-precision and MAP@R).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from lineament.core.errors import BadInput
from lineament.measure.verification import require_finite

_BLOCK = 256


def rank_relevance(
    similarity: Float[np.ndarray, "q g"],
    queries: Int[np.ndarray, " q"],
    gallery: Int[np.ndarray, " g"],
    itself: Int[np.ndarray, " q"] | None = None,
) -> Bool[np.ndarray, "q r"]:
    """Whether what each query finds is relevant, best first.

    Args:
        similarity: of each query (row) with each item of the gallery (column).
        queries: the person of each row.
        gallery: the person of each column; items of the query's person are relevant.
        itself: the column that is the query's own picture and is left out; None where there is
            none. Then rows are one shorter than the gallery.

    Raises:
        BadInput: shapes disagree, the gallery is empty, or a similarity is not finite.
    """
    if similarity.shape != (len(queries), len(gallery)) or not len(gallery):
        raise BadInput(
            "queries x items expected, of at least one item; "
            f"got {similarity.shape} for {len(queries)} queries and {len(gallery)} items"
        )
    require_finite(similarity)
    relevant = queries[:, None] == gallery
    # The last key sorts first: by falling similarity, and within ties False before True.
    keys = [relevant, -similarity]
    if itself is not None:
        if len(itself) != len(queries) or not np.all((itself >= 0) & (itself < len(gallery))):
            raise BadInput("a column of the gallery for each query expected")
        keys.append(np.arange(len(gallery)) == itself[:, None])
    ranked = np.take_along_axis(relevant, np.lexsort(keys), axis=1)
    return ranked if itself is None else ranked[:, :-1]


def search_relevance(
    query_vectors: Float[np.ndarray, "q d"],
    queries: Int[np.ndarray, " q"],
    gallery_vectors: Float[np.ndarray, "g d"],
    gallery: Int[np.ndarray, " g"],
    itself: Int[np.ndarray, " q"] | None = None,
) -> Bool[np.ndarray, "q r"]:
    """`rank_relevance` by inner product, a block of queries at a time: a byte a similarity stays.

    Args:
        query_vectors: unit vectors, for cosines.
        queries: the person of each.
        gallery_vectors: unit vectors of the same space.
        gallery: the person of each.
        itself: see `rank_relevance`; ``np.arange(n)`` where the queries are the gallery.

    Raises:
        BadInput: lengths disagree, there is no query or no item, or a vector is not finite.
    """
    if len(query_vectors) != len(queries) or not len(queries):
        raise BadInput("at least one query expected, and a person for each")
    require_finite(query_vectors)
    require_finite(gallery_vectors)
    blocks = (slice(start, start + _BLOCK) for start in range(0, len(queries), _BLOCK))
    return np.concatenate(
        [
            rank_relevance(
                query_vectors[b] @ gallery_vectors.T,
                queries[b],
                gallery,
                None if itself is None else itself[b],
            )
            for b in blocks
        ]
    )


def average_precision(ranked: Bool[np.ndarray, "q r"]) -> Float64[np.ndarray, " q"]:
    """Average precision of each query: precision where relevant items stand, over all of them.

    The mean over queries is mAP.

    Raises:
        BadInput: there are no queries, or one has nothing relevant to find.
    """
    count = _relevant(ranked)
    query, _, precision = _hits(ranked, count)
    return np.bincount(query, precision, len(count)) / count


def average_precision_at_r(ranked: Bool[np.ndarray, "q r"]) -> Float64[np.ndarray, " q"]:
    """`average_precision` within the first R places, where R items are relevant to the query.

    The mean over queries is MAP@R (Musgrave et al.). It is 1 only where all R come first.

    Raises:
        BadInput: there are no queries, or one has nothing relevant to find.
    """
    count = _relevant(ranked)
    query, place, precision = _hits(ranked, count)
    return np.bincount(query, precision * (place < count[query]), len(count)) / count


def r_precision(ranked: Bool[np.ndarray, "q r"]) -> Float64[np.ndarray, " q"]:
    """Share of the first R places that are relevant, where R items are relevant to the query.

    Raises:
        BadInput: there are no queries, or one has nothing relevant to find.
    """
    count = _relevant(ranked)
    return (ranked & (np.arange(ranked.shape[1]) < count[:, None])).sum(axis=1) / count


def hit_at(ranked: Bool[np.ndarray, "q r"], k: int) -> Float64[np.ndarray, " q"]:
    """1 where anything within the first `k` is relevant, else 0.

    The mean is what papers on metric learning call Recall@k, and rank-k accuracy elsewhere.

    Raises:
        BadInput: `k` is not within the list, or a query has nothing relevant to find.
    """
    _relevant(ranked)
    return np.where(_first(ranked, k).any(axis=1), 1.0, 0.0)


def recall_at(ranked: Bool[np.ndarray, "q r"], k: int) -> Float64[np.ndarray, " q"]:
    """Share of all relevant items that is within the first `k`: recall in the classical sense.

    It cannot reach 1 where more than `k` items are relevant.

    Raises:
        BadInput: `k` is not within the list, or a query has nothing relevant to find.
    """
    return _first(ranked, k).sum(axis=1) / _relevant(ranked)


def precision_at(ranked: Bool[np.ndarray, "q r"], k: int) -> Float64[np.ndarray, " q"]:
    """Share of the first `k` that is relevant; it cannot reach 1 where fewer than `k` are.

    Raises:
        BadInput: `k` is not within the list, or a query has nothing relevant to find.
    """
    _relevant(ranked)
    return _first(ranked, k).sum(axis=1) / k


def _hits(
    ranked: Bool[np.ndarray, "q r"], count: Int64[np.ndarray, " q"]
) -> tuple[Int64[np.ndarray, " h"], Int64[np.ndarray, " h"], Float64[np.ndarray, " h"]]:
    """Of everything relevant: its query, its place from 0, and the precision down to there."""
    query, place = np.nonzero(ranked)
    before = np.cumsum(count) - count
    nth = 1 + np.arange(len(query)) - before[query]
    return query, place, nth / (place + 1)


def _first(ranked: Bool[np.ndarray, "q r"], k: int) -> Bool[np.ndarray, "q k"]:
    if not 1 <= k <= ranked.shape[1]:
        raise BadInput(f"the first 1 to {ranked.shape[1]} places can be asked for; got {k}")
    return ranked[:, :k]


def _relevant(ranked: Bool[np.ndarray, "q r"]) -> Int64[np.ndarray, " q"]:
    """How many items are relevant to each query."""
    count = np.count_nonzero(ranked, axis=1)
    if not len(count) or not count.all():
        raise BadInput("each query, of at least one, needs something relevant in the gallery")
    return count
