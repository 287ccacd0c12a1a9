"""What every embedding network has in common: crops in, unit vectors out, in batches."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.core.cards import Card
from lineament.core.crops import ARCFACE_112, Crops, Template
from lineament.core.embeddings import Embeddings
from lineament.core.onnx_graph import drop_initialiser_inputs, free_axes, plain_rectifiers
from lineament.core.sessions import Session
from lineament.core.weights import prepared


class OnnxEmbedder:
    """An embedder that is one ONNX network over aligned RGB crops.

    A method's class states its card, template, dimension and how pixels are scaled; this class
    does the rest. Networks are called on ``(pixels - offset) * gain``, float32, n x 3 x h x w.

    Args:
        flip: also embed each mirrored crop and add the two vectors before normalising. Twice the
            time, slightly better accuracy, the same space.
        batch: crops a call of the network.
        threads: of the network; None lets ONNX Runtime choose.

    Raises:
        WeightError: the weight cannot be had, or its terms have not been accepted.
    """

    card: Card
    template: Template = ARCFACE_112
    dimension: int
    offset: float | Float32[np.ndarray, "3 1 1"] = 0.0
    gain: float | Float32[np.ndarray, "3 1 1"] = 1.0

    def __init__(self, *, flip: bool = False, batch: int = 16, threads: int | None = None) -> None:
        self.flip = flip
        self.batch = batch
        self._session = self._open(threads)

    def _open(self, threads: int | None) -> Session:
        weight = self.card.weights[0]
        path = prepared(
            weight,
            "batched-plain",
            lambda m: plain_rectifiers(free_axes(drop_initialiser_inputs(m))),
        )
        return Session(path, threads=threads)

    @property
    def space(self) -> str:
        """Method and weights; embeddings of other spaces do not compare with these."""
        return f"{self.card.slug}@{self.card.weights[0].sha256[:8]}"

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        return self._session.seconds

    def __call__(self, crops: Crops) -> Embeddings:
        """Embeddings of n aligned faces.

        Raises:
            ValueError: the crops were aligned to another template.
        """
        if crops.template != self.template.name:
            raise ValueError(
                f"{self.card.slug} takes {self.template.name!r} crops, got {crops.template!r}"
            )
        parts = [
            self._embed(crops.pixels[start : start + self.batch])
            for start in range(0, len(crops), self.batch)
        ]
        vectors = np.concatenate(parts) if parts else np.empty((0, self.dimension), np.float32)
        return Embeddings.normalised(vectors, self.space)

    def _embed(self, pixels: UInt8[np.ndarray, "n h w 3"]) -> Float32[np.ndarray, "n d"]:
        planes = (pixels.transpose(0, 3, 1, 2).astype(np.float32) - self.offset) * self.gain
        if not self.flip:
            return self._session.run(planes)[0]
        both = np.concatenate([planes, planes[..., ::-1]])
        one, other = np.split(self._session.run(both)[0], 2)
        return one + other
