"""How well clusters match people: BCubed, pairwise agreement and mutual information.

Labels are whole numbers, one a face; which numbers they are does not matter, and -1 is a label
like any other. All measures lie in [0, 1], are the same in any order of the faces, and cost
O(n log n) time and O(n) memory: they are computed from the filled cells of the contingency table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Int64

from lineament.core.errors import BadInput


@dataclass(frozen=True)
class Agreement:
    """Precision and recall of a clustering, and their harmonic mean.

    Attributes:
        precision: 1 where no cluster mixes people.
        recall: 1 where no person is spread over clusters.
    """

    precision: float
    recall: float

    @property
    def f(self) -> float:
        """2 P R / (P + R); 0 where both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def bcubed(truth: Int[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]) -> Agreement:
    """BCubed precision and recall: every face counts the same, however large its person is.

    For each face, precision is the share of its cluster that is of its person (itself included),
    and recall the share of its person that is in its cluster; both are averaged over faces.

    Source: A. Bagga and B. Baldwin, "Entity-based cross-document coreferencing using the vector
    space model", ACL 1998.

    Args:
        truth: the person of each face.
        clusters: the cluster of each face.

    Raises:
        BadInput: the lengths differ, or there are no faces.
    """
    precision, recall = bcubed_of_each(truth, clusters)
    return Agreement(float(precision.mean()), float(recall.mean()))


def bcubed_of_each(
    truth: Int[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """BCubed precision and recall of each face, whose means `bcubed` gives.

    Args:
        truth: the person of each face.
        clusters: the cluster of each face.

    Raises:
        BadInput: the lengths differ, or there are no faces.
    """
    table = _Table.of(truth, clusters)
    both = table.cells[table.home]
    alike = table.column_sizes[table.columns][table.home]
    real = table.row_sizes[table.rows][table.home]
    return both / alike, both / real


def pairwise(truth: Int[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]) -> Agreement:
    """Precision and recall of the pairs of faces that are put together.

    Precision is the share of pairs within a cluster that are of one person (1 where no cluster has
    a pair: nothing was claimed); recall the share of pairs of one person that are within a cluster
    (1 where no person has a pair). A person of k faces weighs k (k - 1) / 2.

    Args:
        truth: the person of each face.
        clusters: the cluster of each face.

    Raises:
        BadInput: the lengths differ, or there are no faces.
    """
    table = _Table.of(truth, clusters)
    both, claimed, real = map(_pairs, (table.cells, table.column_sizes, table.row_sizes))
    return Agreement(both / claimed if claimed else 1.0, both / real if real else 1.0)


def nmi(truth: Int[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]) -> float:
    """Normalised mutual information: I(truth; clusters) over the mean of the two entropies.

    1 where the two agree but for the numbers used, also where each is one single group (both
    entropies are then 0). Beware that it is high for any clustering into very many groups.

    Source: A. Strehl and J. Ghosh, "Cluster ensembles", JMLR 2002; the arithmetic mean is the
    normaliser here.

    Args:
        truth: the person of each face.
        clusters: the cluster of each face.

    Raises:
        BadInput: the lengths differ, or there are no faces.
    """
    table = _Table.of(truth, clusters)
    if len(table.row_sizes) == len(table.column_sizes) == len(table.cells):
        return 1.0
    n = table.cells.sum()
    expected = table.row_sizes[table.rows] * (table.column_sizes[table.columns] / n)
    information = (table.cells / n * np.log(table.cells / expected)).sum()
    mean_entropy = (_entropy(table.row_sizes / n) + _entropy(table.column_sizes / n)) / 2
    return float(np.clip(information / mean_entropy, 0.0, 1.0))


@dataclass(frozen=True, eq=False)
class _Table:
    """The filled cells of the table of people (rows) against clusters (columns)."""

    rows: Int64[np.ndarray, " k"]
    columns: Int64[np.ndarray, " k"]
    cells: Int64[np.ndarray, " k"]
    row_sizes: Int64[np.ndarray, " r"]
    column_sizes: Int64[np.ndarray, " c"]
    home: Int64[np.ndarray, " n"]
    """The cell of each face."""

    @classmethod
    def of(cls, truth: np.ndarray, clusters: np.ndarray) -> _Table:
        truth, clusters = np.asarray(truth), np.asarray(clusters)
        if truth.ndim != 1 or truth.shape != clusters.shape or not len(truth):
            raise BadInput(
                "one person and one cluster a face expected, of at least one face; "
                f"got shapes {truth.shape} and {clusters.shape}"
            )
        _, row, row_sizes = np.unique(truth, return_inverse=True, return_counts=True)
        _, column, column_sizes = np.unique(clusters, return_inverse=True, return_counts=True)
        width = len(column_sizes)
        filled, home, cells = np.unique(
            row.astype(np.int64) * width + column, return_inverse=True, return_counts=True
        )
        return cls(filled // width, filled % width, cells, row_sizes, column_sizes, home)


def _pairs(sizes: Int64[np.ndarray, " k"]) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _entropy(shares: np.ndarray) -> float:
    """In nats; the shares are all above 0."""
    return float(-(shares * np.log(shares)).sum())
