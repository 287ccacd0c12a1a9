"""A light network of points: inverted residuals down and up again, and the mean of each map.

Source: M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018,
section 3; of the way up, T.-Y. Lin et al., "Feature Pyramid Networks", CVPR 2017, section 3; of the
mean under a softmax, X. Sun et al., "Integral Human Pose Regression", ECCV 2018, equation 2.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from lineament.learn.landmarks.crops import MIRRORED

_SPREAD = 0.08
"""Of the prior, shares of the side."""
_BEYOND = 1.1
"""The map reaches beyond the square by this factor: a jaw may lie outside."""


def _unit(inner: int, outer: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outer), nn.ReLU6()]


class InvertedResidual(nn.Module):
    """Wide inside, narrow at its ends; the ends are linear, and added where they fit."""

    def __init__(self, inner: int, outer: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inner * expansion
        self.body = nn.Sequential(
            *_unit(inner, wide, 1),
            *_unit(wide, wide, 3, stride, groups=wide),
            *_unit(wide, outer, 1)[:-1],
        )
        self.added = stride == 1 and inner == outer

    def forward(self, x: Float[Tensor, "n a h w"]) -> Float[Tensor, "n b i j"]:
        """`a` channels in, `b` out."""
        return x + self.body(x) if self.added else self.body(x)


class MobileLandmarker(nn.Module):
    """Points of a face as the centres of maps: light blocks down to a sixteenth of the size, and up
    again to a quarter.

    Each point has a map of where it may be, and a prior of where it usually is; the answer is the
    mean place under the softmax of both, so it is finer than the map.

    Args:
        size: of the square, a multiple of 16 pixels.
        mean: points of a mean face, k x 2 shares, near which it answers before it has learnt.
        widths: channels at a half, a quarter, an eighth and a sixteenth of the size.
        depth: blocks at each of the last three.
        expansion: of the blocks.
    """

    places: Tensor

    def __init__(
        self,
        size: int,
        mean: Float32[Tensor, "k 2"],
        widths: tuple[int, int, int, int] = (16, 24, 40, 64),
        depth: int = 3,
        expansion: int = 3,
    ) -> None:
        super().__init__()
        first, quarter, eighth, sixteenth = widths
        self.stem = nn.Sequential(*_unit(3, first, 3, 2))
        self.down = nn.ModuleList(
            nn.Sequential(*_stage(inner, outer, depth, expansion))
            for inner, outer in ((first, quarter), (quarter, eighth), (eighth, sixteenth))
        )
        self.across = nn.ModuleList(nn.Conv2d(inner, eighth, 1) for inner in widths[1:])
        self.up = nn.ModuleList(InvertedResidual(eighth, eighth, 1, expansion) for _ in range(2))
        self.maps = nn.Conv2d(eighth, len(mean), 1)
        places = places_of(size // 4)
        self.register_buffer("places", places, persistent=False)
        self.prior = nn.Parameter(prior_of(mean, places))
        nn.init.normal_(self.maps.weight, std=0.01)

    def forward(self, x: Float32[Tensor, "n 3 s s"]) -> Float[Tensor, "n k 2"]:
        """Shares of the square's side.

        Args:
            x: RGB from 0 to 255.
        """
        x = self.stem(x / 127.5 - 1)
        seen = []
        for stage, across in zip(self.down, self.across, strict=True):
            x = stage(x)
            seen.append(across(x))
        fine, middle, coarse = seen
        middle = self.up[0](middle + _double(coarse))
        maps = self.maps(self.up[1](fine + _double(middle)))
        shares = torch.softmax(maps.flatten(2) + self.prior, dim=2)
        return shares @ self.places


class Mirrored(nn.Module):
    """A landmarker of 68 points that looks twice, once in a mirror, and answers with the mean."""

    order: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("order", torch.tensor(MIRRORED), persistent=False)

    def forward(self, x: Float32[Tensor, "n 3 s s"]) -> Float[Tensor, "n 68 2"]:
        """Shares of the square's side; the mirrored square gets exactly the mirrored answer."""
        mirrored = self.network(x.flip(3))[:, self.order]
        return (self.network(x) + mirrored * mirrored.new_tensor([-1.0, 1.0])) / 2


def _stage(inner: int, outer: int, depth: int, expansion: int) -> list[nn.Module]:
    """Half the resolution, then blocks that keep it."""
    rest = [InvertedResidual(outer, outer, 1, expansion) for _ in range(depth - 1)]
    return [InvertedResidual(inner, outer, 2, expansion), *rest]


def places_of(cells: int) -> Float32[Tensor, "c 2"]:
    """The middles of a square map's cells, as shares, row by row; the map reaches a little beyond
    the square.

    Args:
        cells: along a side.
    """
    axis = _BEYOND * ((torch.arange(cells) + 0.5) / cells - 0.5)
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([across.flatten(), down.flatten()], dim=1)


def prior_of(
    mean: Float32[Tensor, "k 2"], places: Float32[Tensor, "c 2"]
) -> Float32[Tensor, "k c"]:
    """A bump around each point of a mean face, as logarithms of shares of a map."""
    apart = (mean[:, None] - places).pow(2).sum(dim=2)
    return -apart / (2 * _SPREAD**2)


def _double(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c i j"]:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
