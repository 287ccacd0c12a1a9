"""Two sets of low-rank weights beside a network that stays: the equation, what learns, the file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lineament.core.sessions import Session
from lineament.learn.backbones.cost import parameters
from lineament.learn.backbones.vit import ViT
from lineament.learn.data.augment import still
from lineament.learn.recipes import Job, recipe
from lineament.learn.recognition import figures, petalface
from lineament.learn.recognition.material import Material, People, every_pair
from lineament.learn.recognition.petalface import (
    FEW,
    MANY,
    Adapted,
    Beside,
    Gate,
    LowRank,
    fitted_arms,
    learning,
    lowered,
    sharpness,
)
from lineament.learn.recognition.trial import Learner, fit, shipped
from lineament.measure.degrade.optics import resolution

LABELS = np.arange(8) % 4


def some_pixels(seed: int = 0) -> np.ndarray:
    """Noise that is smooth enough to have contrast at every scale."""
    rng = np.random.default_rng(seed)
    layers = [
        rng.normal(0, 100 / side**0.75, (8, side, side, 3))
        .repeat(64 // side, 1)
        .repeat(64 // side, 2)
        for side in (4, 8, 16, 32, 64)
    ]
    return (128 + np.sum(layers, axis=0)).clip(0, 255).astype(np.uint8)


def some_faces(seed: int = 0) -> People:
    return People(some_pixels(seed), LABELS, f"faces {seed}")


def small() -> ViT:
    """Its batch norm has seen something."""
    torch.manual_seed(0)
    network = ViT(64, 16, 24, 16, 2, 2)
    network.train()(torch.randn(16, 3, 64, 64))
    return network.eval()


@torch.no_grad()
def stirred(model: nn.Module) -> nn.Module:
    """Adapters that have learnt something."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, LowRank):
            module.up.weight.normal_()
    return model


@torch.no_grad()
def test_the_equation_by_hand():
    gate = Gate()
    layer = stirred(Beside(nn.Linear(5, 4), (2, 3), gate)).eval()
    x, alpha = torch.randn(3, 6, 5), torch.tensor([0.2, 0.5, 1.1])
    gate.shares = (1 - alpha, alpha)
    numbers = {name: p.numpy() for name, p in layer.named_parameters()}
    for k, weight in enumerate(alpha.tolist()):
        w, a1, b1, a2, b2 = (
            numbers[name]
            for name in (
                "layer.weight", "sets.0.down.weight", "sets.0.up.weight", "sets.1.down.weight",
                "sets.1.up.weight",
            )
        )  # fmt: skip
        whole = w + (1 - weight) * b1 @ a1 + weight * b2 @ a2
        expected = x[k].numpy() @ whole.T + numbers["layer.bias"]
        np.testing.assert_allclose(layer(x)[k], expected, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("ranks", [(2, 2), (4,)])
def test_at_first_it_is_the_network_itself(ranks):
    network, faces = small(), still(some_pixels())
    np.testing.assert_array_equal(Adapted(network, ranks).eval()(faces), network(faces))


@torch.no_grad()
def test_each_face_gets_its_own_weight():
    """A face among others is embedded as alone; a sharp one through the second set only."""
    model = stirred(Adapted(small(), (2, 2), threshold=0.5)).eval()
    assert isinstance(model, Adapted)
    faces = still(np.concatenate([resolution(some_pixels(), 0.15)[:3], some_pixels()[3:6]]))
    whole = model(faces)
    for row in range(6):
        np.testing.assert_allclose(model(faces[row : row + 1])[0], whole[row], atol=1e-5)
    model.threshold = float(model.alpha(faces[5:]) - 1) + 0.5 - (0.5 - model.threshold)
    np.testing.assert_allclose(model.alpha(faces[5:]), 1, atol=1e-6)
    before = model(faces[5:])
    for module in model.modules():
        if isinstance(module, Beside):
            first = module.sets[0]
            assert isinstance(first, LowRank)
            first.up.weight.zero_()
    np.testing.assert_allclose(model(faces[5:]), before, atol=1e-6)
    assert not torch.allclose(model(faces[:1]), whole[:1], atol=1e-3)


def test_one_set_counts_in_full():
    model = stirred(Adapted(small(), (4,))).eval()
    assert isinstance(model, Adapted)
    model(still(some_pixels()))
    assert model._gate.shares == (1.0,)


def test_sharpness_by_hand():
    faces = still(some_pixels())
    grey = faces.numpy()[:, :, 12:-12, 12:-12].transpose(0, 2, 3, 1) @ [0.299, 0.587, 0.114]
    for face, found in zip(grey, sharpness(faces).tolist(), strict=True):
        edges = [
            abs(4 * face[y, x] - face[y - 1, x] - face[y + 1, x] - face[y, x - 1] - face[y, x + 1])
            for y in range(1, 39)
            for x in range(1, 39)
        ]
        assert found == pytest.approx(min(1, np.mean(edges) / face.std() / 0.25), rel=1e-4)


def test_sharpness_follows_pixels_and_not_light():
    pixels = some_pixels()
    sides = (7, 14, 28)
    found = torch.stack([sharpness(still(resolution(pixels, side / 64))) for side in sides])
    assert bool((found.diff(dim=0) > 0).all())
    faces = still(resolution(pixels, 0.3))
    np.testing.assert_allclose(sharpness(0.5 * faces - 0.2), sharpness(faces), atol=1e-4)
    assert sharpness(torch.full((1, 3, 64, 64), 0.3)).tolist() == pytest.approx([0], abs=1e-5)


def test_alpha_is_a_half_at_the_threshold():
    faces = still(resolution(some_pixels(), 0.2))
    quality = sharpness(faces)
    model = Adapted(small(), (2, 2), threshold=float(quality[0]))
    expected = 0.5 + quality - quality[0]
    np.testing.assert_allclose(model.alpha(faces), expected, atol=1e-6)
    assert float(model.alpha(faces)[0]) == 0.5


def test_faces_are_brought_to_few_pixels():
    people = some_faces()
    worse = lowered(people)
    assert worse.labels is people.labels
    assert worse.hash != people.hash
    worse_pixels = worse.pixels[np.arange(8)]
    np.testing.assert_array_equal(worse_pixels, lowered(people).pixels[np.arange(8)])
    for before, after in zip(some_pixels(), worse_pixels, strict=True):
        sides = [resolution(before[None], side / 64)[0] for side in range(FEW, MANY + 1)]
        assert any(np.array_equal(after, each) for each in sides)


def test_only_adapters_and_head_learn(tmp_path):
    known = recipe("petalface").recipe
    settings = replace(known.settings, steps=3, batch=8, warm_up=1, measure_every=0)
    material = Material(some_faces(), some_faces(1), ())
    network = small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    (twins, _), (single, _), (full, change) = fitted_arms(network, 0.4)
    for arm in (twins, single):
        model = fit(
            replace(arm, make=lambda n, a=arm: _narrow(a, n)),
            material,
            settings,
            tmp_path / arm.name,
        )
        assert isinstance(model, Learner)
        assert isinstance(model.backbone, Adapted)
        after = model.backbone.network.state_dict()
        for name, value in before.items():
            inside = name.replace("ask.", "ask.layer.").replace("head.0.", "head.0.layer.")
            assert torch.equal(after[inside], value), name
        for module in model.backbone.modules():
            if isinstance(module, LowRank):
                assert float(module.up.weight.detach().abs().max()) > 0
    model = fit(
        replace(full, make=lambda n: _narrow(full, n)),
        material,
        change(settings),
        tmp_path / "full",
    )
    assert isinstance(model, Learner)
    after = model.backbone.state_dict()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not torch.equal(after["blocks.0.ask.weight"], before["blocks.0.ask.weight"])


def _narrow(arm, people: int) -> nn.Module:
    """The arm's model, whose head fits the small network."""
    from lineament.learn.losses.classifier import CosineClassifier

    model = arm.make(people)
    model.head = CosineClassifier(people, 24, 8.0)
    return model


def test_both_ways_of_adapting_learn_as_many_weights():
    network = petalface._vit()
    twins, single = (Adapted(network, ranks) for ranks in ((2, 2), (4,)))
    assert learning(twins) == learning(single)
    inner, asked, given = 128, 3 * 128, 128
    expected = 2 * 2 * (4 * (inner + asked) + inner + given)
    assert learning(twins) == expected
    assert parameters(twins) == parameters(network) + expected


def test_the_file_weighs_faces_by_itself(tmp_path):
    """The weight is part of the graph: faces that the export did not see are embedded alike."""
    model = stirred(Adapted(small(), (2, 2), 0.4))
    shipped(model, Material(some_faces(), some_faces(1), ()), "petalface", tmp_path / "p.onnx")
    faces = still(np.concatenate([some_pixels(5), resolution(some_pixels(6), 0.15)]))
    with torch.no_grad():
        expected = model.eval()(faces).numpy()
    found = Session(tmp_path / "p.onnx", threads=1).run(faces.numpy())[0]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_recipe_runs_whole(tmp_path, monkeypatch):
    clear = every_pair("LFW", some_faces(2))
    tests = (clear, replace(clear, name="LFW, resolution 14 px", probes=some_pixels(3)))
    material = Material(some_faces(), some_faces(1), (*tests, replace(clear, name="ORL")))
    monkeypatch.setattr(petalface, "gather", lambda job: material)
    monkeypatch.setattr(petalface, "_vit", lambda: ViT(64, 16, petalface.DIMENSION, 16, 1, 2))
    monkeypatch.setattr(figures, "ROUNDS", 5)
    known = recipe("petalface").recipe
    settings = replace(known.settings, steps=1, batch=2, warm_up=1)
    ours = Job(recipe=known, settings=settings, seeds=(0, 1), out=tmp_path / "petalface")
    done = petalface.run(ours)
    names = ["not fitted", "two sets by sharpness", "one set", "all weights", "raw pixels"]
    assert [row[0] for row in done.rows[:5]] == names
    assert [row[0] for row in done.rows[5:]] == [
        "two sets by sharpness less one set",
        "two sets by sharpness less all weights",
        "two sets by sharpness less not fitted",
        "all weights less not fitted",
    ]
    assert not any("ORL" in heading for heading in done.headings)
    assert done.title.endswith("of the network's weights learn")
    assert len({path.name for path in done.files}) == 2
    assert all(path.is_file() for path in done.files)
