"""The slow copy against arithmetic by hand."""

from __future__ import annotations

from math import cos, pi

import numpy as np
import pytest
import torch
from torch import nn

from lineament.learn.pretraining.momentum import Follower, apart, momentum_at


def test_the_momentum_rises_to_one():
    assert momentum_at(0, 100, 0.99) == pytest.approx(0.99)
    assert momentum_at(50, 100, 0.99) == pytest.approx(0.995)
    assert momentum_at(25, 100, 0.9) == pytest.approx(1 - 0.1 * (cos(pi / 4) + 1) / 2)
    assert momentum_at(100, 100, 0.99) == 1
    assert momentum_at(130, 100, 0.99) == 1


def test_the_copy_follows():
    online = nn.Linear(2, 1, bias=False)
    nn.init.constant_(online.weight, 1.0)
    slow = Follower(online, 0.9, 10)
    slow.follow(online)
    torch.testing.assert_close(slow.network.weight, online.weight)
    nn.init.constant_(online.weight, 2.0)
    slow.follow(online)
    share = 1 - momentum_at(1, 10, 0.9)
    torch.testing.assert_close(slow.network.weight, torch.full((1, 2), 1 + share))
    assert int(slow.steps_done) == 2


def test_nothing_is_learnt_through_the_copy():
    online = nn.Linear(2, 1)
    slow = Follower(online, 0.9, 10)
    x = torch.ones(1, 2, requires_grad=True)
    assert not slow(x).requires_grad
    assert not any(p.requires_grad for p in slow.parameters())
    assert all(p.requires_grad for p in online.parameters())


def test_the_count_of_steps_is_in_a_checkpoint():
    online = nn.Linear(2, 1)
    slow, other = Follower(online, 0.9, 10), Follower(online, 0.9, 10)
    slow.follow(online)
    other.load_state_dict(slow.state_dict())
    assert int(other.steps_done) == 1


def test_distance_is_of_unit_vectors():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 3))
    a1, b1 = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    wanted = np.mean(np.sum((a1 - b1) ** 2, axis=-1))
    assert float(apart(torch.tensor(a), torch.tensor(b))) == pytest.approx(wanted)
