"""Fairness of verification: whom the errors fall on.

One threshold for everybody; then the error rates of each group, with intervals. A false match is
counted for a group where both people are of it, a false non-match where its person is. Groups are
whole numbers; what they stand for is the caller's to say.

The summaries over groups (`disparity`, `gini`, `garbe`, `fairness_discrepancy_rate`) are points
without interval and grow with chance alone where groups are small: look at the rates first, and
at `significance` for whether two of them differ at all.

Source: ISO/IEC 19795-10:2024; P. Grother et al., NISTIR 8280, "Face Recognition Vendor Test, part
3: demographic effects", 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from lineament.core.errors import BadInput
from lineament.measure.interval import Interval, bootstrap_pairs, proportion
from lineament.measure.verification import require_pairs, require_threshold, threshold_at


@dataclass(frozen=True)
class GroupRate:
    """How often an error happens to a group.

    Attributes:
        group: its number.
        errors: how many of the pairs went wrong.
        trials: pairs of the group that could have.
        interval: 95 % interval of the rate.
    """

    group: int
    errors: int
    trials: int
    interval: Interval

    @property
    def rate(self) -> float:
        """errors / trials, in [0, 1]."""
        return self.errors / self.trials


@dataclass(frozen=True)
class Disparity:
    """The worst rate over the best.

    Attributes:
        worst: the group of the highest rate.
        best: the group of the lowest rate.
        ratio: at least 1; None where the best group has no error, for then it has no bound.
        at_least: a lower bound that also holds then: the low end of the worst group's interval
            over the high end of the best group's, but never below 1. At 1 nothing is shown. The two
            having been picked from many groups is not allowed for.
    """

    worst: int
    best: int
    ratio: float | None
    at_least: float


@dataclass(frozen=True, eq=False)
class CrossTable:
    """False matches between any two groups, at one threshold; both halves are filled.

    Attributes:
        groups: rising; they name rows and columns.
        errors: pairs of different people of the two groups that match.
        trials: all such pairs.
    """

    groups: Int64[np.ndarray, " g"]
    errors: Int64[np.ndarray, "g g"]
    trials: Int64[np.ndarray, "g g"]

    @property
    def rates(self) -> Float64[np.ndarray, "g g"]:
        """False-match rates; NaN where there are no such pairs."""
        unknown = np.full(self.trials.shape, np.nan)
        return np.divide(self.errors, self.trials, out=unknown, where=self.trials > 0)

    @property
    def log10(self) -> Float64[np.ndarray, "g g"]:
        """Their logarithms, as they are usually shown; NaN also where there is no error."""
        unknown = np.full(self.trials.shape, np.nan)
        return np.log10(self.rates, out=unknown, where=self.errors > 0)

    def interval(self, row: int, column: int) -> Interval:
        """Wilson's 95 % interval of one cell, by place; it takes pairs as independent.

        Raises:
            BadInput: there are no such pairs.
        """
        return proportion(int(self.errors[row, column]), int(self.trials[row, column]))


def false_match_rates(
    scores: Float[np.ndarray, " n"],
    same: Bool[np.ndarray, " n"],
    groups: Int[np.ndarray, "n 2"],
    threshold: float,
    people: Int[np.ndarray, "n 2"] | None = None,
) -> list[GroupRate]:
    """False-match rate of each group, over pairs of two of its people.

    Args:
        scores: of pairs; ``score >= threshold`` is a match.
        same: whether a pair is of one person.
        groups: of both people of each pair.
        threshold: one for all groups.
        people: both people of each pair. Where they come in several pairs, intervals are too
            narrow without this: it draws people (`bootstrap_pairs`; where every trial ends alike,
            Wilson's interval as if there were no more trials than people). None takes pairs as
            independent (Wilson).

    Returns:
        One rate a group that has such pairs, by rising number.

    Raises:
        BadInput: lengths differ, one kind of pair is missing, scores are not finite, no group
            has such pairs, or a group has too few people for an interval.
    """
    wrong = _matches(scores, same, groups, threshold)
    counted = ~same & (groups[:, 0] == groups[:, 1])
    return _rates(wrong, counted, groups[:, 0], people)


def false_non_match_rates(
    scores: Float[np.ndarray, " n"],
    same: Bool[np.ndarray, " n"],
    groups: Int[np.ndarray, "n 2"],
    threshold: float,
    people: Int[np.ndarray, "n 2"] | None = None,
) -> list[GroupRate]:
    """False non-match rate of each group, over pairs of one person.

    Arguments and result as of `false_match_rates`.

    Raises:
        BadInput: as `false_match_rates` does, and where a pair of one person has two groups.
    """
    wrong = ~_matches(scores, same, groups, threshold)
    if np.any(groups[same, 0] != groups[same, 1]):
        raise BadInput("a pair of one person cannot be of two groups")
    return _rates(wrong, same, groups[:, 0], people)


def cross_table(
    scores: Float[np.ndarray, " n"],
    same: Bool[np.ndarray, " n"],
    groups: Int[np.ndarray, "n 2"],
    threshold: float,
) -> CrossTable:
    """False matches between all groups, as the FRVT reports show them.

    Raises:
        BadInput: lengths differ, one kind of pair is missing, scores are not finite, or the
            threshold is NaN.
    """
    wrong = _matches(scores, same, groups, threshold)
    names, places = np.unique(groups, return_inverse=True)
    first, second = places.reshape(-1, 2).T

    def count(chosen: np.ndarray) -> np.ndarray:
        table = np.zeros((len(names), len(names)), np.int64)
        np.add.at(table, (first[chosen], second[chosen]), 1)
        # A pair has no order, and one within a group is not two.
        return table + table.T - np.diag(np.diag(table))

    return CrossTable(names.astype(np.int64), count(wrong & ~same), count(~same))


def group_threshold(
    scores: Float[np.ndarray, " n"],
    same: Bool[np.ndarray, " n"],
    groups: Int[np.ndarray, "n 2"],
    group: int,
    false_match_rate: float,
) -> float:
    """The threshold that keeps a false-match rate within one group, the reference.

    For a threshold set on everybody, `verification.threshold_at` takes all impostors.

    Raises:
        BadInput: lengths differ, one kind of pair is missing, scores are not finite, the group has
            no pairs of two people, or the rate is not in [0, 1].
    """
    _require_groups(scores, same, groups)
    return threshold_at(scores[~same & np.all(groups == group, axis=1)], false_match_rate)


def disparity(rates: Sequence[GroupRate]) -> Disparity:
    """The worst rate over the best, and what of that the numbers of trials bear out.

    Raises:
        BadInput: there are fewer than two groups.
    """
    if len(rates) < 2:
        raise BadInput(f"a disparity needs at least two groups; got {len(rates)}")
    # Of groups without an error, the one known best has the most trials.
    best = min(rates, key=lambda r: (r.rate, r.interval.high))
    worst = max(rates, key=lambda r: (r.rate, r.interval.low))
    return Disparity(
        worst.group,
        best.group,
        worst.rate / best.rate if best.errors else None,
        max(1.0, worst.interval.low / best.interval.high),
    )


def gini(rates: Float[np.ndarray, " g"]) -> float:
    """Gini coefficient of the groups' rates, scaled to [0, 1]: 0 all alike, 1 all errors on one.

    n / (n - 1) x the sum of |x_i - x_j| over all i and j, over 2 n^2 x the mean rate.

    Source: J. J. Howard et al., "Evaluating proposed fairness models for face recognition
    algorithms", 2022 (arXiv:2203.05051), equation 9; ISO/IEC 19795-10:2024.

    Raises:
        BadInput: there are fewer than two groups, a rate is not in [0, 1], or all of them are 0.
    """
    _require_rates(rates)
    if not rates.any():
        raise BadInput("without an error in any group nothing is known of how errors are spread")
    n = len(rates)
    return float(np.abs(rates[:, None] - rates).sum() / (2 * n * (n - 1) * rates.mean()))


def garbe(fmr: Float[np.ndarray, " g"], fnmr: Float[np.ndarray, " g"], alpha: float = 0.5) -> float:
    """Gini aggregation rate for biometric equitability, in [0, 1]; 0 is fair.

    alpha x `gini` of the false-match rates + (1 - alpha) x that of the false non-match rates.

    Source: Howard et al. 2022 (arXiv:2203.05051), section on GARBE.

    Raises:
        BadInput: as `gini` does, or `alpha` is not in [0, 1].
    """
    _require_share(alpha)
    return alpha * gini(fmr) + (1 - alpha) * gini(fnmr)


def fairness_discrepancy_rate(
    fmr: Float[np.ndarray, " g"], fnmr: Float[np.ndarray, " g"], alpha: float = 0.5
) -> float:
    """FDR, in [0, 1]; 1 is fair.

    1 - (alpha x the largest difference of false-match rates + (1 - alpha) x that of false
    non-match rates). Differences, not ratios: at low rates it is near 1 whatever the groups.

    Source: T. de Freitas Pereira and S. Marcel, "Fairness in biometrics: a figure of merit to
    assess biometric verification systems", 2020 (arXiv:2011.02395), equations 4 to 6.

    Raises:
        BadInput: there are fewer than two groups, or a rate or `alpha` is not in [0, 1].
    """
    _require_share(alpha)
    _require_rates(fmr)
    _require_rates(fnmr)
    return float(1 - (alpha * np.ptp(fmr) + (1 - alpha) * np.ptp(fnmr)))


def _matches(
    scores: np.ndarray, same: np.ndarray, groups: np.ndarray, threshold: float
) -> Bool[np.ndarray, " n"]:
    _require_groups(scores, same, groups)
    require_threshold(threshold)
    return scores >= threshold


def _rates(
    wrong: Bool[np.ndarray, " n"],
    counted: Bool[np.ndarray, " n"],
    group: Int[np.ndarray, " n"],
    people: Int[np.ndarray, "n 2"] | None,
) -> list[GroupRate]:
    if people is not None and people.shape != (len(wrong), 2):
        raise BadInput(f"two people a pair expected; got {people.shape}")
    rates = []
    for name in np.unique(group[counted]):
        rows = np.flatnonzero(counted & (group == name))
        errors = int(wrong[rows].sum())
        interval = _interval(wrong[rows], None if people is None else people[rows])
        rates.append(GroupRate(int(name), errors, len(rows), interval))
    if not rates:
        raise BadInput("no group has two people in a pair: no false-match rate within groups")
    return rates


def _interval(wrong: Bool[np.ndarray, " n"], people: Int[np.ndarray, "n 2"] | None) -> Interval:
    errors, trials = int(wrong.sum()), len(wrong)
    if people is None:
        return proportion(errors, trials)
    if 0 < errors < trials:
        return bootstrap_pairs(lambda rows: float(wrong[rows].mean()), people)
    # Drawn again and again, trials that all end alike would give an interval of no width.
    trials = min(trials, len(np.unique(people)))
    return proportion(trials if errors else 0, trials)


def _require_groups(scores: np.ndarray, same: np.ndarray, groups: np.ndarray) -> None:
    require_pairs(scores, same)
    if groups.shape != (len(scores), 2):
        raise BadInput(f"the groups of both people of each pair expected; got {groups.shape}")


def _require_rates(rates: np.ndarray) -> None:
    if rates.ndim != 1 or len(rates) < 2 or not np.all((rates >= 0) & (rates <= 1)):
        raise BadInput("the rates of at least two groups expected, each in [0, 1]")


def _require_share(alpha: float) -> None:
    if not 0 <= alpha <= 1:
        raise BadInput(f"alpha lies in [0, 1]; got {alpha}")
