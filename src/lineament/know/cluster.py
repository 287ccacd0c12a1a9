"""People from faces: constrained agglomeration on the graph of nearest neighbours.

1. Faces that start together, or that the user called the same person, form the first groups.
2. Each new face is joined to the faces most like it (`graph`).
3. The mean face of the people at hand is taken off: what they all share (an age, a camera, a blur)
   tells nobody apart.
4. Groups merge, best first, while they are linked well enough (`linkage`) and nothing forbids it.
5. Lone faces that are like one group, if not quite enough, and like no other, join it.
6. Groups get their labels: people keep theirs, new ones follow, the largest first.

All of it works on faces sorted by content, so that the order in which they are handed in has no
say in the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, Int64

from lineament.core.errors import BadInput
from lineament.core.verdict import Calibration
from lineament.know.constraints import Constraints, Decisions, Told, first_groups
from lineament.know.graph import neighbour_graph, pairs_between
from lineament.know.linkage import Groups, absorb, agglomerate


@dataclass(frozen=True)
class ClusterConfig:
    """How people are made from faces. The defaults are for every space.

    Attributes:
        neighbours: faces that each face is compared with, at most.
        reach: how far below the threshold the cosine of two faces may lie for their groups to be
            candidates; groups can be linked better than any two of their faces.
        prior: this many people without any common trait are added to those at hand, so that the
            mean of a handful of people is not mistaken for what all people share; above 0.
    """

    neighbours: int = 50
    reach: float = 0.05
    prior: float = 30.0


DEFAULT = ClusterConfig()


def false_match_rate_for(n: int) -> float:
    """The rate that suits `n` faces: 3 strangers for every 100 faces look alike at its threshold.

    A face meets n - 1 others, so at a fixed rate strangers would creep in as an album grows.
    Never more than 1e-3.
    """
    return min(1e-3, 0.03 / max(n, 1))


def threshold_for(n: int, calibration: Calibration) -> float:
    """The threshold that suits `n` faces: the score at `false_match_rate_for(n)`.

    Between measured rates scores are interpolated over the logarithm of the rate, and below the
    lowest they go on as over the last decade: this chooses a point to work at, and promises no
    rate, for which `Calibration.threshold` is there.
    """
    depth = -np.log(calibration.rates)
    scores = np.asarray(calibration.scores)
    wanted = -np.log(false_match_rate_for(n))
    if wanted <= depth[-1]:
        return float(np.interp(wanted, depth, scores))
    before = min(int(np.searchsorted(depth, depth[-1] - np.log(10))), len(depth) - 2)
    slope = (scores[-1] - scores[before]) / (depth[-1] - depth[before])
    return float(min(scores[-1] + slope * (wanted - depth[-1]), 1.0))


def cluster(
    vectors: Float32[np.ndarray, "n d"],
    *,
    photos: Int[np.ndarray, " n"],
    threshold: float,
    start: Int[np.ndarray, " n"] | None = None,
    same: Sequence[Told] = (),
    different: Sequence[tuple[Told, Told]] = (),
    quality: Float[np.ndarray, " n"] | None = None,
    one_per_photo: bool = True,
    spans: Float[np.ndarray, "n 2"] | None = None,
    config: ClusterConfig = DEFAULT,
) -> Int64[np.ndarray, " n"]:
    """Say which faces are of one person.

    With `start`, faces labelled -1 are added to the people there are or form new ones, and only
    they are searched for. People there are stay whole: they may be joined, where new faces show
    that they are one, and are taken apart only where a decision of the user's says so.

    Args:
        vectors: embeddings of one space, rows of length 1.
        photos: the photo that each face is in.
        threshold: cosine from which two lone faces are taken for one person, such as
            `threshold_for(n, calibration)`.
        start: the person that each face is known to be, or -1; None where all are new.
        same: sets of faces that the user called one person.
        different: pairs of sets of faces; no face of the first is the person of one of the second.
        quality: how much each face counts in its group, above 0; only ratios matter.
        one_per_photo: never put two faces of one photo in one person, unless `same` or `start`
            says so.
        spans: seconds from which to which a face is seen, where its photo is a video, NaN where it
            is none: faces of a video that are not seen at once may be of one person.
        config: knobs.

    Returns:
        A label for each face. People keep their labels (the one with more faces where two are
        joined, the larger part where one is split); new ones are numbered on from the highest,
        the largest first. The result does not depend on the order of the faces.

    Raises:
        BadInput: the user's decisions contradict each other, or the arrays do not fit.
    """
    n = len(vectors)
    known = np.full(n, -1) if start is None else np.asarray(start)
    weights = np.ones(n, np.float32) if quality is None else np.asarray(quality, np.float32)
    _check(vectors, photos, known, weights)
    if spans is not None and len(spans) != n:
        raise BadInput(f"{n} faces need as many spans; got {len(spans)}")
    decisions = Decisions.of(n, same, different)
    if n == 0:
        return np.empty(0, np.int64)
    order = _content_order(vectors, photos, known)
    rank = np.argsort(order)
    labels = _cluster_sorted(
        vectors[order],
        photos[order] if one_per_photo else None,
        threshold,
        known[order],
        None if spans is None else spans[order],
        decisions.moved(rank),
        weights[order],
        config,
    )
    return labels[rank]


def _cluster_sorted(
    vectors: Float32[np.ndarray, "n d"],
    photos: Int[np.ndarray, " n"] | None,
    threshold: float,
    known: Int[np.ndarray, " n"],
    spans: Float[np.ndarray, "n 2"] | None,
    decisions: Decisions,
    weights: Float32[np.ndarray, " n"],
    config: ClusterConfig,
) -> Int64[np.ndarray, " n"]:
    """`cluster`, of faces in the order of their content; `vectors` are used up."""
    group, new = first_groups(known, decisions)
    graph = neighbour_graph(
        vectors, new, config.neighbours, floor=threshold - config.reach, near=threshold
    )
    crowd = np.bincount(group)[group]
    crowd[new] = np.maximum(crowd[new], 1 + graph.crowd)
    threshold = _centre(vectors, threshold, 1 / crowd, config.prior)
    vectors *= weights[:, None]
    by_group = np.argsort(group, kind="stable")
    firsts = np.flatnonzero(np.diff(group[by_group], prepend=-1))
    groups = Groups(
        np.add.reduceat(vectors[by_group], firsts, axis=0),
        np.add.reduceat(weights[by_group], firsts),
    )
    pairs = pairs_between(group, graph.pairs, len(groups))
    del vectors, graph
    bars = Constraints(group, photos, decisions.different, spans)
    merged = agglomerate(groups, pairs, threshold, bars)[group]
    faces = np.bincount(merged, minlength=len(groups))
    return _labels(absorb(groups, faces, threshold, bars)[merged], known)


def _centre(
    vectors: Float32[np.ndarray, "n d"],
    threshold: float,
    shares: Float[np.ndarray, " n"],
    prior: float,
) -> float:
    """Take the mean of people off the vectors, make them of length 1 again, and say what the
    threshold becomes.

    With m the mean, strangers' cosines lie around |m|^2, and taking m off takes a cosine s of two
    typical faces to (s - |m|^2) / (1 - |m|^2): 1 stays 1, and |m|^2 becomes 0.

    Args:
        vectors: unit rows; changed.
        threshold: on cosines of `vectors`.
        shares: of a person in each face, so that each person counts once.
        prior: people with a mean of zero that are added.
    """
    mean = (shares @ vectors / (shares.sum() + prior)).astype(np.float32)
    level = float(mean @ mean)
    vectors -= mean
    vectors /= np.maximum(_lengths(vectors)[:, None], 1e-6)
    return (threshold - level) / (1 - level)


def _lengths(vectors: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, " n"]:
    """Of rows, without a copy of them."""
    return np.sqrt(np.einsum("nd,nd->n", vectors, vectors))


def _labels(
    cluster_of: Int64[np.ndarray, " n"], known: Int[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """Labels for clusters: known people's where they hold most of one, new ones from there on."""
    clusters, cluster, sizes = np.unique(cluster_of, return_inverse=True, return_counts=True)
    labels = np.full(len(clusters), -1)
    old = known >= 0
    claims, counts = np.unique(
        np.stack([known[old], cluster[old]], axis=1), axis=0, return_counts=True
    )
    taken: set[int] = set()
    for label, place in claims[np.argsort(-counts, kind="stable")].tolist():
        if labels[place] < 0 and label not in taken:
            labels[place] = label
            taken.add(label)
    fresh = np.flatnonzero(labels < 0)
    fresh = fresh[np.argsort(-sizes[fresh], kind="stable")]
    labels[fresh] = known.max() + 1 + np.arange(len(fresh))
    return labels[cluster]


def _content_order(
    vectors: Float32[np.ndarray, "n d"],
    photos: Int[np.ndarray, " n"],
    known: Int[np.ndarray, " n"],
) -> Int64[np.ndarray, " n"]:
    """An order of the faces that depends on what they are, not on where they stand."""
    rows = np.ascontiguousarray(vectors)
    content = rows.view(np.dtype((np.void, rows.strides[0]))).ravel()
    _, rank = np.unique(content, return_inverse=True)
    return np.lexsort((known, photos, rank))


def _check(vectors: np.ndarray, photos: np.ndarray, known: np.ndarray, weights: np.ndarray) -> None:
    shape = vectors.shape[:1]
    if not photos.shape == known.shape == weights.shape == shape:
        raise BadInput(
            f"{len(vectors)} faces need as many photos, start labels and qualities; "
            f"got {len(photos)}, {len(known)} and {len(weights)}"
        )
    if not np.all(np.isfinite(weights) & (weights > 0)):
        raise BadInput("the quality of a face is a number above 0")
    if not np.all(np.abs(_lengths(vectors) - 1) < 1e-3):
        raise BadInput("clustering needs embeddings of length 1")
