"""Free embeddings: vectors optimised on the very sets that they are to find.

Nothing is learned from faces or texts: queries and documents are parameters. What such vectors
cannot do, no network trained in that way will; what they can, a network need not reach.

Source: O. Weller et al., "On the theoretical limitations of embedding-based retrieval",
arXiv:2508.21038; the settings are those of the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Float32

from lineament.core.errors import BadInput

LEARNING_RATE, TEMPERATURE = 0.01, 0.1
STEPS, LOOK = 100_000, 50
PATIENCE, LEAST_GAIN = 1000, 1e-5


def every_set(points: int, k: int) -> Bool[np.ndarray, "m n"]:
    """All sets of k of n points, a row a set."""
    members = np.asarray(list(combinations(range(points), k)), np.int64)
    relevant = np.zeros((len(members), points), bool)
    np.put_along_axis(relevant, members, True, axis=1)
    return relevant


def found(
    queries: Float[np.ndarray, "m d"],
    documents: Float[np.ndarray, "n d"],
    relevant: Bool[np.ndarray, "m n"],
) -> Bool[np.ndarray, " m"]:
    """Whether each query scores all its members above all others, strictly."""
    return _parted(queries @ documents.T, relevant)


@dataclass(frozen=True, eq=False)
class Fit:
    """What an optimisation came to.

    Attributes:
        queries, documents: unit vectors, at the end.
        share: of the sets that were found at once, at the best moment that was looked at.
        ever: of each set, whether it was found at any of those moments.
        steps: taken.
    """

    queries: Float32[np.ndarray, "m d"]
    documents: Float32[np.ndarray, "n d"]
    share: float
    ever: Bool[np.ndarray, " m"]
    steps: int


def optimise(
    relevant: Bool[np.ndarray, "m n"],
    dimension: int,
    *,
    documents: Float32[np.ndarray, "n d"] | None = None,
    temperature: float = TEMPERATURE,
    steps: int = STEPS,
    seed: int = 0,
) -> Fit:
    """Free vectors moved until each query finds exactly its members, or nothing more is gained.

    The loss is InfoNCE with every document as a negative: see `loss_and_pull`.

    Args:
        relevant: which documents belong to which set; each set has at least one.
        dimension: of the vectors.
        documents: unit vectors that stay where they are; None optimises them too.
        temperature: of the softmax.
        steps: at most.
        seed: of the start, directions drawn uniformly.

    Raises:
        BadInput: a set is empty or holds everything.
    """
    sizes = relevant.sum(axis=1)
    if not relevant.size or sizes.min() < 1 or sizes.max() == relevant.shape[1]:
        raise BadInput("every set needs a member, and something outside")
    sets, points = relevant.shape
    rng = np.random.default_rng(seed)
    moving = sets + (points if documents is None else 0)
    vectors = _unit(rng.standard_normal((moving, dimension), np.float32))
    queries, free = vectors[:sets], vectors[sets:]
    fixed = free if documents is None else documents
    adam = _Adam(vectors)
    gradient = np.empty_like(vectors)
    lowest, waited, share, step = np.inf, 0, 0.0, 0
    ever = np.zeros(sets, bool)
    for step in range(steps):
        scores = queries @ fixed.T
        if step % LOOK == 0:
            now = _parted(scores, relevant)
            ever |= now
            share = max(share, float(now.mean()))
            if now.all():
                break
        loss, pull = loss_and_pull(scores, relevant, temperature)
        lowest, waited = (loss, 0) if loss < lowest - LEAST_GAIN else (lowest, waited + 1)
        if waited >= PATIENCE:
            break
        gradient[:sets] = pull @ fixed
        if documents is None:
            gradient[sets:] = pull.T @ queries
        adam.step(gradient)
        _unit(vectors)
    return Fit(queries, fixed, share, ever, step)


def loss_and_pull(
    scores: Float[np.ndarray, "m n"], relevant: Bool[np.ndarray, "m n"], temperature: float
) -> tuple[float, Float[np.ndarray, "m n"]]:
    """InfoNCE of scores, and its derivative by each of them.

    The loss is the mean over all members of all sets of ``-log softmax(score / temperature)``.
    """
    members = relevant.astype(scores.dtype) / relevant.sum().astype(scores.dtype)
    weight = members.sum(axis=1, keepdims=True)
    logits = scores / scores.dtype.type(temperature)
    logits -= logits.max(axis=1, keepdims=True)
    odds = np.exp(logits)
    total = odds.sum(axis=1, keepdims=True)
    loss = float((weight * np.log(total)).sum() - (members * logits).sum())
    return loss, (weight * odds / total - members) / scores.dtype.type(temperature)


def critical_size(
    dimension: int, k: int = 2, *, start: int = 0, seed: int = 0, steps: int = STEPS
) -> int:
    """The largest n whose sets of k `optimise` finds all: grown until it fails twice in a row.

    Where `start` fails already, n first shrinks until it does not; k itself, whose one set leaves
    nothing out, is what remains where all others fail. The authors double and halve, which takes
    one lucky or unlucky run for the rule.
    """

    def reached(points: int) -> bool:
        return optimise(every_set(points, k), dimension, seed=seed, steps=steps).share == 1

    points = max(start, k + 1)
    while points > k and not reached(points):
        points -= 1
    largest, failures = points, 0
    while failures < 2:
        points += 1
        largest, failures = (points, 0) if reached(points) else (largest, failures + 1)
    return largest


class _Adam:
    """D. Kingma, J. Ba, "Adam: a method for stochastic optimization", 2014, algorithm 1."""

    def __init__(self, vectors: Float32[np.ndarray, "v d"]) -> None:
        self._vectors = vectors
        self._mean, self._square = np.zeros_like(vectors), np.zeros_like(vectors)
        self._steps = 0

    def step(self, gradient: Float32[np.ndarray, "v d"]) -> None:
        """Move the vectors in place."""
        self._steps += 1
        self._mean += 0.1 * (gradient - self._mean)
        self._square += 0.001 * (gradient**2 - self._square)
        mean = self._mean / (1 - 0.9**self._steps)
        square = self._square / (1 - 0.999**self._steps)
        self._vectors -= LEARNING_RATE * mean / (np.sqrt(square) + 1e-8)


def _unit(vectors: Float32[np.ndarray, "v d"]) -> Float32[np.ndarray, "v d"]:
    """Rows brought to length 1, in place."""
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _parted(
    scores: Float[np.ndarray, "m n"], relevant: Bool[np.ndarray, "m n"]
) -> Bool[np.ndarray, " m"]:
    worst = np.where(relevant, scores, np.inf).min(axis=1)
    best = np.where(relevant, -np.inf, scores).max(axis=1)
    return worst > best
