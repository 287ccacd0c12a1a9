"""AdaNPC: votes worked by hand, and what enters the memory."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.know.adaptation.adanpc import Memory


def at(*degrees: float) -> np.ndarray:
    """Unit vectors of the plane."""
    angles = np.radians(np.asarray(degrees))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_a_vote_by_hand():
    # A face at 0 degrees; voters at 60 (cosine 1/2), 90 (0) and -90 (0); 180 is not among them.
    memory = Memory(at(60, 90, -90, 180), np.asarray([4, 9, 9, 9]), k=3, temperature=0.5)
    shares = memory.shares(at(0)[0])
    total = exp(1) + 1 + 1
    assert shares == {4: pytest.approx(exp(1) / total), 9: pytest.approx(2 / total)}


def test_the_temperature_decides_between_one_near_and_two_far():
    vectors, labels = at(60, 90, -90), np.asarray([4, 9, 9])
    # e^(0.5 / t) against 2: equal at t = 0.72.
    for temperature, winner in ((0.70, 4), (0.75, 9)):
        memory = Memory(vectors, labels, k=3, temperature=temperature, margin=1.1)
        assert memory.vote(at(0)[0]).label == winner


def test_only_a_clear_vote_enters():
    vectors, labels = at(60, 90, -90), np.asarray([4, 9, 9])
    share = exp(1) / (exp(1) + 2)
    for margin, enters in ((share + 1e-6, False), (share - 1e-6, True)):
        memory = Memory(vectors, labels, k=3, temperature=0.5, margin=margin)
        vote = memory.vote(at(0)[0])
        assert (vote.label, vote.entered) == (4, enters)
        assert vote.share == pytest.approx(share)
        assert len(memory) == 3 + enters
        assert memory.labels.tolist() == [4, 9, 9] + [4] * enters


def test_the_memory_follows_a_drift_that_the_enrolled_faces_alone_do_not():
    # Person 1 at 0, person 2 at 90. Person 1's faces turn by 10 degrees each, up to 70.
    stream = at(*range(10, 80, 10))
    enrolled = at(0, 90), np.asarray([1, 2])
    drifting = Memory(*enrolled, k=1, margin=0.5)(stream)
    frozen = Memory(*enrolled, k=1, margin=1.1)(stream)
    assert drifting[0].tolist() == [1] * 7
    assert frozen[0].tolist() == [1, 1, 1, 1, 2, 2, 2]
    assert drifting[1].all()
    assert not frozen[1].any()


def test_an_error_that_enters_votes_for_itself():
    memory = Memory(at(0, 90), np.asarray([1, 2]), k=1, margin=0.5)
    assert memory.vote(at(50)[0]).label == 2  # though it may be person 1
    assert memory.vote(at(30)[0]).label == 2  # nearer to the error than to 0 degrees
    assert Memory(at(0, 90), np.asarray([1, 2]), k=1).vote(at(30)[0]).label == 1


def test_fewer_faces_than_voters_vote_all():
    memory = Memory(at(0, 90), np.asarray([1, 2]), k=10, temperature=1.0, margin=1.1)
    assert memory.shares(at(0)[0]) == {
        1: pytest.approx(exp(1) / (exp(1) + 1)),
        2: pytest.approx(1 / (exp(1) + 1)),
    }


def test_a_vote_without_dissent_reaches_a_margin_of_one():
    memory = Memory(at(0, 1, 2), np.asarray([3, 3, 3]), k=3, temperature=0.3, margin=1.0)
    assert memory.vote(at(5)[0]).entered


def test_what_is_enrolled_stays_and_the_caller_keeps_their_own():
    vectors, labels = at(0, 90), np.asarray([1, 2])
    before = vectors.copy()
    memory = Memory(vectors, labels, k=1, margin=0.0)
    memory(at(*range(40)))
    assert len(memory) == 42
    np.testing.assert_array_equal(vectors, before)
    np.testing.assert_allclose(memory.vectors[: memory.enrolled], vectors, atol=1e-7)
    np.testing.assert_allclose(memory.vectors[2:], at(*range(40)), atol=1e-6)


def test_it_refuses_what_it_cannot_do():
    with pytest.raises(BadInput, match="a memory needs faces"):
        Memory(np.zeros((0, 2)), np.zeros(0, np.int64))
    with pytest.raises(BadInput, match="above 0"):
        Memory(at(0), np.asarray([1]), k=0)
