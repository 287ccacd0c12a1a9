"""Cleaning folders of people that nobody looked through: strangers out, one person one folder.

Pictures that a search for a name brings home show others too, and one person comes under two names.
Given embeddings of the faces, by any network:

1. **Within a folder** (`dominant`): faces are clustered by density; the largest cluster stays.
2. **Between folders** (`united`): folders whose centres are very close become one; of two that are
   rather close the smaller goes, since nobody can tell which it is.
3. **Copies** (`originals`): of faces of a folder that are all but equal the first stays.

Needs no torch.

Source: Z. Zhu et al., "WebFace260M: A Benchmark Unveiling the Power of Million-Scale Deep Face
Recognition", CVPR 2021 (arXiv:2103.04098); of the clustering, M. Ester et al., "A
density-based algorithm for discovering clusters in large spatial databases with noise", KDD 1996
(DBSCAN).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, Int64

from lineament.core.errors import BadInput
from lineament.core.verdict import Calibration

GONE = -1
"""In place of the person of a face that is taken out."""
_BLOCK, _SAMPLE = 1024, 4096
"""Rows compared with all others at a time; most rows that limits are measured on."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Cosines from which faces or folders are taken for alike.

    Attributes:
        near: of two faces of a folder, to be neighbours.
        crowd: faces, itself counted, that a face needs in its neighbourhood to hold a cluster
            together. With 1 a lone face is a cluster, and folders of one face stay.
        same: of the centres of two folders, to be one person.
        doubtful: of two centres, for the smaller folder to go; at most `same`.
        copied: of two faces of a folder, to be one picture; above 1 for never.

    Raises:
        BadInput: `doubtful` is above `same`, or the crowd is less than one face.
    """

    near: float
    crowd: int = 2
    same: float = 0.7
    doubtful: float = 0.5
    copied: float = 0.95

    def __post_init__(self) -> None:
        if self.doubtful > self.same or self.crowd < 1:
            raise BadInput("cleaning needs doubtful <= same and a crowd of at least 1")


def clean(
    vectors: Float32[np.ndarray, "n d"], folders: Int[np.ndarray, " n"], limits: Limits
) -> Int64[np.ndarray, " n"]:
    """Whose face each is after cleaning.

    Args:
        vectors: embeddings of one space, rows of length 1.
        folders: number of the folder that each face came in, 0 and up.
        limits: what is taken for alike; `limits_of` measures some.

    Returns:
        For each face the number of a folder, that of the largest of those that became one, or
        `GONE`.

    Raises:
        BadInput: rows are not of length 1, or there are not as many folders as rows.
    """
    _check(vectors, folders)
    stay = dominant(vectors, folders, limits)
    people = np.where(stay, folders, GONE).astype(np.int64)
    people = united(vectors, people, limits)
    return np.where(originals(vectors, people, limits.copied), people, GONE)


def limits_of(
    vectors: Float32[np.ndarray, "n d"],
    folders: Int[np.ndarray, " n"],
    *,
    same: float = 0.01,
    doubtful: float = 0.05,
    copied: float = 0.95,
    crowd: int = 2,
) -> Limits:
    """Limits for any embedder, measured on the very folders: nearly all pairs of faces, and of
    centres, of different folders are of two people.

    Two faces are `near` from where the share of pairs of one folder that are as close is furthest
    above that of pairs of two folders. Strangers in folders make pairs of one folder like pairs of
    two; that shrinks the distance between both shares alike everywhere, and so does not move it.

    Args:
        vectors: rows of length 1.
        folders: of each face.
        same: other folders that a folder's centre is as close to as to be one, on average.
        doubtful: likewise, as to be in doubt; at least `same`.
        copied: see `Limits`.
        crowd: see `Limits`.

    Raises:
        BadInput: as `clean` does; or no two faces are in one folder, or all are in one.
    """
    _check(vectors, folders)
    names, centres, _ = _centres(vectors, folders)
    if not 1 < len(names) < len(vectors):
        raise BadInput("limits are measured on two folders or more, one of two faces or more")
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(names))[:_SAMPLE]
    between = centres[rows] @ centres.T
    between = between[rows[:, None] != np.arange(len(names))]
    others = len(names) - 1
    return Limits(
        near=_furthest_apart(*_pairs(vectors, folders, rng)),
        crowd=crowd,
        same=float(np.quantile(between, max(0.0, 1 - same / others))),
        doubtful=float(np.quantile(between, max(0.0, 1 - doubtful / others))),
        copied=copied,
    )


def calibrated_limits(
    vectors: Float32[np.ndarray, "n d"],
    folders: Int[np.ndarray, " n"],
    calibration: Calibration,
    false_match_rate: float = 1e-3,
) -> Limits:
    """Limits for an embedder whose strangers are known, so that a few folders will do.

    A face is near another from the threshold of the false-match rate. Two folders are one, or in
    doubt, from where a hundredth, or a twentieth, of a stranger's folder is expected as close; and
    no earlier than `limits_of` finds, where there are folders enough to tell.

    Raises:
        BadInput: as `clean` does; or the calibration cannot speak for that rate.
    """
    _check(vectors, folders)
    near = calibration.threshold(false_match_rate)
    count = len(np.unique(folders))

    def close(share: float) -> float:
        rate = min(share / max(1, count - 1), false_match_rate)
        return calibration.threshold(max(rate, calibration.rates[-1]))

    same, doubtful = close(0.01), close(0.05)
    if 1 < count < len(vectors):
        found = limits_of(vectors, folders)
        same, doubtful = max(same, found.same), max(doubtful, found.doubtful)
    return Limits(near=near, same=same, doubtful=min(doubtful, same))


def dominant(
    vectors: Float32[np.ndarray, "n d"], folders: Int[np.ndarray, " n"], limits: Limits
) -> Bool[np.ndarray, " n"]:
    """Which faces are of their folder's largest cluster; of equal ones the tighter is taken.

    A folder without any cluster goes as a whole.
    """
    stay = np.zeros(len(vectors), bool)
    for rows in _rows_of(folders):
        cosines = vectors[rows] @ vectors[rows].T
        clusters = dbscan(cosines, limits.near, limits.crowd)
        if clusters.max() >= 0:
            stay[rows[clusters == _largest(clusters, cosines)]] = True
    return stay


def dbscan(cosines: Float32[np.ndarray, "m m"], near: float, crowd: int) -> Int64[np.ndarray, " m"]:
    """Clusters by density, numbered from 0; -1 for faces in none.

    Faces with `crowd` neighbours, themselves among them, are cores. Cores that are neighbours are
    in one cluster; another face is in that of the core nearest to it, if that is a neighbour.
    """
    neighbours = cosines >= near
    np.fill_diagonal(neighbours, val=True)
    cores = np.flatnonzero(neighbours.sum(axis=1) >= crowd)
    clusters = np.full(len(cosines), -1, np.int64)
    if not len(cores):
        return clusters
    pairs = np.stack(np.nonzero(neighbours[np.ix_(cores, cores)]), axis=1)
    _, clusters[cores] = np.unique(_joined(len(cores), pairs), return_inverse=True)
    others = np.flatnonzero(clusters < 0)
    nearest = cores[cosines[np.ix_(others, cores)].argmax(axis=1)]
    clusters[others] = np.where(neighbours[others, nearest], clusters[nearest], -1)
    return clusters


def united(
    vectors: Float32[np.ndarray, "n d"], people: Int64[np.ndarray, " n"], limits: Limits
) -> Int64[np.ndarray, " n"]:
    """People after folders have been compared with each other, in one pass.

    Folders whose centres reach `same` become one, and so do those that are linked through others.
    Then, from the largest folder on, each takes out the smaller ones that are in doubt with it; one
    that is out takes out no other.
    """
    stay = people >= 0
    names, centres, sizes = _centres(vectors[stay], people[stay])
    by_size = np.lexsort((names, -sizes))
    pairs = _close(centres[by_size], limits.same)
    home = np.full(people.max(initial=-1) + 1, GONE, np.int64)
    home[names[by_size]] = names[by_size][_joined(len(names), pairs)]
    people = np.where(stay, home[people], GONE)
    names, centres, sizes = _centres(vectors[stay], people[stay])
    by_size = np.lexsort((names, -sizes))
    out = np.zeros(len(names), bool)
    for larger, smaller in _close(centres[by_size], limits.doubtful):
        out[smaller] |= not out[larger]
    return np.where(np.isin(people, names[by_size][out]), GONE, people)


def originals(
    vectors: Float32[np.ndarray, "n d"], people: Int64[np.ndarray, " n"], copied: float
) -> Bool[np.ndarray, " n"]:
    """Which faces are no copy of an earlier one of the same person that stays."""
    first = np.ones(len(vectors), bool)
    for rows in _rows_of(people):
        alike = vectors[rows] @ vectors[rows].T >= copied
        for k in range(1, len(rows)):
            first[rows[k]] = not (alike[k, :k] & first[rows[:k]]).any()
    return first


def _pairs(
    vectors: Float32[np.ndarray, "n d"], folders: Int[np.ndarray, " n"], rng: np.random.Generator
) -> tuple[Float32[np.ndarray, " w"], Float32[np.ndarray, " a"]]:
    """Cosines of pairs of one folder and of two, of whole folders with about `_SAMPLE` faces."""
    groups = [rows for rows in _rows_of(folders) if len(rows) > 1]
    drawn = [groups[k][:_SAMPLE] for k in rng.permutation(len(groups))]
    ends = np.cumsum([len(rows) for rows in drawn])
    count = max(1, int(np.searchsorted(ends, _SAMPLE, side="right")))
    some = np.concatenate([*drawn[:count], np.flatnonzero(folders != folders[drawn[0][0]])[:1]])
    cosines = vectors[some] @ vectors[some].T
    first, second = np.triu_indices(len(some), 1)
    one = folders[some][first] == folders[some][second]
    return cosines[first[one], second[one]], cosines[first[~one], second[~one]]


def _furthest_apart(within: Float32[np.ndarray, " w"], apart: Float32[np.ndarray, " a"]) -> float:
    """The cosine at which the share of `within` that reaches it is furthest above that of `apart`
    (Youden's index)."""
    within, apart = np.sort(within), np.sort(apart)
    reaching = 1 - np.arange(len(within)) / len(within)
    strangers = 1 - np.searchsorted(apart, within) / len(apart)
    return float(within[(reaching - strangers).argmax()])


def _largest(clusters: Int64[np.ndarray, " m"], cosines: Float32[np.ndarray, "m m"]) -> int:
    """The cluster of the most faces; of equal ones that of the highest mean cosine."""
    count = int(clusters.max()) + 1
    sizes = np.bincount(clusters[clusters >= 0], minlength=count)
    means = [cosines[np.ix_(clusters == k, clusters == k)].mean() for k in range(count)]
    return int(np.lexsort((means, sizes))[-1])


def _centres(
    vectors: Float32[np.ndarray, "n d"], folders: Int[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, " f"], Float32[np.ndarray, "f d"], Int64[np.ndarray, " f"]]:
    """Folders, the mean direction of each, and how many faces are in it."""
    names, place, sizes = np.unique(folders, return_inverse=True, return_counts=True)
    sums = np.zeros((len(names), vectors.shape[1]), np.float32)
    np.add.at(sums, place, vectors)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return names.astype(np.int64), sums / np.maximum(lengths, 1e-9), sizes


def _close(centres: Float32[np.ndarray, "f d"], least: float) -> Int64[np.ndarray, "e 2"]:
    """Pairs of rows whose cosine is at least this, the smaller number first, in rising order."""
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(centres), _BLOCK):
        cosines = centres[start : start + _BLOCK] @ centres.T
        pairs = np.stack(np.nonzero(cosines >= least), axis=1) + (start, 0)
        found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.concatenate(found)


def _joined(count: int, pairs: Int64[np.ndarray, "e 2"]) -> Int64[np.ndarray, " m"]:
    """For each number below `count` the least of those that pairs link it to, itself among them."""
    least = np.arange(count)
    while True:
        lower = least.copy()
        np.minimum.at(lower, pairs[:, 0], least[pairs[:, 1]])
        np.minimum.at(lower, pairs[:, 1], least[pairs[:, 0]])
        lower = lower[lower]
        if np.array_equal(lower, least):
            return least
        least = lower


def _rows_of(folders: Int[np.ndarray, " n"]) -> list[Int64[np.ndarray, " _"]]:
    """Rows of each folder; `GONE` is none."""
    order = np.argsort(folders, kind="stable")
    order = order[folders[order] >= 0]
    cuts = np.flatnonzero(np.diff(folders[order])) + 1
    return np.split(order, cuts) if len(order) else []


def _check(vectors: np.ndarray, folders: np.ndarray) -> None:
    if len(vectors) != len(folders) or not len(folders) or folders.min() < 0:
        raise BadInput(f"{len(vectors)} faces need as many folders, numbered from 0, at least one")
    if not np.all(np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-3):
        raise BadInput("cleaning needs embeddings of length 1")
