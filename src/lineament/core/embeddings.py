"""Embeddings: unit vectors that stand for faces, and the space that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int8

from lineament.core.errors import SpaceMismatch


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Unit vectors of one space, a row a face.

    Attributes:
        vectors: float32, n x d, each of length 1 (a row of zeros, which no network gives, is
            refused).
        space: method and weights, such as ``sface@0ba9fbfa``; only equal spaces compare.

    Raises:
        ValueError: a row is not finite or not of length 1 (within 1e-3).
    """

    vectors: Float32[np.ndarray, "n d"]
    space: str

    def __post_init__(self) -> None:
        lengths = _lengths(self.vectors)
        if not np.all(np.abs(lengths - 1) < 1e-3):
            raise ValueError("embeddings are finite rows of length 1; use Embeddings.normalised")

    @classmethod
    def normalised(cls, vectors: np.ndarray, space: str) -> Embeddings:
        """Embeddings from a network's raw output, n x d.

        Raises:
            ValueError: a row has no direction (zeros or not finite).
        """
        lengths = _lengths(vectors)[:, None]
        if not np.all(np.isfinite(lengths) & (lengths > 0)):
            raise ValueError("a vector of zeros, NaN or infinity has no direction")
        return cls((vectors / lengths).astype(np.float32), space)

    @staticmethod
    def join(parts: Sequence[Embeddings]) -> Embeddings:
        """Rows of several embeddings of one space, in order.

        Raises:
            SpaceMismatch: the spaces differ.
            ValueError: there are no parts, hence no space.
        """
        if not parts:
            raise ValueError("there is nothing to join, and so no space to join it in")
        for part in parts[1:]:
            require_same_space(parts[0].space, part.space)
        return Embeddings(np.concatenate([p.vectors for p in parts]), parts[0].space)

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, rows: slice | np.ndarray) -> Embeddings:
        return Embeddings(self.vectors[rows], self.space)

    def to_codes(self) -> Int8[np.ndarray, "n d"]:
        """One byte a number: 128 bytes a face for a 128-d space. See `code_scale`."""
        return encode(self.vectors)

    @classmethod
    def from_codes(cls, codes: Int8[np.ndarray, "n d"], space: str) -> Embeddings:
        """The embeddings that codes stand for, to within half a step a number."""
        return cls.normalised(codes.astype(np.float32), space)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("nd,nd->n", vectors, vectors))


def require_same_space(a: str, b: str) -> None:
    """Raises `SpaceMismatch` where two spaces differ."""
    if a != b:
        raise SpaceMismatch(f"embeddings of {a} and of {b} cannot be compared")


def similarity(a: Embeddings, b: Embeddings) -> Float32[np.ndarray, "n m"]:
    """Cosine of every pair of rows, in [-1, 1].

    Raises:
        SpaceMismatch: the spaces differ.
    """
    require_same_space(a.space, b.space)
    return a.vectors @ b.vectors.T


def code_scale(dimension: int) -> float:
    """Codes per unit: numbers up to six times a random unit vector's deviation fit in a byte.

    The scale is one for a space, not one for a row: inner products of codes are then
    proportional to cosines, so that a search can run on the stored bytes themselves.
    """
    return 127.0 * dimension**0.5 / 6.0


def encode(vectors: Float32[np.ndarray, "n d"]) -> Int8[np.ndarray, "n d"]:
    """Unit vectors as signed bytes; a number beyond the range is clipped to its end."""
    scaled = np.rint(vectors * code_scale(vectors.shape[1]))
    return np.clip(scaled, -127, 127).astype(np.int8)
