"""Decoders of generalists against plain numpy; tokens, layers, stages; files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lineament.core.sessions import Session
from lineament.core.trained import Trained
from lineament.learn.engine import seeded
from lineament.learn.export import export
from lineament.learn.generalists.augment import see
from lineament.learn.generalists.faceptor import (
    ADDED,
    TASKS,
    VALUED,
    Faceptor,
)
from lineament.learn.generalists.faceptor import loss as faceptor_loss
from lineament.learn.generalists.facexformer import FaceXBlock, FaceXFormer
from lineament.learn.generalists.facexformer import loss as facexformer_loss
from lineament.learn.generalists.heads import Attention, grid_positions, note
from lineament.learn.generalists.layers import LAYERS, WIDTH, DecoderLayer, Memory
from lineament.learn.generalists.material import KEPT, SIZE, Labelled

RNG = np.random.default_rng(11)
MEAN = torch.from_numpy(RNG.uniform(-0.3, 0.3, (68, 2)).astype(np.float32))


def rows(*shape: int) -> Tensor:
    return torch.from_numpy(RNG.normal(size=shape).astype(np.float32))


def linear(layer: nn.Linear, x: np.ndarray) -> np.ndarray:
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def attended(a: Attention, query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Scaled dot products, head by head and query by query."""
    q, k, v = linear(a.query, query), linear(a.key, key), linear(a.value, value)
    wide = q.shape[1] // a.heads
    parts = []
    for h in range(a.heads):
        own = slice(h * wide, (h + 1) * wide)
        taken = []
        for one in q[:, own]:
            weight = np.exp(k[:, own] @ one / np.sqrt(wide))
            taken.append((weight / weight.sum()) @ v[:, own])
        parts.append(np.stack(taken))
    return linear(a.out, np.concatenate(parts, axis=1))


def normed(layer: nn.LayerNorm, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + layer.eps)
    return scaled * layer.weight.detach().numpy() + layer.bias.detach().numpy()


def projected(part: nn.Module, x: np.ndarray) -> np.ndarray:
    assert isinstance(part, nn.Sequential)
    norm, layer = part
    assert isinstance(norm, nn.LayerNorm)
    assert isinstance(layer, nn.Linear)
    return linear(layer, normed(norm, x))


def mlp(layers: nn.Sequential, x: np.ndarray) -> np.ndarray:
    first, _, last = layers
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    return linear(last, np.maximum(linear(first, x), 0))


def test_attention_is_its_equation():
    with seeded(0):
        layer = Attention(12, 3, 6)
    query, key, value = rows(1, 4, 12), rows(1, 7, 12), rows(1, 7, 12)
    found = layer(query, key, value).detach().numpy()[0]
    expected = attended(layer, query[0].numpy(), key[0].numpy(), value[0].numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    sums = layer.weights(query, key).sum(dim=3)
    torch.testing.assert_close(sums, torch.ones_like(sums))


def test_a_facex_block_is_its_three_attentions():
    with seeded(1):
        block = FaceXBlock(16, 4)
    tokens, face, names, places = rows(1, 5, 16), rows(1, 9, 16), rows(5, 16), rows(9, 16)
    t, f, n, p = (x.numpy().reshape(-1, 16) for x in (tokens, face, names, places))
    norms = [norm for norm in block.norms if isinstance(norm, nn.LayerNorm)]
    t = normed(norms[0], t + attended(block.among, t + n, t + n, t))
    t = normed(norms[1], t + attended(block.to_face, t + n, f + p, f))
    t = normed(norms[2], t + mlp(block.mlp, t))
    assert block.to_tasks is not None
    f = normed(norms[3], f + attended(block.to_tasks, f + p, t + n, t))
    found = block(tokens, face, names, places)
    np.testing.assert_allclose(found[0][0].detach().numpy(), t, atol=2e-5)
    np.testing.assert_allclose(found[1][0].detach().numpy(), f, atol=2e-5)


def test_one_way_leaves_the_face_as_it_was():
    with seeded(2):
        block = FaceXBlock(16, 4, both_ways=False)
    face = rows(2, 9, 16)
    _, after = block(rows(2, 5, 16), face, rows(5, 16), rows(9, 16))
    assert torch.equal(after, face)


def test_tokens_may_stand_in_any_order():
    """The decoder knows a task by its token alone: the order of tokens moves only their answers."""
    with seeded(3):
        model = FaceXFormer(MEAN).eval()
    face = rows(2, (SIZE // 4) ** 2, 64)
    order = torch.from_numpy(RNG.permutation(len(model.tokens)))
    with torch.no_grad():
        tokens, seen = model.decode(face)
        model.tokens.copy_(model.tokens[order].clone())
        moved, again = model.decode(face)
    torch.testing.assert_close(moved, tokens[:, order], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(again, seen, atol=1e-5, rtol=1e-4)


def test_a_task_hears_of_another_only_through_tokens():
    """Moving the token of ages moves the answer to sex, with tokens among themselves; the pooled
    network has no such way."""
    with seeded(3):
        model = FaceXFormer(MEAN, ("age", "sex")).eval()
    x = torch.rand(2, 3, SIZE, SIZE) * 255
    with torch.no_grad():
        before = model.raw(x)["sex"]
        model.tokens[0] += 1
        assert not torch.allclose(model.raw(x)["sex"], before)


def test_positions_of_a_grid_differ_and_repeat_their_waves():
    positions = grid_positions(4, 16)
    assert positions.shape == (16, 16)
    assert float(torch.pdist(positions).min()) > 0.1
    x = torch.sin(torch.tensor(np.pi * 1.5 / 4))  # lowest frequency, second column
    torch.testing.assert_close(positions[1, 0], x.float())
    torch.testing.assert_close(positions[4, 8], x.float())  # second row, the part of y


def test_a_decoder_layer_reads_the_face_first():
    with seeded(4):
        layer = DecoderLayer(16, 4)
    queries, names, keys, values = rows(1, 5, 16), rows(5, 16), rows(1, 9, 16), rows(1, 9, 16)
    q, n, k, v = (x.numpy().reshape(-1, 16) for x in (queries, names, keys, values))
    norms = [norm for norm in layer.norms if isinstance(norm, nn.LayerNorm)]
    q = normed(norms[0], q + attended(layer.to_face, q + n, k, v))
    q = normed(norms[1], q + attended(layer.among, q + n, q + n, q))
    q = normed(norms[2], q + mlp(layer.mlp, q))
    found = layer(queries, names, keys, values)[0].detach().numpy()
    np.testing.assert_allclose(found, q, atol=2e-5)


def test_keys_know_their_layer_and_values_do_not():
    with seeded(5):
        memory = Memory((2, 0), 8)
    features, places = [rows(1, 3, 8) for _ in range(3)], rows(3, 8)
    keys, values = memory(features, places)
    one, two = (
        projected(part, features[i][0].numpy())
        for part, i in zip(memory.projections, (2, 0), strict=True)
    )
    embeddings = memory.embeddings.detach().numpy()
    np.testing.assert_allclose(values[0].detach().numpy(), np.concatenate([one, two]), atol=1e-6)
    expected = np.concatenate([one + embeddings[0], two + embeddings[1]]) + np.tile(places, (2, 1))
    np.testing.assert_allclose(keys[0].detach().numpy(), expected, atol=1e-6)


def reading_layers(wish: Tensor) -> Faceptor:
    """A network all of whose queries look for the vector `wish` in the keys, whatever they are."""
    with seeded(6):
        model = Faceptor(MEAN).eval()
        model.add_layers()
    model.tasks = TASKS
    with torch.no_grad():
        for layer in model.decoder:
            assert isinstance(layer, DecoderLayer)
            layer.to_face.query.weight.zero_()
            layer.to_face.query.bias.copy_(wish)
            layer.to_face.key.weight.copy_(torch.eye(WIDTH))
            layer.to_face.key.bias.zero_()
    return model


def test_layer_attention_is_a_softmax_over_layers():
    """With cells that are all alike, a layer's share is the softmax of its embedding's product."""
    wish = torch.ones(WIDTH)
    model = reading_layers(wish)
    with torch.no_grad():
        model.places.zero_()
        for memory in (model.last, model.added["age"]):
            assert isinstance(memory, Memory)
            for part in memory.projections.parameters():
                part.zero_()
    added = model.added["age"]
    assert isinstance(added, Memory)
    embeddings = torch.cat([model.last.embeddings, added.embeddings]).detach().numpy()
    heads = embeddings.reshape(3, 4, -1).sum(axis=2) / np.sqrt(WIDTH / 4)
    expected = (np.exp(heads) / np.exp(heads).sum(axis=0)).mean(axis=1)
    shares = model.layer_shares(torch.rand(2, 3, SIZE, SIZE) * 255, "age").numpy()
    np.testing.assert_allclose(shares, expected, atol=1e-5)
    assert shares.sum() == pytest.approx(1, abs=1e-5)


def test_all_on_the_last_layer_is_the_first_stage():
    """With the other layers' embeddings far from what queries want, they get nothing, and the
    answers are those of a network that never had them."""
    wish = torch.ones(WIDTH)
    model = reading_layers(wish)
    x = torch.rand(2, 3, SIZE, SIZE) * 255
    with torch.no_grad():
        tuned = model.raw(x)
        for task in VALUED:
            memory = model.added[task]
            assert isinstance(memory, Memory)
            memory.embeddings.copy_(-1000 * wish.expand(len(ADDED), -1))
            torch.testing.assert_close(model.layer_shares(x, task), torch.tensor([1.0, 0.0, 0.0]))
        off = model.raw(x)
        model.added.clear()
        first = model.raw(x)
    for task in TASKS:
        torch.testing.assert_close(off[task], first[task], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(tuned["attributes"], first["attributes"], atol=1e-3)


def faces(count: int) -> Labelled:
    return Labelled.of(
        RNG.integers(0, 256, (count, KEPT, KEPT, 3), dtype=np.uint8),
        points=RNG.uniform(-0.2, 0.2, (count, 68, 2)).astype(np.float32),
        masks=RNG.integers(0, 6, (count, KEPT, KEPT)).astype(np.uint8),
        pose=RNG.normal(0, 0.2, (count, 3)).astype(np.float32),
        attributes=RNG.integers(0, 2, (count, 40)).astype(np.float32),
        age=RNG.uniform(1, 90, count).astype(np.float32),
        sex=RNG.integers(0, 2, count).astype(np.float32),
    )


def test_the_second_stage_trains_queries_and_new_layers_and_nothing_else():
    with seeded(7):
        model = Faceptor(MEAN)
        model.add_layers()
    assert model.tasks == VALUED
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    faceptor_loss(model, see(faces(4), np.random.default_rng(0))).backward()
    optimiser.step()
    moved = {n for n, p in model.named_parameters() if not torch.equal(p.detach(), before[n])}
    assert {name.split(".")[0] for name in moved} == {"queries", "names", "added"}
    assert {name.split(".")[1] for name in moved} == set(VALUED)
    assert LAYERS - 1 not in ADDED


@pytest.mark.parametrize("make", [FaceXFormer, Faceptor])
def test_networks_answer_every_task_and_run_as_onnx(make, tmp_path):
    names = tuple(f"attribute {k}" for k in range(40))
    with seeded(8):
        model = make(MEAN).eval()
        if make is Faceptor:
            model.add_layers()
            model.tasks = TASKS
    about = note("facexformer", model.tasks, names)
    example = torch.rand(3, 3, SIZE, SIZE) * 255
    assert export(model, example, tmp_path / "model.onnx", about=about) < 1e-4
    session = Session(tmp_path / "model.onnx")
    assert Trained.of(session.metadata, "model.onnx") == about
    answers = dict(zip(session.outputs, session.run(example[:2].numpy()), strict=True))
    assert set(answers) == set(model.tasks)
    shapes = {"landmarks": (2, 68, 2), "pose": (2, 3), "attributes": (2, 40), "age": (2,)}
    for task, shape in (shapes | {"sex": (2, 2)}).items():
        assert answers[task].shape == shape
    assert answers["parsing"].shape[:2] == (2, 6)
    assert np.abs(answers["landmarks"] - MEAN.numpy()).max() < 0.5
    np.testing.assert_allclose(answers["sex"].sum(axis=1), 1, atol=1e-5)
    assert 0 < answers["age"].min() < answers["age"].max() < 101
    assert ((answers["attributes"] > 0) & (answers["attributes"] < 1)).all()


@pytest.mark.parametrize(
    ("make", "loss"), [(FaceXFormer, facexformer_loss), (Faceptor, faceptor_loss)]
)
def test_a_few_faces_are_learnt_by_heart(make, loss):
    batch = see(faces(3), np.random.default_rng(0))
    batch = replace(batch, masks=(batch.seen[:, 0] > 127).long())  # can be seen, unlike noise
    with seeded(9):
        model = make(MEAN)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.003)
    found = []
    for _ in range(15):
        optimiser.zero_grad()
        value = loss(model, batch)
        value.backward()
        optimiser.step()
        found.append(float(value.detach()))
    assert found[-1] < 0.8 * found[0]
