"""A network that follows another one: the slow target of self-distillation.

Source: J.-B. Grill et al., "Bootstrap Your Own Latent", NeurIPS 2020 (arXiv:2006.07733), section
3.1 and appendix J.
"""

from __future__ import annotations

import copy
from math import cos, pi

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Follower(nn.Module):
    """A copy whose weights are the running mean of another network's.

    Call `follow` before each use in training: it takes what the last step of the optimiser made.
    Norms in the copy use their own batches.

    Args:
        online: the network that is followed; it is copied, not kept.
        momentum: of the first step; it rises to 1 by half a cosine.
        steps: of the run.
    """

    steps_done: Tensor

    def __init__(self, online: nn.Module, momentum: float, steps: int) -> None:
        super().__init__()
        self.momentum, self.steps = momentum, steps
        self.network = copy.deepcopy(online).requires_grad_(False)
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def follow(self, online: nn.Module) -> None:
        """Take a share of the network's present weights over."""
        share = 1 - momentum_at(int(self.steps_done), self.steps, self.momentum)
        pairs = zip(self.network.parameters(), online.parameters(), strict=True)
        for ours, theirs in pairs:
            ours.lerp_(theirs, share)
        self.steps_done += 1

    @torch.no_grad()
    def forward(self, *args: Tensor):
        """What the slow network makes of this; nothing is learnt through it."""
        return self.network(*args)


def momentum_at(step: int, steps: int, first: float) -> float:
    """1 - (1 - first) (cos(pi step / steps) + 1) / 2: from `first` to 1, which stops the copy."""
    return 1 - (1 - first) * (cos(pi * min(step, steps) / steps) + 1) / 2


def apart(ours: Float[Tensor, "*n d"], theirs: Float[Tensor, "*n d"]) -> Float[Tensor, ""]:
    """Mean squared distance of vectors brought to length 1, 2 - 2 cos: BYOL's loss."""
    return 2 - 2 * functional.cosine_similarity(ours, theirs, dim=-1).mean()
