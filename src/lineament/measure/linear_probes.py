"""What straight lines read from features: ridge regression, whitening of what varies in a person.

A probe says what features hold, not what a network trained for the task would reach. Both of these
are closed forms, so that a representation is judged in seconds, and nothing is left to tune: each
takes its strength from the rows that it is fitted on.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from lineament.measure.checks import need, need_rows, need_share

STRENGTHS = tuple(10.0**k for k in range(7))
"""Of ridge regression, to choose from."""


def ridge(
    train: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, "n k"],
    test: Float[np.ndarray, "m d"],
) -> Float64[np.ndarray, "m k"]:
    """Targets of new rows by ridge regression with a free constant, at the one of `STRENGTHS` whose
    squared error is least when each row in turn is left out.

    Leaving out has a closed form: a residual over 1 less the row's weight in its own prediction.
    One eigendecomposition, of the smaller side, serves all strengths.

    Source: A. E. Hoerl, R. W. Kennard, "Ridge Regression", Technometrics 1970; G. H. Golub et al.,
    "Generalized Cross-Validation as a Method for Choosing a Good Ridge Parameter", Technometrics
    1979, section 2.

    Raises:
        BadInput: there are fewer than two rows to fit.
    """
    count = len(train)
    need(count > 1, "a regression needs at least two rows")
    centre, middle = train.mean(axis=0, dtype=np.float64), targets.mean(axis=0, dtype=np.float64)
    values, axes, places = _principal(train - centre)
    wanted = targets - middle
    reached = places.T @ wanted

    def left_out(strength: float) -> float:
        shrunk = places / (values + strength)
        own = 1 / count + np.einsum("nr,nr->n", shrunk, places)
        return float(np.square((wanted - shrunk @ reached) / (1 - own)[:, None]).sum())

    strength = min(STRENGTHS, key=left_out)
    weights = axes @ (reached / (values + strength)[:, None])
    return (test - centre) @ weights + middle


def whitening(
    vectors: Float[np.ndarray, "n d"], people: Int[np.ndarray, " n"]
) -> Float64[np.ndarray, "d d"]:
    """The matrix W under which what varies within a person is alike in all directions:
    W S W = 1, of the within-person covariance S, drawn towards a multiple of the identity.

    How far it is drawn is Ledoit and Wolf's estimate, so that few people leave the plain cosine
    almost as it was.

    Source: A. O. Hatch et al., "Within-Class Covariance Normalization for SVM-based Speaker
    Recognition", Interspeech 2006; O. Ledoit, M. Wolf, "A well-conditioned estimator for
    large-dimensional covariance matrices", Journal of Multivariate Analysis 2004, section 3.2.

    Raises:
        BadInput: nobody has two rows.
    """
    _, person = np.unique(people, return_inverse=True)
    sizes = np.bincount(person)
    need(len(people) > len(sizes), "nobody has two faces, so nothing varies within a person")
    means = np.zeros((len(sizes), vectors.shape[1]))
    np.add.at(means, person, vectors)
    off = vectors - (means / sizes[:, None])[person]
    covariance = drawn_in(off)
    values, axes = np.linalg.eigh(covariance)
    floor = max(float(values[-1]) * 1e-12, np.finfo(np.float64).tiny)
    return (axes / np.sqrt(np.maximum(values, floor))) @ axes.T


def drawn_in(rows: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, "d d"]:
    """Ledoit and Wolf's covariance of rows whose mean is 0."""
    rows = rows.astype(np.float64)
    count, width = rows.shape
    plain = rows.T @ rows / count
    scale = np.trace(plain) / width
    spread = np.square(plain).sum() - width * scale**2
    noise = (np.square(np.square(rows).sum(axis=1)).sum() / count - np.square(plain).sum()) / count
    share = min(1.0, noise / spread) if spread > 0 else 1.0
    return (1 - share) * plain + share * scale * np.eye(width)


def effective_rank(vectors: Float[np.ndarray, "n d"]) -> float:
    """How many directions features use: from 1, all on a line, to d, alike in all. Features that
    are the same for every row use 0.

    Source: O. Roy, M. Vetterli, "The effective rank: a measure of effective dimensionality",
    EUSIPCO 2007, definition 1, of the centred features' covariance.

    Raises:
        BadInput: there are no rows, or a number is not finite.
    """
    need_rows(vectors=vectors)
    off = vectors - vectors.mean(axis=0, dtype=np.float64)
    values = np.maximum(np.linalg.eigvalsh(off.T @ off), 0)
    if values[-1] <= np.finfo(np.float64).eps * np.square(vectors, dtype=np.float64).sum():
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def few(
    kinds: Int[np.ndarray, " n"], share: float, least: int, rng: np.random.Generator
) -> Int64[np.ndarray, " m"]:
    """Some rows by chance, the kinds by turns while they last; a larger share of the same generator
    holds the smaller one.

    Args:
        kinds: of each row, such as its class.
        share: of the rows, in [0, 1].
        least: rows, where there are as many.
        rng: set alike for shares that are to hold each other.

    Raises:
        BadInput: the share is not in [0, 1].
    """
    need_share(share=share)
    order = rng.permutation(len(kinds))
    turn = np.empty(len(kinds), np.int64)
    for kind in np.unique(kinds):
        rows = order[kinds[order] == kind]
        turn[rows] = np.arange(len(rows))
    chosen = order[np.argsort(turn[order], kind="stable")]
    return np.sort(chosen[: max(least, round(share * len(kinds)))])


def _principal(
    rows: Float[np.ndarray, "n d"],
) -> tuple[Float64[np.ndarray, " r"], Float64[np.ndarray, "d r"], Float64[np.ndarray, "n r"]]:
    """Squared singular values of rows, their directions, and the rows' places along these."""
    rows = rows.astype(np.float64)
    if len(rows) > rows.shape[1]:
        values, axes = np.linalg.eigh(rows.T @ rows)
        return np.maximum(values, 0), axes, rows @ axes
    values, sides = np.linalg.eigh(rows @ rows.T)
    kept = values > 1e-10 * max(float(values[-1]), np.finfo(np.float64).tiny)
    values, roots = values[kept], np.sqrt(values[kept])
    return values, rows.T @ sides[:, kept] / roots, sides[:, kept] * roots
