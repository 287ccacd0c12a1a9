"""VOLO: outlook attention against its equations in slow loops, sizes against the published ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lineament.core.sessions import Session
from lineament.learn.backbones import cost_table, tvconv, volo
from lineament.learn.backbones.cost import multiplications, parameters
from lineament.learn.backbones.volo import VOLO, plain, small
from lineament.learn.backbones.volo_blocks import ClassAttention, OutlookAttention
from lineament.learn.recipes import Job, recipe
from lineament.learn.recognition import figures, trial
from lineament.learn.recognition.material import Material, People, every_pair

D1 = ((192, 384), (4, 14, 2), (6, 12))
D2 = ((256, 512), (6, 18, 2), (8, 16))


def softmax(x: np.ndarray) -> np.ndarray:
    high = np.exp(x - x.max(axis=-1, keepdims=True))
    return high / high.sum(axis=-1, keepdims=True)


def outlooked(x: np.ndarray, w: dict[str, np.ndarray], heads: int, stride: int) -> np.ndarray:
    """Equations 2 to 5, place by place: h x w x c."""
    height, width, channels = x.shape
    each = channels // heads
    values = x @ w["values.weight"].T
    total = np.zeros_like(x)
    for top in range(0, height, stride):
        for left in range(0, width, stride):
            asked = x[top : top + stride, left : left + stride].mean(axis=(0, 1))
            said = w["weigh.weight"] @ asked + w["weigh.bias"]
            weights = softmax(said.reshape(heads, 9, 9) / each**0.5)
            places = [(top + dy, left + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            inside = [0 <= y < height and 0 <= z < width for y, z in places]
            seen = np.stack(
                [
                    values[p] if is_in else np.zeros(channels)
                    for p, is_in in zip(places, inside, strict=True)
                ]
            )
            for to, place in enumerate(places):
                if inside[to]:
                    for head in range(heads):
                        part = slice(head * each, (head + 1) * each)
                        total[place][part] += weights[head, to] @ seen[:, part]
    return total @ w["mix.weight"].T + w["mix.bias"]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("grid", [(4, 6), (5, 3)])
def test_outlook_attention_is_its_equations(stride, grid):
    torch.manual_seed(0)
    layer = OutlookAttention(6, 2, stride).double()
    weights = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    x = np.random.default_rng(1).normal(size=(2, *grid, 6))
    found = layer(torch.from_numpy(x)).detach().numpy()
    for one, answer in zip(x, found, strict=True):
        np.testing.assert_allclose(answer, outlooked(one, weights, 2, stride), atol=1e-12)


def test_no_token_sees_further_than_its_neighbours_neighbours():
    layer = OutlookAttention(6, 2)
    x = torch.randn(1, 9, 9, 6, requires_grad=True)
    layer(x)[0, 4, 4].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(dim=2) > 0
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[2:7, 2:7] = True
    assert torch.equal(seen, expected)


@pytest.mark.parametrize(
    ("sizes", "million", "thousand_million"), [(D1, 26.63, 6.8), (D2, 58.68, 14.1)]
)
def test_the_published_sizes_and_costs(sizes, million, thousand_million):
    """26.6 and 58.7 million weights; the authors' networks have a second last layer, for labels of
    tokens, and no norm behind the first. 6.8 and 14.1 thousand million multiplications at 224 px
    (table 2 of the paper)."""
    with torch.device("meta"):
        net = VOLO(224, 8, 1000, *sizes)
        cost = multiplications(net, torch.zeros(1, 3, 224, 224))
    second = (sizes[0][1] + 1) * 1000
    assert (parameters(net) - 2000 + second) / 1e6 == pytest.approx(million, abs=0.01)
    assert cost / 1e9 == pytest.approx(thousand_million, rel=0.01)


def test_a_later_class_attention_goes_on_with_the_token():
    torch.manual_seed(0)
    first, second = ClassAttention(8, 2), ClassAttention(8, 2, token=False)
    x = torch.randn(3, 5, 8)
    token = torch.randn(3, 8)
    assert not [name for name, _ in second.named_parameters() if name == "token"]
    own = {k: v for k, v in first.state_dict().items() if k != "token"}
    second.load_state_dict(own)
    assert first.token is not None
    torch.testing.assert_close(second(x, first.token.detach()[0].expand(3, -1)), first(x))
    assert not torch.allclose(second(x, token), first(x))


@pytest.mark.parametrize("net", [small(outlook=True), small(outlook=False), plain()])
def test_embeddings_come_one_a_face(net):
    net.eval()
    faces = torch.rand(3, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        whole = net(faces)
        assert whole.shape == (3, 128)
        torch.testing.assert_close(net(faces[1:2]), whole[1:2], atol=1e-5, rtol=1e-4)


def test_networks_of_the_recipe_are_of_a_size():
    with_outlook, without, vit = small(outlook=True), small(outlook=False), plain()
    assert parameters(vit) == pytest.approx(parameters(with_outlook) / 2, rel=0.1)
    assert parameters(without) == pytest.approx(parameters(with_outlook), rel=0.03)
    face = torch.zeros(1, 3, 64, 64)
    cost = multiplications(with_outlook, face)
    assert multiplications(vit, face) == pytest.approx(cost, rel=0.15)
    assert multiplications(without, face) > cost


def test_it_knows_where_a_patch_is():
    """Off the outlookers nothing but the learnt places tells the coarse tokens apart."""
    torch.manual_seed(0)
    # Large enough that nothing of what moves reaches the border, where all is different.
    net = VOLO(128, 8, 16, (48, 96), (1, 4, 1), (2, 4), stem=16).eval()
    for weight in net.parameters():
        if weight.ndim == 2:
            nn.init.normal_(weight, std=0.2)
    nn.init.normal_(net.places)
    face = torch.zeros(1, 3, 128, 128)
    face[..., 48:64, 48:64] = 1
    with torch.no_grad():
        moved = float((net(face) - net(face.roll(16, 3))).abs().max())
        net.places.zero_()
        lost = float((net(face) - net(face.roll(16, 3))).abs().max())
    assert moved > 0.01
    assert lost < 0.1 * moved


def people(count: int, each: int) -> People:
    """Faces of noise, each person's of another brightness."""
    labels = np.repeat(np.arange(count), each)
    rng = np.random.default_rng(count)
    pixels = rng.normal(80 + 10 * labels[:, None, None, None], 20, (len(labels), 64, 64, 3))
    return People(pixels.clip(0, 255).astype(np.uint8), labels, f"{count} people")


@pytest.mark.parametrize(
    ("module", "ours", "others"),
    [
        (volo, "VOLO", ("self-attention in its place", "plain vision transformer")),
        (tvconv, "TVConv", ("depthwise, equal cost", "depthwise, wider")),
    ],
)
def test_recipes_measure_and_cost_networks(module, ours, others, tmp_path, monkeypatch):
    material = Material(people(8, 3), people(4, 3), (every_pair("test", people(9, 3)),))
    monkeypatch.setattr(trial, "gather", lambda job: material)
    monkeypatch.setattr(figures, "ROUNDS", 5)
    monkeypatch.setattr(cost_table, "PASSES", 2)
    monkeypatch.setattr(tvconv, "FEW_ROWS", tvconv.FEW_ROWS[:3])
    known = recipe(module.RECIPE.slug).recipe
    settings = replace(known.settings, steps=1, batch=8, warm_up=0)
    found = module.run(Job(recipe=known, settings=settings, seeds=(0,), out=Path(tmp_path)))
    table = {row[0]: dict(zip(found.headings, row, strict=True)) for row in found.rows}
    assert {ours, *others, "raw pixels", f"{ours} less {others[0]}"} <= set(table)
    cost = {name: float(table[name]["million multiplications#"]) for name in (ours, *others)}
    assert cost[ours] <= min(cost.values()) * 1.2
    told = {(r.metric.partition(",")[0], r.baseline): r for r in found.results}
    for other in others:
        counted = told["million multiplications a face", other]
        assert counted.ours == pytest.approx(cost[ours], abs=0.01)
        assert counted.baseline_value == pytest.approx(cost[other], abs=0.01)
        assert (told["milliseconds a face", other].baseline_value or 0) > 0
    answer = Session(found.files[0]).run(np.zeros((2, 3, 64, 64), np.float32))[0]
    assert answer.shape == (2, 128)
