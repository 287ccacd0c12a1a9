"""RTNet's network: residual blocks that look at a face in tanh-polar space and in tanh-Cartesian
space at once.

In tanh-polar space rows are angles and go around; a convolution there has a receptive field like a
slice of a ring. In tanh-Cartesian space it is a rectangle. A HybridBlock has one path of each: the
second path's features are resampled there and back around its convolution.

Source: Y. Lin, J. Shen, Y. Wang, M. Pantic, "RoI Tanh-polar Transformer Network for Face Parsing in
the Wild", Image and Vision Computing 2021 (arXiv:2102.02717), section 3.3 and figure 4; which block
is hybrid, and dilations, as in the authors' code (github.com/hhj1897/face_parsing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex128, Float, Float32, Float64
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 24, 32, 48)
"""Inner channels of the four stages; outside they are `EXPANSION` times as many."""
EXPANSION = 2
HALF = float(np.sqrt(np.pi) / 2)
"""Half the side of the square that has the area of a circle of radius 1."""


@dataclass(frozen=True)
class Kind:
    """How convolutions meet the edges and each other.

    Attributes:
        polar: whether rows go around; else all edges are 0.
        hybrid: whether every block but a stage's first looks in tanh-Cartesian space too.
    """

    polar: bool
    hybrid: bool


HYBRID, PLAIN = Kind(polar=True, hybrid=True), Kind(polar=False, hybrid=False)


class PolarPad(nn.Module):
    """Rows go around; beyond the first and the last column their values go on."""

    def __init__(self, border: int) -> None:
        super().__init__()
        self.border = border

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c i j"]:
        """A border on every side."""
        b = self.border
        x = torch.cat([x[:, :, -b:], x, x[:, :, :b]], dim=2)
        return functional.pad(x, (b, b, 0, 0), mode="replicate")


def convolution(
    inner: int, outer: int, stride: int = 1, dilation: int = 1, *, polar: bool
) -> nn.Sequential:
    """3 x 3 and a batch norm; the size stays, but for the stride."""
    pad = PolarPad(dilation) if polar else nn.ZeroPad2d(dilation)
    conv = nn.Conv2d(inner, outer, 3, stride, dilation=dilation, bias=False)
    return nn.Sequential(pad, conv, nn.BatchNorm2d(outer))


class Resample(nn.Module):
    """Maps at fixed places, bilinearly.

    Args:
        columns: where each new pixel looks, columns of the old map.
        rows: the same, rows.
        size: of the old map, pixels.
        around: whether below the last row comes the first; else beyond the map is its edge.
    """

    grid: Tensor

    def __init__(
        self,
        columns: Float64[np.ndarray, "h w"],
        rows: Float64[np.ndarray, "h w"],
        size: int,
        around: bool,
    ) -> None:
        super().__init__()
        self.around = around
        last = (size - 1, size if around else size - 1)
        at = np.stack([2 * columns / last[0] - 1, 2 * rows / last[1] - 1], axis=-1)
        grid = torch.from_numpy(at.astype(np.float32))[None]
        self.register_buffer("grid", grid, persistent=False)

    def forward(self, x: Float[Tensor, "n c s s"]) -> Float[Tensor, "n c s s"]:
        """The same size."""
        if self.around:
            x = torch.cat([x, x[:, :, :1]], dim=2)
        grid = self.grid.expand(x.shape[0], -1, -1, -1)
        return functional.grid_sample(x, grid, padding_mode="border", align_corners=True)


def to_cartesian(size: int) -> Resample:
    """From tanh-polar to tanh-Cartesian space, for a square box.

    A pixel (u, v) in (-1, 1)^2 there lies at (artanh u, artanh v) half sides from the middle.
    """
    axis = np.arctanh((2 * np.arange(size) + 1) / size - 1)
    at = HALF * (axis[None, :] + 1j * axis[:, None])
    return Resample(*_polar(at, size), size, around=True)


def to_polar(size: int) -> Resample:
    """From tanh-Cartesian to tanh-polar space, for a square box."""
    radius = np.arctanh(np.arange(size) / size)
    angle = np.arange(size) * 2 * np.pi / size
    at = radius[None, :] * np.exp(1j * angle)[:, None]
    column, row = (
        (np.tanh(part / HALF) + 1) / 2 * size - 0.5 for part in (np.real(at), np.imag(at))
    )
    return Resample(column, row, size, around=False)


def _polar(
    at: Complex128[np.ndarray, "h w"], size: int
) -> tuple[Float64[np.ndarray, "h w"], Float64[np.ndarray, "h w"]]:
    """Columns and rows in tanh-polar space of places in radii of the face."""
    column = np.minimum(np.tanh(np.abs(at)) * size, size - 1)
    return column, np.angle(at) / (2 * np.pi) % 1.0 * size


class HybridBlock(nn.Module):
    """Narrow, look along two paths, widen, add.

    Args:
        inner: channels that come in.
        width: of each path.
        size: side of the map, pixels.
        dilation: of the paths.
        polar: whether rows go around, wherever a path stays in tanh-polar space.
        hybrid: whether the second path looks in tanh-Cartesian space.
    """

    def __init__(
        self,
        inner: int,
        width: int,
        size: int,
        dilation: int = 1,
        *,
        polar: bool = True,
        hybrid: bool = True,
    ) -> None:
        super().__init__()
        outer = EXPANSION * width
        self.narrow = nn.ModuleList(_one(inner, width) for _ in range(2))
        self.rings = convolution(width, width, 1, dilation, polar=polar)
        look = convolution(width, width, 1, dilation, polar=polar and not hybrid)
        self.squares = nn.Sequential(to_cartesian(size), look, to_polar(size)) if hybrid else look
        self.widen = _one(2 * width, outer)
        self.beside = nn.Identity() if inner == outer else _one(inner, outer)

    def forward(self, x: Float[Tensor, "n a h w"]) -> Float[Tensor, "n b h w"]:
        """`inner` channels in, `EXPANSION * width` out."""
        rings = torch.relu(self.rings(torch.relu(self.narrow[0](x))))
        squares = torch.relu(self.squares(torch.relu(self.narrow[1](x))))
        return torch.relu(self.beside(x) + self.widen(torch.cat([rings, squares], dim=1)))


class RTNet(nn.Module):
    """Four stages of blocks down to a quarter of the size, and a fully convolutional head.

    Args:
        classes: how many.
        size: of the view, a multiple of 4 pixels.
        kind: of its convolutions; `PLAIN` is the same network, with as many weights, for any view.
        widths: of the stages.
    """

    def __init__(
        self, classes: int, size: int, kind: Kind = HYBRID, widths: tuple[int, ...] = WIDTHS
    ) -> None:
        super().__init__()
        first, polar = widths[0], kind.polar
        self.stem = nn.Sequential(
            *(convolution(3, first, 2, polar=polar), nn.ReLU()),
            *(convolution(first, 2 * first, 2, polar=polar), nn.ReLU()),
        )
        blocks, inner = [], 2 * first
        for stage, width in enumerate(widths):
            dilation = max(1, 2 ** (stage - 1))
            # As in the authors' code, a stage's first block looks half as far, and one way.
            for far, hybrid in ((max(1, dilation // 2), False), (dilation, stage > 0)):
                hybrid = hybrid and kind.hybrid
                blocks.append(HybridBlock(inner, width, size // 4, far, polar=polar, hybrid=hybrid))
                inner = EXPANSION * width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            convolution(inner, inner // 2, polar=polar),
            nn.ReLU(),
            nn.Conv2d(inner // 2, classes, 1),
        )
        for block in blocks:  # so that a block begins as what comes in
            nn.init.zeros_(block.widen[1].weight)

    def forward(self, x: Float32[Tensor, "n 3 s s"]) -> Float[Tensor, "n k s s"]:
        """Scores of the classes.

        Args:
            x: the view, RGB from 0 to 255.
        """
        scores = self.head(self.blocks(self.stem(x / 127.5 - 1)))
        return functional.interpolate(scores, x.shape[2:], mode="bilinear")


def _one(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, 1, bias=False), nn.BatchNorm2d(outer))
