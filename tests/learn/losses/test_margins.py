"""Margin losses against their equations in plain numbers; gradients against finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from lineament.learn.losses.adaface import AdaFace
from lineament.learn.losses.arcface import ArcFace
from lineament.learn.losses.classifier import CosineClassifier, LinearClassifier
from lineament.learn.losses.cosface import CosFace
from lineament.learn.losses.sphereface import FALL, STEPS, SphereFace, of_length, psi

ANGLE, OTHER = 0.7, 1.9
"""Of an embedding with its own person and with the other one, radians."""


def flat(loss: nn.Module) -> nn.Module:
    """A loss in the plane whose two people lie at the angles 0 and ANGLE + OTHER."""
    angles = torch.tensor([0.0, ANGLE + OTHER])
    with torch.no_grad():
        # Lengths of classes must not matter.
        loss.get_parameter("weight").copy_(
            torch.stack([angles.cos(), angles.sin()], 1) * torch.tensor([[3.0], [0.2]])
        )
    return loss


def embedding(length: float = 5.0) -> torch.Tensor:
    return length * torch.tensor([[math.cos(ANGLE), math.sin(ANGLE)]])


def entropy(own: float, other: float) -> float:
    """Cross-entropy of two logits."""
    return math.log1p(math.exp(other - own))


@pytest.mark.parametrize(
    ("loss", "own"),
    [
        (CosineClassifier(2, 2, scale=8.0), math.cos(ANGLE)),
        (CosFace(2, 2, scale=8.0, margin=0.35), math.cos(ANGLE) - 0.35),
        (ArcFace(2, 2, scale=8.0, margin=0.5), math.cos(ANGLE + 0.5)),
    ],
)
def test_a_margin_changes_the_own_cosine_and_nothing_else(loss, own):
    expected = entropy(8 * own, 8 * math.cos(OTHER))
    for length in (0.1, 5.0):
        value = flat(loss)(embedding(length), torch.tensor([0]))
        assert float(value.detach()) == pytest.approx(expected, abs=2e-6)


def test_the_margins_of_the_papers_are_the_usual_ones():
    assert (CosFace(2, 2).scale, CosFace(2, 2).margin) == (64.0, 0.35)
    assert (ArcFace(2, 2).scale, ArcFace(2, 2).margin) == (64.0, 0.5)
    ada = AdaFace(2, 2)
    assert (ada.scale, ada.margin, ada.concentration, ada.memory) == (64.0, 0.4, 0.333, 0.99)


def test_arcface_goes_on_falling_beyond_a_half_turn():
    angles = torch.linspace(0.01, math.pi - 0.01, 400, dtype=torch.float64)
    loss = ArcFace(2, 2, margin=0.5)
    own = loss.own(angles.cos(), torch.empty(400, 2))
    assert bool((own.diff() < 0).all())
    within = angles < math.pi - 0.5
    torch.testing.assert_close(own[within], (angles + 0.5).cos()[within], atol=1e-7, rtol=0)
    straight = angles.cos() - 0.5 * math.sin(0.5)
    torch.testing.assert_close(own[~within], straight[~within])


@pytest.mark.parametrize("margin", [1, 2, 3, 4])
def test_psi_is_the_paper_s_piecewise_cosine(margin):
    angles = np.linspace(0.001, math.pi - 0.001, 500)
    k = np.floor(angles * margin / math.pi)
    expected = (-1.0) ** k * np.cos(margin * angles) - 2 * k
    ours = psi(torch.from_numpy(np.cos(angles)), margin).numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-9)
    assert np.all(np.diff(ours) < 0)


def test_sphereface_keeps_lengths_and_lets_lambda_fall():
    loss = SphereFace(2, 2, margin=4, least=5.0, fall=0.5)
    flat(loss)
    cosine = math.cos(ANGLE)
    assert math.floor(4 * ANGLE / math.pi) == 0
    psi_own = math.cos(4 * ANGLE)
    for call in range(3):
        weight = 1000 / (1 + 0.5 * call)
        own = (weight * cosine + psi_own) / (1 + weight)
        expected = entropy(5 * own, 5 * math.cos(OTHER))
        value = loss(embedding(5.0), torch.tensor([0]))
        assert float(value.detach()) == pytest.approx(expected, abs=2e-6)
    loss.get_buffer("calls").fill_(10**6)
    own = (5 * cosine + psi_own) / 6
    value = loss(embedding(2.0), torch.tensor([0]))
    assert float(value.detach()) == pytest.approx(entropy(2 * own, 2 * math.cos(OTHER)), abs=2e-6)


def test_lambda_falls_over_the_same_share_of_a_run_of_any_length():
    short = of_length(2, 2, 600)
    assert short.fall * 600 == pytest.approx(FALL * STEPS)


@pytest.mark.parametrize(("z", "like"), [(-1.0, "arcface"), (0.0, "cosface"), (1.0, "neither")])
def test_adaface_at_its_ends_is_arcface_and_in_the_middle_cosface(z, like):
    loss = AdaFace(2, 2, scale=8.0, margin=0.4).eval()
    flat(loss)
    loss.get_buffer("mean").fill_(5.0)
    loss.get_buffer("spread").fill_(1.0 - 1e-3)
    length = 5.0 + z / 0.333
    own = {
        "arcface": math.cos(ANGLE + 0.4),
        "cosface": math.cos(ANGLE) - 0.4,
        "neither": math.cos(ANGLE - 0.4) - 0.8,
    }[like]
    value = loss(embedding(length), torch.tensor([0]))
    assert float(value.detach()) == pytest.approx(entropy(8 * own, 8 * math.cos(OTHER)), abs=2e-6)


def test_adaface_standardises_lengths_by_what_it_has_seen():
    loss = AdaFace(3, 4)
    first, second = torch.rand(2, 16, 4) * 3
    loss.quality(first)
    mean, spread = (float(loss.get_buffer(n)) for n in ("mean", "spread"))
    lengths = first.norm(dim=1)
    assert (mean, spread) == pytest.approx((float(lengths.mean()), float(lengths.std())))
    z = loss.quality(second)
    lengths = second.norm(dim=1).numpy()
    mean = 0.99 * mean + 0.01 * lengths.mean()
    spread = 0.99 * spread + 0.01 * lengths.std(ddof=1)
    expected = np.clip(0.333 * (lengths - mean) / (spread + 1e-3), -1, 1)
    np.testing.assert_allclose(z.numpy(), expected, atol=1e-5)
    loss.eval()
    loss.quality(first)
    assert float(loss.get_buffer("mean")) == pytest.approx(mean)


def test_no_gradient_of_adaface_goes_through_the_length():
    """The loss pulls along the sphere only, although the length sets the margin."""
    loss = AdaFace(5, 4)
    embeddings = (
        torch.randn(8, 4, generator=torch.Generator().manual_seed(1)) * 2
    ).requires_grad_()
    loss(embeddings, torch.arange(8) % 5).backward()
    assert embeddings.grad is not None
    along = (embeddings.grad * embeddings.detach()).sum(dim=1)
    torch.testing.assert_close(along, torch.zeros(8), atol=1e-4, rtol=0)
    assert float(embeddings.grad.norm()) > 0.1


@pytest.mark.parametrize("kind", [CosineClassifier, CosFace, ArcFace, SphereFace, LinearClassifier])
def test_gradients_are_those_of_finite_differences(kind):
    generator = torch.Generator().manual_seed(3)
    loss = kind(4, 3).eval()
    embeddings = torch.randn(6, 3, generator=generator) * 0.7
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    if hasattr(loss, "scale"):
        loss.scale = min(loss.scale, 4.0)
    ours = embeddings.clone().requires_grad_()
    loss(ours, labels).backward()
    assert ours.grad is not None
    step = 1e-3
    for row, column in ((0, 0), (3, 2), (5, 1)):
        change = torch.zeros_like(embeddings)
        change[row, column] = step
        with torch.no_grad():
            higher, lower = (loss(embeddings + s * change, labels) for s in (1, -1))
        expected = float(higher - lower) / (2 * step)
        assert float(ours.grad[row, column]) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("kind", [CosFace, ArcFace, AdaFace])
def test_even_a_perfect_embedding_has_a_finite_gradient(kind):
    loss = kind(2, 2)
    flat(loss)
    exact = torch.tensor([[2.0, 0.0], [-3.0, 0.0]], requires_grad=True)
    loss(exact, torch.tensor([0, 0])).backward()
    assert exact.grad is not None
    assert bool(exact.grad.isfinite().all())
    assert bool(loss.get_parameter("weight").grad.isfinite().all())


def test_plain_softmax_is_a_linear_layer():
    loss = LinearClassifier(3, 2)
    with torch.no_grad():
        loss.linear.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
        loss.linear.bias.copy_(torch.tensor([0.0, 0.0, 2.0]))
    value = loss(torch.tensor([[2.0, 1.0]]), torch.tensor([1]))
    assert float(value.detach()) == pytest.approx(-1 + math.log(2 * math.e**2 + math.e))
