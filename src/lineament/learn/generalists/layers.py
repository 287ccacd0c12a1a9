"""A plain transformer that keeps every layer, and queries that read its layers: what Faceptor is
made of.

Source: arXiv:2403.09500, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from lineament.learn.generalists.heads import MLP, Attention, grid_positions
from lineament.learn.generalists.material import SIZE

WIDTH, HEADS, LAYERS = 64, 4, 6
CELLS = SIZE // 8
_QUIET = 0.2
"""Of the encoder's positions before they have learnt, so that they do not drown what is seen."""


class Encoder(nn.Module):
    """A plain transformer over cells of 8 x 8 pixels, which keeps what every layer gives.

    The cells come from convolutions, and each begins with a look at the whole face: both learn from
    few faces what patches and attention do not.
    """

    def __init__(self, width: int = WIDTH, layers: int = LAYERS) -> None:
        super().__init__()
        pairs = ((3, width // 4), (width // 4, width // 2), (width // 2, width))
        self.cells = nn.Sequential(
            *(part for inner, outer in pairs for part in _unit(inner, outer)),
            nn.Conv2d(width, width, 1),
            nn.GroupNorm(1, width),
        )
        self.places = nn.Parameter(_QUIET * grid_positions(CELLS, width))
        self.whole = nn.Linear(width * CELLS**2, width)
        self.layers = nn.ModuleList(EncoderLayer(width, HEADS) for _ in range(layers))

    def forward(self, x: Float[Tensor, "n 3 s s"]) -> list[Tensor]:
        """Of every layer, n x cells x width."""
        x = self.cells(x / 127.5 - 1).flatten(2).transpose(1, 2)
        x = x + self.whole(x.flatten(1))[:, None] + self.places
        kept = []
        for layer in self.layers:
            x = layer(x)
            kept.append(x)
        return kept


class EncoderLayer(nn.Module):
    """Attention among cells, then an MLP, each beside its input and behind a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.among, self.mlp = Attention(width, heads), MLP(width, 2 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, x: Float[Tensor, "n k d"]) -> Float[Tensor, "n k d"]:
        """The same shape."""
        normed = self.norms[0](x)
        x = x + self.among(normed, normed, normed)
        return x + self.mlp(self.norms[1](x))


class Memory(nn.Module):
    """What queries read of some layers of the encoder: values, and keys that know place and layer.

    This is Layer-Attention: a layer's embedding is added to all of its keys, so that the softmax of
    a query runs over the cells of all layers at once, and says how much of it goes to each layer.

    Args:
        layers: of the encoder, counted from 0.
        width: of its features.
    """

    def __init__(self, layers: Sequence[int], width: int = WIDTH) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.projections = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width)) for _ in layers
        )
        self.embeddings = nn.Parameter(torch.randn(len(layers), width))

    def forward(
        self, features: Sequence[Tensor], places: Float[Tensor, "k d"]
    ) -> tuple[Float[Tensor, "n m d"], Float[Tensor, "n m d"]]:
        """Keys and values, layer after layer.

        Args:
            features: of every layer.
            places: where each cell is.
        """
        values = self.values(features)
        keys = [v + places + e for v, e in zip(values, self.embeddings, strict=True)]
        return torch.cat(keys, dim=1), torch.cat(values, dim=1)

    def values(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Of each layer that is read, n x cells x width."""
        return [p(features[i]) for p, i in zip(self.projections, self.layers, strict=True)]


class DecoderLayer(nn.Module):
    """Queries read the face, then each other, then an MLP; norms come after."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.to_face, self.among = Attention(width, heads), Attention(width, heads)
        self.mlp = MLP(width, 2 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(
        self,
        queries: Float[Tensor, "n q d"],
        names: Float[Tensor, "q d"],
        keys: Float[Tensor, "n m d"],
        values: Float[Tensor, "n m d"],
    ) -> Float[Tensor, "n q d"]:
        """Queries with what they have read; `names` say which each is."""
        queries = self.norms[0](queries + self.to_face(queries + names, keys, values))
        named = queries + names
        queries = self.norms[1](queries + self.among(named, named, queries))
        return self.norms[2](queries + self.mlp(queries))


def pixel_decoder() -> nn.Sequential:
    """Maps at twice the cells' resolution: at a quarter of the square's, as in the paper."""
    return nn.Sequential(
        nn.ConvTranspose2d(WIDTH, WIDTH, 2, 2),
        nn.GroupNorm(1, WIDTH),
        nn.GELU(),
        nn.Conv2d(WIDTH, WIDTH, 1),
    )


def centres_of(cells: int) -> Float32[Tensor, "c 2"]:
    """The middles of a square map's cells, as shares, row by row."""
    axis = (torch.arange(cells) + 0.5) / cells - 0.5
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([across.flatten(), down.flatten()], dim=1)


def _unit(inner: int, outer: int) -> list[nn.Module]:
    return [nn.Conv2d(inner, outer, 3, 2, 1, bias=False), nn.GroupNorm(4, outer), nn.GELU()]
