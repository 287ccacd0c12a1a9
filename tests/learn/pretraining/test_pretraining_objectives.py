"""Objectives against their papers' equations in plain numpy, and what they see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lineament.learn.pretraining import rotnet, swav
from lineament.learn.pretraining.barlow_twins import (
    REDUNDANCY,
    BarlowTwins,
    barlow_loss,
    cross_correlation,
    small_batches,
)
from lineament.learn.pretraining.rotnet import RotNet, all_four, in_all_turns, one_each, turned
from lineament.learn.pretraining.sinkhorn import balanced
from lineament.learn.pretraining.swav import SHARP, TEMPERATURE, SwAV, swapped
from lineament.learn.pretraining.trial import encoder
from lineament.learn.recipes import recipe

RNG = np.random.default_rng(4)


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's, by numpy."""
    width = a.shape[1]
    return np.corrcoef(a.T, b.T)[:width, width:]


def test_cross_correlation_is_pearsons_over_the_batch():
    a = RNG.normal(2, 3, (40, 5))
    b = a @ RNG.normal(0, 1, (5, 5)) + 7
    found = cross_correlation(torch.from_numpy(a), torch.from_numpy(b))
    np.testing.assert_allclose(found.numpy(), correlations(a, b), atol=1e-9)


def test_a_number_that_does_not_vary_correlates_with_nothing():
    rows = torch.from_numpy(RNG.normal(0, 1, (10, 3)))
    rows[:, 1] = 5.0
    matrix = cross_correlation(rows, rows)
    assert torch.isfinite(matrix).all()
    np.testing.assert_allclose(matrix[1].numpy(), 0, atol=1e-9)


def test_barlow_loss_is_equation_1_entry_by_entry():
    matrix = RNG.uniform(-1, 1, (4, 4))
    expected = sum(
        (1 - matrix[i, j]) ** 2 if i == j else 0.3 * matrix[i, j] ** 2
        for i in range(4)
        for j in range(4)
    )
    assert float(barlow_loss(torch.from_numpy(matrix), 0.3)) == pytest.approx(expected)
    assert float(barlow_loss(torch.eye(6), REDUNDANCY)) == pytest.approx(0)
    assert float(barlow_loss(torch.ones(2, 2), 0.3)) == pytest.approx(0.6)


def test_the_loss_of_a_model_is_that_of_its_projections_of_two_views():
    torch.manual_seed(0)
    model = BarlowTwins(width=8)
    views = torch.randn(6, 2, 3, 64, 64)
    with torch.no_grad():
        first, second = (model.projector(model.encoder(views[:, k])) for k in range(2))
        found = float(model.loss(views))
    matrix = correlations(first.numpy(), second.numpy())
    off = matrix - np.diag(np.diag(matrix))
    expected = np.square(1 - np.diag(matrix)).sum() + REDUNDANCY * np.square(off).sum()
    assert found == pytest.approx(expected, rel=1e-3)


def test_without_redundancy_reduction_saying_the_same_twice_costs_nothing():
    twice = torch.randn(20, 1).repeat(1, 4)
    matrix = cross_correlation(twice, twice)
    assert float(barlow_loss(matrix, 0.0)) == pytest.approx(0, abs=1e-6)
    assert float(barlow_loss(matrix, 0.5)) == pytest.approx(6)


def test_small_batches_show_as_many_faces():
    usual = recipe("barlow-twins").recipe.settings
    small = small_batches(usual)
    assert small.batch * small.steps == usual.batch * usual.steps
    assert (small.batch, small.steps) == (16, 4 * usual.steps)
    assert small.rate == usual.rate / 2


def test_turns_are_rot90_and_all_four_are_there():
    pixels = RNG.integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)
    seen = in_all_turns(pixels, np.random.default_rng(0)).numpy()
    assert seen.shape == (3, 4, 3, 8, 8)
    for turn in range(4):
        expected = np.rot90(seen[:, 0], turn, axes=(2, 3))
        np.testing.assert_array_equal(seen[:, turn], expected)
        found = turned(torch.from_numpy(seen[:, 0].copy()), torch.full((3,), turn))
        np.testing.assert_array_equal(found.numpy(), expected)


class ByCorner(nn.Module):
    """Knows the turn of a face that has its light in one corner."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = x.shape[-1] // 2
        corners = [x[:, 0, :half, :half], x[:, 0, half:, :half], x[:, 0, half:, half:]]
        corners.append(x[:, 0, :half, half:])
        return torch.stack([corner.mean(dim=(1, 2)) for corner in corners], dim=1)


def by_corner(scale: float) -> RotNet:
    model = RotNet(encoder(32))
    model.add_module("encoder", ByCorner())
    model.turns = nn.Linear(4, 4)
    with torch.no_grad():
        model.turns.weight.copy_(scale * torch.eye(4))
        model.turns.bias.zero_()
    return model


def test_the_loss_of_turns_is_the_mean_log_loss_over_faces_and_their_four_turns():
    lit = torch.zeros(2, 3, 8, 8)
    lit[:, :, :4, :4] = 1.0
    lit[1] *= 0.5
    four = torch.stack([lit.rot90(k, (2, 3)) for k in range(4)], dim=1)
    rng = np.random.default_rng(0)
    # Against the clock the first corner goes down the left: the k-th output has the light.
    expected = np.mean([np.log(np.exp(3 * s) + 3) - 3 * s for s in (1.0, 0.5)])
    with torch.no_grad():
        assert float(all_four(by_corner(3.0), four, rng)) == pytest.approx(expected, rel=1e-6)
        assert float(all_four(by_corner(0.0), four, rng)) == pytest.approx(np.log(4))


def test_one_turn_each_draws_turns_and_names_them_rightly():
    lit = torch.zeros(64, 3, 8, 8)
    lit[:, :, :4, :4] = 1.0
    loss = one_each(by_corner(3.0), lit, np.random.default_rng(0))
    assert float(loss.detach()) == pytest.approx(np.log(np.exp(3) + 3) - 3, rel=1e-5)


def test_rotnets_step_shows_as_many_pictures_as_others():
    arm = rotnet.arm()
    usual = recipe("rotnet").recipe.settings
    assert 4 * arm.change(usual).batch == usual.batch


def test_assignments_are_balanced_and_follow_the_scores():
    scores = torch.from_numpy(RNG.normal(0, 1, (24, 4)))
    found = balanced(scores, 0.5, rounds=200).numpy()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found.sum(axis=0), 6, rtol=1e-6)
    # The optimum is exp(score / sharp) times factors of rows and columns: ratios of ratios stay.
    kernel = np.exp(scores.numpy() / 0.5)
    ratio = found[0, 0] * found[1, 1] / (found[0, 1] * found[1, 0])
    wanted = kernel[0, 0] * kernel[1, 1] / (kernel[0, 1] * kernel[1, 0])
    assert ratio == pytest.approx(wanted, rel=1e-6)


def test_assignments_of_far_scores_stay_finite():
    assert torch.isfinite(balanced(torch.tensor([[900.0, -900.0], [0.0, 1.0]]), 0.05)).all()


def test_each_view_predicts_the_others_assignment_which_is_given():
    predicting = torch.from_numpy(RNG.uniform(-1, 1, (6, 3))).requires_grad_()
    assigned = torch.from_numpy(RNG.uniform(-1, 1, (6, 3))).requires_grad_()
    loss = swapped(predicting, assigned)
    wanted = balanced(assigned.detach(), SHARP).numpy()
    logits = predicting.detach().numpy() / TEMPERATURE
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert float(loss.detach()) == pytest.approx(-(wanted * logs).sum(axis=1).mean())
    loss.backward()
    assert assigned.grad is None
    assert predicting.grad is not None


def test_the_encoder_is_the_tiny_network_up_to_its_last_map():
    model = encoder().eval()
    faces = torch.randn(2, 3, 64, 64)
    assert model(faces).shape == (2, model.dimension) == (2, 512)
    assert encoder(112)(faces.new_zeros(2, 3, 112, 112)).shape[1] == encoder(112).dimension


def test_arms_begin_alike():
    starts = []
    for make in (encoder, BarlowTwins, RotNet, SwAV):
        torch.manual_seed(3)
        model = make()
        starts.append(getattr(model, "encoder", model).state_dict()["stem.0.weight"])
    for other in starts[1:]:
        torch.testing.assert_close(other, starts[0])


def test_swav_pulls_views_of_a_face_together():
    torch.manual_seed(0)
    model = SwAV(encoder(32), clusters=6)
    faces = torch.randn(12, 3, 32, 32)
    same, other = torch.stack([faces, faces], 1), torch.stack([faces, faces.roll(1, 0)], 1)
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(15):
        optimiser.zero_grad()
        model.loss(same).backward()
        optimiser.step()
    with torch.no_grad():
        assert float(model.loss(same)) < float(model.loss(other))
    assert model.prototypes.shape == (6, swav.WIDTH)
    np.testing.assert_allclose(model.prototypes.norm(dim=1).numpy(), 1, rtol=1e-5)
