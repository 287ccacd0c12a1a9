"""From wide crops to what a network sees: moved, mirrored, lit, blurred and covered at random.

All of it runs on tensors, for a whole batch at once. What is random comes from a numpy generator
and from torch's own, so a step's batch follows from its seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.nn import functional

from lineament.learn.landmarks.crops import MIRRORED
from lineament.learn.landmarks.faces import WIDER

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Amounts:
    """How much is changed.

    Attributes:
        turn: standard deviation of the rotation, radians.
        zoom: standard deviation of the scale's logarithm.
        shift: standard deviation along each axis, shares of the side.
        mirrored: share of faces that are.
        light: standard deviation of brightness and contrast, as factors.
        grey: share of faces without colour.
        blurred: share of faces that are made coarser, by up to 3 times.
        noise: largest standard deviation of the noise, in grey levels.
        covered: share of faces with a rectangle of one colour on them.
    """

    turn: float = 0.08
    zoom: float = 0.06
    shift: float = 0.02
    mirrored: float = 0.5
    light: float = 0.25
    grey: float = 0.15
    blurred: float = 0.4
    noise: float = 8.0
    covered: float = 0.15


STILL = Amounts(0, 0, 0, 0, 0, 0, 0, 0, 0)
"""Nothing is changed."""


def see(
    pixels: UInt8[np.ndarray, "n b b 3"],
    points: Float32[np.ndarray, "n k 2"],
    size: int,
    rng: np.random.Generator,
    amounts: Amounts = STILL,
    mirror: Sequence[int] = MIRRORED,
) -> tuple[Tensor, Tensor]:
    """Squares as a network sees them, and their points.

    Args:
        pixels: wide crops.
        points: shares of the wide crop's side; several sets may follow each other.
        size: of the squares, pixels.
        rng: for what is random.
        amounts: of change.
        mirror: which point of a set each one is in a mirror.

    Returns:
        n x 3 x size x size, RGB from 0 to 255, and n x k x 2 shares of the square's side.
    """
    moves = _moves(len(pixels), rng, amounts)
    seen = _look(torch.from_numpy(pixels), moves, size)
    placed = _place(torch.from_numpy(points), moves)
    mirrored = torch.from_numpy(rng.random(len(pixels)) < amounts.mirrored)
    seen = torch.where(mirrored[:, None, None, None], seen.flip(3), seen)
    placed = torch.where(mirrored[:, None, None], _mirror(placed, mirror), placed)
    return develop(seen, rng, amounts), placed


def still(pixels: UInt8[np.ndarray, "n b b 3"], size: int) -> Tensor:
    """Squares without any change: n x 3 x size x size, RGB from 0 to 255."""
    nothing = np.zeros((len(pixels), 0, 2), np.float32)
    return see(pixels, nothing, size, np.random.default_rng(0))[0]


def _moves(count: int, rng: np.random.Generator, amounts: Amounts) -> Tensor:
    """Similarities from shares of the square to shares of the wide crop, n x 2 x 3."""
    angle = rng.normal(0, 1, count) * amounts.turn
    scale = np.exp(rng.normal(0, 1, count) * amounts.zoom) / WIDER
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    x, y = rng.normal(0, 1, (2, count)) * amounts.shift / WIDER
    rows = np.stack([cos, -sin, x, sin, cos, y], axis=1).reshape(-1, 2, 3)
    return torch.from_numpy(rows.astype(np.float32))


def _look(pixels: Tensor, moves: Tensor, size: int) -> Tensor:
    """The squares that the moves cut out; black beyond the crop."""
    # Torch's grids run from -1 to 1 where shares run from -0.5 to 0.5.
    theta = moves * torch.tensor([1.0, 1.0, 2.0])
    grid = functional.affine_grid(theta, [len(pixels), 3, size, size], align_corners=False)
    planes = pixels.permute(0, 3, 1, 2).float()
    return functional.grid_sample(planes, grid, align_corners=False)


def _place(points: Tensor, moves: Tensor) -> Tensor:
    """Points of the wide crop in the squares."""
    linear, shift = moves[:, :, :2], moves[:, None, :, 2]
    return torch.linalg.solve(linear, (points - shift).transpose(1, 2)).transpose(1, 2)


def _mirror(points: Tensor, mirror: Sequence[int]) -> Tensor:
    sets = points.shape[1] // len(mirror)
    order = [s * len(mirror) + k for s in range(sets) for k in mirror]
    return points[:, order] * torch.tensor([-1.0, 1.0])


def develop(seen: Tensor, rng: np.random.Generator, amounts: Amounts) -> Tensor:
    """Light, colour, sharpness, noise, and things in the way.

    Args:
        seen: n x 3 x size x size, RGB from 0 to 255.
        rng: for what is random.
        amounts: of change.
    """
    if amounts == STILL:
        return seen
    count, _, size, _ = seen.shape

    def some(share: float) -> Tensor:
        return torch.from_numpy(rng.random(count) < share)[:, None, None, None]

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(rng.normal(0, 1, (count, *shape)).astype(np.float32))

    coarse = functional.interpolate(seen, scale_factor=1 / rng.uniform(1.2, 3), mode="area")
    coarse = functional.interpolate(coarse, size=(size, size), mode="bilinear")
    seen = torch.where(some(amounts.blurred), coarse, seen)
    seen = torch.where(some(amounts.grey), seen.mean(dim=1, keepdim=True), seen)
    seen = seen * torch.exp(normal(3, 1, 1) * amounts.light / 4)
    mean = seen.mean(dim=(1, 2, 3), keepdim=True)
    seen = mean + (seen - mean) * torch.exp(normal(1, 1, 1) * amounts.light)
    seen = seen * torch.exp(normal(1, 1, 1) * amounts.light * 1.5)
    slope = torch.linspace(-1, 1, size)
    across, down = (normal(1, 1, 1) * amounts.light for _ in range(2))
    seen = seen * torch.exp(across * slope + down * slope[:, None])
    strength = torch.from_numpy(rng.uniform(0, amounts.noise, (count, 1, 1, 1)).astype(np.float32))
    seen = seen + torch.randn(seen.shape) * strength
    seen = torch.where(some(amounts.covered) & _rectangles(count, size, rng), _paint(rng), seen)
    return seen.clamp(0, 255)


def _rectangles(count: int, size: int, rng: np.random.Generator) -> Tensor:
    """One rectangle a face, of up to half its side, as a mask."""
    centre, half = rng.random((2, count, 1)), rng.uniform(0.05, 0.25, (2, count, 1))
    axis = (np.arange(size) + 0.5) / size
    down, across = np.abs(axis - centre) < half
    return torch.from_numpy((down[:, :, None] & across[:, None])[:, None])


def _paint(rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.uniform(0, 255, (1, 3, 1, 1)).astype(np.float32))
