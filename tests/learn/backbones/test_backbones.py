"""Backbones against the sizes and costs that are published for them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lineament.learn.backbones.cost import multiplications, parameters
from lineament.learn.backbones.iresnet import DEPTHS, IResNet, tiny
from lineament.learn.backbones.mobilefacenet import MobileFaceNet
from lineament.learn.backbones.vit import SIZES, Block, ViT

FACE = torch.zeros(1, 3, 112, 112)


def test_costs_are_counted_by_hand():
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.Flatten(), nn.Linear(8 * 16, 5))
    assert parameters(layers) == 3 * 8 * 9 + 8 + 128 * 5 + 5
    assert multiplications(layers, torch.zeros(2, 3, 8, 8)) == 2 * (16 * 8 * 27 + 128 * 5)


def test_iresnet_100_is_that_of_the_model_zoo():
    """65.131 million parameters and 24.209 GFLOPs (LResNet100E-IR in OpenVINO's model zoo, where an
    addition counts by itself)."""
    net = IResNet(DEPTHS[100])
    assert parameters(net) / 1e6 == pytest.approx(65.131, rel=1e-3)
    assert 2 * multiplications(net, FACE) / 1e9 == pytest.approx(24.209, rel=5e-3)


@pytest.mark.parametrize(("layers", "convolutions"), [(18, 18), (34, 34), (50, 50), (100, 100)])
def test_iresnets_have_as_many_layers_as_they_are_called_for(layers, convolutions):
    """Convolutions of 3 x 3 and the dense layer; those beside a unit are not counted."""
    net = IResNet(DEPTHS[layers], (4, 4, 4, 4, 4), 32, 8)
    kinds = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(kinds) + 1 == convolutions


def test_mobilefacenet_is_that_of_the_paper():
    """221 million multiplications, and 0.99 million parameters, without the slopes of PReLU
    (arXiv:1804.07573, sections 3 and 4)."""
    net = MobileFaceNet()
    slopes = sum(parameters(m) for m in net.modules() if isinstance(m, nn.PReLU))
    assert round(multiplications(net, FACE) / 1e6) == 221
    assert (parameters(net) - slopes) / 1e6 == pytest.approx(0.99, abs=0.006)


@pytest.mark.parametrize(
    ("size", "trunk"), [("tiny", 5_524_416), ("small", 21_665_664), ("base", 85_798_656)]
)
def test_vits_have_the_published_sizes(size, trunk):
    """Without the head, at 224 pixels in patches of 16."""
    width, depth, heads = SIZES[size]
    with torch.device("meta"):
        net = ViT(224, 16, 8, width, depth, heads)
    assert parameters(net) - parameters(net.head) == trunk


def test_attention_is_the_formula():
    block = Block(6, 2).eval()
    x = torch.randn(1, 3, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        q, k, v = block.ask(block.before(x))[0].split(6, dim=1)
        heads = []
        for part in (slice(0, 3), slice(3, 6)):
            weights = torch.softmax(q[:, part] @ k[:, part].T / 3**0.5, dim=1)
            heads.append(weights @ v[:, part])
        middle = x + block.say(torch.cat(heads, dim=1))[None]
        expected = middle + block.think(block.between(middle))
        torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize(
    ("net", "side"),
    [
        (tiny(), 64),
        (tiny(48, 32), 48),
        (IResNet((1, 1), (4, 8, 8), 28, 16), 28),
        (MobileFaceNet(64, 32, 0.25), 64),
        (MobileFaceNet(50, 32, 0.25), 50),
        (ViT(32, 8, 16, 24, 2, 3), 32),
    ],
)
def test_embeddings_come_one_a_face(net, side):
    net.eval()
    faces = torch.rand(3, 3, side, side) * 2 - 1
    with torch.no_grad():
        whole = net(faces)
        assert whole.shape == (3, net.dimension)
        torch.testing.assert_close(net(faces[1:2]), whole[1:2], atol=1e-5, rtol=1e-4)
    assert float(whole.std(dim=0).min()) > 0


def test_a_vit_knows_where_a_patch_is():
    net = ViT(32, 8, 16, 24, 2, 3).eval()
    face = torch.zeros(1, 3, 32, 32)
    face[..., :8, :8] = 1
    with torch.no_grad():
        assert float((net(face) - net(face.flip(3))).abs().max()) > 1e-4
