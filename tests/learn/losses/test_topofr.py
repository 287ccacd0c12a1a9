"""TopoFR: death times against single linkage and by hand, the mixture, the score, the parts off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage

from lineament.core.errors import BadInput
from lineament.learn.backbones.iresnet import IResNet
from lineament.learn.losses import perturbation
from lineament.learn.losses.arcface import ArcFace
from lineament.learn.losses.damage import damage, entropies, sureness
from lineament.learn.losses.persistence import death_times, spanning_tree
from lineament.learn.losses.perturbation import erase, grey, perturbed, recolour
from lineament.learn.losses.topofr import TopoFR, arm, disturbed, misalignment, undisturbed
from lineament.learn.recipes import recipe
from lineament.learn.recognition.material import Material, People, every_pair
from lineament.learn.recognition.trial import Learner, fit


def test_on_a_line_parts_die_at_the_gaps():
    points = torch.tensor([[0.0], [7.0], [1.0], [3.0]])  # gaps 1, 2, 4
    torch.testing.assert_close(death_times(points), torch.tensor([1.0, 2.0, 4.0]))


def test_a_square_dies_along_three_sides_and_not_along_the_diagonal():
    square = torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    torch.testing.assert_close(death_times(square), torch.full((3,), 2.0))


@given(st.integers(2, 30), st.integers(1, 6), st.integers(0, 10**6))
def test_death_times_are_the_heights_of_single_linkage(count, dimension, seed):
    points = np.random.default_rng(seed).normal(0, 3, (count, dimension))
    expected = linkage(points, "single")[:, 2]
    ours = death_times(torch.from_numpy(points))
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-9)
    assert bool((ours.diff() >= 0).all())


def test_the_pairing_joins_all_points():
    points = np.random.default_rng(0).normal(0, 1, (12, 3))
    pairs = spanning_tree(np.linalg.norm(points[:, None] - points, axis=2))
    part = list(range(12))
    for a, b in pairs:
        assert part[a] != part[b]  # no circle
        part = [part[a] if p == part[b] else p for p in part]
    assert len(set(part)) == 1


def test_one_point_has_no_deaths_and_none_is_refused():
    assert death_times(torch.zeros(1, 3)).shape == (0,)
    with pytest.raises(BadInput, match="points"):
        spanning_tree(np.zeros((0, 0)))
    with pytest.raises(BadInput, match="finite"):
        spanning_tree(np.asarray([[0, np.nan], [np.nan, 0]]))


def test_the_gradient_pulls_at_the_edges_that_kill():
    points = torch.tensor([[0.0], [1.0], [4.0]], requires_grad=True)
    death_times(points).sum().backward()  # (x1 - x0) + (x2 - x1)
    assert points.grad is not None
    torch.testing.assert_close(points.grad, torch.tensor([[-1.0], [0.0], [1.0]]))
    double = torch.zeros(2, 3, requires_grad=True)
    death_times(double).sum().backward()
    assert double.grad is not None
    assert bool((double.grad == 0).all())  # not NaN


def test_the_misalignment_is_that_of_the_diagrams():
    generator = torch.Generator().manual_seed(0)
    faces = torch.rand(6, 3, 4, 4, generator=generator) * 2 - 1
    embeddings = torch.randn(6, 5, generator=generator)
    x = linkage(faces.flatten(1).double().numpy(), "single")[:, 2] / np.sqrt(4 * 3 * 4 * 4)
    unit = embeddings.double().numpy()
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    z = linkage(unit, "single")[:, 2] / 2
    expected = ((x - z) ** 2).sum() / 6
    assert float(misalignment(faces, embeddings)) == pytest.approx(expected, rel=1e-5)
    # Only directions count.
    longer = embeddings * torch.linspace(0.1, 9, 6)[:, None]
    assert float(misalignment(faces, longer)) == pytest.approx(expected, rel=1e-5)


def test_short_floats_do_not_reach_the_diagrams():
    points = torch.randn(9, 4, generator=torch.Generator().manual_seed(6))
    with torch.autocast("cpu", torch.bfloat16):
        deaths = death_times(points)
    torch.testing.assert_close(deaths, death_times(points))


def test_descending_the_misalignment_brings_the_diagrams_together():
    generator = torch.Generator().manual_seed(1)
    faces = torch.rand(8, 3, 4, 4, generator=generator) * 2 - 1
    embeddings = torch.randn(8, 5, generator=generator).requires_grad_()
    optimiser = torch.optim.SGD([embeddings], lr=3.0)
    first = float(misalignment(faces, embeddings).detach())
    for _ in range(400):
        optimiser.zero_grad()
        misalignment(faces, embeddings).backward()
        optimiser.step()
    assert float(misalignment(faces, embeddings).detach()) < 0.01 * first


def mixture(entropy: np.ndarray) -> np.ndarray:
    """Expectation maximisation over both signs of each entropy, spelled out."""
    x = np.concatenate([entropy, -entropy])
    x = (x - x.mean()) / x.std()
    pi, variance, height = 0.1, 1.0, 0.2
    gamma = np.zeros(len(x))
    for _ in range(1000):
        phi = np.exp(-(x**2) / (2 * (variance + 1e-3))) / np.sqrt(2 * np.pi * (variance + 1e-3))
        gamma = phi * pi / (phi * pi + (1 - pi) * height)
        variance = (gamma * x**2).sum() / gamma.sum()
        pi = min(gamma.mean(), 0.5)
        left = 1 - gamma
        first, second = (left * x).sum() / left.sum(), (left * x**2).sum() / left.sum()
        height = 1 / (2 * np.sqrt(3 * (second - first**2)))
    return gamma[: len(entropy)]


@pytest.mark.parametrize("seed", range(3))
def test_sureness_is_the_gaussian_s_share_of_the_mixture(seed):
    rng = np.random.default_rng(seed)
    entropy = np.concatenate([np.abs(rng.normal(0, 0.1, 60)), rng.uniform(0.5, 4, 30)])
    np.testing.assert_allclose(sureness(entropy), mixture(entropy), atol=1e-4)


def test_low_entropies_are_sure_and_high_ones_are_not_wherever_they_stand():
    rng = np.random.default_rng(5)
    entropy = np.concatenate([np.abs(rng.normal(0, 0.1, 60)), rng.uniform(0.5, 4, 30)])
    sure = sureness(entropy)
    assert sure[:60].min() > 0.5
    assert sure[entropy > 0.6].max() < 0.1
    order = rng.permutation(len(entropy))
    np.testing.assert_allclose(sureness(entropy[order]), sure[order], atol=1e-9)
    np.testing.assert_allclose(sureness(10 * entropy), sure, atol=1e-9)  # any unit


@pytest.mark.parametrize("value", [0.0, 7.5])
def test_equal_entropies_get_an_equal_finite_sureness(value):
    sure = sureness(np.full(16, value))
    assert np.isfinite(sure).all()
    assert np.ptp(sure) == 0
    assert 0 <= sure[0] <= 1


def test_entropies_are_those_of_the_predictions():
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [50.0, 0.0, 0.0, 0.0], [1.0, 0.0, -1.0, 2.0]])
    p = np.exp(logits[2].numpy()) / np.exp(logits[2].numpy()).sum()
    expected = [np.log(4), 0, -(p * np.log(p)).sum()]
    np.testing.assert_allclose(entropies(logits).numpy(), expected, atol=1e-5)


def test_the_score_is_the_unsureness_times_the_doubt_in_the_right_person():
    logits = torch.randn(20, 5, generator=torch.Generator().manual_seed(2)) * 4
    labels = torch.arange(20) % 5
    scores = damage(logits.requires_grad_(), labels)
    assert not scores.requires_grad
    p = logits.detach().double().softmax(1).numpy()
    entropy = -(p * np.log(p)).sum(1)
    expected = (2 - mixture(entropy)) * (1 - p[np.arange(20), labels.numpy()])
    np.testing.assert_allclose(scores.numpy(), expected, atol=1e-4)


def test_the_loss_is_weighted_cross_entropy_and_alignment():
    generator = torch.Generator().manual_seed(3)
    embeddings = torch.randn(12, 6, generator=generator)
    labels = torch.arange(12) % 4
    faces = torch.rand(12, 3, 4, 4, generator=generator) * 2 - 1
    margin = ArcFace(4, 6, 8.0)
    logits = margin.logits(embeddings, labels).detach()
    each = -logits.log_softmax(1)[torch.arange(12), labels]
    weights = damage(logits, labels)
    gap = float(misalignment(faces, embeddings))
    plain, weighted = float(each.mean()), float((weights * each).mean())
    assert abs(plain - weighted) > 0.01
    for alignment, sde, expected in (
        (0.1, True, weighted + 0.1 * gap),
        (0.1, False, plain + 0.1 * gap),
        (0.0, True, weighted),
    ):
        loss = TopoFR(margin, alignment, sde)(embeddings, labels, faces)
        assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)


def test_with_both_parts_off_it_is_the_margin_loss():
    margin = ArcFace(4, 6, 8.0)
    embeddings, labels = torch.randn(8, 6), torch.arange(8) % 4
    off = TopoFR(margin, 0.0, False)(embeddings, labels, torch.zeros(8, 3, 4, 4))
    torch.testing.assert_close(off, margin(embeddings, labels))


# The perturbation.


def gradient_face(size: int = 32) -> np.ndarray:
    ramp = np.linspace(40, 220, size).astype(np.uint8)
    return np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], np.uint8(90)), 2).copy()


def test_about_the_said_share_of_faces_is_changed():
    faces = torch.from_numpy(np.stack([gradient_face()] * 400)).permute(0, 3, 1, 2) / 127.5 - 1
    before = faces.clone()
    changed = perturbed(faces, np.random.default_rng(0))
    assert torch.equal(faces, before)
    share = float((changed != faces).flatten(1).any(1).float().mean())
    assert 0.14 < share < 0.26
    none = perturbed(faces, np.random.default_rng(0), share=0.0)
    assert torch.equal(none, faces)
    assert float(changed.abs().max()) <= 1
    again = perturbed(faces, np.random.default_rng(0))
    assert torch.equal(changed, again)


def test_each_change_does_what_it_says():
    face, rng = gradient_face(), np.random.default_rng(1)
    plain = grey(face, rng)
    assert np.ptp(plain, axis=2).max() == 0
    lowest = recolour(face, rng)
    assert lowest.mean() < 0.55 * face.mean()
    assert np.ptp(lowest.astype(int)) < 0.5 * np.ptp(face.astype(int))
    noise = rng.integers(0, 256, face.shape, dtype=np.uint8)
    assert perturbation.blur(noise, np.random.default_rng(0)).std() < 0.8 * noise.std()
    shares = []
    for _ in range(200):
        covered = (erase(face, rng) == 128).all(2)
        rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
        assert covered[np.ix_(rows, columns)].all()  # a rectangle
        shares.append(covered.mean())
    assert 0.01 < min(shares) < 0.05
    assert 0.25 < max(shares) < 0.36


def test_arms_see_the_same_faces_but_for_the_perturbation():
    pixels = np.stack([gradient_face()] * 16)
    (first, shown), (same, twice) = (
        view(pixels, np.random.default_rng(4)).unbind(1) for view in (disturbed, undisturbed)
    )
    assert torch.equal(first, same)
    assert torch.equal(same, twice)
    unchanged = (first == shown).all(3).all(2).all(1)
    assert 0 < int(unchanged.sum()) < 16


def test_a_step_moves_the_network_and_both_parts_reach_it(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 4)
    faces = People(rng.integers(0, 256, (24, 16, 16, 3), dtype=np.uint8), labels, "noise")
    material = Material(faces, faces, (every_pair("t", faces),))
    settings = replace(recipe("topofr").recipe.settings, steps=4, batch=12)
    small = [replace_make(arm(n, ptsa, sde)) for n, ptsa, sde in PARTS]
    ends = {a.name: fit(a, material, settings, tmp_path / a.name).state_dict() for a in small}
    weights = {n: s["backbone.head.3.weight"] for n, s in ends.items()}
    names = list(weights)
    for i, first in enumerate(names):
        for second in names[:i]:
            assert not torch.equal(weights[first], weights[second])
    again = fit(small[0], material, settings, tmp_path / "again").state_dict()
    assert all(torch.equal(again[k], ends["both"][k]) for k in again)


PARTS = (("both", True, True), ("ptsa", True, False), ("sde", False, True), ("none", False, False))


def replace_make(given):
    """The arm around a small network, with the head that it would have."""

    def make(count: int) -> Learner:
        backbone = IResNet((1, 1), (8, 8, 16), 16, 128, 2)
        learner = given.make(count)
        return Learner(backbone, learner.head)

    return replace(given, make=make)
