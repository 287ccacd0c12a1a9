"""Identification metrics: probes searched in a gallery of people, with and without strangers.

A search lists the people of the gallery by score; a person of several templates stands where the
best of them does. All that the metrics need of a search are three numbers (`Searches`), so that a
large table of similarities can be gone through a few probes at a time.

**Ties are held against us.** Other people at the mate's score rank before the mate.

Source: ISO/IEC 19795-1:2021; P. J. Phillips et al., "Evaluation methods in face recognition", in
Handbook of Face Recognition, 2nd ed. 2011 (open set: DIR and false alarm rate); P. Grother et al.,
NISTIR 8271, "Face Recognition Vendor Test, part 2: identification", 2019, section 3 (FPIR and
FNIR).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from lineament.core.errors import BadInput
from lineament.measure.verification import require_finite, require_threshold, threshold_at

_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Searches:
    """What is kept of each search. The mate is the probe's own person in the gallery.

    Attributes:
        mate: score of the mate; minus infinity where the gallery has none.
        other: best score of anybody else; minus infinity where there is nobody else.
        rank: of the mate, from 1; 0 where the gallery has none.
    """

    mate: Float[np.ndarray, " n"]
    other: Float[np.ndarray, " n"]
    rank: Int64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.rank)

    @property
    def mated(self) -> Bool[np.ndarray, " n"]:
        """Which probes' people are in the gallery."""
        return self.rank > 0

    def take(self, rows: Int[np.ndarray, " m"]) -> Searches:
        """Some of the searches, also repeatedly, as `interval.bootstrap` asks."""
        return Searches(self.mate[rows], self.other[rows], self.rank[rows])

    @staticmethod
    def join(parts: Sequence[Searches]) -> Searches:
        """Several blocks of searches as one.

        Raises:
            BadInput: there are no parts.
        """
        if not parts:
            raise BadInput("there are no searches to join")
        return Searches(
            np.concatenate([p.mate for p in parts]),
            np.concatenate([p.other for p in parts]),
            np.concatenate([p.rank for p in parts]),
        )


@dataclass(frozen=True, eq=False)
class TradeOff:
    """Identification errors at every threshold that tells scores apart.

    Attributes:
        thresholds: falling; infinity first.
        fpir: false-positive identification rate at each, rising from 0.
        fnir: false-negative identification rate at each, falling from 1.
    """

    thresholds: Float64[np.ndarray, " k"]
    fpir: Float64[np.ndarray, " k"]
    fnir: Float64[np.ndarray, " k"]


def summarise(
    similarity: Float[np.ndarray, "p g"],
    probes: Int[np.ndarray, " p"],
    gallery: Int[np.ndarray, " g"],
) -> Searches:
    """Summaries of searches whose similarities are all at hand.

    Args:
        similarity: of each probe (row) with each template of the gallery (column).
        probes: the person of each row.
        gallery: the person of each column; one may have several.

    Raises:
        BadInput: shapes disagree, there is no template, or a similarity is not finite.
    """
    if similarity.shape != (len(probes), len(gallery)) or not len(gallery):
        raise BadInput(
            "probes x templates expected, of at least one template; "
            f"got {similarity.shape} for {len(probes)} probes and {len(gallery)} templates"
        )
    require_finite(similarity)
    people, starts = np.unique(np.sort(gallery), return_index=True)
    columns = np.argsort(gallery, kind="stable")
    best = np.maximum.reduceat(similarity[:, columns], starts, axis=1)
    column = np.searchsorted(people, probes).clip(max=len(people) - 1)
    mated = people[column] == probes
    rows = np.arange(len(probes))
    mate = np.where(mated, best[rows, column], -np.inf)
    best[rows[mated], column[mated]] = -np.inf
    rank = np.where(mated, 1 + (best >= mate[:, None]).sum(axis=1), 0)
    return Searches(mate, best.max(axis=1), rank)


def search(
    probe_vectors: Float[np.ndarray, "p d"],
    probes: Int[np.ndarray, " p"],
    gallery_vectors: Float[np.ndarray, "g d"],
    gallery: Int[np.ndarray, " g"],
) -> Searches:
    """Summaries of all searches by inner product, a block of probes at a time.

    Args:
        probe_vectors: unit vectors, for cosines.
        probes: the person of each.
        gallery_vectors: unit vectors of the same space.
        gallery: the person of each; one may have several.

    Raises:
        BadInput: lengths disagree, there is no probe or no template, or a vector is not finite.
    """
    if len(probe_vectors) != len(probes):
        raise BadInput(f"{len(probe_vectors)} probes expected; got {len(probes)} people")
    require_finite(probe_vectors)
    require_finite(gallery_vectors)
    blocks = (slice(start, start + _BLOCK) for start in range(0, len(probes), _BLOCK))
    return Searches.join(
        [summarise(probe_vectors[b] @ gallery_vectors.T, probes[b], gallery) for b in blocks]
    )


def cmc(searches: Searches, ranks: int) -> Float64[np.ndarray, " r"]:
    """Cumulative match characteristic: share of probes whose mate is within rank 1, 2, ... `ranks`.

    Closed set: every probe's person is in the gallery. Of a set with strangers, take the mated
    searches first (``searches.take(np.flatnonzero(searches.mated))``).

    Raises:
        BadInput: there are no searches, one has no mate, or `ranks` is below 1.
    """
    if not len(searches) or not searches.mated.all():
        raise BadInput("a closed set needs at least one probe, and everybody's mate in the gallery")
    if ranks < 1:
        raise BadInput(f"ranks are counted from 1; got {ranks}")
    within = np.bincount(np.minimum(searches.rank, ranks + 1), minlength=ranks + 2)
    return np.cumsum(within[1 : ranks + 1]) / len(searches)


def rank_accuracy(searches: Searches, rank: int = 1) -> float:
    """Share of probes whose mate is within `rank`: one point of `cmc`.

    Raises:
        BadInput: as `cmc` does.
    """
    return float(cmc(searches, rank)[-1])


def fpir(searches: Searches, threshold: float) -> float:
    """False-positive identification rate, of searches for people who are not in the gallery.

    The share of them in which anybody at all scores `threshold` or more.

    Raises:
        BadInput: every search has a mate, or the threshold is NaN.
    """
    require_threshold(threshold)
    return float(np.mean(_strangers(searches) >= threshold))


def fnir(searches: Searches, threshold: float, rank: int | None = None) -> float:
    """False-negative identification rate, of searches for people who are in the gallery.

    The share of them whose mate scores below `threshold`, or is not within `rank` (None: any).
    At threshold minus infinity this is 1 - `rank_accuracy` of the mated searches.

    Raises:
        BadInput: no search has a mate, the threshold is NaN, or `rank` is below 1.
    """
    require_threshold(threshold)
    scores = _mates(searches, rank)
    found = np.isfinite(scores) & (scores >= threshold)
    return 1 - float(np.mean(found))


def threshold_at_fpir(searches: Searches, rate: float) -> float:
    """The lowest threshold at which no more than `rate` of the searches without mate err.

    Raises:
        BadInput: every search has a mate, or the rate is not in [0, 1].
    """
    return threshold_at(_strangers(searches), rate)


def fnir_at_fpir(searches: Searches, rate: float, rank: int | None = None) -> float:
    """FNIR at the threshold at which FPIR is at most `rate`.

    With ``rank=1`` this is 1 - DIR of Phillips et al. at that false alarm rate.

    Raises:
        BadInput: one kind of search is missing, the rate is not in [0, 1], or `rank` is below 1.
    """
    return fnir(searches, threshold_at_fpir(searches, rate), rank)


def detection_rate(searches: Searches, false_alarm_rate: float, rank: int = 1) -> float:
    """Detection and identification rate (DIR) at a false alarm rate (another word for FPIR).

    The share of probes with a mate that are found within `rank`, at or above the threshold.

    Raises:
        BadInput: as `fnir_at_fpir` does.
    """
    return 1 - fnir_at_fpir(searches, false_alarm_rate, rank)


def trade_off(searches: Searches, rank: int | None = None) -> TradeOff:
    """FPIR and FNIR at all thresholds.

    Where `rank` leaves mates out, FNIR does not fall to 0.

    Raises:
        BadInput: one kind of search is missing, or `rank` is below 1.
    """
    mates, strangers = np.sort(_mates(searches, rank)), np.sort(_strangers(searches))
    occurring = np.unique(np.concatenate([mates, strangers]))[::-1]
    thresholds = np.concatenate([[np.inf], occurring[np.isfinite(occurring)]])
    below = np.searchsorted(mates, thresholds, side="left")
    above = len(strangers) - np.searchsorted(strangers, thresholds, side="left")
    return TradeOff(thresholds, above / len(strangers), below / len(mates))


def _strangers(searches: Searches) -> Float[np.ndarray, " s"]:
    """Best scores of the searches without mate."""
    scores = searches.other[~searches.mated]
    if not len(scores):
        raise BadInput("a false-positive identification rate needs probes without a mate")
    return scores


def _mates(searches: Searches, rank: int | None) -> Float[np.ndarray, " m"]:
    """Mates' scores; minus infinity where the mate is not within `rank`."""
    mated = searches.mated
    if not mated.any():
        raise BadInput("a false-negative identification rate needs probes with a mate")
    if rank is None:
        return searches.mate[mated]
    if rank < 1:
        raise BadInput(f"ranks are counted from 1; got {rank}")
    return np.where(searches.rank[mated] <= rank, searches.mate[mated], -np.inf)
