"""What losses over known people share: a direction for each person, and cosines with it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional


class CosineClassifier(nn.Module):
    """Softmax over scaled cosines: the loss without any margin, and the ground of those with one.

    A margin loss changes the cosine of each embedding with its own person (`own`); all else stays.

    Source: F. Wang et al., "NormFace: L2 Hypersphere Embedding for Face Verification", ACM MM 2017
    (arXiv:1704.06369), section 3.

    Args:
        people: how many there are.
        dimension: of the embeddings.
        scale: of the cosines, the inverse temperature of the softmax.
    """

    def __init__(self, people: int, dimension: int, scale: float = 64.0) -> None:
        super().__init__()
        self.scale = scale
        self.weight = nn.Parameter(torch.empty(people, dimension).normal_(0, 0.01))

    def cosines(self, embeddings: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Of each embedding with each person, in single precision whatever the network's is."""
        with torch.autocast(embeddings.device.type, enabled=False):
            directions = functional.normalize(self.weight)
            return functional.linear(functional.normalize(embeddings.float()), directions)

    def own(
        self, cosines: Float[Tensor, " n"], embeddings: Float[Tensor, "n d"]
    ) -> Float[Tensor, " n"]:
        """What stands in place of each embedding's cosine with its own person."""
        return cosines

    def scales(self, embeddings: Float[Tensor, "n d"]) -> Float[Tensor, "n 1"]:
        """What the cosines of each embedding are multiplied by."""
        return torch.full_like(embeddings[:, :1], self.scale, dtype=torch.float32)

    def logits(
        self, embeddings: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n p"]:
        """What the softmax is taken of."""
        cosines = self.cosines(embeddings)
        mine = labels[:, None]
        own = self.own(cosines.gather(1, mine)[:, 0], embeddings)
        return self.scales(embeddings) * cosines.scatter(1, mine, own[:, None])

    def forward(
        self, embeddings: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy; labels are numbers of people."""
        return functional.cross_entropy(self.logits(embeddings, labels), labels)


class LinearClassifier(nn.Module):
    """Plain softmax: cross-entropy of a linear layer, as for any classes.

    Args:
        people: how many there are.
        dimension: of the embeddings.
    """

    def __init__(self, people: int, dimension: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, people)

    def forward(
        self, embeddings: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]
    ) -> Float[Tensor, ""]:
        """Mean over the embeddings; labels are numbers of people."""
        return functional.cross_entropy(self.linear(embeddings).float(), labels)
