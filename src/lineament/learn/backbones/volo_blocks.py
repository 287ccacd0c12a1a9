"""Blocks of a vision outlooker: outlook attention, self-attention, class attention.

Source: L. Yuan et al., "VOLO: Vision Outlooker for Visual Recognition", TPAMI 2022
(arXiv:2106.13112), section 3; of the class attention, H. Touvron et al., "Going deeper with image
transformers", ICCV 2021.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_WINDOW = 3
"""Side of the neighbourhood that a token spreads to, tokens."""
_OFFSETS = tuple((dy, dx) for dy in range(_WINDOW) for dx in range(_WINDOW))


class OutlookAttention(nn.Module):
    """Each token says, of its 3 x 3 neighbourhood, what every place takes from every other.

    No token is compared with another: the 9 x 9 weights come from the middle token by one dense
    layer (equation 3). What a place gets from all neighbourhoods that it lies in is summed
    (equation 5).

    Args:
        width: channels.
        heads: parts of the channels with weights of their own.
        stride: from one neighbourhood to the next, tokens. With 2, as in the authors' networks, a
            quarter of the neighbourhoods are left, and the mean of 2 x 2 tokens, cut off at the
            grid's edge, says what goes on in each.
    """

    def __init__(self, width: int, heads: int, stride: int = 1) -> None:
        super().__init__()
        self.heads, self.scale, self.stride = heads, (width // heads) ** -0.5, stride
        self.values = nn.Linear(width, width, bias=False)
        self.weigh = nn.Linear(width, heads * len(_OFFSETS) ** 2)
        self.mix = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "n h w c"]) -> Float[Tensor, "n h w c"]:
        """Tokens on their grid."""
        n, h, w, c = x.shape
        places, step = len(_OFFSETS), self.stride
        asked = x if step == 1 else _means(x, step)
        count = asked.shape[1] * asked.shape[2]
        padded = functional.pad(self.values(x), (0, 0, 1, 1, 1, 1))
        shifted = [padded[:, dy : dy + h : step, dx : dx + w : step] for dy, dx in _OFFSETS]
        windows = torch.stack(shifted, dim=3)
        values = windows.reshape(n, count, places, self.heads, c // self.heads).transpose(2, 3)
        weights = self.weigh(asked).reshape(n, count, self.heads, places, places) * self.scale
        spread = weights.softmax(dim=-1) @ values
        spread = spread.transpose(2, 3).reshape(n, *asked.shape[1:3], places, c)
        parts = spread.unbind(3)
        if step > 1:
            parts = [_apart(part, step)[:, :h, :w] for part in parts]
        total = sum(
            functional.pad(part, (0, 0, dx, 2 - dx, dy, 2 - dy))
            for part, (dy, dx) in zip(parts, _OFFSETS, strict=True)
        )
        assert isinstance(total, Tensor)
        return self.mix(total[:, 1:-1, 1:-1])


def _means(x: Float[Tensor, "n h w c"], step: int) -> Float[Tensor, "n i j c"]:
    """Of step x step tokens each, of fewer at the far edges."""
    planes = x.permute(0, 3, 1, 2)
    return functional.avg_pool2d(planes, step, ceil_mode=True).permute(0, 2, 3, 1)


def _apart(given: Float[Tensor, "n i j c"], step: int) -> Float[Tensor, "n h w c"]:
    """What neighbourhoods give to one place in each, `step` apart with zeros between."""
    n, i, j, c = given.shape
    across = functional.pad(given[:, :, :, None], (0, 0, 0, step - 1)).reshape(n, i, 1, j * step, c)
    return functional.pad(across, (0, 0, 0, 0, 0, step - 1)).reshape(n, i * step, j * step, c)


class Attention(nn.Module):
    """Scaled dot-product attention of some tokens to others.

    Args:
        width: channels.
        heads: parts of the channels that attend by themselves.
        side: of the grid that both sets of tokens stand on. With it each pair of places has a
            learnt leaning, which begins by preferring places that lie near each other.
        bias: of the questions, keys and values; VOLO's have none.
    """

    def __init__(self, width: int, heads: int, side: int = 0, bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.leaning = nn.Parameter(_nearness(side)) if side else None
        self.ask, self.offer = nn.Linear(width, width, bias), nn.Linear(width, 2 * width, bias)
        self.mix = nn.Linear(width, width)

    def forward(
        self, asking: Float[Tensor, "n q c"], asked: Float[Tensor, "n k c"]
    ) -> Float[Tensor, "n q c"]:
        """What `asking` takes from `asked`."""
        n, q, c = asking.shape
        query = self.ask(asking).reshape(n, q, self.heads, -1).transpose(1, 2)
        keys, values = self.offer(asked).chunk(2, dim=2)
        keys = keys.reshape(n, -1, self.heads, c // self.heads).permute(0, 2, 3, 1)
        values = values.reshape(n, -1, self.heads, c // self.heads).transpose(1, 2)
        scores = query @ keys * (c // self.heads) ** -0.5
        if self.leaning is not None:
            scores = scores + self.leaning
        taken = scores.softmax(dim=-1) @ values
        return self.mix(taken.transpose(1, 2).reshape(n, q, c))


def _nearness(side: int) -> Float[Tensor, "k k"]:
    """Minus the squared distance of each pair of places on a grid."""
    line = torch.arange(side, dtype=torch.float32)
    places = torch.cartesian_prod(line, line)
    return -(places[:, None] - places).pow(2).sum(dim=2)


def start_small(layer: nn.Module) -> None:
    """First weights of dense layers, as in VOLO: small, so that blocks add little at first."""
    if isinstance(layer, nn.Linear):
        nn.init.trunc_normal_(layer.weight, std=0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def mlp(width: int, ratio: int = 3) -> nn.Sequential:
    """Two dense layers, wide in the middle."""
    wide = width * ratio
    return nn.Sequential(nn.Linear(width, wide), nn.GELU(), nn.Linear(wide, width))


class Outlooker(nn.Module):
    """Outlook attention and two dense layers, each with its input added."""

    def __init__(self, width: int, heads: int, stride: int = 1) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.dense = OutlookAttention(width, heads, stride), mlp(width)

    def forward(self, x: Float[Tensor, "n h w c"]) -> Float[Tensor, "n h w c"]:
        """Tokens on their grid."""
        x = x + self.attend(self.first(x))
        return x + self.dense(self.second(x))


class Transformer(nn.Module):
    """Self-attention and two dense layers, each with its input added."""

    def __init__(self, width: int, heads: int, bias: bool = True) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.dense = Attention(width, heads, bias=bias), mlp(width)

    def forward(self, x: Float[Tensor, "n k c"]) -> Float[Tensor, "n k c"]:
        """Tokens in a row."""
        seen = self.first(x)
        x = x + self.attend(seen, seen)
        return x + self.dense(self.second(x))


class ClassAttention(nn.Module):
    """One token gathers from all others; they stay as they are.

    Args:
        width: channels.
        heads: parts of the channels that attend by themselves.
        bias: of the questions, keys and values.
        token: whether the token that gathers is learnt here; otherwise it comes from a layer
            before.
    """

    def __init__(self, width: int, heads: int, bias: bool = True, token: bool = True) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, width)) if token else None
        if self.token is not None:
            nn.init.trunc_normal_(self.token, std=0.02)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.dense = Attention(width, heads, bias=bias), mlp(width)

    def forward(
        self, x: Float[Tensor, "n k c"], gathered: Float[Tensor, "n c"] | None = None
    ) -> Float[Tensor, "n c"]:
        """The token after it has gathered; `gathered` is what it was before, where none is learnt
        here."""
        token = self._first_token(x) if gathered is None else gathered[:, None]
        token = token + self.attend(self.first(token), self.first(torch.cat([token, x], dim=1)))
        return (token + self.dense(self.second(token)))[:, 0]

    def _first_token(self, x: Tensor) -> Tensor:
        assert self.token is not None
        return self.token.expand(x.shape[0], -1, -1)
