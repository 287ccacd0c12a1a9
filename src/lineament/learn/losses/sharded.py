"""A classifier whose people are shared out among processes, in the manner of Partial FC.

Each process holds the directions of some people, sees the embeddings of all processes, and works
out only its own columns of the logits: weights, gradients, momentum and logits each take 1 / N of
the memory. The softmax is over everybody all the same: the largest logit and the sum of the
exponentials are one number a face each, which the processes exchange. Nothing is sampled, so the
loss and its gradient are those of the whole classifier.

Source: X. An et al., "Partial FC: Training 10 Million Identities on a Single Machine", ICCVW 2021
(arXiv:2010.05222), section 3.1; Z. Zhu et al., "WebFace260M: A Benchmark Unveiling the Power of
Million-Scale Deep Face Recognition", CVPR 2021 (arXiv:2103.04098), section 4.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from lineament.learn import processes
from lineament.learn.losses.classifier import CosineClassifier

_BLOCK = 1024
"""People whose first weights are drawn at a time, so that nobody ever holds all of them."""


class Sharded(nn.Module):
    """Another margin loss over a part of its people.

    In `engine.train` the gradient of this process's directions is complete as it is, and is not
    added up over processes; that of the embeddings is what this process's own faces would get.
    With one process this is the plain loss.

    Args:
        kind: the margin loss: gives one for a number of people and a dimension. What it does to the
            own cosines of faces must not depend on people.
        people: how many there are, over all processes.
        dimension: of the embeddings.
    """

    def __init__(self, kind: type[CosineClassifier], people: int, dimension: int) -> None:
        super().__init__()
        self.people = people
        each = -(-people // processes.count())
        self.first = min(people, processes.rank() * each)
        self.last = min(people, self.first + each)
        self.margin = kind(0, dimension)
        self.margin.weight = nn.Parameter(self._drawn(dimension))
        if processes.count() > 1:
            setattr(self.margin.weight, processes.SHARD, True)

    def forward(
        self, embeddings: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy of this process's faces; all processes must call it, each with as
        many faces; labels are numbers of people, from 0 to `people`."""
        everyone, whose = _Joined.apply(embeddings.float()), processes.joined(labels)
        rows = torch.arange(len(whose), device=whose.device)
        here = (whose >= self.first) & (whose < self.last)
        columns = (whose - self.first).where(here, 0)
        cosines = self.margin.cosines(everyone)
        before = cosines[rows, columns]
        own = self.margin.own(before, everyone).where(here, before)
        scales = self.margin.scales(everyone)
        logits = scales * cosines.index_put((rows, columns), own)
        highest = processes.largest(logits.detach().amax(dim=1))
        total = _Summed.apply((logits - highest[:, None]).exp().sum(dim=1))
        target = _Summed.apply(logits[rows, columns].where(here, 0))
        # In double precision, since these are large and their difference may be small.
        each = total.double().log() + highest.double() - target.double()
        mine = each.view(processes.count(), -1)
        # Backward goes through the sum over processes, which all of them share; what is given back
        # is this process's own share of it.
        everything = mine.mean(dim=1).sum()
        return (everything + (mine[processes.rank()].mean() - everything).detach()).float()

    def _drawn(self, dimension: int) -> Tensor:
        """First weights: the same for a person however many processes there are."""
        parts = []
        for start in range(0, self.people, _BLOCK):
            block = torch.empty(min(_BLOCK, self.people - start), dimension).normal_(0, 0.01)
            parts.append(block[max(0, self.first - start) : max(0, self.last - start)].clone())
        return torch.cat(parts)


class _Joined(torch.autograd.Function):
    """All processes' embeddings; backward, what all processes have to say on one's own."""

    @staticmethod
    def forward(ctx: Any, embeddings: Tensor) -> Tensor:
        return processes.joined(embeddings)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        whole = processes.add_up(gradients[0].clone())
        return whole.view(processes.count(), -1, whole.shape[1])[processes.rank()]


class _Summed(torch.autograd.Function):
    """A sum over processes. What comes after is the same in each of them, and so is its gradient:
    it goes back to each as it is."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        return processes.add_up(part.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]
