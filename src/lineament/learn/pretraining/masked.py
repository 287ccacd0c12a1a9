"""Masked autoencoding: a vision transformer sees some patches of a face, a light one guesses the
rest.

A mask is n x p, true where a patch is hidden, in the order of rows and columns; all faces of a call
hide equally many, so that what is left is one array.

Source: K. He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022
(arXiv:2111.06377), section 3.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn

from lineament.core.errors import BadInput
from lineament.learn.backbones.vit import Block

HIDDEN = 0.75
"""Share of the patches that is hidden."""


class MaskedViT(nn.Module):
    """A vision transformer that leaves hidden patches out.

    Positions are sines and cosines, and are not learnt.

    Args:
        size: of the square that it sees, a multiple of `patch` pixels.
        patch: side of a patch.
        width: of a word, a multiple of 4 and of `heads`.
        depth: blocks.
        heads: of attention.
    """

    places: Tensor

    def __init__(
        self, size: int = 64, patch: int = 8, width: int = 96, depth: int = 4, heads: int = 4
    ) -> None:
        super().__init__()
        self.size, self.patch, self.width, self.dimension = size, patch, width, width
        self.patches = nn.Conv2d(3, width, patch, patch)
        nn.init.xavier_uniform_(self.patches.weight.view(width, -1))
        self.whole = nn.Parameter(torch.empty(1, 1, width).normal_(0, 0.02))
        self.register_buffer("places", waves(size // patch, width), persistent=False)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def words(
        self, x: Float[Tensor, "n 3 s s"], mask: Bool[Tensor, "n p"] | None = None
    ) -> Float[Tensor, "n t d"]:
        """What the blocks make of the patches left: the word for the whole first, then a word for
        each of them in their order."""
        seen = self.patches(x).flatten(2).transpose(1, 2) + self.places
        if mask is not None:
            seen = torch.gather(seen, 1, left(mask)[:, :, None].expand(-1, -1, self.width))
        # Not len(x), which an export would take for a constant.
        words = torch.cat([self.whole.expand(x.shape[0], -1, -1), seen], dim=1)
        return self.norm(self.blocks(words))

    def forward(self, x: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n d"]:
        """Features of whole faces in [-1, 1]: the mean word of a patch."""
        return self.words(x)[:, 1:].mean(dim=1)


class Decoder(nn.Module):
    """Blocks over all places: words where patches were seen, one learnt word where none was.

    Args:
        patches: along a side.
        inner: width of the words that it is given.
        outer: numbers it gives for each place.
        width: of its own words.
        depth: blocks.
        heads: of attention.
    """

    places: Tensor

    def __init__(
        self, patches: int, inner: int, outer: int, width: int = 64, depth: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(inner, width)
        self.hidden = nn.Parameter(torch.empty(1, 1, width).normal_(0, 0.02))
        self.register_buffer("places", waves(patches, width), persistent=False)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.leave = nn.Linear(width, outer)

    def forward(
        self, words: Float[Tensor, "n t a"], mask: Bool[Tensor, "n p"] | None = None
    ) -> Float[Tensor, "n q b"]:
        """A row for the whole, then one for each place, q = p + 1.

        Args:
            words: as `MaskedViT.words` gives them for this mask.
            mask: None where every patch was seen.
        """
        whole, seen = self.enter(words).split([1, words.shape[1] - 1], dim=1)
        if mask is not None:
            places = left(mask)[:, :, None].expand(-1, -1, seen.shape[2])
            seen = self.hidden.expand(*mask.shape, -1).scatter(1, places, seen)
        return self.leave(self.norm(self.blocks(torch.cat([whole, seen + self.places], dim=1))))


def left(mask: Bool[Tensor, "n p"]) -> Int64[Tensor, "n k"]:
    """The patches that a mask leaves, in order.

    Raises:
        BadInput: it hides more patches of one face than of another.
    """
    counts = (~mask).sum(dim=1)
    if len(mask) and not bool((counts == counts[0]).all()):
        raise BadInput("a mask hides equally many patches of each face")
    return (~mask).nonzero()[:, 1].view(len(mask), -1)


def waves(patches: int, width: int) -> Float32[Tensor, "1 p d"]:
    """Positions of patches in a square: the first half of the numbers tells the column, the second
    the row, each by sines and then cosines of wavelengths from 2 pi up to 10,000 times that.

    Args:
        patches: along a side.
        width: of a word, a multiple of 4.
    """
    rates = 10_000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    along = torch.arange(patches, dtype=torch.float64)[:, None] * rates
    told = torch.cat([along.sin(), along.cos()], dim=1)
    columns, rows = told.repeat(patches, 1), told.repeat_interleave(patches, dim=0)
    return torch.cat([columns, rows], dim=1)[None].float()


def cut(x: Float[Tensor, "n 3 s s"], patch: int) -> Float[Tensor, "n p d"]:
    """The patches' own pixels, d = 3 * patch ** 2, in rows and columns."""
    count, side = len(x), x.shape[2] // patch
    parts = x.reshape(count, 3, side, patch, side, patch).permute(0, 2, 4, 3, 5, 1)
    return parts.reshape(count, side * side, -1)


def patch_errors(
    guess: Float[Tensor, "n p d"], faces: Float[Tensor, "n 3 s s"], patch: int
) -> Float[Tensor, "n p"]:
    """Mean squared error of each patch, whose truth is brought to mean 0 and variance 1 first.

    Source: arXiv:2111.06377, section 3, "Reconstruction target".
    """
    truth = cut(faces, patch)
    spread = (truth.var(dim=2, keepdim=True) + 1e-6).sqrt()
    return ((guess - (truth - truth.mean(dim=2, keepdim=True)) / spread) ** 2).mean(dim=2)


def over(errors: Float[Tensor, "n p"], mask: Bool[Tensor, "n p"]) -> Float[Tensor, ""]:
    """Mean error of the patches in a mask, over all faces together; 0 where it is empty."""
    return (errors * mask).sum() / mask.sum().clamp(min=1)


def random_masks(
    count: int, patches: int, rng: np.random.Generator, share: float = HIDDEN
) -> Bool[np.ndarray, "n p"]:
    """Any patches, floor(`share` * patches) of each face."""
    order = rng.random((count, patches)).argsort(axis=1)
    return order < int(share * patches)
