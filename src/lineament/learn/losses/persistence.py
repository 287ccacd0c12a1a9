"""Persistent homology of points in dimension 0: when the parts of a growing graph become one.

Points are joined in the order of their distances (the Vietoris-Rips filtration; an edge enters at
its length). Every point is born as a part of its own at 0; a part dies with the edge that joins it
to another. Those edges are a minimum spanning tree, so that its lengths are all of the diagram.

Source: H. Edelsbrunner, J. Harer, "Persistent Homology: a Survey", Contemporary Mathematics 2008;
M. Moor et al., "Topological Autoencoders", ICML 2020, section 3, for its gradient: the pairing is
taken as fixed, and the lengths of its edges are differentiated.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lineament.core.errors import BadInput


def death_times(points: Float[Tensor, "n d"]) -> Float[Tensor, " n-1"]:
    """When the parts die, rising; the last part never does. Differentiable.

    Two points in one place give a 0 without a gradient.

    Raises:
        BadInput: there are no points, or one is not finite.
    """
    with torch.no_grad(), torch.autocast(points.device.type, enabled=False):
        centred = points - points.mean(dim=0)
        products = centred @ centred.T
        # Squares have the same tree; only its edges' lengths are worked out exactly.
        squares = products.diagonal()[:, None] + products.diagonal() - 2 * products
    pairs = torch.from_numpy(spanning_tree(squares.cpu().numpy())).to(points.device)
    return (points[pairs[:, 0]] - points[pairs[:, 1]]).norm(dim=1).sort().values


def spanning_tree(distances: Float[np.ndarray, "n n"]) -> Int64[np.ndarray, "m 2"]:
    """The n - 1 edges of a minimum spanning tree, the shortest first: the persistence pairing.

    Source: R. C. Prim, "Shortest connection networks and some generalizations", 1957.

    Args:
        distances: symmetric.

    Raises:
        BadInput: there are no points, or a distance is not finite.
    """
    count = len(distances)
    if not count or not np.isfinite(distances).all():
        raise BadInput("persistence needs points, and finite distances between them")
    outside = np.arange(count) != 0
    nearest, reach = np.zeros(count, np.int64), distances[0].copy()
    edges = np.empty((count - 1, 2), np.int64)
    for edge in edges:
        new = int(np.argmin(np.where(outside, reach, np.inf)))
        edge[:] = nearest[new], new
        outside[new] = False
        closer = distances[new] < reach
        nearest[closer], reach[closer] = new, distances[new][closer]
    order = np.argsort(distances[edges[:, 0], edges[:, 1]], kind="stable")
    return edges[order]
