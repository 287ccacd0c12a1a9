"""Small networks of SFace's kind, and pictures for them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lineament.learn.embedders.sface_torch import Chain, Head, Unit  # noqa: E402
from lineament.learn.embedders.worse import still  # noqa: E402

SIDE = 16


def normal(draw: np.random.Generator, *shape: int):
    return torch.from_numpy(draw.normal(0, 0.4, shape).astype(np.float32))


def chain(draw: np.random.Generator, slopes: bool = True) -> Chain:
    """A network of SFace's kind for pictures of 16 x 16: widths 6, 10 and 12."""

    def unit(outputs: int, inputs: int, size: int, stride: int) -> Unit:
        slope = normal(draw, outputs) if slopes else None
        return Unit(normal(draw, outputs, inputs, size, size), normal(draw, outputs), stride, slope)

    shapes = ((6, 3, 3, 1), (6, 1, 3, 2), (10, 6, 1, 1), (10, 1, 3, 2), (12, 10, 1, 1))
    return Chain(
        [unit(*shape) for shape in shapes], Head(normal(draw, 5, 12, 4, 4), normal(draw, 5))
    )


def pixels(draw: np.random.Generator, count: int = 48) -> np.ndarray:
    return draw.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def answers(model, crops: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(still(crops)).numpy()
