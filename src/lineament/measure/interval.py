"""How far a figure could lie from the truth: bootstraps over people, and Wilson's interval.

Photos of one person are not independent, and neither are two pairs that share a person. So the
bootstraps here draw whole people, never photos or pairs; drawn by the pair, intervals come out far
too narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Int, Int64

from lineament.core.errors import BadInput

_REFUSALS = 0.1
"""Share of draws that a statistic may refuse. A kind of row that k people supply is missing from
about exp(-k) of the draws, so that three people of each kind are enough, and two are not."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval, both ends included; 95 % unless told otherwise."""

    low: float
    high: float

    @property
    def pair(self) -> tuple[float, float]:
        """(low, high), as `Result` holds it."""
        return self.low, self.high


def proportion(errors: int, trials: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of ``errors / trials``, for trials that are independent.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 1927; L. D. Brown et al., "Interval estimation for a binomial proportion", Statistical
    Science 2001, equation 4. Without an error it begins at exactly 0, and ends above it.

    Raises:
        BadInput: there are no trials, more errors than trials, or `level` is not within (0, 1).
    """
    if not 0 <= errors <= trials or not trials:
        raise BadInput(f"0 to n errors in n > 0 trials expected; got {errors} in {trials}")
    _require_level(level)
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    rate = errors / trials
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    reach = (z2 * (rate * (1 - rate) + z2 / (4 * trials)) / trials) ** 0.5 / (1 + z2 / trials)
    return Interval(
        max(0.0, centre - reach) if errors else 0.0,
        min(1.0, centre + reach) if errors < trials else 1.0,
    )


def bootstrap(
    statistic: Callable[[Int[np.ndarray, " m"]], float],
    people: Int[np.ndarray, " n"],
    *,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic of rows that each belong to one person.

    As many people as there are, drawn with replacement, bring all their rows along, as often as
    they are drawn. A draw that the statistic refuses with `BadInput` is made again.

    Source: B. Efron, "Bootstrap methods: another look at the jackknife", 1979; drawn by person as
    in R. M. Bolle et al., "Error analysis of pattern recognition systems: the subsets bootstrap",
    CVIU 2004.

    Args:
        statistic: gets row numbers of the drawn people (with repeats), gives a finite number.
        people: the person of each row.
        rounds: draws.
        level: of confidence, within (0, 1).
        seed: of the draws; the same seed gives the same interval.

    Raises:
        BadInput: fewer than two people, a statistic that is not finite or that refuses more than
            a tenth of the draws, no rounds, or a level outside (0, 1).
    """
    _, person = np.unique(people, return_inverse=True)
    count = _require_people(person)
    rows_by_person = np.argsort(person, kind="stable")
    sizes = np.bincount(person, minlength=count)
    starts = np.cumsum(sizes) - sizes

    def draw(rng: np.random.Generator) -> Int64[np.ndarray, " m"]:
        drawn = rng.integers(count, size=count)
        lengths = sizes[drawn]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return rows_by_person[np.repeat(starts[drawn], lengths) + within]

    return _percentiles(statistic, draw, rounds, level, seed)


def bootstrap_pairs(
    statistic: Callable[[Int[np.ndarray, " m"]], float],
    people: Int[np.ndarray, "n 2"],
    *,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic of pairs, where a pair has two people.

    As many people as there are, are drawn with replacement. A pair of two people comes as often as
    the product of their draws, a pair within one person as often as that person was drawn; so a
    draw holds on average about as many pairs as there are. A draw that the statistic refuses with
    `BadInput` is made again.

    Source: T. A. B. Snijders and S. P. Borgatti, "Non-parametric standard errors and tests for
    network statistics", Connections 1999 (bootstrap of vertices; pairs of a person drawn twice
    with itself are left out here); A. B. Owen, "The pigeonhole bootstrap", Annals of Applied
    Statistics 2007, for why the weights are products and the interval errs to the wide side.

    Args:
        statistic: gets row numbers of the drawn pairs (with repeats), gives a finite number.
        people: both people of each pair; the same number twice for a pair of one person.
        rounds: draws.
        level: of confidence, within (0, 1).
        seed: of the draws; the same seed gives the same interval.

    Raises:
        BadInput: as `bootstrap` does.
    """
    _, numbers = np.unique(people, return_inverse=True)
    first, second = numbers.reshape(-1, 2).T
    count = _require_people(numbers)
    within = first == second
    rows = np.arange(len(first))

    def draw(rng: np.random.Generator) -> Int64[np.ndarray, " m"]:
        draws = np.bincount(rng.integers(count, size=count), minlength=count)
        return np.repeat(rows, draws[first] * np.where(within, 1, draws[second]))

    return _percentiles(statistic, draw, rounds, level, seed)


def _percentiles(
    statistic: Callable[[np.ndarray], float],
    draw: Callable[[np.random.Generator], np.ndarray],
    rounds: int,
    level: float,
    seed: int,
) -> Interval:
    _require_level(level)
    if rounds < 1:
        raise BadInput(f"a bootstrap needs at least one round; got {rounds}")
    rng = np.random.default_rng(seed)
    values: list[float] = []
    refused = 0
    while len(values) < rounds:
        rows = draw(rng)
        try:
            if not len(rows):
                raise BadInput("the people drawn have no pair among them")
            values.append(float(statistic(rows)))
        except BadInput as error:
            refused += 1
            if refused > _REFUSALS * rounds:
                raise BadInput(f"too few people for an interval: {error.reason}") from error
    if not np.all(np.isfinite(values)):
        raise BadInput("the statistic of a bootstrap must be finite in every draw")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _require_people(person: np.ndarray) -> int:
    """How many there are; `person` is numbered from 0 without gaps."""
    count = int(person.max()) + 1 if person.size else 0
    if count < 2:
        raise BadInput(f"an interval over people needs at least two of them; got {count}")
    return count


def _require_level(level: float) -> None:
    if not 0 < level < 1:
        raise BadInput(f"a level of confidence lies within (0, 1); got {level}")
