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

        Args:
            space: of the embeddings.
            data: what was scored, in words.
            impostors: n similarities; at least 60, or no rate of the ladder can be spoken for.

        Raises:
            ValueError: there are too few scores, or one is not a number.
        """
        ordered = np.sort(np.asarray(impostors, np.float64))[::-1]
        total = len(ordered)
        rates = [rate for rate in _LADDER if rate * total >= 30]
        if not rates or np.isnan(ordered).any():
            raise ValueError(f"at least 60 scores that are numbers are needed, got {total}")
        # Just above the first score that must not pass; rounding down keeps within the rate.
        scores = [float(np.nextafter(ordered[int(rate * total)], 2)) for rate in rates]
        return cls(space, data, total, tuple(rates), tuple(scores))

    def threshold(self, false_match_rate: float) -> float:
        """The score to ask for so that strangers pass no more often than this.

        Between two measured rates the stricter one's score is taken.

        Raises:
            BadInput: the calibration data cannot speak for so low (or so high) a rate.
        """
        low, high = self.rates[-1], self.rates[0]
        if not low <= false_match_rate <= high:
            raise BadInput(
                f"a false-match rate of {false_match_rate:g} is outside {low:g} to {high:g}, "
                f"which is what {self.data} can speak for"
            )
        return next(
            s for r, s in zip(self.rates, self.scores, strict=True) if r <= false_match_rate
        )

    def false_match_rate(self, score: float) -> float:
        """About how often strangers score at least this, by interpolation between measured rates;
        never above the highest or below the lowest of them."""
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
