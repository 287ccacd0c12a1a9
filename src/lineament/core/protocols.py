"""One verb, one protocol: what a method must offer to be used by the pipelines. All are batched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card
from lineament.core.crops import Crops, Template
from lineament.core.embeddings import Embeddings
from lineament.core.faces import Faces
from lineament.core.image import Image


@runtime_checkable
class Detector(Protocol):
    """Finds faces. Gives boxes, scores and keypoints (the five points of scheme "5"), in each
    picture's pixels, best score first."""

    def __call__(self, images: Sequence[Image]) -> list[Faces]: ...

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        ...


@runtime_checkable
class FeatureExtractor(Protocol):
    """Turns pictures, or aligned crops, into rows of general features: n x d, float32."""

    def __call__(self, pictures: Sequence[Image] | Crops) -> Float32[np.ndarray, "n d"]: ...


@runtime_checkable
class Describer(Protocol):
    """Computes fields of faces that were found, for all faces of a batch of pictures at once.

    Its card names the fields that it needs and those that it gives. It answers with one mapping a
    picture, whose values have one row a face: of length 0 where there is nobody.
    """

    card: Card

    def __call__(
        self, images: Sequence[Image], found: Sequence[Faces]
    ) -> Sequence[Mapping[str, Any]]: ...

    @property
    def seconds(self) -> float:
        """Time spent inside its networks so far."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns aligned crops into embeddings of its space."""

    template: Template
    dimension: int

    @property
    def space(self) -> str:
        """Method and weights; embeddings of other spaces do not compare with these."""
        ...

    def __call__(self, crops: Crops) -> Embeddings: ...

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        ...
