"""IResNet: the residual network of face recognition, from the published sizes down to tiny ones.

A block is norm, convolution, norm, PReLU, convolution, norm, with the stride in its second
convolution; the stem keeps the size, and the embedding is a linear layer over the last map, which
keeps places apart that an average would mix.

Source: J. Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR
2019, section 3.1 (settings E of the output, the improved residual unit); D. Han et al., "Deep
Pyramidal Residual Networks", CVPR 2017, for the unit.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from jaxtyping import Float
from torch import Tensor, nn

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
"""Blocks of each stage by the number of layers."""
WIDTHS = (64, 64, 128, 256, 512)
"""Channels of the stem and of each stage."""
Activation = Callable[[int], nn.Module]
"""Of this many channels."""


class Unit(nn.Module):
    """The improved residual unit.

    Args:
        inner: channels in.
        outer: channels out.
        stride: of the second convolution.
        activation: between the convolutions.
    """

    def __init__(
        self, inner: int, outer: int, stride: int, activation: Activation = nn.PReLU
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(inner),
            nn.Conv2d(inner, outer, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outer),
            activation(outer),
            nn.Conv2d(outer, outer, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outer),
        )
        self.beside: nn.Module = nn.Identity()
        if stride > 1 or inner != outer:
            self.beside = nn.Sequential(
                nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer)
            )

    def forward(self, x: Float[Tensor, "n a h w"]) -> Float[Tensor, "n b i j"]:
        """`a` channels in, `b` out."""
        return self.body(x) + self.beside(x)


class IResNet(nn.Module):
    """Faces to embeddings, which are not brought to length 1: their length may say something.

    Args:
        depths: units of each stage; the first of a stage halves the size.
        widths: channels of the stem and of each stage.
        size: of the square that it sees, pixels.
        dimension: of the embedding.
        stem: stride of the first convolution; 2 makes all that follows four times lighter.
        dropout: before the embedding.
        activation: everywhere.
    """

    def __init__(
        self,
        depths: tuple[int, ...] = DEPTHS[50],
        widths: tuple[int, ...] = WIDTHS,
        size: int = 112,
        dimension: int = 512,
        stem: int = 1,
        dropout: float = 0.0,
        activation: Activation = nn.PReLU,
    ) -> None:
        super().__init__()
        self.dimension = dimension
        first, *stages = widths
        kernel = max(3, 2 * stem - 1)
        self.stem = nn.Sequential(
            nn.Conv2d(3, first, kernel, stem, kernel // 2, bias=False),
            nn.BatchNorm2d(first),
            activation(first),
        )
        units, inner = [], first
        for outer, depth in zip(stages, depths, strict=True):
            units.append(Unit(inner, outer, 2, activation))
            units += [Unit(outer, outer, 1, activation) for _ in range(depth - 1)]
            inner = outer
        self.stages = nn.Sequential(*units)
        side = ceil(size / stem / 2 ** len(depths))
        self.head = nn.Sequential(
            nn.BatchNorm2d(inner),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(inner * side * side, dimension),
            nn.BatchNorm1d(dimension),
        )

    def maps(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c i j"]:
        """The last map, before the embedding."""
        return self.stages(self.stem(x))

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Faces in [-1, 1]."""
        return self.head(self.maps(x))


def tiny(size: int = 64, dimension: int = 128) -> IResNet:
    """The network that losses are compared on: three units behind a stem that quarters the size,
    and plain rectifiers, which cost less on a CPU than learnt ones."""
    widths = (32, 32, 64, 128)
    return IResNet(
        (1, 1, 1), widths, size, dimension, 4, activation=lambda _: nn.ReLU(inplace=True)
    )
