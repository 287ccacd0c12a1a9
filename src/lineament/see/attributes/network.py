"""What networks that describe aligned faces have in common: crops in, answers out, in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from lineament.core.cards import Card
from lineament.core.crops import Crops, Template
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.sessions import Session
from lineament.core.weights import fetch
from lineament.see.batch import align_all, split


class CropDescriber(ABC):
    """A describer that is one ONNX network over aligned RGB crops.

    A method's class states its card, its template, how pixels are scaled, and what it makes of the
    network's answers; this class does the rest.

    Args:
        batch: faces a call of the network.
        threads: of the network; None lets ONNX Runtime choose.

    Raises:
        WeightError: the weight cannot be had, or its terms have not been accepted.
    """

    card: Card
    template: Template
    mean: float | tuple[float, float, float] = 0.0
    gain: float = 1.0
    widths: tuple[int, ...]
    """Numbers a face of each output that is read, so that no faces need no network."""

    def __init__(self, *, batch: int = 16, threads: int | None = None) -> None:
        self.batch = batch
        self._session = Session(self.network(), threads=threads)

    def network(self) -> Path:
        """The ONNX file to run."""
        return fetch(self.card.weights[0])

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        return self._session.seconds

    def __call__(self, images: Sequence[Image], found: Sequence[Faces]) -> list[dict[str, Any]]:
        """The fields of the card for all faces; the pictures' own pixels are read."""
        if not images:
            return []
        fields = self.describe(align_all(images, found, self.template))
        parts = {name: split(values, found) for name, values in fields.items()}
        return [{name: rows[k] for name, rows in parts.items()} for k in range(len(images))]

    def describe(self, crops: Crops) -> dict[str, Any]:
        """The fields of n faces that are aligned already.

        Raises:
            ValueError: the crops were aligned to another template.
        """
        if crops.template != self.template.name:
            raise ValueError(
                f"{self.card.slug} takes {self.template.name!r} crops, got {crops.template!r}"
            )
        return self.read(*self.answers(crops.pixels))

    def answers(self, pixels: UInt8[np.ndarray, "n h w 3"]) -> list[Float32[np.ndarray, "n _"]]:
        """The network's outputs for n crops."""
        parts = [
            self._session.run(self.planes(pixels[start : start + self.batch]))
            for start in range(0, len(pixels), self.batch)
        ]
        none = [np.empty((0, width), np.float32) for width in self.widths]
        return [np.concatenate(output) for output in zip(none, *parts, strict=True)]

    def planes(self, pixels: UInt8[np.ndarray, "n h w 3"]) -> Float32[np.ndarray, "n 3 h w"]:
        """Pixels as the network takes them."""
        mean = np.asarray(self.mean, np.float32)
        scaled = (pixels.astype(np.float32) - mean) * np.float32(self.gain)
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))

    @abstractmethod
    def read(self, *answers: Float32[np.ndarray, "n _"]) -> dict[str, Any]:
        """The card's fields out of the network's outputs."""


def expectation(
    chances: Float32[np.ndarray, "n k"], values: Float[np.ndarray, " k"]
) -> Float32[np.ndarray, " n"]:
    """The mean of `values` under each row of probabilities."""
    return (chances @ values).astype(np.float32)
