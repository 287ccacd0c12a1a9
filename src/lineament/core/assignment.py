"""One-to-one matching of rows and columns for the greatest total benefit, exactly.

Source: R. Jonker, A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear
assignment problems", Computing 1987, in its plain form: rows are added one by one, each along the
cheapest path of exchanges, which potentials of rows and columns keep free of negative costs.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int64

from lineament.core.errors import BadInput


def assign(benefit: Float[np.ndarray, "n m"]) -> Int64[np.ndarray, "k 2"]:
    """The pairs (row, column) of the matching whose benefits add up to most.

    Args:
        benefit: of each pair. Pairs with 0 or less are never matched, so a row or a column may
            stay alone.

    Returns:
        Matched pairs, by row. Time grows with the cube of the smaller side.

    Raises:
        BadInput: a benefit is not finite.
    """
    if not np.all(np.isfinite(benefit)):
        raise BadInput("the benefit of a pair must be a finite number")
    if benefit.shape[0] > benefit.shape[1]:
        pairs = assign(benefit.T)[:, ::-1]
        return pairs[np.argsort(pairs[:, 0])]
    columns = _cheapest(-np.maximum(benefit.astype(np.float64), 0))
    rows = np.arange(len(columns))
    kept = benefit[rows, columns] > 0
    return np.stack([rows[kept], columns[kept]], axis=1)


def _cheapest(cost: Float64[np.ndarray, "n m"]) -> Int64[np.ndarray, " n"]:
    """The column of each row at the least total cost; n is at most m.

    Column m stands for the row that is being added.
    """
    n, m = cost.shape
    row_level, column_level = np.zeros(n), np.zeros(m + 1)
    row_of = np.full(m + 1, -1)
    for row in range(n):
        row_of[m], column = row, m
        distance, before = np.full(m, np.inf), np.full(m, m)
        done = np.zeros(m + 1, bool)
        while row_of[column] >= 0:
            done[column] = True
            here = row_of[column]
            reduced = cost[here] - row_level[here] - column_level[:m]
            closer = ~done[:m] & (reduced < distance)
            distance[closer], before[closer] = reduced[closer], column
            column = int(np.argmin(np.where(done[:m], np.inf, distance)))
            step = distance[column]
            row_level[row_of[done]] += step
            column_level[done] -= step
            distance[~done[:m]] -= step
        while column != m:
            row_of[column] = row_of[before[column]]
            column = before[column]
    columns = np.empty(n, np.int64)
    taken = np.flatnonzero(row_of[:m] >= 0)
    columns[row_of[taken]] = taken
    return columns
