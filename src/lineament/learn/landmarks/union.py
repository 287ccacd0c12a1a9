"""Several markups of one face as one list of points, and what each point is in a mirror.

A point that two markups share stands once in the list. Which they share is not written down a
second time: it is what `core.markups` takes over unchanged when it converts one into the other.

Source: of one list for several sets, J. Wan et al., "FGTBT: Frequency-Guided Task-Balancing
Transformer for Unified Facial Landmark Detection", Information Sciences 2026 (arXiv:2601.12863),
where the sets are COFW, AFLW, 300-W and WFLW and the list has 124 points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from lineament.core.assignment import assign
from lineament.core.errors import BadInput
from lineament.core.landmarks import SCHEMES, Landmarks
from lineament.core.markups import FIVE, WAYS, convert, means

_DRAWS = 4
"""Random faces on which a point must be taken over to count as shared."""
_MOVES = 4.0
"""How much a difference in how points move counts beside one of their mean places."""
_LOPSIDED = 0.2
"""How far from its partner's mirrored mean place a point may lie, over the distance of the eyes."""


@dataclass(frozen=True, eq=False)
class Union:
    """The points of several markups, each once.

    Attributes:
        places: of each markup, by scheme: where its points stand in the list, in its own order.
        size: of the list.
    """

    places: Mapping[str, Int64[np.ndarray, " k"]]
    size: int

    @property
    def occurrences(self) -> Int64[np.ndarray, " size"]:
        """How many of the markups have each point: 1 and up."""
        return np.bincount(np.concatenate(list(self.places.values())), minlength=self.size)

    def spread(self, values: Mapping[str, Float[np.ndarray, "_ c"]]) -> Float[np.ndarray, "m c"]:
        """Values of each markup's points as one row a point of the list: the mean of those given.

        Args:
            values: by scheme, a row a point; every markup.
        """
        width = next(iter(values.values())).shape[1]
        total, count = np.zeros((self.size, width)), np.zeros((self.size, 1))
        for scheme, places in self.places.items():
            total[places] += values[scheme]
            count[places] += 1
        return total / count


def unite(schemes: Sequence[str]) -> Union:
    """The union of some markups. Where markups disagree on what is shared, the earlier ones hold.

    Args:
        schemes: names of `core.landmarks.SCHEMES`, each once.
    """
    places: dict[str, np.ndarray] = {}
    size = 0
    for scheme in schemes:
        mine = np.full(SCHEMES[scheme], -1)
        for other, theirs in places.items():
            for ours, known in _shared(scheme, other):
                if mine[ours] < 0 and theirs[known] not in mine:
                    mine[ours] = theirs[known]
        new = np.flatnonzero(mine < 0)
        mine[new] = size + np.arange(len(new))
        places[scheme], size = mine, size + len(new)
    return Union(places, size)


def mirror_order(faces: Float[np.ndarray, "n k 2"], scheme: str) -> tuple[int, ...]:
    """Which point each one is in a mirror, found in many faces.

    Points are paired one to one so that each lies near the mirrored mean place of its partner, and
    moves about either eye as its partner does about the other: on the mean face alone an iris and
    the lid below it are the same place.

    Args:
        faces: aligned, as often turned to one side as to the other.
        scheme: of the points.

    Raises:
        BadInput: the faces are too lopsided: points do not pair up.
    """
    mean = faces.mean(axis=0, dtype=np.float64)
    eyes = means(np.ascontiguousarray(faces, np.float32), FIVE[scheme][:2])
    right, left = (
        _MOVES * (faces - eyes[:, eye, None]).std(axis=0, dtype=np.float64) for eye in (0, 1)
    )
    middle = mean.mean(axis=0)
    there = (mean - middle) * (-1, 1) + middle
    ours = np.concatenate([mean, right, left], axis=1)
    theirs = np.concatenate([there, left, right], axis=1)
    apart = np.linalg.norm(theirs[:, None] - ours[None], axis=2)
    order = assign(apart.max() + 1 - apart)[:, 1]
    far = np.linalg.norm(there - mean[order], axis=1).max()
    width = np.linalg.norm(np.diff(eyes.mean(axis=0), axis=0))
    if far > _LOPSIDED * width or not np.array_equal(order[order], np.arange(len(order))):
        raise BadInput("the faces are too lopsided to tell left from right in a mirror")
    return tuple(int(k) for k in order)


def _shared(scheme: str, other: str) -> list[tuple[int, int]]:
    """Pairs of points, one of each markup, that are the same."""
    if (scheme, other) not in WAYS and (other, scheme) in WAYS:
        return [(ours, theirs) for theirs, ours in _shared(other, scheme)]
    rng = np.random.default_rng(0)
    points = rng.random((_DRAWS, SCHEMES[scheme], 2)).astype(np.float32)
    there = convert(Landmarks(points, scheme), other).points
    same = (points[:, :, None] == there[:, None]).all(axis=(0, 3))
    return [(int(a), int(b)) for a, b in np.argwhere(same)]
