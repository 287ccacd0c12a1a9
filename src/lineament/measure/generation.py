"""Made faces: how near their distribution is to that of real ones, and whether people stay people.

A distance of distributions is one of features, so it means nothing without the name of what
extracted them: that name is asked for and stays with the figure. Figures of other extractors, or of
other numbers of pictures, do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lineament.measure.checks import need, need_finite, need_rows
from lineament.measure.verification import d_prime, equal_error_rate


@dataclass(frozen=True, kw_only=True)
class Distance:
    """How far made pictures are from real ones, in the eyes of an extractor.

    Attributes:
        metric: ``FID`` or ``KID``.
        value: the distance; KID's may fall below 0, as it is unbiased.
        extractor: what gave the features.
        real: number of real pictures.
        made: number of made pictures.
        error: standard error over blocks, of KID.
        block: pictures a block, of KID.
    """

    metric: str
    value: float
    extractor: str
    real: int
    made: int
    error: float | None = None
    block: int | None = None


def fid(
    real: Float[np.ndarray, "n d"], made: Float[np.ndarray, "m d"], *, extractor: str
) -> Distance:
    """Frechet distance of two normal distributions that have the features' means and covariances.

    |mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2)). The trace of the root is the sum of the singular
    values of A^(1/2) B^(1/2), both roots of symmetric matrices by their eigenvalues: nothing turns
    complex, and no root is taken of a rounding error. Biased upwards, more so for few pictures;
    with fewer pictures than features it is hardly a measurement.

    Source: M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium", NIPS 2017, equation 6; D. Dowson and B. Landau, 1982. Covariances are divided by
    n - 1.

    Args:
        real: features of real pictures.
        made: features of made ones.
        extractor: what gave them, with its weights.

    Raises:
        BadInput: fewer than two pictures of a kind, other numbers of features, a value that is not
            finite, or no name.
    """
    a, b = _features(real, made, extractor)
    root_a, root_b = (_root(np.atleast_2d(np.cov(x, rowvar=False))) for x in (a, b))
    traces = (root_a**2).sum() + (root_b**2).sum()
    shared = np.linalg.svd(root_a @ root_b, compute_uv=False).sum()
    value = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() + traces - 2 * shared
    return Distance(
        metric="FID", value=max(float(value), 0.0), extractor=extractor, real=len(a), made=len(b)
    )


def kid(
    real: Float[np.ndarray, "n d"],
    made: Float[np.ndarray, "m d"],
    *,
    extractor: str,
    block: int | None = None,
    blocks: int = 100,
    seed: int = 0,
) -> Distance:
    """Kernel distance: the unbiased squared MMD with the kernel (x.y / d + 1)^3, mean of blocks.

    Source: M. Binkowski et al., "Demystifying MMD GANs", ICLR 2018, section 3.

    Args:
        real: features of real pictures.
        made: features of made ones.
        extractor: what gave them, with its weights.
        block: pictures of each kind drawn for a block; None is 1000, or all where there are fewer.
        blocks: how often a block is drawn, without replacement within it. Where a block is all
            pictures of both kinds, one is enough.
        seed: of the draws.

    Raises:
        BadInput: fewer than two pictures of a kind or a block, a block larger than a kind, other
            numbers of features, a value that is not finite, or no name.
    """
    a, b = _features(real, made, extractor)
    size = min(1000, len(a), len(b)) if block is None else block
    need(2 <= size <= min(len(a), len(b)), f"a block of 2 to {min(len(a), len(b))} expected")
    need(blocks > 0, "at least one block")
    rounds = 1 if size == len(a) == len(b) else blocks
    rng = np.random.default_rng(seed)
    values = [
        squared_mmd(*(x[rng.choice(len(x), size, replace=False)] for x in (a, b)))
        for _ in range(rounds)
    ]
    error = float(np.std(values, ddof=1) / rounds**0.5) if rounds > 1 else None
    return Distance(
        metric="KID",
        value=float(np.mean(values)),
        extractor=extractor,
        real=len(a),
        made=len(b),
        error=error,
        block=size,
    )


def squared_mmd(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^3.

    A picture is never compared with itself.

    Raises:
        BadInput: fewer than two rows of a kind, other numbers of columns, or a value not finite.
    """
    _need_two(a, b)
    n, m, d = len(a), len(b), a.shape[1]
    aa, bb, ab = ((x @ y.T / d + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    within = (aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1))
    return float(within - 2 * ab.mean())


@dataclass(frozen=True)
class Identities:
    """Whether made pictures of one person look like one, and of two like two.

    Attributes:
        within: mean cosine of pairs of one person; consistency.
        between: mean cosine of pairs of two people.
        d_prime: how many standard deviations the two kinds of pair lie apart; separability.
        eer: equal error rate of telling them apart.
    """

    within: float
    between: float
    d_prime: float
    eer: float


def identities(embeddings: Float[np.ndarray, "n d"], people: Int[np.ndarray, " n"]) -> Identities:
    """Consistency and separability of made people, over every pair of pictures.

    Memory grows with the square of n: about 1 GB for 5,000 pictures.

    Args:
        embeddings: of one space, one a picture, of any length above 0.
        people: the person that each picture is meant to show.

    Raises:
        BadInput: lengths differ, a value is not finite, a vector is 0, there are no two people, or
            no person has two pictures.
    """
    need_rows(embeddings=embeddings, people=people)
    rows = embeddings.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    need(lengths.all(), "an embedding of length 0 has no direction")
    rows /= lengths
    first, second = np.triu_indices(len(rows), 1)
    cosines, same = (rows @ rows.T)[first, second], people[first] == people[second]
    need(same.any(), "no person has two pictures")
    need(not same.all(), "there are no two people")
    return Identities(
        float(cosines[same].mean()),
        float(cosines[~same].mean()),
        d_prime(cosines, same),
        equal_error_rate(cosines, same),
    )


def _features(real: np.ndarray, made: np.ndarray, extractor: str) -> tuple[np.ndarray, np.ndarray]:
    need(extractor.strip() != "", "name what extracted the features")
    _need_two(real, made)
    return real.astype(np.float64), made.astype(np.float64)


def _need_two(a: np.ndarray, b: np.ndarray) -> None:
    need(min(len(a), len(b)) >= 2, "at least two pictures of each kind expected")
    need(a.shape[1] == b.shape[1] > 0, "the same number of features expected of both kinds")
    need_finite(real=a, made=b)


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root; eigenvalues that rounding pushed below 0 are 0."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
