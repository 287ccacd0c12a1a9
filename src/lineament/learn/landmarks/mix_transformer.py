"""A small mix transformer: overlapping patches, attention to fewer places, and a light decoder.

Source: E. Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation with
Transformers", NeurIPS 2021, sections 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Patches(nn.Module):
    """Overlapping patches, a normalised vector each.

    Args:
        inner: channels in.
        outer: channels out.
        kernel: side of a patch.
        stride: from one to the next.
    """

    def __init__(self, inner: int, outer: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(inner, outer, kernel, stride, kernel // 2)
        self.norm = Norm(outer)

    def forward(self, x: Float[Tensor, "n a h w"]) -> Float[Tensor, "n b i j"]:
        """A map that is `stride` times smaller."""
        return self.norm(self.look(x))


class Norm(nn.LayerNorm):
    """The norm of a layer over the channels of each place."""

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:  # noqa: A002
        """The same shape."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Attention(nn.Module):
    """Every place looks at places of a map that is `ratio` times coarser."""

    def __init__(self, channels: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask = nn.Conv2d(channels, channels, 1)
        coarse = nn.Sequential(nn.Conv2d(channels, channels, ratio, ratio), Norm(channels))
        self.coarse = coarse if ratio > 1 else nn.Identity()
        self.answer = nn.Conv2d(channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The same shape."""
        ask = self._heads(self.ask(x))
        key, value = (self._heads(y) for y in self.answer(self.coarse(x)).chunk(2, dim=1))
        weights = torch.softmax(ask.transpose(2, 3) @ key / ask.shape[2] ** 0.5, dim=3)
        return self.out((value @ weights.transpose(2, 3)).reshape(x.shape))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (self.heads, -1)).flatten(3)


class MixLayer(nn.Module):
    """Attention, then a perceptron that looks at the places around (Mix-FFN)."""

    def __init__(self, channels: int, heads: int, ratio: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.attention = nn.Sequential(Norm(channels), Attention(channels, heads, ratio))
        self.perceptron = nn.Sequential(
            Norm(channels),
            nn.Conv2d(channels, wide, 1),
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide),
            nn.GELU(),
            nn.Conv2d(wide, channels, 1),
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The same shape."""
        x = x + self.attention(x)
        return x + self.perceptron(x)


class Decoder(nn.Module):
    """Maps of all stages brought to the size of the first, side by side, and mixed."""

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.linear = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.mix = nn.Sequential(
            nn.Conv2d(channels * len(widths), channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.refine = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n c h w"]:
        """As fine as the first map."""
        size = maps[0].shape[2:]
        alike = [
            functional.interpolate(one(x), size=size, mode="bilinear", align_corners=False)
            for one, x in zip(self.linear, maps, strict=True)
        ]
        x = self.mix(torch.cat(alike, dim=1))
        return x + self.refine(x)
