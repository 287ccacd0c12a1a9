"""SegFace's network: features of four scales fused into face tokens, a token a class, a light
transformer in which both look at each other, and a map a class as a product of the two.

Source: K. Narayan et al., "SegFace: Face Segmentation of Long-Tail Classes", AAAI 2025
(arXiv:2412.08647), section 3 and figure 3; the two-way layer is that of A. Kirillov et al.,
"Segment Anything", ICCV 2023, appendix A; constants as in the authors' code.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (32, 48, 64, 96)
"""Channels of the encoder at 1/4, 1/8, 1/16 and 1/32 of the size."""
CHANNELS = 64
"""Of a token."""
HEADS = 4
DEPTH = 2
"""Two-way layers."""


def _unit(inner: int, outer: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outer), nn.ReLU())


class Residual(nn.Module):
    """Two convolutions, and what came in added to what they give."""

    def __init__(self, inner: int, outer: int, stride: int = 1) -> None:
        super().__init__()
        last = nn.Sequential(nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer))
        self.body = nn.Sequential(_unit(inner, outer, stride), last)
        same = stride == 1 and inner == outer
        self.beside = nn.Identity() if same else nn.Conv2d(inner, outer, 1, stride)

    def forward(self, x: Float[Tensor, "n a h w"]) -> Float[Tensor, "n b i j"]:
        """`a` channels in, `b` out."""
        return torch.relu(self.beside(x) + self.body(x))


class Encoder(nn.Module):
    """A small residual network. Gives its features at four scales, each projected to `CHANNELS`,
    brought to the finest and fused by one linear layer."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, channels: int = CHANNELS) -> None:
        super().__init__()
        self.stem = nn.Sequential(_unit(3, widths[0] // 2, 2), _unit(widths[0] // 2, widths[0], 2))
        self.stages = nn.ModuleList(
            Residual(inner, outer, 1 if i == 0 else 2)
            for i, (inner, outer) in enumerate(zip((widths[0], *widths), widths, strict=False))
        )
        self.project = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.fuse = nn.Conv2d(channels * len(widths), channels, 1, bias=False)

    def forward(self, x: Float32[Tensor, "n 3 s t"]) -> Float[Tensor, "n c h w"]:
        """Fused features at a quarter of the size.

        Args:
            x: RGB from 0 to 255; sides are multiples of 32.
        """
        x = self.stem(x / 127.5 - 1)
        scales = []
        for stage, project in zip(self.stages, self.project, strict=True):
            x = stage(x)
            scales.append(project(x))
        size = scales[0].shape[2:]
        brought = [functional.interpolate(s, size, mode="bilinear") for s in scales]
        return self.fuse(torch.cat(brought, dim=1))


class Attention(nn.Module):
    """Multi-head attention whose inside may be narrower than its ends.

    Source: A. Vaswani et al., "Attention Is All You Need", 2017, section 3.2.
    """

    def __init__(self, channels: int, inner: int, heads: int = HEADS) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(channels, inner) for _ in range(3))
        self.out = nn.Linear(inner, channels)

    def forward(
        self, query: Float[Tensor, "n q c"], key: Float[Tensor, "n k c"], value: Tensor
    ) -> Float[Tensor, "n q c"]:
        """For each query a mean of the values, weighed by how its key fits."""
        q, k, v = self._split(self.query(query)), self._split(self.key(key)), self.value(value)
        weights = torch.softmax(q @ k.transpose(2, 3) / q.shape[3] ** 0.5, dim=3)
        return self.out((weights @ self._split(v)).transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class TwoWay(nn.Module):
    """One layer: class tokens look at each other, then at the face; the face looks at them.

    Args:
        channels: of both.
        first: whether it is the first layer, whose class tokens hold nothing but their own place.
    """

    def __init__(self, channels: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.among = Attention(channels, channels)
        self.to_face = Attention(channels, channels // 2)
        self.to_tokens = Attention(channels, channels // 2)
        self.inner = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.ReLU(), nn.Linear(2 * channels, channels)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(4))

    def forward(
        self,
        tokens: Float[Tensor, "n k c"],
        face: Float[Tensor, "n p c"],
        names: Float[Tensor, "n k c"],
        places: Float[Tensor, "1 p c"],
    ) -> tuple[Float[Tensor, "n k c"], Float[Tensor, "n p c"]]:
        """Both, refined.

        Args:
            tokens: of the classes.
            face: of the picture's places.
            names: the class tokens as they were learnt; they stand for places of the classes.
            places: codes of the picture's places.
        """
        if self.first:
            tokens = self.norms[0](self.among(tokens, tokens, tokens))
        else:
            named = tokens + names
            tokens = self.norms[0](tokens + self.among(named, named, tokens))
        tokens = self.norms[1](tokens + self.to_face(tokens + names, face + places, face))
        tokens = self.norms[2](tokens + self.inner(tokens))
        face = self.norms[3](face + self.to_tokens(face + places, tokens + names, tokens))
        return tokens, face


class Places(nn.Module):
    """Random Fourier codes of the places of a map.

    Source: M. Tancik et al., "Fourier Features Let Networks Learn High Frequency Functions in Low
    Dimensional Domains", NeurIPS 2020, section 4.
    """

    directions: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("directions", torch.randn(2, channels // 2))

    def forward(self, high: int, wide: int) -> Float[Tensor, "1 p c"]:
        """Row by row."""
        down, across = ((torch.arange(n) + 0.5) / n * 2 - 1 for n in (high, wide))
        y, x = torch.meshgrid(down, across, indexing="ij")
        at = torch.stack([x.flatten(), y.flatten()], dim=1).to(self.directions.device)
        phase = 2 * torch.pi * at @ self.directions
        return torch.cat([phase.sin(), phase.cos()], dim=1)[None]


class Upscaling(nn.Module):
    """Face tokens at four times the size, with half the channels: more than there are classes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.ConvTranspose2d(channels, channels // 2, 2, 2)
        self.norm = nn.GroupNorm(1, channels // 2)
        self.second = nn.ConvTranspose2d(channels // 2, channels // 2, 2, 2)
        for each in (self.first, self.second):
            # Where stride and kernel are the same, a pixel sums over channels alone.
            nn.init.normal_(each.weight, std=(2 / each.in_channels) ** 0.5)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """`c` channels in, `c / 2` out."""
        x = functional.gelu(self.norm(self.first(x)))
        return functional.gelu(self.second(x))


class TokenDecoder(nn.Module):
    """A map a class: learnt tokens of the classes and tokens of the face refine each other, and the
    product of the two, the first through a small network, scores each pixel.

    Args:
        classes: how many.
        channels: of a token, a multiple of twice the heads.
    """

    def __init__(self, classes: int, channels: int = CHANNELS) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(classes, channels))
        self.places = Places(channels)
        self.layers = nn.ModuleList(TwoWay(channels, first=i == 0) for i in range(DEPTH))
        self.last = Attention(channels, channels // 2)
        self.norm = nn.LayerNorm(channels)
        self.upscale = Upscaling(channels)
        self.hyper = nn.Sequential(
            *(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels), nn.ReLU()),
            nn.Linear(channels, channels // 2),
        )
        for each in self.hyper:
            if isinstance(each, nn.Linear):  # so that maps begin as large as what they are made of
                nn.init.kaiming_normal_(each.weight, nonlinearity="relu")

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k i j"]:
        """Scores of the classes at four times the size."""
        high, wide = (int(side) for side in x.shape[2:])  # a tracer gives tensors
        names = self.tokens.expand(x.shape[0], -1, -1)
        places = self.places(high, wide)
        tokens, face = names, x.flatten(2).transpose(1, 2)
        for layer in self.layers:
            tokens, face = layer(tokens, face, names, places)
        looked = self.last(tokens + names, face + places, face)
        weights = self.hyper(self.norm(tokens + looked))
        maps = self.upscale(face.transpose(1, 2).unflatten(2, (high, wide)))
        return (weights @ maps.flatten(2)).unflatten(2, maps.shape[2:])


class PixelDecoder(nn.Module):
    """Without tokens: residual convolutions with about as many weights, the same upscaling, and one
    linear layer that scores each pixel."""

    def __init__(self, classes: int, channels: int = CHANNELS) -> None:
        super().__init__()
        self.body = nn.Sequential(Residual(channels, channels), _unit(channels, channels))
        self.upscale = Upscaling(channels)
        self.score = nn.Conv2d(channels // 2, classes, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k i j"]:
        """Scores of the classes at four times the size."""
        return self.score(self.upscale(self.body(x)))
