"""Time classes, on chains worked by hand and against a search through all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.measure.fruits import CLASSES, Chain, best_in_class, frontier

FAST, FAIR, GOOD, SLOW = (
    Chain("fast", 5, 0.90),
    Chain("fair", 20, 0.95),
    Chain("good", 30, 0.99),
    Chain("slow", 31, 0.98),
)


def test_worked_by_hand():
    best = best_in_class([SLOW, GOOD, FAIR, FAST])
    assert best == {10.0: FAST, 30.0: GOOD, 100.0: GOOD}
    assert tuple(best) == CLASSES
    assert best_in_class([SLOW], (10, 40)) == {10: None, 40: SLOW}
    assert frontier([SLOW, GOOD, FAIR, FAST]) == [FAST, FAIR, GOOD]


def test_of_equals_the_faster_is_best():
    twins = [Chain("a", 9, 0.9), Chain("b", 8, 0.9)]
    assert best_in_class(twins, (10,))[10] == twins[1]
    assert frontier(twins) == [twins[1]]


@pytest.mark.parametrize("seed", range(100))
def test_against_a_search_through_all(seed):
    rng = np.random.default_rng(seed)
    chains = [
        Chain(str(i), float(rng.integers(1, 12)), float(rng.integers(1, 6))) for i in range(12)
    ]
    for limit, best in best_in_class(chains, (3.0, 6.0)).items():
        within = [c for c in chains if c.milliseconds <= limit]
        assert (best is None) == (not within)
        if best is not None:
            assert best.accuracy == max(c.accuracy for c in within)
            same = [c for c in within if c.accuracy == best.accuracy]
            assert best.milliseconds == min(c.milliseconds for c in same)
    kept = frontier(chains)
    for chain in chains:
        beaten = any(
            k.milliseconds <= chain.milliseconds and k.accuracy >= chain.accuracy for k in kept
        )
        assert beaten
    for one in kept:
        assert not any(
            c.milliseconds <= one.milliseconds
            and c.accuracy >= one.accuracy
            and (c.milliseconds, c.accuracy) != (one.milliseconds, one.accuracy)
            for c in chains
        )


@pytest.mark.parametrize(("ms", "accuracy"), [(0, 1), (-1, 1), (math.inf, 1), (1, math.nan)])
def test_impossible_chains_are_refused(ms, accuracy):
    with pytest.raises(BadInput, match="finite accuracy"):
        Chain("x", float(ms), float(accuracy))


def test_nothing_to_choose_from_is_refused():
    with pytest.raises(BadInput, match="needed"):
        best_in_class([])
    with pytest.raises(BadInput, match="above 0"):
        best_in_class([FAST], (0.0,))
