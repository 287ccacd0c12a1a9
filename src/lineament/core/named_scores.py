"""Rows of numbers that have names: probabilities of classes, strengths of expressions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32


@dataclass(frozen=True, eq=False)
class NamedScores:
    """The same named scores of each of n faces.

    Attributes:
        values: n x k, each in [0, 1]. Whether a row sums to 1 is up to what gave it: classes that
            exclude each other do, attributes do not.
        names: of the k columns, all different.

    Raises:
        ValueError: there are not as many names as columns, or two are the same.
    """

    values: Float32[np.ndarray, "n k"]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.values.shape[1:] != (len(self.names),):
            raise ValueError(f"{len(self.names)} names do not fit scores {self.values.shape}")
        if len(set(self.names)) != len(self.names):
            raise ValueError("two scores have the same name")

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice | np.ndarray) -> NamedScores:
        return NamedScores(self.values[rows], self.names)

    def of(self, name: str) -> Float32[np.ndarray, " n"]:
        """The scores of this name, one a face.

        Raises:
            KeyError: no score has this name.
        """
        if name not in self.names:
            raise KeyError(f"no score {name!r}; there are {', '.join(self.names)}")
        return self.values[:, self.names.index(name)]

    def best(self) -> list[str]:
        """The name of each face's highest score; of equal ones the first."""
        return [self.names[column] for column in self.values.argmax(axis=1)]
