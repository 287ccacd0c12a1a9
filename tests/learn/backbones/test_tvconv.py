"""TVConv: kernels and products against plain numpy, and the ordinary convolution inside it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional

from lineament.core.sessions import Session
from lineament.learn.backbones import tvconv as tv
from lineament.learn.backbones.cost import multiplications, parameters
from lineament.learn.backbones.tvconv import MobileNetV2, TVConv, depthwise
from lineament.learn.export import export

FEW = ((1, 16, 1, 1), (6, 24, 2, 2))
"""Rows of a small network."""


def layer(channels: int = 2, side: int = 5, stride: int = 1, **chosen: int) -> TVConv:
    """With maps and norms that are not those of the start."""
    torch.manual_seed(0)
    made = TVConv(channels, side, stride, **{"inner": 3, "layers": 1, **chosen})
    for weight in made.parameters():
        nn.init.normal_(weight, 0.3, 0.5)
    return made.double()


def convolved(maps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """3 x 3, with zeros around: c x h x w and b x c x 3 x 3."""
    _, height, width = maps.shape
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    answer = np.zeros((len(weights), height, width))
    for y in range(height):
        for x in range(width):
            window = padded[:, y : y + 3, x : x + 3]
            answer[:, y, x] = (weights * window).sum(axis=(1, 2, 3))
    return answer


def test_kernels_are_what_the_generating_block_makes_of_the_affinity_maps():
    made = layer()
    weights = {name: value.detach().numpy() for name, value in made.named_parameters()}
    maps = weights["affinities"][0]
    assert maps.shape == (4, 5, 5)
    for k in range(2):
        maps = convolved(maps, weights[f"generate.{k}.0.weight"])
        maps = (maps - maps.mean()) / np.sqrt(maps.var() + 1e-5)
        maps = maps * weights[f"generate.{k}.1.weight"] + weights[f"generate.{k}.1.bias"]
        maps = np.maximum(maps, 0)
    maps = convolved(maps, weights["generate.2.weight"])
    np.testing.assert_allclose(made.kernels().detach().reshape(18, 5, 5), maps, atol=1e-12)


@pytest.mark.parametrize(("stride", "given"), [(1, 5), (2, 10), (2, 9)])
def test_each_place_is_weighed_by_its_own_kernel(stride, given):
    made = layer(stride=stride)
    x = torch.randn(2, 2, given, given, dtype=torch.float64)
    kernels = made.kernels().detach().numpy()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    expected = np.zeros((2, 2, 5, 5))
    for y in range(5):
        for across in range(5):
            top, left = stride * y, stride * across
            window = padded[:, :, top : top + 3, left : left + 3].reshape(2, 2, 9)
            expected[:, :, y, across] = (window * kernels[:, :, y, across]).sum(axis=2)
    np.testing.assert_allclose(made(x).detach(), expected, atol=1e-12)
    windows = functional.unfold(x, 3, padding=1, stride=stride).view(2, 2, 9, 5, 5)
    torch.testing.assert_close(made(x), (windows * made.kernels()).sum(dim=2))


@pytest.mark.parametrize("stride", [1, 2])
def test_constant_maps_give_the_ordinary_convolution(stride):
    """Where the edge of the maps is out of the generating block's sight, or is made invisible by
    repeating it: one kernel everywhere."""
    made = TVConv(3, 9, stride, inner=4, layers=1).double()
    x = torch.randn(2, 3, 9 * stride, 9 * stride, dtype=torch.float64)
    seen = slice(3, 6)  # three convolutions see the edge from three places off
    kernel = made.kernels()[:, :, 4, 4].view(3, 1, 3, 3)
    expected = functional.conv2d(x, kernel, stride=stride, padding=1, groups=3)
    torch.testing.assert_close(made(x)[:, :, seen, seen], expected[:, :, seen, seen])
    assert not torch.allclose(made(x)[:, :, 0, 0], expected[:, :, 0, 0])
    for part in made.generate.modules():
        if isinstance(part, nn.Conv2d):
            part.padding_mode = "replicate"
    kernel = made.kernels()[:, :, 4, 4].view(3, 1, 3, 3)
    expected = functional.conv2d(x, kernel, stride=stride, padding=1, groups=3)
    torch.testing.assert_close(made(x), expected)


def test_kernels_are_made_once_and_kept_until_weights_change():
    made = layer().eval()
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64)
    calls = []
    made.generate.register_forward_hook(lambda *_: calls.append(1))
    before = made(x)
    made(x)
    assert not calls
    torch.testing.assert_close(before, made.train()(x))
    assert calls == [1]
    with torch.no_grad():
        made.affinities.mul_(-2)
    assert not torch.allclose(made.eval()(x), before)
    assert "kept" not in made.state_dict()
    made.load_state_dict(layer().state_dict())
    torch.testing.assert_close(made(x), before)


def test_what_is_learnt_are_the_maps_and_the_block():
    made = layer()
    made(torch.randn(2, 2, 5, 5, dtype=torch.float64)).pow(2).sum().backward()
    for name, weight in made.named_parameters():
        assert weight.grad is not None, name
        assert float(weight.grad.abs().sum()) > 0, name


def test_the_cost_is_that_of_depthwise_convolutions():
    x = torch.zeros(3, 8, 14, 14)
    made, plain = TVConv(8, 7, 2), depthwise(8, 7, 2)
    assert multiplications(made, x) == multiplications(plain, x) == 3 * 9 * 8 * 7 * 7
    face = torch.zeros(1, 3, 64, 64)
    nets = [MobileNetV2(64, 16, 0.1, 2, within) for within in (tv.varying, depthwise)]
    assert multiplications(nets[0], face) == multiplications(nets[1], face)
    assert parameters(nets[0]) > 2 * parameters(nets[1]), "more to learn by, none of it kept"


def test_the_network_around_it_is_mobilenet_v2():
    """At full width torchvision's has 3,504,872 weights and takes 300.774 million multiplications
    at 224 pixels, its classifier of 1280 x 1000 and its last convolution of 320 x 1280 included."""
    with torch.device("meta"):
        net = MobileNetV2(224, 8, 1.0, 2, depthwise)
        cost = multiplications(net.maps, torch.zeros(1, 3, 224, 224))
    trunk = parameters(net.maps) - 320 * 512 - 2 * 512
    assert trunk == 3_504_872 - (1280 + 1) * 1000 - (320 + 2) * 1280
    theirs = 300.774 - 1.28 - 49 * 320 * 1280 / 1e6
    assert (cost - 49 * 320 * 512) / 1e6 == pytest.approx(theirs, abs=1e-3)


def test_channels_come_in_eights():
    assert [tv._eights(x) for x in (1.6, 3.2, 12, 19.2, 20, 25.6, 144)] == [
        8, 8, 16, 24, 24, 24, 144,
    ]  # fmt: skip


def test_the_file_holds_kernels_and_not_what_made_them(tmp_path):
    torch.manual_seed(0)
    net = MobileNetV2(32, 16, 0.1, 2, tv.varying, rows=FEW)
    net(torch.randn(8, 3, 32, 32))
    faces = torch.rand(3, 3, 32, 32) * 2 - 1
    path = tmp_path / "net.onnx"
    assert export(net, faces, path) < 1e-4
    kinds = [node.op_type for node in onnx.load(str(path)).graph.node]
    plain = tmp_path / "plain.onnx"
    export(MobileNetV2(32, 16, 0.1, 2, depthwise, rows=FEW), faces, plain)
    others = [node.op_type for node in onnx.load(str(plain)).graph.node]
    layers = sum(isinstance(part, TVConv) for part in net.modules())
    assert layers == 3
    assert kinds.count("Conv") == others.count("Conv") - layers
    assert not {"LayerNormalization", "ReduceMean", "Unfold"} & set(kinds)
    with torch.no_grad():
        expected = net.eval()(faces)
    np.testing.assert_allclose(Session(path).run(faces.numpy())[0], expected, atol=1e-4)
