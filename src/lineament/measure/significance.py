"""Whether two groups differ by more than chance: exact test, permutation of people, Holm.

Where every pair is of other people, pairs are independent and `fisher` is exact. Where people
come in several pairs, `permutation` shuffles the groups over people instead. Of many tests,
`holm` keeps the chance that even one of them errs.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from lineament.core.errors import BadInput

_TIE = 1e-7
"""Tables this close in chance (relative) count as equally likely: beyond what rounding does."""


def fisher(errors: tuple[int, int], trials: tuple[int, int]) -> float:
    """Fisher's exact test, two-sided: the chance of a difference as odd, were both rates the same.

    Given all errors together, the chance of every split between the two groups that is no likelier
    than the one seen.

    Source: R. A. Fisher, "Statistical Methods for Research Workers", section 21.02.

    Args:
        errors: of both groups.
        trials: of both groups; independent.

    Returns:
        p, in [0, 1]; 0 only where it is too small for a float.

    Raises:
        BadInput: a group has no trials, or more errors than trials.
    """
    for e, t in zip(errors, trials, strict=True):
        if not 0 <= e <= t or not t:
            raise BadInput(f"0 to n errors in n > 0 trials expected; got {e} in {t}")
    total = sum(errors)
    n, m = trials
    lowest = max(0, total - m)
    first = np.arange(lowest, min(total, n), dtype=np.float64)
    # Chance of one error more in the first group, over the chance before: hypergeometric.
    steps = np.log((n - first) * (total - first)) - np.log((first + 1) * (m - total + first + 1))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    chances = np.exp(logs - logs.max())
    odd = chances <= chances[errors[0] - lowest] * (1 + _TIE)
    return float(min(1.0, chances[odd].sum() / chances.sum()))


def permutation(
    wrong: Bool[np.ndarray, " n"],
    people: Int[np.ndarray, "n 2"],
    groups: Int[np.ndarray, "n 2"],
    between: tuple[int, int],
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> float:
    """Permutation test of two groups' error rates, over people.

    The groups of the people of both are shuffled; each time, pairs of two people (or of one) that
    are of one group are counted for it. p is the share of shuffles, the true one among them, whose
    rates differ at least as much. A shuffle that leaves a group without a pair counts as one.

    Source: P. Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 3rd ed. 2005,
    section 3; the one that is added: B. Phipson and G. K. Smyth, "Permutation p-values should never
    be zero", 2010.

    Args:
        wrong: whether each pair went wrong.
        people: both people of each pair; the same number twice for a pair of one person. For false
            matches hand in also the pairs **across** the two groups: shuffled, they are within.
        groups: of both people of each pair.
        between: the two groups to compare; pairs with anybody else are left out.
        rounds: shuffles.
        seed: of the shuffles.

    Returns:
        p, in (0, 1]; at least 1 / (rounds + 1).

    Raises:
        BadInput: lengths differ, a person has two groups, one of the two groups has no pair of its
            own, or there are no rounds.
    """
    if people.shape != groups.shape or people.shape != (len(wrong), 2) or rounds < 1:
        raise BadInput("two people and two groups a pair expected, and at least one round")
    kept = np.isin(groups, between).all(axis=1)
    names, places = np.unique(people[kept], return_inverse=True)
    pairs = places.reshape(-1, 2)
    in_second = np.zeros(len(names), bool)
    in_second[pairs.ravel()] = (groups[kept] == between[1]).ravel()
    if np.any(in_second[pairs] != (groups[kept] == between[1])):
        raise BadInput("a person cannot be of two groups")
    failed = wrong[kept]

    def difference(labels: np.ndarray) -> float:
        a, b = labels[pairs].T
        own = [~a & ~b, a & b]
        if not all(chosen.any() for chosen in own):
            return np.inf
        return abs(float(failed[own[0]].mean() - failed[own[1]].mean()))

    seen = difference(in_second)
    if not np.isfinite(seen):
        raise BadInput(f"groups {between[0]} and {between[1]} both need pairs of their own")
    rng = np.random.default_rng(seed)
    as_odd = sum(difference(rng.permutation(in_second)) >= seen - 1e-12 for _ in range(rounds))
    return (1 + as_odd) / (1 + rounds)


def holm(p: Float[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Adjusted p of several tests: those below 0.05 hold together with 95 % confidence.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian
    Journal of Statistics 1979.

    Raises:
        BadInput: a p is not in [0, 1].
    """
    if not np.all((p >= 0) & (p <= 1)):
        raise BadInput("p lies in [0, 1]")
    order: Int64[np.ndarray, " n"] = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(scaled, 1.0)
    return adjusted
