"""Assignments of rows to clusters in which every cluster gets about as much."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def balanced(scores: Float[Tensor, "n k"], sharp: float, rounds: int = 3) -> Float[Tensor, "n k"]:
    """Soft assignments; each row sums to 1, each column to about n / k.

    Source: M. Cuturi, "Sinkhorn Distances", NeurIPS 2013; as used by M. Caron et al.,
    "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments", NeurIPS 2020
    (arXiv:2006.09882), equations 3 to 5.

    Args:
        scores: the higher, the likelier.
        sharp: temperature; the smaller, the harder.
        rounds: in each, columns and then rows are brought to equal sums.
    """
    # In logarithms, so that no exponential overflows and no sum is 0.
    logs = scores / sharp
    for _ in range(rounds):
        logs = logs.log_softmax(dim=0).log_softmax(dim=1)
    return logs.exp()
