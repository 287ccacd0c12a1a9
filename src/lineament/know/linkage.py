"""Agglomeration on a sparse graph: groups that are each other's best match become one.

Merging goes in rounds: in each, all pairs of groups that are mutually best and linked well enough
are merged at once, and only the edges of groups that changed are scored again. A round is a
handful of array operations, and what happens in one part of the graph does not wait for another.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from lineament.know.graph import unique_pairs

_BLOCK = 1 << 16
"""Edges scored at a time; bounds the memory of scoring."""


class Bars(Protocol):
    """What forbids two groups to become one."""

    def between(self, a: int, b: int) -> bool: ...

    def merge(self, kept: int, gone: int) -> None: ...


class Groups:
    """Groups of faces, kept as sums only: to link two costs one inner product, whatever they hold.

    The linkage lies between average linkage and centroid linkage. With S the sum of a group's unit
    vectors and W their number (or weight), average linkage is S_a.S_b / (W_a W_b), the mean cosine
    over all pairs of faces, and centroid linkage is the cosine of S_a and S_b. Ours is their
    geometric mean, S_a.S_b / sqrt(|S_a| W_a |S_b| W_b). For two lone faces all three are their
    cosine. As groups grow noise averages out and strangers' mean cosines crowd around 0, so that
    average linkage asks too much of large groups; centroid linkage, which asks for the same as
    between two faces, lets large groups of look-alikes run together.
    """

    def __init__(self, sums: Float32[np.ndarray, "m d"], weights: Float[np.ndarray, " m"]) -> None:
        self._sums = sums.copy()
        self._weights = weights.copy()
        self._scales = self._scales_of(np.arange(len(sums)))

    def __len__(self) -> int:
        return len(self._sums)

    def link(self, pairs: Int64[np.ndarray, "e 2"]) -> Float32[np.ndarray, " e"]:
        """The linkage of each pair, in [-1, 1]."""
        scores = np.empty(len(pairs), np.float32)
        for start in range(0, len(pairs), _BLOCK):
            a, b = pairs[start : start + _BLOCK].T
            products = np.einsum("ed,ed->e", self._sums[a], self._sums[b])
            scores[start : start + _BLOCK] = products / (self._scales[a] * self._scales[b])
        return scores

    def merge(self, kept: Int64[np.ndarray, " k"], gone: Int64[np.ndarray, " k"]) -> None:
        """Move all of `gone` into `kept`, pair by pair; no group stands in two pairs."""
        self._sums[kept] += self._sums[gone]
        self._weights[kept] += self._weights[gone]
        self._scales[kept] = self._scales_of(kept)

    def _scales_of(self, groups: Int64[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        lengths = np.linalg.norm(self._sums[groups], axis=1)
        return np.sqrt(np.maximum(lengths * self._weights[groups], 1e-12))


def agglomerate(
    groups: Groups, pairs: Int64[np.ndarray, "e 2"], threshold: float, bars: Bars
) -> Int64[np.ndarray, " m"]:
    """Merge groups until no pair that may be merged is linked by `threshold` or more.

    Of equally good pairs the first in rising order goes first.

    Args:
        groups: the groups to begin with; changed by merging.
        pairs: those that may be merged, each pair once, the smaller number first. Merged groups
            inherit the pairs of their parts.
        threshold: least linkage of groups that are merged.
        bars: asked before each merge, told of it after.

    Returns:
        For each group the smallest number among the groups that it became one with.
    """
    home = np.arange(len(groups))
    scores = groups.link(pairs)
    while True:
        merged, barred = _round(pairs, scores, len(groups), threshold, bars)
        if not len(merged) and not len(barred):
            return home
        kept, gone = merged.T
        groups.merge(kept, gone)
        home[gone] = kept
        stale = np.zeros(len(groups), bool)
        stale[merged] = True
        stale = stale[pairs].any(axis=1)
        renewed = unique_pairs(home[pairs[stale]], len(groups))
        settled = ~stale
        settled[barred] = False
        pairs = np.concatenate([pairs[settled], renewed])
        scores = np.concatenate([scores[settled], groups.link(renewed)])
        home = home[home]


def _round(
    pairs: Int64[np.ndarray, "e 2"],
    scores: Float32[np.ndarray, " e"],
    m: int,
    threshold: float,
    bars: Bars,
) -> tuple[Int64[np.ndarray, "k 2"], Int64[np.ndarray, " b"]]:
    """The pairs to merge now, and the places of the pairs that turned out to be barred."""
    best = np.full(m, threshold, np.float32)
    np.maximum.at(best, pairs[:, 0], scores)
    np.maximum.at(best, pairs[:, 1], scores)
    mutual = np.flatnonzero((scores >= best[pairs[:, 0]]) & (scores >= best[pairs[:, 1]]))
    mutual = mutual[np.lexsort((pairs[mutual, 1], pairs[mutual, 0]))]
    merged: list[tuple[int, int]] = []
    barred: list[int] = []
    busy: Bool[np.ndarray, " m"] = np.zeros(m, bool)
    for place, (a, b) in zip(mutual.tolist(), pairs[mutual].tolist(), strict=True):
        if busy[a] or busy[b]:
            continue
        if bars.between(a, b):
            barred.append(place)
            continue
        bars.merge(a, b)
        busy[a] = busy[b] = True
        merged.append((a, b))
    return np.asarray(merged, np.int64).reshape(-1, 2), np.asarray(barred, np.int64)
