"""Tracking scores on cases worked by hand, and IDF1 against a search through all matchings."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.measure.tracking import Labelled, tracking_score, without_ignored


def frame(**where: float) -> Labelled:
    """Boxes of 10 x 10 pixels by identity: ``_3=50`` is number 3 at x = 50."""
    ids = np.asarray([int(name[1:]) for name in where], np.int64)
    boxes = np.asarray([[x, 0, x + 10, 10] for x in where.values()], float).reshape(-1, 4)
    return Labelled(ids, boxes)


def test_a_perfect_answer_may_number_as_it_likes():
    truth = [frame(_1=0, _2=50), frame(_1=5, _2=45)]
    answer = [frame(_9=50, _7=0), frame(_9=45, _7=5)]
    score = tracking_score(truth, answer)
    assert (score.misses, score.false_finds, score.switches) == (0, 0, 0)
    assert score.mota == score.idf1 == 1


def test_errors_are_counted_as_defined():
    """Four frames of person 1: found as 7, missed, found as 8 (a switch), found as 8; a false find
    in the last. Errors 1 + 1 + 1 of 4 boxes; of identities 7 agrees in 1 frame and 8 in 2."""
    truth = [frame(_1=0)] * 4
    answer = [frame(_7=0), frame(), frame(_8=1), frame(_8=1, _5=80)]
    score = tracking_score(truth, answer)
    assert (score.boxes, score.misses, score.false_finds, score.switches) == (4, 1, 1, 1)
    assert score.mota == 1 - 3 / 4
    assert score.idf1 == 2 * 2 / (4 + 4)


def test_a_match_goes_on_though_another_box_lies_better():
    truth = [frame(_1=0), frame(_1=0)]
    answer = [frame(_7=2), frame(_7=2, _8=0)]
    score = tracking_score(truth, answer)
    assert (score.switches, score.false_finds) == (0, 1)


def test_an_exchange_costs_two_switches_and_half_the_identities():
    truth = [frame(_1=0, _2=50)] * 4
    answer = [frame(_7=0, _8=50)] * 2 + [frame(_8=0, _7=50)] * 2
    score = tracking_score(truth, answer)
    assert score.switches == 2
    assert score.idf1 == 0.5


def test_a_fragment_is_a_gap_that_was_missed_while_there_was_somebody_to_see():
    """Person 1: missed before the first find (none), found, out of sight, found (none), missed for
    two frames, found (one), missed, found as somebody else (one, and a switch), missed to the end
    (none). Person 2 is never found (none)."""
    here, gone = frame(_1=0, _2=50), frame(_2=50)
    truth = [here, here, gone, here, here, here, here, here, here, here]
    found = [None, 7, None, 7, None, None, 7, None, 8, None]
    answer = [frame() if label is None else frame(**{f"_{label}": 0}) for label in found]
    score = tracking_score(truth, answer)
    assert (score.fragments, score.switches) == (2, 1)
    assert (score.misses, score.false_finds) == (10 + 5, 0)


def test_scores_of_several_videos_add_up():
    """4 boxes with one miss, and 4 without an error whose label is new: of all 8 boxes one is
    missed, and labels of one video are not looked for in the other."""
    one = tracking_score([frame(_1=0)] * 4, [frame(_7=0)] * 3 + [frame()])
    other = tracking_score([frame(_1=0)] * 4, [frame(_8=0)] * 4)
    both = one + other
    assert (both.boxes, both.given, both.misses, both.switches) == (8, 7, 1, 0)
    assert both.mota == 1 - 1 / 8
    assert both.idf1 == 2 * 7 / (8 + 7)


def test_what_nobody_asks_for_is_neither_right_nor_wrong():
    """A box on the ignored face at 100 is left out; one at 50 is the truth's own, though an ignored
    face lies near it; a second box on the ignored face, and one on nothing, stay false."""
    truth = [frame(_1=50)]
    answer = [frame(_7=50, _8=100, _5=102, _6=200)]
    ignored = [np.asarray([[52, 0, 62, 10], [100, 0, 110, 10]], float)]
    (kept,) = without_ignored(truth, answer, ignored)
    assert kept.ids.tolist() == [7, 5, 6]
    score = tracking_score(truth, [kept])
    assert (score.misses, score.false_finds, score.given) == (0, 2, 3)


def test_idf1_is_the_best_over_all_matchings():
    rng = np.random.default_rng(3)
    for _ in range(20):
        truth, answer = [], []
        for _ in range(12):
            x = np.arange(4) * 20.0
            truth.append(frame(**{f"_{i}": x[i] for i in range(4)}))
            labels = rng.permutation(4) if rng.random() < 0.6 else np.arange(4)
            answer.append(frame(**{f"_{labels[i]}": x[i] for i in range(4)}))
        agree = np.zeros((4, 4))
        for a, b in zip(truth, answer, strict=True):
            agree[a.ids, b.ids] += 1
        best = max(agree[range(4), list(order)].sum() for order in permutations(range(4)))
        assert tracking_score(truth, answer).idf1 == pytest.approx(best / 48)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(BadInput, match="frames"):
        tracking_score([frame(_1=0)], [])
    with pytest.raises(BadInput, match="nobody"):
        tracking_score([frame()], [frame(_1=0)])
    with pytest.raises(BadInput, match="twice"):
        Labelled(np.asarray([1, 1]), np.zeros((2, 4)))
    with pytest.raises(BadInput, match="finite"):
        Labelled(np.asarray([1]), np.full((1, 4), np.nan))
