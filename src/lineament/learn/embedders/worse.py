"""What the student sees of a face: moved, lit, and mostly made worse than what the teacher saw.

The kinds of damage are those of `measure.degrade`, at strengths drawn at random; what covers a face
are rectangles, not the shapes that tests cover it with. Everything random comes from one generator.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional

from lineament.learn.embedders.material import SQUARE
from lineament.learn.embedders.sface_torch import SIDE
from lineament.measure.degrade import light, optics, sensor

Pixels = UInt8[np.ndarray, "n h w 3"]

TURN, ZOOM, SHIFT = 0.1, 0.04, 1.5
"""Standard deviations: radians, of the scale's logarithm, pixels."""
LIGHT = 0.2
"""Standard deviation of the logarithm of contrast and brightness."""
GREY, COVERED, DAMAGED = 0.1, 0.25, 0.6
"""Shares of faces."""


def _between(draw: np.random.Generator, low: float, high: float) -> float:
    """Drawn evenly on a logarithmic scale."""
    return float(np.exp(draw.uniform(np.log(low), np.log(high))))


DAMAGES: tuple[Callable[[Pixels, np.random.Generator], Pixels], ...] = (
    lambda p, draw: optics.resolution(p, _between(draw, 0.1, 0.7)),
    lambda p, draw: optics.resolution(p, _between(draw, 0.1, 0.7)),
    lambda p, draw: optics.gaussian_blur(p, _between(draw, 0.6, 5)),
    lambda p, draw: optics.motion_blur(p, _between(draw, 3, 21), draw.uniform(0, 180)),
    lambda p, draw: sensor.gaussian_noise(p, _between(draw, 5, 50), _seed(draw)),
    lambda p, draw: sensor.low_light(p, _between(draw, 15, 1000), _seed(draw)),
    lambda p, draw: sensor.jpeg(p, round(_between(draw, 4, 60))),
    lambda p, draw: light.gamma(p, _between(draw, 0.5, 5)),
)
"""Kinds of damage; few pixels, the most common kind, twice."""


def worse(
    squares: UInt8[np.ndarray, "n s s 3"], draw: np.random.Generator
) -> Float32[Tensor, "n 3 112 112"]:
    """Crops as a student sees them, RGB from 0 to 255.

    Args:
        squares: faces by the template `SQUARE`.
        draw: for all that is random.
    """
    seen = _lit(_moved(squares, draw), draw)
    pixels = seen.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    kinds = np.where(
        draw.random(len(pixels)) < DAMAGED, draw.integers(0, len(DAMAGES), len(pixels)), -1
    )
    for row in np.flatnonzero(kinds >= 0):
        pixels[row] = DAMAGES[kinds[row]](pixels[row : row + 1], draw)[0]
    for row in np.flatnonzero(draw.random(len(pixels)) < COVERED):
        _cover(pixels[row], draw)
    planes = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    return planes.contiguous(memory_format=torch.channels_last)


def still(crops: UInt8[np.ndarray, "n h w 3"]) -> Float32[Tensor, "n 3 h w"]:
    """Crops without any change, RGB from 0 to 255."""
    planes = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    return planes.contiguous(memory_format=torch.channels_last)


def _seed(draw: np.random.Generator) -> int:
    return int(draw.integers(1 << 31))


def _moved(squares: UInt8[np.ndarray, "n s s 3"], draw: np.random.Generator) -> Tensor:
    """The crops within, each turned, zoomed, shifted, and half of them mirrored."""
    count, share = len(squares), SIDE / SQUARE.size
    angle = draw.normal(0, TURN, count)
    scale = share * np.exp(draw.normal(0, ZOOM, count))
    # Crop and square have the same middle. Torch's grids run from -1 to 1 over a side.
    x, y = draw.normal(0, 2 * SHIFT / SQUARE.size, (2, count))
    mirror = np.where(draw.random(count) < 0.5, -1.0, 1.0)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    rows = np.stack([mirror * cos, -sin, x, mirror * sin, cos, y], axis=1).reshape(-1, 2, 3)
    theta = torch.from_numpy(rows.astype(np.float32))
    grid = functional.affine_grid(theta, [count, 3, SIDE, SIDE], align_corners=False)
    planes = torch.from_numpy(squares).permute(0, 3, 1, 2).float()
    return functional.grid_sample(planes, grid, padding_mode="border", align_corners=False)


def _lit(planes: Tensor, draw: np.random.Generator) -> Tensor:
    """Other contrast, brightness and colour; light that falls off to a side; some are grey."""
    count = len(planes)

    def factors(channels: int, spread: float) -> Tensor:
        drawn = np.exp(draw.normal(0, spread, (count, channels, 1, 1)))
        return torch.from_numpy(drawn.astype(np.float32))

    grey = torch.from_numpy(draw.random(count) < GREY)[:, None, None, None]
    planes = torch.where(grey, planes.mean(dim=1, keepdim=True), planes)
    mean = planes.mean(dim=(1, 2, 3), keepdim=True)
    planes = mean + (planes - mean) * factors(1, LIGHT)
    slope = torch.linspace(-1, 1, SIDE)
    aside = draw.normal(0, LIGHT, (2, count, 1, 1, 1)).astype(np.float32)
    across, down = (torch.from_numpy(each) for each in aside)
    return (
        planes
        * factors(1, LIGHT)
        * factors(3, LIGHT / 4)
        * torch.exp(across * slope + down * slope[:, None])
    )


def _cover(picture: UInt8[np.ndarray, "h w 3"], draw: np.random.Generator) -> None:
    """Put a rectangle of one colour on it, of up to half its side each way."""
    middle, half = draw.uniform(0, SIDE, 2), draw.uniform(0.05, 0.25, 2) * SIDE
    (top, left), (bottom, right) = (
        np.clip(middle + sign * half, 0, SIDE).astype(int) for sign in (-1, 1)
    )
    picture[top:bottom, left:right] = draw.integers(0, 256, 3)
