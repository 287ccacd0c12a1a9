"""Agglomeration on a sparse graph: groups that are each other's best match become one.

Merging goes in rounds: in each, all groups that are mutually best and linked well enough are merged
at once, and only the edges of groups that changed are scored again. A round is a handful of array
operations, and what happens in one part of the graph does not wait for another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int64

from lineament.know.graph import pairs_between

_BLOCK = 1 << 11
"""Edges scored at a time; bounds the memory of scoring."""
_ROWS = 1 << 10
"""Lone faces held against all groups at a time; likewise."""
_SLACK = 0.06
"""A lone face may be linked worse than the threshold by this much..."""
_LEAD = 0.15
"""...if it is linked better to this group than to any other by as much as this."""


@runtime_checkable
class Bars(Protocol):
    """What forbids two groups to become one."""

    def between(self, a: int, b: int) -> bool:
        """Whether groups `a` and `b` must stay apart."""
        ...

    def merge(self, kept: int, gone: int) -> None:
        """Group `gone` is now part of `kept`."""
        ...


class Groups:
    """Groups of faces, kept as sums only: to link two costs one inner product, whatever they hold.

    The linkage lies between average linkage and centroid linkage. With S the sum of a group's unit
    vectors and W their number (or weight), average linkage is S_a.S_b / (W_a W_b), the mean cosine
    over all pairs of faces, and centroid linkage is the cosine of S_a and S_b. Ours is their
    geometric mean, S_a.S_b / sqrt(|S_a| W_a |S_b| W_b). For two lone faces all three are their
    cosine. As groups grow noise averages out and strangers' mean cosines crowd around 0, so that
    average linkage asks too much of large groups; centroid linkage, which asks for the same as
    between two faces, lets large groups of look-alikes run together.

    Args:
        sums: of the groups' weighted vectors; changed by merging.
        weights: of the groups, the sum of those of their faces; changed by merging.
    """

    def __init__(self, sums: Float32[np.ndarray, "m d"], weights: Float[np.ndarray, " m"]) -> None:
        self._sums = sums
        self.weights = weights
        self._scales = self._scales_of(np.arange(len(sums)))

    def __len__(self) -> int:
        return len(self._sums)

    def link(self, pairs: Int[np.ndarray, "e 2"]) -> Float32[np.ndarray, " e"]:
        """The linkage of each pair, in [-1, 1]."""
        scores = np.empty(len(pairs), np.float32)
        for start in range(0, len(pairs), _BLOCK):
            a, b = pairs[start : start + _BLOCK].T
            products = np.einsum("ed,ed->e", self._sums[a], self._sums[b])
            scores[start : start + _BLOCK] = products / (self._scales[a] * self._scales[b])
        return scores

    def nearest(
        self, some: Int64[np.ndarray, " s"], others: Int64[np.ndarray, " o"]
    ) -> tuple[Int64[np.ndarray, " s"], Float32[np.ndarray, " s"], Float32[np.ndarray, " s"]]:
        """Of `others`, at least two, the best linked one to each of `some`, its linkage, and how
        far that lies above the second best."""
        best, link, lead = (np.empty(len(some), t) for t in (np.int64, np.float32, np.float32))
        targets = (self._sums[others] / self._scales[others, None]).astype(np.float32).T
        for start in range(0, len(some), _ROWS):
            rows = some[start : start + _ROWS]
            scores = (self._sums[rows] / self._scales[rows, None]).astype(np.float32) @ targets
            two = np.argpartition(scores, -2, axis=1)[:, -2:]
            second, first = np.sort(np.take_along_axis(scores, two, axis=1), axis=1).T
            best[start : start + _ROWS] = others[scores.argmax(axis=1)]
            link[start : start + _ROWS], lead[start : start + _ROWS] = first, first - second
        return best, link, lead

    def merge(self, kept: Int[np.ndarray, " k"], gone: Int[np.ndarray, " k"]) -> None:
        """Move each of `gone` into the group of `kept` at the same place."""
        np.add.at(self._sums, kept, self._sums[gone])
        np.add.at(self.weights, kept, self.weights[gone])
        self._scales[kept] = self._scales_of(kept)

    def _scales_of(self, groups: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        lengths = np.linalg.norm(self._sums[groups], axis=1)
        return np.sqrt(np.maximum(lengths * self.weights[groups], 1e-12))


def agglomerate(
    groups: Groups, pairs: Int[np.ndarray, "e 2"], threshold: float, bars: Bars
) -> Int64[np.ndarray, " m"]:
    """Merge groups until no pair that may be merged is linked by `threshold` or more.

    Args:
        groups: the groups to begin with; changed by merging.
        pairs: those that may be merged, each pair once, the smaller number first. Merged groups
            inherit the pairs of their parts.
        threshold: least linkage of groups that are merged.
        bars: asked before each merge, told of it after.

    Returns:
        For each group the number of one of the groups that it became one with, the same for all.
    """
    home = np.arange(len(groups))
    pairs, scores = _allowed(groups, pairs, threshold, bars)
    while True:
        wishes = _wishes(groups, pairs, scores, threshold)
        if not len(wishes.hosts):
            return home
        merged = _grant(wishes, len(groups), bars)
        kept, gone = wishes.hosts[merged], wishes.guests[merged]
        groups.merge(kept, gone)
        home[gone] = kept
        changed = np.zeros(len(groups), bool)
        changed[kept] = changed[gone] = True
        stale = changed[pairs[:, 0]] | changed[pairs[:, 1]]
        renewed = pairs_between(home, pairs[stale], len(groups))
        renewed, new_scores = _allowed(groups, renewed, threshold, bars)
        pairs = np.concatenate([pairs[~stale], renewed])
        scores = np.concatenate([scores[~stale], new_scores])
        home = home[home]


def absorb(
    groups: Groups, faces: Int64[np.ndarray, " m"], threshold: float, bars: Bars
) -> Int64[np.ndarray, " m"]:
    """Let lone faces join the group that they belong to if to any.

    A hard picture (turned away, dark, far off) is linked a little too weakly to its person, but to
    nobody else at all. Where many people look somewhat alike no group leads, and it stays alone.

    Args:
        groups: after `agglomerate`.
        faces: in each of them; 0 for those that have become part of another.
        threshold: least linkage of groups that are merged.
        bars: asked before each merge, told of it after.

    Returns:
        For each group its own number, or that of the group that it joined.
    """
    home = np.arange(len(groups))
    lone, others = np.flatnonzero(faces == 1), np.flatnonzero(faces > 1)
    if not len(lone) or len(others) < 2:
        return home
    hosts, link, lead = groups.nearest(lone, others)
    called = np.flatnonzero((link >= threshold - _SLACK) & (lead >= _LEAD))
    for row in called[np.argsort(-link[called], kind="stable")]:
        host, guest = int(hosts[row]), int(lone[row])
        if not bars.between(host, guest):
            bars.merge(host, guest)
            home[guest] = host
    return home


def _allowed(
    groups: Groups, pairs: Int[np.ndarray, "e 2"], threshold: float, bars: Bars
) -> tuple[Int[np.ndarray, "a 2"], Float32[np.ndarray, " a"]]:
    """The pairs, and their linkage, without those that would merge but may not."""
    scores = groups.link(pairs)
    keep = scores < threshold
    near = np.flatnonzero(~keep)
    for start in range(0, len(near), _BLOCK):
        rows = near[start : start + _BLOCK]
        barred = map(bars.between, *pairs[rows].T.tolist())
        keep[rows] = ~np.fromiter(barred, bool, len(rows))
    return pairs[keep], scores[keep]


@dataclass(frozen=True, eq=False)
class _Wishes:
    """Merges that are called for in a round, best first.

    Attributes:
        hosts: the heavier group of each, which takes the other in.
        guests: the other.
        slight: where the guest, with all better guests of that host, adds at most a tenth to it.
    """

    hosts: Int[np.ndarray, " w"]
    guests: Int[np.ndarray, " w"]
    slight: Bool[np.ndarray, " w"]


def _wishes(
    groups: Groups,
    pairs: Int[np.ndarray, "e 2"],
    scores: Float32[np.ndarray, " e"],
    threshold: float,
) -> _Wishes:
    """Pairs of groups that are each other's best, and slight guests whose best match is the host.

    To a large host it makes no difference which of its slight guests comes first. If it took them
    one a round, a person of ten thousand faces would need as many rounds.
    """
    best = np.full(len(groups), threshold, np.float32)
    np.maximum.at(best, pairs[:, 0], scores)
    np.maximum.at(best, pairs[:, 1], scores)
    places = np.flatnonzero((scores >= best[pairs[:, 0]]) | (scores >= best[pairs[:, 1]]))
    hosts, guests = pairs[places].T
    swap = groups.weights[guests] > groups.weights[hosts]
    hosts, guests = np.where(swap, (guests, hosts), (hosts, guests))
    wanted = scores[places]
    asked = wanted >= best[guests]
    hosts, guests, wanted = hosts[asked], guests[asked], wanted[asked]
    by_score = np.lexsort((np.maximum(hosts, guests), np.minimum(hosts, guests), -wanted))
    hosts, guests, wanted = hosts[by_score], guests[by_score], wanted[by_score]
    del places, swap, asked, by_score  # where all faces are alike these are as many as the pairs
    slight = _growth(hosts, groups.weights[guests]) <= groups.weights[hosts] / 10
    called = (wanted >= best[hosts]) | slight
    return _Wishes(hosts[called], guests[called], slight[called])


def _growth(
    hosts: Int[np.ndarray, " w"], weights: Float[np.ndarray, " w"]
) -> Float[np.ndarray, " w"]:
    """What each guest, with those before it that want the same host, would add to that."""
    by_host = np.argsort(hosts, kind="stable")
    runs, weights = hosts[by_host], weights[by_host]
    first = np.flatnonzero(np.diff(runs, prepend=-1))
    total = np.cumsum(weights, dtype=np.float64)
    total -= np.repeat(total[first] - weights[first], np.diff(first, append=len(runs)))
    growth = np.empty_like(total)
    growth[by_host] = total
    return growth


def _grant(wishes: _Wishes, m: int, bars: Bars) -> Bool[np.ndarray, " w"]:
    """Which merges take place, in order; the first always does.

    In one round a group that has moved moves no further, and one that has taken in stays and takes
    in only slight guests more, of which an earlier one may bar a later.
    """
    merged = np.zeros(len(wishes.hosts), bool)
    moved, stays = bytearray(m), bytearray(m)
    for wish, (host, guest, slight) in enumerate(_in_order(wishes)):
        if moved[host] or moved[guest] or stays[guest]:
            continue
        if stays[host] and (not slight or bars.between(host, guest)):
            continue
        bars.merge(host, guest)
        moved[guest] = stays[host] = True
        merged[wish] = True
    return merged


def _in_order(wishes: _Wishes) -> Iterator[tuple[int, int, bool]]:
    """Host, guest and slightness of each wish; as Python's own numbers, a block at a time."""
    for start in range(0, len(wishes.hosts), _BLOCK):
        part = slice(start, start + _BLOCK)
        columns = wishes.hosts[part], wishes.guests[part], wishes.slight[part]
        yield from zip(*(column.tolist() for column in columns), strict=True)
