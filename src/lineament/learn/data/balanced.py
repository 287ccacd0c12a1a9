"""Batches of some people with some faces each, as losses over pairs and triplets want them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from lineament.core.errors import BadInput
from lineament.learn.order import Order


class Balanced:
    """P people a step, K faces of each: a function of seed and step, so that runs can be resumed.

    Every person comes once before anyone comes again. Of a person with K faces or more, K different
    ones are drawn; of one with fewer, all of them and some again. Rows of one person follow each
    other, and cutting a step into parts of whole people keeps that.

    Source: F. Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and Clustering",
    CVPR 2015, section 3.2; A. Hermans et al., "In Defense of the Triplet Loss for Person
    Re-Identification", arXiv:1703.07737, section 2, for P and K.

    Args:
        labels: person of each row of the data.
        batch: rows a step, a multiple of `faces`.
        faces: of each person, K.
        seed: of the draws.

    Raises:
        BadInput: the batch is no multiple of K, or there are fewer than P people.
    """

    def __init__(self, labels: Int64[np.ndarray, " n"], batch: int, faces: int, seed: int) -> None:
        names, sizes = np.unique(labels, return_counts=True)
        if faces < 1 or batch % faces or batch // faces > len(names):
            raise BadInput(f"no batches of {batch} rows, {faces} of each of {len(names)} people")
        self._rows = np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1])
        self._people = Order(len(names), batch // faces, seed)
        self._faces, self._seed = faces, seed

    def __call__(self, step: int) -> Int64[np.ndarray, " batch"]:
        """The rows of a step, counted from 0."""
        rng = np.random.default_rng((self._seed, step, 1))
        drawn = [self._draw(self._rows[person], rng) for person in self._people(step)]
        return np.concatenate(drawn).astype(np.int64)

    def _draw(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        again = max(0, self._faces - len(rows))
        once = rng.permutation(rows)[: self._faces]
        return np.concatenate([once, rng.choice(rows, again)]) if again else once
