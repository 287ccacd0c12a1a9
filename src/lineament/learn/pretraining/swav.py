"""SwAV: which cluster one view of a face belongs to is told from the other view.

The objective with which the paper of `universal-pretraining` learns without labels.

Source: M. Caron et al., "Unsupervised Learning of Visual Features by Contrasting Cluster
Assignments", NeurIPS 2020 (arXiv:2006.09882), equations 1 to 5; constants of its appendix and of
github.com/1adrianb/unsupervised-face-representation.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lineament.learn.backbones.iresnet import IResNet
from lineament.learn.pretraining.sinkhorn import balanced
from lineament.learn.pretraining.trial import Arm, encoder, two_views

TEMPERATURE, SHARP = 0.1, 0.02
"""Of the prediction, and of the assignment (epsilon). At the paper's 0.05 aligned faces, which are
much alike, all got the same assignment."""
CLUSTERS, WIDTH, HIDDEN = 32, 64, 256
"""Prototypes, and sizes of the projection. The paper has 3,000, 128 and 2,048, for batches of
thousands."""


class SwAV(nn.Module):
    """An encoder, a projection to the unit sphere, and the clusters' prototypes on it.

    Prototypes stay as they are drawn: the authors hold theirs for the first 313 steps.

    Args:
        network: faces to a representation, n x `dimension`; None makes the tiny one.
        clusters: how many.
    """

    def __init__(self, network: IResNet | None = None, clusters: int = CLUSTERS) -> None:
        super().__init__()
        self.encoder = network or encoder()
        self.projector = nn.Sequential(
            nn.Linear(self.encoder.dimension, HIDDEN),
            nn.BatchNorm1d(HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, WIDTH),
        )
        self.prototypes: Tensor
        self.register_buffer("prototypes", functional.normalize(torch.randn(clusters, WIDTH)))

    def forward(self, faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """The representation."""
        return self.encoder(faces)

    def likeness(self, faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        """Cosines with the prototypes."""
        places = functional.normalize(self.projector(self.encoder(faces)))
        return places @ self.prototypes.T

    def loss(self, views: Float[Tensor, "n 2 3 h w"]) -> Float[Tensor, ""]:
        """Each view predicts the other's assignment (equations 1 and 2)."""
        first, second = (self.likeness(views[:, k]) for k in range(2))
        return (swapped(first, second) + swapped(second, first)) / 2


def swapped(predicting: Float[Tensor, "n k"], assigned: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """Cross-entropy of one view's softmax with the other's balanced assignment, which is taken for
    given."""
    with torch.no_grad():
        wanted = balanced(assigned, SHARP)
    return -(wanted * (predicting / TEMPERATURE).log_softmax(dim=1)).sum(dim=1).mean()


def objective(model: nn.Module, views: Tensor, rng: np.random.Generator) -> Tensor:
    """For an `Arm`."""
    assert isinstance(model, SwAV)
    return model.loss(views)


def arm() -> Arm:
    """Learning without labels as the paper does."""
    return Arm("SwAV", SwAV, objective, two_views())
