"""Representations from elsewhere, as the tasks ask for them: any embedder of the package."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.core.cards import method
from lineament.core.crops import ARCFACE_112, Crops, warp
from lineament.core.geometry import umeyama
from lineament.core.image import Image
from lineament.core.protocols import Embedder
from lineament.learn.pretraining.tasks import Features


def embedder(slug: str) -> Features:
    """What an embedder says of faces aligned by `ARCFACE_112` at any size: it sees them brought to
    its own template, and no sharper than they come.

    Raises:
        UnknownMethod: there is none of this name.
        WeightError: its weight cannot be had, or its terms have not been accepted.
    """
    network: Embedder = method(slug, "embed").load()(threads=1)
    wanted = np.asarray(network.template.points, np.float32)

    def represent(pixels: UInt8[np.ndarray, "n s s 3"]) -> Float32[np.ndarray, "n d"]:
        # The centre of the first pixel is (0, 0), so sizes scale about (-0.5, -0.5).
        given = (np.asarray(ARCFACE_112.points) + 0.5) * pixels.shape[1] / ARCFACE_112.size - 0.5
        matrix = umeyama(given[None], wanted)[0]
        side = network.template.size
        parts = []
        for start in range(0, len(pixels), 256):
            some = pixels[start : start + 256]
            crops = np.stack([warp(Image(face), matrix, side) for face in some])
            transforms = np.repeat(matrix[None], len(some), axis=0)
            parts.append(network(Crops(crops, transforms, network.template.name)).vectors)
        return np.concatenate(parts)

    return represent
