"""The closed forms of channel pruning: fits, choices of channels, factors. Numpy, in 64 bits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int64

RIDGE = 1e-5
"""Of each fit, as a share of each channel's energy."""
SHARES = (1.0, 0.5, 0.2, 0.05, 0.005)
"""Of samples that are left below zero when a channel is raised; 1 stands for no rise."""


def fit(
    gram: Float64[np.ndarray, "c c"], cross: Float64[np.ndarray, "c o"], ridge: float = RIDGE
) -> Float64[np.ndarray, "c o"]:
    """The least squares solution w of ``x w = y`` from ``gram = x' x`` and ``cross = x' y``.

    Args:
        gram: may be singular; the ridge decides then.
        cross: a column for each output.
        ridge: added to the diagonal once each channel is brought to the same energy, so that large
            and small channels are held alike.
    """
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-12 * max(gram.trace(), 1e-300)))
    even = gram / scale / scale[:, None] + ridge * np.eye(len(gram))
    return np.linalg.solve(even, cross / scale[:, None]) / scale[:, None]


class Moments:
    """Sums over samples that a fit with a constant needs; made part by part.

    Attributes:
        gram: of the features, the last of which is always 1: ... x k x k.
        cross: of the features with the outputs: ... x k x o.
        energy: of each output: ... x o.
    """

    def __init__(self) -> None:
        self.gram = self.cross = self.energy = np.zeros(())

    def add(self, rows: Float[np.ndarray, "*c m j"], sought: Float[np.ndarray, "*c m o"]) -> None:
        """Take in m samples, of one problem or of c problems alike."""
        ones = np.ones((*rows.shape[:-1], 1))
        rows = np.concatenate([rows, ones], axis=-1, dtype=np.float64)
        sought, turned = sought.astype(np.float64), rows.swapaxes(-1, -2)
        self.gram = self.gram + turned @ rows
        self.cross = self.cross + turned @ sought
        self.energy = self.energy + (sought**2).sum(axis=-2)

    @property
    def centred(self) -> tuple[Float64[np.ndarray, "j j"], Float64[np.ndarray, "j o"]]:
        """Gram and cross of features and outputs less their means, of one problem."""
        gram, cross = self.gram, self.cross
        about = np.outer(gram[:-1, -1], gram[-1, :-1]) / gram[-1, -1]
        return gram[:-1, :-1] - about, cross[:-1] - np.outer(gram[:-1, -1], cross[-1]) / gram[
            -1, -1
        ]

    def of(self, which: int | Int64[np.ndarray, " k"]) -> Moments:
        """One problem of several; or one problem with some of its features, and the constant."""
        part = Moments()
        if isinstance(which, int):
            parts = self.gram[which], self.cross[which], self.energy[which]
        else:
            rows = np.append(which, len(self.gram) - 1)
            parts = self.gram[np.ix_(rows, rows)], self.cross[rows], self.energy
        part.gram, part.cross, part.energy = parts
        return part

    def solution(self) -> tuple[Float64[np.ndarray, "k o"], float]:
        """The fit, its last row the constant, and the share of the variance that it leaves."""
        found = fit(self.gram, self.cross)
        spread = self.energy - self.cross[-1] ** 2 / self.gram[-1, -1]
        error = self.energy - (found * (2 * self.cross - self.gram @ found)).sum(axis=0)
        return found, float(error.sum() / max(spread.sum(), 1e-300))


def choose(
    gram: Float64[np.ndarray, "c c"], cross: Float64[np.ndarray, "c o"], count: int
) -> Int64[np.ndarray, " k"]:
    """Channels that together explain the outputs best, found one at a time.

    Each next one is that which lessens the squared error of the fit on all chosen so far the most.

    Source: S. Chen, S. A. Billings, W. Luo, "Orthogonal least squares methods and their application
    to non-linear system identification", International Journal of Control 1989.

    Args:
        gram: of the centred channels.
        cross: of the centred channels with the centred outputs.
        count: of channels to keep.

    Returns:
        Their numbers in rising order.
    """
    if count == len(gram):
        return np.arange(count)
    gram, cross = gram.copy(), cross.copy()
    energy, chosen = np.diag(gram).copy(), []
    for _ in range(count):
        left = np.diag(gram)
        alive = left > 1e-9 * np.maximum(energy, 1e-300)
        gain = np.where(alive, (cross**2).sum(axis=1) / np.where(alive, left, 1), -1.0)
        gain[chosen] = -2.0
        best = int(gain.argmax())
        chosen.append(best)
        if alive[best]:  # what the best one explains is taken off the others and off the outputs
            share = gram[:, best] / gram[best, best]
            cross = cross - share[:, None] * cross[best]
            gram = gram - share[:, None] * gram[best]
    return np.sort(np.asarray(chosen))


def factors(
    dense: Float64[np.ndarray, "d c h w"], energy: Float64[np.ndarray, "c c"], rank: int
) -> tuple[Float64[np.ndarray, "r c"], Float64[np.ndarray, "d r h w"]]:
    """A dense layer as a mix of channels, the same at each place, and a smaller dense layer.

    The product is the nearest of its rank by the mean square of the answers, if channels at each
    place have the second moments `energy`.

    Args:
        dense: weight of each channel at each place.
        energy: second moments of the channels, the mean over places.
        rank: channels that are left.
    """
    lengths, axes = np.linalg.eigh(energy)
    roots = np.sqrt(np.maximum(lengths, 1e-9 * lengths[-1]))
    root, back = axes * roots @ axes.T, axes / roots @ axes.T
    white = np.einsum("dchw,ck->dhwk", dense, root)
    _, directions = np.linalg.eigh(np.einsum("dhwk,dhwl->kl", white, white))
    kept = directions[:, ::-1][:, :rank]
    return kept.T @ back, np.einsum("dhwk,kr->drhw", white, kept)


def rectified(
    values: Float[np.ndarray, "c m"], slopes: Float[np.ndarray, " c"]
) -> tuple[Float64[np.ndarray, " c"], Float64[np.ndarray, " c"]]:
    """Sign s and rise t of each channel such that ``max(s v + t, 0)`` tells most of what the
    channel gave with its slope, by the squared correlation of both over samples.

    A channel whose slope is near 1 is hardly bent: raised far enough, it passes a rectifier whole,
    and the next unit takes the rise off again. One that speaks below zero is turned.
    """
    wanted = np.where(values > 0, values, slopes[:, None] * values)
    best = np.full(len(values), -1.0)
    sign, rise = np.ones(len(values)), np.zeros(len(values))
    for turn, share in ((s, q) for s in (1.0, -1.0) for q in SHARES):
        turned = turn * values
        up = np.maximum(0, -np.quantile(turned, share, axis=1)) if share < 1 else 0 * rise
        found = _correlation(np.maximum(turned + up[:, None], 0), wanted) ** 2
        better = found > best + 1e-6
        best, sign, rise = (
            np.where(better, new, old) for new, old in ((found, best), (turn, sign), (up, rise))
        )
    return sign, rise


def _correlation(
    ours: Float[np.ndarray, "c m"], theirs: Float[np.ndarray, "c m"]
) -> Float[np.ndarray, " c"]:
    ours, theirs = (each - each.mean(axis=1, keepdims=True) for each in (ours, theirs))
    both = np.sqrt((ours**2).sum(axis=1) * (theirs**2).sum(axis=1))
    return (ours * theirs).sum(axis=1) / np.maximum(both, 1e-12)
