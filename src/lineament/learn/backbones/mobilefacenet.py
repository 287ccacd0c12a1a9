"""MobileFaceNet: inverted residuals, and a depthwise convolution over the whole last map.

That last one weighs every place of each channel for itself, where an average would count the corner
of a crop as much as the eyes.

Source: S. Chen et al., "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on
Mobile Devices", CCBR 2018 (arXiv:1804.07573), table 1.
"""

from __future__ import annotations

from math import ceil

from jaxtyping import Float
from torch import Tensor, nn

ROWS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Bottlenecks: expansion, channels, how many, stride of the first."""
FIRST, LAST = 64, 512
"""Channels of the stem and before the embedding."""


def _unit(
    inner: int, outer: int, kernel: int, stride: int = 1, *, depthwise: bool = False
) -> list[nn.Module]:
    groups = inner if depthwise else 1
    convolution = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outer), nn.PReLU(outer)]


class Bottleneck(nn.Module):
    """Wide inside, narrow and linear at its ends, which are added where they fit."""

    def __init__(self, inner: int, outer: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inner * expansion
        self.body = nn.Sequential(
            *_unit(inner, wide, 1),
            *_unit(wide, wide, 3, stride, depthwise=True),
            *_unit(wide, outer, 1)[:-1],
        )
        self.added = stride == 1 and inner == outer

    def forward(self, x: Float[Tensor, "n a h w"]) -> Float[Tensor, "n b i j"]:
        """`a` channels in, `b` out."""
        return x + self.body(x) if self.added else self.body(x)


class MobileFaceNet(nn.Module):
    """Faces to embeddings of any length.

    Args:
        size: of the square that it sees, pixels.
        dimension: of the embedding.
        width: factor of all channels but the embedding's.
    """

    def __init__(self, size: int = 112, dimension: int = 128, width: float = 1.0) -> None:
        super().__init__()
        self.dimension = dimension
        first, last = round(FIRST * width), round(LAST * width)
        layers = [*_unit(3, first, 3, 2), *_unit(first, first, 3, depthwise=True)]
        inner, side = first, ceil(size / 2)
        for expansion, channels, count, stride in ROWS:
            outer = round(channels * width)
            for k in range(count):
                layers.append(Bottleneck(inner, outer, 1 if k else stride, expansion))
                inner = outer
            side = ceil(side / stride)
        self.maps = nn.Sequential(*layers, *_unit(inner, last, 1))
        self.head = nn.Sequential(
            nn.Conv2d(last, last, side, groups=last, bias=False),
            nn.BatchNorm2d(last),
            nn.Conv2d(last, dimension, 1, bias=False),
            nn.BatchNorm2d(dimension),
            nn.Flatten(),
        )

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Faces in [-1, 1]."""
        return self.head(self.maps(x))
