"""Networks and losses of parsers that are trained here, against their equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lineament.learn.engine import seeded
from lineament.learn.parsing import segface
from lineament.learn.parsing.classes import NAMES, OUTSIDE, PARTS_OF_SIX, SIX
from lineament.learn.parsing.loss import SMOOTH, grouped, parsing_loss
from lineament.learn.parsing.rtnet_network import (
    HYBRID,
    PLAIN,
    HybridBlock,
    Kind,
    RTNet,
    convolution,
    to_cartesian,
    to_polar,
)
from lineament.learn.parsing.segface_network import (
    Attention,
    Encoder,
    PixelDecoder,
    TokenDecoder,
)

RNG = np.random.default_rng(8)


def test_the_loss_is_its_equation():
    """In plain numpy: cross-entropy and Dice over counted pixels, class by class."""
    scores, truth = RNG.normal(size=(2, 4, 3, 5)), RNG.integers(0, 3, (2, 3, 5))
    truth[0, 0, :2] = OUTSIDE
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    pixels, classes = shares.transpose(0, 2, 3, 1)[truth != OUTSIDE], truth[truth != OUTSIDE]
    entropy = -np.log(pixels[np.arange(len(classes)), classes]).mean()
    dice = []
    for k in range(4):
        p, t = pixels[:, k], (classes == k).astype(float)
        dice.append((2 * (p * t).sum() + SMOOTH) / ((p**2).sum() + t.sum() + SMOOTH))
    tensors = torch.from_numpy(scores), torch.from_numpy(truth)
    assert float(parsing_loss(*tensors)) == pytest.approx(0.5 * entropy + 0.5 * (1 - np.mean(dice)))


def test_a_coarser_class_has_the_share_of_its_parts():
    scores = torch.from_numpy(RNG.normal(size=(1, len(NAMES), 2, 2)))
    groups = torch.from_numpy(PARTS_OF_SIX)
    shares = torch.softmax(scores, dim=1)[0]
    coarse = torch.softmax(grouped(scores, groups, len(SIX)), dim=1)[0]
    for k in range(len(SIX)):
        torch.testing.assert_close(coarse[k], shares[groups == k].sum(dim=0))


def test_attention_is_its_equation():
    with seeded(1):
        attention = Attention(8, 4, heads=2)
        query, key, value = torch.rand(1, 3, 8), torch.rand(1, 5, 8), torch.rand(1, 5, 8)
    q, k, v = (
        part(x)[0].detach().numpy()
        for part, x in (
            (attention.query, query), (attention.key, key), (attention.value, value)
        )
    )  # fmt: skip
    heads = []
    for head in (slice(0, 2), slice(2, 4)):
        weights = np.exp(q[:, head] @ k[:, head].T / np.sqrt(2))
        heads.append(weights / weights.sum(axis=1, keepdims=True) @ v[:, head])
    expected = attention.out(torch.from_numpy(np.concatenate(heads, axis=1).astype(np.float32)))
    torch.testing.assert_close(attention(query, key, value)[0], expected)


def test_class_tokens_permuted_permute_the_maps_and_nothing_else():
    """No class has a place or a weight of its own but its token."""
    with seeded(2):
        decoder = TokenDecoder(5, 16).eval()
        features = torch.randn(2, 16, 3, 4)
    maps = decoder(features)
    assert maps.shape == (2, 5, 12, 16)
    order = torch.tensor([3, 0, 4, 1, 2])
    with torch.no_grad():
        decoder.tokens.copy_(decoder.tokens[order])
    torch.testing.assert_close(decoder(features), maps[:, order], atol=1e-5, rtol=1e-4)
    assert float((maps - maps[:, order]).detach().abs().max()) > 0.01


def test_tokens_and_face_look_at_each_other():
    """Another picture gives other weights of a class's map, and another token another face."""
    with seeded(2):
        decoder = TokenDecoder(3, 16).eval()
        one, other = torch.randn(2, 1, 16, 3, 3)
        tokens, names = torch.randn(2, 1, 3, 16)
    layer, places = decoder.layers[0], decoder.places(3, 3)
    faces = [each.flatten(2).transpose(1, 2) for each in (one, other)]
    (t1, f1), (t2, _) = (layer(tokens, face, names, places) for face in faces)
    _, f3 = layer(names, faces[0], names, places)
    assert float((t1 - t2).detach().abs().max()) > 0.01
    assert float((f1 - f3).detach().abs().max()) > 0.01


def test_the_encoder_fuses_four_scales():
    """A change in one corner reaches every place only through the coarse ones."""
    with seeded(3):
        encoder = Encoder().eval()
        x = torch.rand(1, 3, 64, 64) * 255
    before = encoder(x)
    assert before.shape == (1, 64, 16, 16)
    changed = x.clone()
    changed[..., :8, :8] = 0
    far = (encoder(changed) - before).detach()[0, :, 12:, 12:]
    assert float(far.abs().max()) > 0
    with torch.no_grad():
        encoder.fuse.weight[:, 64:] = 0  # the finest alone
        near = (encoder(changed) - encoder(x))[0, :, 12:, 12:]
    assert float(near.abs().max()) == 0


def test_both_arms_of_segface_are_about_as_large():
    sizes = [sum(p.numel() for p in segface.SegFace(d).parameters()) for d in
             (TokenDecoder, PixelDecoder)]  # fmt: skip
    assert sizes[0] == pytest.approx(sizes[1], rel=0.03)


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("dilation", [1, 3])
def test_rows_rolled_in_are_rows_rolled_out(rows, dilation):
    """Angles go around: a polar convolution commutes with every turn, one with zeros does not."""
    with seeded(4):
        x = torch.randn(2, 3, 12, 10)
        polar = convolution(3, 4, dilation=dilation, polar=True).eval()
    torch.testing.assert_close(polar(x.roll(rows, 2)), polar(x).roll(rows, 2))
    plain = convolution(3, 4, dilation=dilation, polar=False).eval()
    assert float((plain(x.roll(rows, 2)) - plain(x).roll(rows, 2)).detach().abs().max()) > 0.01


def test_a_polar_convolution_by_hand():
    """Sums of 3 x 3: rows wrap, columns repeat their last value."""
    polar = convolution(1, 1, polar=True).eval()
    nn.init.ones_(polar.get_parameter("1.weight"))
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    padded = np.pad(np.pad(x[0, 0].numpy(), ((1, 1), (0, 0)), "wrap"), ((0, 0), (1, 1)), "edge")
    expected = [[padded[i : i + 3, j : j + 3].sum() for j in range(4)] for i in range(3)]
    found = polar(x)[0, 0].detach().numpy() * np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_network_that_goes_around_turns_with_its_picture():
    """Without the Cartesian path, whole cells of a turn come out as they go in."""
    with seeded(5):
        model = RTNet(6, 32, Kind(polar=True, hybrid=False), (4, 4, 4, 4)).eval()
        _wake(model)
        x = torch.rand(1, 3, 32, 32) * 255
    scores = model.head(model.blocks(model.stem(x)))
    turned = model.head(model.blocks(model.stem(x.roll(8, 2))))
    torch.testing.assert_close(turned, scores.roll(2, 2), atol=1e-4, rtol=1e-4)
    assert float(scores.detach().std()) > 1e-3


def _wake(model: nn.Module) -> None:
    """Blocks that add something, as after training."""
    for module in model.modules():
        if isinstance(module, HybridBlock):
            nn.init.ones_(module.get_parameter("widen.1.weight"))


def test_to_cartesian_space_and_back():
    """By the equations for one pixel, and a smooth map comes back nearly as it was."""
    size = 64
    ramp = torch.arange(size, dtype=torch.float32)
    columns = ramp[None, None, None].expand(1, 1, size, size)
    found = to_cartesian(size)(columns)[0, 0]
    u, v = (2 * 40 + 1) / size - 1, (2 * 50 + 1) / size - 1
    away = np.hypot(np.arctanh(u), np.arctanh(v)) * np.sqrt(np.pi) / 2  # in radii of the face
    assert float(found[50, 40]) == pytest.approx(np.tanh(away) * size, abs=1e-3)
    angles = torch.cos(2 * torch.pi * ramp / size)[None, None, :, None].expand(1, 1, size, size)
    assert float(to_cartesian(size)(angles)[0, 0, 50, 40]) == pytest.approx(
        np.cos(np.arctan2(np.arctanh(v), np.arctanh(u))), abs=2e-3
    )
    back = to_polar(size)(to_cartesian(size)(angles))[0, 0]
    assert float((back - angles[0, 0])[:, 8:60].abs().mean()) < 0.01


def test_a_hybrid_block_looks_along_both_paths():
    with seeded(6):
        block = HybridBlock(4, 4, 16, polar=True, hybrid=True).eval()
        x = torch.rand(1, 4, 16, 16)
    nn.init.ones_(block.get_parameter("widen.1.weight"))
    whole = block(x)
    assert whole.shape == (1, 8, 16, 16)
    widen = block.get_parameter("widen.0.weight")
    for path in (slice(0, 4), slice(4, 8)):
        with torch.no_grad():
            kept = widen.clone()
            widen[:, path] = 0
            assert float((block(x) - whole).abs().max()) > 1e-3
            widen.copy_(kept)


def test_the_ablation_has_as_many_weights():
    shapes = [[p.shape for p in RTNet(19, 32, kind).parameters()] for kind in (HYBRID, PLAIN)]
    assert shapes[0] == shapes[1]
