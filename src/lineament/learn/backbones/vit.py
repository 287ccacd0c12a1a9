"""Vision transformer: patches as words, with norms before each part.

Source: A. Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021 (arXiv:2010.11929),
section 3.1 and table 1; H. Touvron et al., "Training data-efficient image transformers", ICML 2021
(arXiv:2012.12877), table 1, for the tiny and the small one.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12)}
"""Width, depth and heads."""


class Block(nn.Module):
    """Attention among the words, then a layer of four times the width for each.

    Args:
        width: of a word, a multiple of `heads`.
        heads: of attention.
        longer: width inside the second part, as a factor.
    """

    def __init__(self, width: int, heads: int, longer: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.ask, self.say = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.think = nn.Sequential(
            nn.Linear(width, longer * width), nn.GELU(), nn.Linear(longer * width, width)
        )

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Words in, words out."""
        count, words, width = x.shape
        asked = self.ask(self.before(x)).view(count, words, 3, self.heads, width // self.heads)
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.say(heard.transpose(1, 2).reshape(count, words, width))
        return x + self.think(self.between(x))


class ViT(nn.Module):
    """Faces to embeddings of any length, read from a word that stands for the whole.

    Args:
        size: of the square that it sees, a multiple of `patch` pixels.
        patch: side of a patch.
        dimension: of the embedding.
        width: of a word.
        depth: blocks.
        heads: of attention.
    """

    def __init__(
        self,
        size: int = 112,
        patch: int = 8,
        dimension: int = 512,
        width: int = 192,
        depth: int = 12,
        heads: int = 3,
    ) -> None:
        super().__init__()
        self.dimension = dimension
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.whole = nn.Parameter(torch.empty(1, 1, width).normal_(0, 0.02))
        self.places = nn.Parameter(torch.empty(1, 1 + (size // patch) ** 2, width).normal_(0, 0.02))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Sequential(nn.Linear(width, dimension), nn.BatchNorm1d(dimension))

    def words(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n t d"]:
        """What the blocks make of the faces: the word for the whole first, then a word a patch."""
        seen = self.patches(x).flatten(2).transpose(1, 2)
        words = torch.cat([self.whole.expand(x.shape[0], -1, -1), seen], dim=1) + self.places
        return self.norm(self.blocks(words))

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Faces in [-1, 1]."""
        return self.head(self.words(x)[:, 0])
