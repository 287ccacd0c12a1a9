"""Clustering by several embedders: the same faces, the same rule, each space's own calibration.

A user meets an embedder through the people that come out, so BCubed at the one fixed rule is what
counts. Where faces are few enough, the equal error rate of all their pairs says beside it how well
the embedding alone tells people apart, at whatever threshold.

Intervals are bootstraps over people of a clustering that is made once: they say how the figures
hang on whose faces these are, not on how other people would have been mixed up with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float64, Int64

from lineament.bench.clustering import Album, compare, grouped
from lineament.bench.context import Context, Outcome, Table
from lineament.core.errors import BadInput
from lineament.measure.clustering import Agreement, bcubed_of_each
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap, bootstrap_pairs
from lineament.measure.verification import equal_error_rate

DEFAULT = ("sface", "lineament-s")
"""Where no embedder is asked for: those that anyone may use and that come with calibrations."""
BESIDE = "sface"
"""The default of every command, which another embedder would stand in for."""
PAIRED = 1000
"""Faces up to which all pairs are looked at."""
ROUNDS = 500
"""Of each bootstrap."""


@dataclass(frozen=True, eq=False)
class Grouping:
    """An album by one embedder, grouped by ours.

    Attributes:
        album: the faces.
        labels: the group of each face.
        precision: BCubed, of each face.
        recall: BCubed, of each face.
    """

    album: Album
    labels: Int64[np.ndarray, " n"]
    precision: Float64[np.ndarray, " n"]
    recall: Float64[np.ndarray, " n"]

    @staticmethod
    def of(album: Album) -> Grouping:
        """The album, grouped."""
        labels = grouped(album)
        return Grouping(album, labels, *bcubed_of_each(album.people, labels))

    def agreement(self, rows: Int64[np.ndarray, " m"] | slice = slice(None)) -> Agreement:
        """BCubed over some of the faces."""
        return Agreement(float(self.precision[rows].mean()), float(self.recall[rows].mean()))


def asked(context: Context) -> tuple[str, ...]:
    """Slugs of the embedders to cluster by."""
    return context.methods or DEFAULT


def measure(albums: Sequence[Album], protocol: str) -> Outcome:
    """The first embedder's faces by ours and by scikit-learn, and all embedders' by ours.

    Args:
        albums: the same faces by each embedder.
        protocol: name of the protocol.

    Raises:
        BadInput: the faces are not the same.
    """
    table, rows = compare(albums[0])
    beside, more = by_embedder(albums)
    return Outcome([table, beside], [replace(row, protocol=protocol) for row in [*rows, *more]])


def by_embedder(albums: Sequence[Album]) -> tuple[Table, list[Result]]:
    """Ours on the same faces by each embedder.

    Raises:
        BadInput: the faces are not the same.
    """
    if any(not np.array_equal(each.people, albums[0].people) for each in albums):
        raise BadInput("embedders are compared on the same faces")
    every = [Grouping.of(album) for album in albums]
    default = next((each for each in every if each.album.slug == BESIDE), None)
    rows, results = [], []
    for each in every:
        other = default if each is not default else None
        found, beside = _figures(each), _figures(other) if other else None
        gap = _gap(each, other) if other else ""
        results += [
            Result(
                method=each.album.slug,
                protocol="",
                data=each.album.name,
                data_hash=each.album.digest,
                metric=metric,
                ours=value,
                interval=interval,
                baseline=BESIDE if beside else None,
                baseline_value=beside[metric][0] if beside else None,
                higher_is_better=metric == BCUBED,
                note=f"Less {BESIDE}: {gap} points." if gap and metric == BCUBED else "",
            )
            for metric, (value, interval) in found.items()
        ]
        rows.append(_row(each, found, gap))
    first = albums[0]
    table = Table(
        f"{first.name} by each embedder, at the fixed rule: "
        f"{len(np.unique(first.people)):,} people, {len(first.people):,} faces",
        ("embedder", "P %#", "R %#", "F %#", f"F less {BESIDE}#", "groups#", "EER of pairs %#"),
        rows,
    )
    return table, results


BCUBED = "BCubed F at the fixed rule"
PAIRS = "equal error rate of all pairs of faces"
_Figures = dict[str, tuple[float, tuple[float, float]]]


def _figures(each: Grouping) -> _Figures:
    """Value and interval by name."""
    people = each.album.people
    interval = bootstrap(lambda rows: each.agreement(rows).f, people, rounds=ROUNDS)
    found = {BCUBED: (each.agreement().f, interval.pair)}
    if len(people) <= PAIRED:
        found[PAIRS] = pair_errors(each.album.vectors, people)
    return found


def pair_errors(
    vectors: Float[np.ndarray, "n d"], people: Int64[np.ndarray, " n"]
) -> tuple[float, tuple[float, float]]:
    """Equal error rate of all pairs of faces, with its interval over people."""
    first, second = np.triu_indices(len(people), 1)
    scores = np.einsum("pd,pd->p", vectors[first], vectors[second])
    both = np.stack([people[first], people[second]], axis=1)
    same = both[:, 0] == both[:, 1]

    def statistic(rows: Int64[np.ndarray, " m"]) -> float:
        return equal_error_rate(scores[rows], same[rows])

    interval = bootstrap_pairs(statistic, both, rounds=ROUNDS)
    return equal_error_rate(scores, same), interval.pair


def _gap(ours: Grouping, theirs: Grouping) -> str:
    """F of ours less F of theirs over the same faces, in points."""

    def statistic(rows: Int64[np.ndarray, " m"] | slice = slice(None)) -> float:
        return 100 * (ours.agreement(rows).f - theirs.agreement(rows).f)

    low, high = bootstrap(statistic, ours.album.people, rounds=ROUNDS).pair
    return f"{statistic():+.2f} ({low:+.2f} to {high:+.2f})"


def _row(each: Grouping, figures: _Figures, gap: str) -> tuple[str, ...]:
    score = each.agreement()
    shown = {
        m: f"{100 * v:.2f} ({100 * a:.2f} to {100 * b:.2f})" for m, (v, (a, b)) in figures.items()
    }
    return (
        each.album.slug,
        f"{100 * score.precision:.2f}",
        f"{100 * score.recall:.2f}",
        shown[BCUBED],
        gap or "-",
        f"{len(np.unique(each.labels)):,}",
        shown.get(PAIRS, "-"),
    )
