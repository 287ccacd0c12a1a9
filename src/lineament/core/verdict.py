"""Decisions that say how often they are wrong, and where that was learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineament.core.errors import BadInput


@dataclass(frozen=True)
class Verdict:
    """Are these two faces of one person?

    Attributes:
        score: similarity of the two, in [-1, 1].
        threshold: at or above it the answer is yes.
        false_match_rate: share of pairs of *different* people that score at or above the
            threshold, on the calibration data.
        score_false_match_rate: the same share at this pair's own score: how often strangers look
            at least this alike.
        calibration: the data that these rates were measured on.
    """

    score: float
    threshold: float
    false_match_rate: float
    score_false_match_rate: float
    calibration: str

    @property
    def same(self) -> bool:
        return self.score >= self.threshold


@dataclass(frozen=True)
class Calibration:
    """How alike strangers look in one space: false-match rates at a ladder of scores.

    Attributes:
        space: of the embeddings that were scored.
        data: what they were measured on, in words.
        impostor_pairs: number of pairs of different people.
        rates: false-match rates, falling, in (0, 1].
        scores: the lowest score at which each rate is not exceeded; rising.
    """

    space: str
    data: str
    impostor_pairs: int
    rates: tuple[float, ...]
    scores: tuple[float, ...]

    @classmethod
    def from_scores(cls, space: str, data: str, impostors: np.ndarray) -> Calibration:
        """Measure the ladder on scores of pairs of different people.

        Rates go down to thirty pairs' share of all pairs (the rule of thirty: fewer errors than
        that leave a rate uncertain by more than 30 %; Doddington et al., 2000).
        """
        ordered = np.sort(np.asarray(impostors, np.float64))[::-1]
        total = len(ordered)
        floor = 30 / total
        rates = [r for r in _LADDER if r >= floor]
        counts = [round(r * total) for r in rates]
        scores = [float(np.nextafter(ordered[min(c, total - 1)], 2)) for c in counts]
        return cls(space, data, total, tuple(rates), tuple(scores))

    def threshold(self, false_match_rate: float) -> float:
        """The score to ask for so that strangers pass no more often than this.

        Raises:
            BadInput: the calibration data cannot speak for so low (or so high) a rate.
        """
        low, high = self.rates[-1], self.rates[0]
        if not low <= false_match_rate <= high:
            raise BadInput(
                f"a false-match rate of {false_match_rate:g} is outside {low:g} to {high:g}, "
                f"which is what {self.data} can speak for"
            )
        wanted = np.log(false_match_rate)
        return float(np.interp(-wanted, -np.log(self.rates), self.scores))

    def false_match_rate(self, score: float) -> float:
        """How often strangers score at least this; never below the lowest measured rate."""
        return float(np.exp(np.interp(score, self.scores, np.log(self.rates))))

    def verdict(self, score: float, false_match_rate: float = 1e-3) -> Verdict:
        """Decide at the threshold of a false-match rate."""
        return Verdict(
            score,
            self.threshold(false_match_rate),
            false_match_rate,
            self.false_match_rate(score),
            self.data,
        )


_LADDER = tuple(float(f"{m}e-{e}") for e in range(1, 9) for m in (5, 2, 1))
