"""The triplet loss on the unit sphere, with negatives mined in the batch.

Source: F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet: A Unified Embedding for Face Recognition
and Clustering", CVPR 2015 (arXiv:1503.03832), equations 1 to 4.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import normalize

Mine = Callable[
    [Float[Tensor, "n n"], Int64[Tensor, " n"], Int64[Tensor, "p 2"]], Int64[Tensor, " p"]
]
"""Squared distances, whose each face is, and anchors with their positives: a negative for each."""
MARGIN = 0.2
"""Of the paper, section 3.3."""


def squared_distances(embeddings: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    """Of directions, from 0 to 4, in single precision whatever the network's is."""
    with torch.autocast(embeddings.device.type, enabled=False):
        directions = normalize(embeddings.float())
        return 2 - 2 * directions @ directions.T


def semi_hard(
    distances: Float[Tensor, "n n"], labels: Int64[Tensor, " n"], pairs: Int64[Tensor, "p 2"]
) -> Int64[Tensor, " p"]:
    """The nearest negative that is farther from the anchor than the positive is (equation 4).

    Where every negative is nearer, the farthest one, which of them is the least hard.
    """
    from_anchor = distances[pairs[:, 0]]
    own = labels == labels[pairs[:, 0], None]
    farther = from_anchor > distances[pairs[:, 0], pairs[:, 1]][:, None]
    nearest = from_anchor.masked_fill(own | ~farther, torch.inf)
    farthest = from_anchor.masked_fill(own, -torch.inf).argmax(1)
    return torch.where(nearest.isinf().all(1), farthest, nearest.argmin(1))


def at_random(
    distances: Float[Tensor, "n n"], labels: Int64[Tensor, " n"], pairs: Int64[Tensor, "p 2"]
) -> Int64[Tensor, " p"]:
    """Any negative: nothing is mined. Drawn from torch's global generator."""
    others = labels != labels[pairs[:, 0], None]
    return torch.multinomial(others.float(), 1)[:, 0]


class TripletLoss(nn.Module):
    """Mean of max(0, d(anchor, positive) - d(anchor, negative) + margin), d squared distances.

    Every ordered pair of two faces of one person is an anchor with its positive, as in the paper,
    which mines negatives only. Embeddings may have any length: their directions count.

    Args:
        margin: alpha, in squared distances.
        mine: chooses each pair's negative.
    """

    def __init__(self, margin: float = MARGIN, mine: Mine = semi_hard) -> None:
        super().__init__()
        self.margin, self.mine = margin, mine

    def forward(
        self, embeddings: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]
    ) -> Float[Tensor, ""]:
        """Labels are numbers of people: two of them at least, and a person with two faces."""
        distances = squared_distances(embeddings)
        same = (labels == labels[:, None]).fill_diagonal_(False)
        pairs = same.nonzero()
        with torch.no_grad():
            negatives = self.mine(distances, labels, pairs)
        anchors, positives = pairs.T
        near, far = distances[anchors, positives], distances[anchors, negatives]
        return (near - far + self.margin).relu().mean()
