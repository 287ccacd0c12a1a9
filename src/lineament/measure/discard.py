"""Error versus discard: whether a quality says which pictures a recogniser fails on.

Pairs of one person are compared, those of lowest quality are discarded first, and the false
non-match rate (FNMR) of the rest is watched. The threshold stays where it was before anything was
discarded. The quality of a pair is the lower one of its two pictures.

Source: P. Grother and E. Tabassi, "Performance of biometric quality measures", TPAMI 2007;
T. Schlett et al., "Considerations on the evaluation of biometric quality assessment algorithms",
IEEE T-BIOM 2023 (areas up to a limit, steps instead of slopes, the lower limit).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from lineament.measure.checks import need, need_finite, need_rows


@dataclass(frozen=True, eq=False)
class DiscardCurve:
    """FNMR of what is left, as a staircase over the share of pairs discarded.

    Pairs of equal quality go together, so a step begins where a whole group of them is gone.

    Attributes:
        discarded: shares at which the steps begin: 0 first, rising, below 1.
        fnmr: of the pairs that are then left.
        threshold: the score from which a pair matches.
    """

    discarded: Float64[np.ndarray, " k"]
    fnmr: Float64[np.ndarray, " k"]
    threshold: float

    def at(self, share: float) -> float:
        """FNMR where at most this share of the pairs is discarded.

        Raises:
            BadInput: the share is not in [0, 1).
        """
        need(0 <= share < 1, f"a share in [0, 1) expected; got {share}")
        # Shares are quotients of counts: 0.3 of ten pairs is three of them, rounding or not.
        return float(self.fnmr[np.searchsorted(self.discarded, share + 1e-12, side="right") - 1])

    def area(self, limit: float = 0.2) -> float:
        """Area under the staircase for shares from 0 to `limit`; less is better.

        It depends on the limit and on the FNMR at the start, so compare only at equal ones, and
        against the area of `ideal_curve`, below which none can be.

        Raises:
            BadInput: the limit is not in (0, 1].
        """
        need(0 < limit <= 1, f"a limit in (0, 1] expected; got {limit}")
        edges = np.minimum(np.append(self.discarded, 1.0), limit)
        return float(np.sum(np.diff(edges) * self.fnmr))


def start_threshold(scores: Float[np.ndarray, " n"], fnmr: float) -> float:
    """The highest threshold at which no more than this share of pairs of one person fails.

    Args:
        scores: of pairs of one person; a pair matches at the threshold and above.
        fnmr: wished for before anything is discarded, in [0, 1).

    Raises:
        BadInput: there are no scores, one is not finite, or `fnmr` is not in [0, 1).
    """
    need_rows(scores=scores)
    need(0 <= fnmr < 1, f"a starting FNMR in [0, 1) expected; got {fnmr}")
    return float(np.sort(scores)[int(np.floor(fnmr * len(scores) + 1e-9))])


def discard_curve(
    scores: Float[np.ndarray, " n"], quality: Float[np.ndarray, "n 2"], threshold: float
) -> DiscardCurve:
    """The curve of a quality.

    Args:
        scores: of pairs of one person.
        quality: of both pictures of each pair; more is better, on any scale.
        threshold: the score from which a pair matches, such as `start_threshold` or
            `verification.threshold_at` gives.

    Raises:
        BadInput: lengths differ, there are no pairs, or a number is not finite.
    """
    need_rows(scores=scores, quality=quality)
    need_finite(threshold=np.asarray(threshold))
    need(quality.shape == (len(scores), 2), "the qualities of both pictures of each pair expected")
    return _curve(scores.astype(np.float64) < threshold, quality.min(axis=1), threshold)


def ideal_curve(scores: Float[np.ndarray, " n"], threshold: float) -> DiscardCurve:
    """The curve of a quality that knows: every pair that fails is discarded before any other.

    Raises:
        BadInput: there are no scores, or a number is not finite.
    """
    need_rows(scores=scores)
    need_finite(threshold=np.asarray(threshold))
    failed = np.sort(scores.astype(np.float64) < threshold)[::-1]
    return _curve(failed, np.arange(len(failed)), threshold)


def _curve(failed: np.ndarray, quality: np.ndarray, threshold: float) -> DiscardCurve:
    order = np.argsort(quality, kind="stable")
    ranked = quality[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    left = len(failed) - starts
    errors = np.cumsum(failed[order][::-1])[::-1][starts]
    return DiscardCurve(starts / len(failed), errors / left, float(threshold))
