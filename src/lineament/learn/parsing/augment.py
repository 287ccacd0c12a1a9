"""What is changed at random between two looks at a face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from lineament.learn.parsing.views import Frames


@dataclass(frozen=True)
class Amounts:
    """How much is changed.

    Attributes:
        turn: standard deviation of the rotation, radians.
        zoom: standard deviation of the scale's logarithm.
        shift: standard deviation along each axis, sides of the frame.
        mirrored: share of faces that are.
        light: standard deviation of the logarithms of brightness and contrast.
        noise: largest standard deviation of the noise, in grey levels.
    """

    turn: float = 0.15
    zoom: float = 0.1
    shift: float = 0.05
    mirrored: float = 0.5
    light: float = 0.2
    noise: float = 6.0


def moved(frames: Frames, rng: np.random.Generator, amounts: Amounts) -> Frames:
    """Frames turned, made larger or smaller, shifted and mirrored."""
    count = len(frames.middle)
    turn, zoom, across, down = rng.normal(0, 1, (4, count))
    return frames.moved(
        turn * amounts.turn,
        np.exp(zoom * amounts.zoom),
        (across + 1j * down) * amounts.shift,
        rng.random(count) < amounts.mirrored,
    )


def developed(
    seen: Float32[Tensor, "n 3 h w"], rng: np.random.Generator, amounts: Amounts
) -> Float[Tensor, "n 3 h w"]:
    """Views in another light, with noise; 0 to 255."""

    def factors(channels: int, share: float) -> Tensor:
        values = np.exp(rng.normal(0, 1, (len(seen), channels, 1, 1)) * amounts.light * share)
        return torch.from_numpy(values.astype(np.float32))

    mean = seen.mean(dim=(1, 2, 3), keepdim=True)
    seen = mean + (seen - mean) * factors(1, 1.0)
    seen = seen * factors(1, 1.0) * factors(3, 0.3)
    strength = rng.uniform(0, amounts.noise, (len(seen), 1, 1, 1)).astype(np.float32)
    return (seen + torch.randn(seen.shape) * torch.from_numpy(strength)).clamp(0, 255)
