"""The recognizability index and what is built on it, against plain numbers."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from lineament.learn.backbones.iresnet import tiny
from lineament.learn.losses import index_diversion
from lineament.learn.losses.classifier import CosineClassifier
from lineament.learn.losses.index_diversion import (
    ATTENTION,
    BETA,
    DIVERSION,
    REGRESSION,
    TAU,
    Perceptibility,
    Recognizer,
    away,
    diversion,
    index,
    objective,
    qualities,
    spoilt,
)
from lineament.learn.recipes import Job, recipe
from lineament.learn.recognition import discarding, figures
from lineament.learn.recognition.material import Material, People, every_pair
from lineament.learn.recognition.trial import Arm, fit

PEOPLE = torch.arange(12) % 4


def some_faces(seed: int = 0) -> People:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    return People(pixels, PEOPLE.numpy(), f"faces {seed}")


def recognizer(people: int = 4, **options) -> Recognizer:
    network = tiny()
    return Recognizer(network, CosineClassifier(people, network.dimension, 8.0), **options)


def at(*degrees: float, length: float = 1.0) -> torch.Tensor:
    turn = torch.tensor(degrees) * math.pi / 180
    return length * torch.stack([turn.cos(), turn.sin()], dim=1)


def test_the_index_by_hand():
    """Own person at 0 degrees, others at 90 and 250, the centre at 180."""
    prototypes, centre = at(0, 90, 250, length=3.0), at(180, length=0.4)[0]
    for face in (10.0, 60.0, -40.0):
        expected = (1 + math.cos(math.radians(face))) * min(
            1 - math.cos(math.radians(face - 90)), 1 - math.cos(math.radians(face - 250))
        )
        expected /= 1 - math.cos(math.radians(face)) + 0.1
        for length in (0.3, 5.0):
            found = index(at(face, length=length), prototypes, torch.tensor([0]), centre)
            assert float(found) == pytest.approx(expected, rel=1e-5)


def test_the_index_rises_and_falls_with_the_right_distances():
    own, face = at(0, 120), at(20)

    def of(prototypes: torch.Tensor, centre: float) -> float:
        return float(index(face, prototypes, torch.tensor([0]), at(centre)[0]))

    assert of(own, 200) > of(own, 60)
    assert of(at(10, 120), 200) > of(own, 200)
    assert of(at(0, 80), 200) < of(own, 200)


def test_the_diversion_asks_for_tau_deviations():
    mean, deviation = torch.tensor(0.5), torch.tensor(0.25)
    predicted = torch.tensor([0.0, 1.0, 0.5 + TAU * 0.25 + 0.1], requires_grad=True)
    loss = diversion(predicted, mean, deviation)
    assert float(loss.detach()) == pytest.approx(((TAU + 2) + (TAU - 2)) / 3)
    loss.backward()
    assert predicted.grad is not None
    assert predicted.grad.tolist() == pytest.approx([-4 / 3, -4 / 3, 0])


def test_what_points_to_the_centre_is_taken_away():
    embeddings, centre = torch.randn(5, 6), torch.randn(6)
    found = away(embeddings, centre)
    np.testing.assert_allclose(found @ centre, 0, atol=1e-5)
    direction = (centre / centre.norm()).numpy()
    unit = functional.normalize(embeddings).numpy()
    expected = unit - np.outer(unit @ direction, direction)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@torch.no_grad()
def test_attention_weights_channels_then_places():
    attention, maps = Perceptibility(16, fewer=4), torch.randn(2, 16, 3, 3)
    numbers = {name: p.numpy() for name, p in attention.named_parameters()}

    def dense(pooled: np.ndarray) -> np.ndarray:
        hidden = pooled @ numbers["channels.0.weight"].T + numbers["channels.0.bias"]
        return np.maximum(hidden, 0) @ numbers["channels.2.weight"].T + numbers["channels.2.bias"]

    m = maps.numpy()
    channels = 1 / (1 + np.exp(-dense(m.mean((2, 3))) - dense(m.max(axis=(2, 3)))))
    weighted = m * channels[:, :, None, None]
    pooled = np.pad(
        np.stack([weighted.mean(1), weighted.max(1)], 1), ((0, 0), (0, 0), (1, 1), (1, 1))
    )
    kernel, places = numbers["places.weight"][0], np.empty((2, 3, 3))
    for y in range(3):
        for x in range(3):
            places[:, y, x] = (pooled[:, :, y : y + 3, x : x + 3] * kernel).sum(axis=(1, 2, 3))
    places = 1 / (1 + np.exp(-places - numbers["places.bias"]))
    np.testing.assert_allclose(attention(maps), weighted * places[:, None], atol=1e-5)


@torch.no_grad()
def test_both_embeddings_are_compared():
    torch.manual_seed(0)
    ours, plain = recognizer().eval(), recognizer(attention=False).eval()
    faces = torch.randn(3, 3, 64, 64)
    base, attended, predicted = ours.parts(faces)
    np.testing.assert_allclose(base, functional.normalize(ours.backbone(faces)), atol=1e-6)
    assert attended is not None
    np.testing.assert_allclose(ours(faces), base + functional.normalize(attended), atol=1e-6)
    assert predicted.shape == (3,)
    np.testing.assert_allclose(plain(faces), functional.normalize(plain.backbone(faces)), atol=1e-6)


def test_the_centre_is_a_running_mean():
    torch.manual_seed(1)
    model = recognizer().train()
    prototypes = model.head.get_parameter("weight").detach()
    first, second = torch.randn(6, 3, 64, 64), torch.randn(6, 3, 64, 64) * 2
    whose = PEOPLE[:6]
    model.remember(first, whose)
    assert model.training
    with torch.no_grad():
        base, later = (model.eval().parts(x)[0] for x in (first, second))
    np.testing.assert_allclose(model.centre, base.mean(dim=0), atol=1e-6)
    one = index(base, prototypes, whose, base.mean(dim=0))
    assert float(model.mean) == pytest.approx(float(one.mean()), abs=1e-6)
    model.remember(second, whose)
    centre = 0.95 * base.mean(dim=0) + 0.05 * later.mean(dim=0)
    np.testing.assert_allclose(model.centre, centre, atol=1e-6)
    two = index(later, prototypes, whose, centre)
    assert float(model.mean) == pytest.approx(0.95 * float(one.mean()) + 0.05 * float(two.mean()))
    spread = [max(0.1, float(x.std())) for x in (one, two)]
    assert float(model.deviation) == pytest.approx(0.95 * spread[0] + 0.05 * spread[1])


def plainly(model: Recognizer, faces: torch.Tensor, push: float) -> float:
    """The objective put together from what it is made of, dropout off."""
    model.remember(spoilt(faces, np.random.default_rng(2)), PEOPLE)
    base, attended, predicted = model.parts(faces)
    whole = base if attended is None else base + functional.normalize(attended)
    loss = model.head(whole, PEOPLE)
    weight = model.head.get_parameter("weight")
    target = index(base, weight, PEOPLE, model.centre)
    gap = (predicted - target).abs()
    smooth = torch.where(gap < BETA, 0.5 * gap**2 / BETA, gap - 0.5 * BETA)
    loss = loss + REGRESSION * smooth.mean()
    loss = loss + push * diversion(predicted, model.mean, model.deviation)
    if attended is not None:
        goal = away(base, model.centre)
        loss = loss + ATTENTION * (attended - goal).square().sum(dim=1).mean()
    return float(loss.detach())


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("push", [DIVERSION, 0.0])
def test_the_objective_is_the_sum_of_its_parts(attention, push):
    torch.manual_seed(2)
    model = recognizer(attention=attention, push=push).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    faces = torch.randn(12, 3, 64, 64)
    again = copy.deepcopy(model)
    loss = objective(model, faces, PEOPLE, np.random.default_rng(2))
    assert float(loss.detach()) == pytest.approx(plainly(again, faces, push), rel=1e-5)


def test_the_diversion_moves_the_network_and_not_the_prototypes():
    model = recognizer().train()
    faces = torch.randn(12, 3, 64, 64)
    model.remember(faces, PEOPLE)
    diversion(model.parts(faces)[2], model.mean + 5, model.deviation).backward()
    stem = model.backbone.get_parameter("stem.0.weight")
    assert stem.grad is not None
    assert float(stem.grad.abs().max()) > 0
    assert model.head.get_parameter("weight").grad is None


def test_spoilt_faces_show_four_pixels_a_side():
    faces = torch.rand(2, 3, 64, 64) * 2 - 1
    mixed = faces.clone().view(2, 3, 4, 16, 4, 16)
    mixed = mixed.flip(3, 5).reshape(faces.shape)  # the same means
    first, second = (spoilt(x, np.random.default_rng(0)) for x in (faces, mixed))
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert float(first.abs().max()) <= 1


def test_a_stopped_run_ends_in_the_same_memory(tmp_path):
    """Centre, mean and deviation are taken up with the weights."""
    known = recipe("recognizability").recipe
    settings = replace(known.settings, steps=4, batch=12, warm_up=1, save_every=2, measure_every=0)
    material = Material(some_faces(), some_faces(1), ())
    steps = []

    def stopping(model, seen, people, rng):
        steps.append(len(steps))
        if len(steps) == 4:
            raise KeyboardInterrupt
        return objective(model, seen, people, rng)

    def make(people: int) -> nn.Module:
        return recognizer(people)

    def run(folder: Path, how) -> nn.Module:
        return fit(Arm("a", make, how), material, settings, folder)

    whole = run(tmp_path / "whole", objective)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", stopping)
    again = run(tmp_path / "stopped", objective)
    ours, theirs = whole.state_dict(), again.state_dict()
    assert float(ours["deviation"]) > 0
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_qualities_are_asked_of_the_network():
    torch.manual_seed(4)
    model = recognizer().eval()
    model.remember(torch.randn(4, 3, 64, 64), PEOPLE[:4])
    pixels = some_faces().pixels[np.arange(12)]
    asked = {name: of(pixels) for name, of in qualities(model).items()}
    with torch.no_grad():
        base, _, predicted = model.parts(
            torch.from_numpy(pixels / 127.5 - 1).permute(0, 3, 1, 2).float()
        )
    np.testing.assert_allclose(asked["index"], predicted, atol=1e-5)
    centre = functional.normalize(model.centre, dim=0)
    np.testing.assert_allclose(asked["distance from the centre"], 1 - base @ centre, atol=1e-5)
    assert (asked["length of the embedding"] > 0).all()


def test_the_recipe_runs_whole(tmp_path, monkeypatch):
    clear = every_pair("LFW", some_faces(2))
    test = replace(clear, name="LFW, resolution 14 px", probes=some_faces(3).pixels)
    material = Material(some_faces(), some_faces(1), (clear, test))
    monkeypatch.setattr(index_diversion, "gather", lambda job: material)
    monkeypatch.setattr(figures, "ROUNDS", 5)
    monkeypatch.setattr(discarding, "ROUNDS", 5)
    known = recipe("recognizability").recipe
    settings = replace(known.settings, steps=2, batch=12, warm_up=1)
    ours = Job(recipe=known, settings=settings, seeds=(0,), out=tmp_path / "recognizability")
    done = index_diversion.run(ours)
    names = ["all parts", "without diversion", "without attention", "ArcFace of few pixels"]
    assert [row[0] for row in done.rows[:4]] == names
    assert {len(row) for row in done.rows} == {len(done.headings)}
    assert done.rows[-1][0].endswith("by index less by length of the embedding")
    assert done.rows[-1][-1]
    beside = {result.baseline for result in done.results}
    assert beside == {*names[1:], "distance from the centre", "length of the embedding"}
