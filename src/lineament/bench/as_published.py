"""Time of the default embedder's network as it was published.

Its graph is rewritten here to run faster (`core.onnx_graph.plain_rectifiers`). The limit that a
whole chain is held to is the networks' own time; where that has been made shorter, what it was is
the fairer limit, and both are stated.
"""

from __future__ import annotations

import numpy as np

from lineament.core.cards import weights
from lineament.core.crops import Crops
from lineament.core.onnx_graph import drop_initialiser_inputs, free_axes
from lineament.core.protocols import Embedder
from lineament.core.sessions import Session
from lineament.core.weights import prepared

EMBEDDER = "sface"
"""The slug and the weight's name."""
_ROUNDS = 31
"""Calls of both networks in turn."""


def slowness(embedder: Embedder) -> float:
    """Time of the network as published over that of ours, on one face and one thread.

    Args:
        embedder: the method `EMBEDDER`, of one thread.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (1, 112, 112, 3), np.uint8)
    crops = Crops(pixels, np.eye(2, 3, dtype=np.float32)[None], embedder.template.name)
    planes = pixels.transpose(0, 3, 1, 2).astype(np.float32)
    path = prepared(weights()[EMBEDDER], "batched", lambda m: free_axes(drop_initialiser_inputs(m)))
    published = Session(path, threads=1)
    times = []
    for _ in range(_ROUNDS):
        before = published.seconds, embedder.seconds
        published.run(planes)
        embedder(crops)
        times.append((published.seconds - before[0], embedder.seconds - before[1]))
    return float(np.divide(*np.median(times, axis=0)))
