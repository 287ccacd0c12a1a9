"""A small encoder of faces at four scales, and their fusion into one map: what FaceXFormer reads.

Source: of the fusion, arXiv:2403.12960, section 3.2, after E. Xie et al., "SegFormer", NeurIPS
2021.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lineament.learn.generalists.material import SIZE

WIDTHS = (32, 64, 96, 128)
"""Channels at a quarter of the size, an eighth, and so on."""


class Pyramid(nn.Module):
    """Features of a face at four scales: convolutions, and at the coarsest a dense layer over the
    whole face, which learns from few faces what is where."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_unit(3, widths[0] // 2, 2))
        pairs = zip((widths[0] // 2, *widths), widths[:-1], strict=False)
        self.stages = nn.ModuleList(
            nn.Sequential(*_unit(inner, outer, 2), Residual(outer)) for inner, outer in pairs
        )
        side = SIZE // 32
        self.whole = nn.Sequential(
            nn.Flatten(),
            nn.Linear(widths[-2] * (2 * side) ** 2, widths[-1] * side**2),
            nn.BatchNorm1d(widths[-1] * side**2),
            nn.ReLU(),
            nn.Unflatten(1, (widths[-1], side, side)),
        )

    def forward(self, x: Float[Tensor, "n 3 s s"]) -> list[Tensor]:
        """From fine to coarse."""
        x = self.stem(x / 127.5 - 1)
        scales = []
        for stage in self.stages:
            x = stage(x)
            scales.append(x)
        return [*scales, self.whole(x)]


class Residual(nn.Module):
    """Two convolutions beside which the input goes on."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_unit(width, width), *_unit(width, width)[:-1])

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The same shape."""
        return functional.relu(x + self.body(x))


class Fusion(nn.Module):
    """MLP-Fusion: every scale brought to one width and to the finest resolution, and mixed."""

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(nn.Conv2d(inner, width, 1) for inner in widths)
        self.mixed = nn.Conv2d(width * len(widths), width, 1, bias=False)
        self.norm = nn.GroupNorm(1, width)

    def forward(self, scales: list[Tensor]) -> Float[Tensor, "n d h w"]:
        """One map at the finest of the scales."""
        size = scales[0].shape[2:]
        brought = [
            functional.interpolate(one(x), size=size, mode="bilinear", align_corners=False)
            for one, x in zip(self.each, scales, strict=True)
        ]
        return self.norm(self.mixed(torch.cat(brought, dim=1)))


def _unit(inner: int, outer: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
    return [convolution, nn.BatchNorm2d(outer), nn.ReLU()]
