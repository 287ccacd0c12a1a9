"""FRA against numpy: heatmaps, balanced assignments, both losses, and what learns from what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lineament.learn.engine import seeded, train
from lineament.learn.pretraining.fra import (
    FRA,
    GLOBAL,
    RELATION,
    UNLIKE,
    likeness,
    semantic_relation,
)
from lineament.learn.pretraining.fra_network import (
    FeatureMap,
    MaskEmbeddings,
    RegionNetwork,
    cosines,
    region_means,
)
from lineament.learn.pretraining.momentum import apart
from lineament.learn.settings import Settings


def soft(x: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_a_map_has_a_place_for_eight_pixels():
    assert FeatureMap(16).eval()(torch.rand(2, 3, 64, 48)).shape == (2, 16, 8, 6)


def test_region_features_are_weighted_means_of_places():
    rng = np.random.default_rng(0)
    features, scores = rng.normal(size=(2, 3, 3, 5)), rng.normal(size=(2, 3, 3, 4))
    found = region_means(torch.tensor(features), torch.tensor(scores)).numpy()
    heat = soft(scores)
    for face in range(2):
        for region in range(4):
            weight = heat[face, :, :, region]
            wanted = (features[face] * weight[:, :, None]).sum(axis=(0, 1)) / weight.sum()
            np.testing.assert_allclose(found[face, region], wanted)


def test_scores_are_cosines():
    rng = np.random.default_rng(0)
    places, centres = rng.normal(size=(1, 2, 2, 3)), rng.normal(size=(2, 3))
    found = cosines(torch.tensor(places), torch.tensor(centres)).numpy()
    one, other = places[0, 1, 0], centres[1]
    wanted = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert found[0, 1, 0, 1] == pytest.approx(wanted)


def test_relation_is_cross_entropy_less_the_entropy_of_the_mean():
    rng = np.random.default_rng(0)
    online, slow = rng.uniform(-1, 1, (2, 2, 2, 2, 3))
    found = float(semantic_relation(torch.tensor(online), torch.tensor(slow)))
    ours = soft(online.reshape(-1, 3) / 0.1)
    theirs = soft(slow.reshape(-1, 3) / 0.04)
    for _ in range(3):
        theirs = theirs / theirs.sum(axis=0)
        theirs = theirs / theirs.sum(axis=1, keepdims=True)
    usual = ours.mean(axis=0)
    wanted = -(theirs * np.log(ours)).sum(axis=1).mean()
    wanted += np.log(3) + (usual * np.log(usual)).sum()
    assert found == pytest.approx(wanted)


def test_one_region_for_all_costs_more_than_a_region_each():
    """Places sure of one region, all of the same or each of its own."""
    own = torch.eye(4).view(1, 2, 2, 4)
    same = torch.eye(4)[:1].expand(4, 4).reshape(1, 2, 2, 4)
    assert semantic_relation(own, own) < 0.01
    assert semantic_relation(same, same) > 2


def test_likeness_of_different_regions():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2, 3, 5))
    unit = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b)]
    wanted = np.mean(
        [
            sum((unit[0][n, i] @ unit[1][n, j]) ** 2 for j in range(3) if j != i) / 3
            for n in range(2)
            for i in range(3)
        ]
    )
    assert float(likeness(torch.tensor(a), torch.tensor(b))) == pytest.approx(wanted)


def test_mask_embeddings_look_at_the_face_and_at_where():
    torch.manual_seed(0)
    masks = MaskEmbeddings(6, 3, 16).eval()
    maps = torch.rand(2, 6, 4, 4)
    found = masks(maps)
    assert found.shape == (2, 3, 16)
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[:, 0], found[:, 1])
    assert not torch.allclose(masks(maps.flip(3)), found, atol=1e-5)


def test_all_faces_share_the_batch_s_centres():
    torch.manual_seed(0)
    network = RegionNetwork(FeatureMap(16), 3, 16, 32).eval()
    faces = torch.rand(4, 3, 64, 64)
    maps = network.backbone(faces)
    centres = network.masks(maps).mean(dim=0)
    wanted = cosines(network.places(maps.permute(0, 2, 3, 1)), centres)
    torch.testing.assert_close(network(faces).scores, wanted)


def test_the_loss_compares_each_view_with_the_other_in_the_slow_branch():
    torch.manual_seed(0)
    model = FRA(10, 3, 16, 32).eval()
    views = torch.rand(4, 2, 3, 64, 64)
    online = [model.online(views[:, k]) for k in range(2)]
    slow = [model.slow(views[:, k]) for k in range(2)]
    assert model.of_regions is not None
    wanted = torch.zeros(())
    for ours, theirs in ((0, 1), (1, 0)):
        regions = model.of_regions(online[ours].regions)
        wanted = wanted + GLOBAL * apart(model.of_whole(online[ours].whole), slow[theirs].whole)
        wanted = wanted + (1 - GLOBAL) * (
            apart(regions, slow[theirs].regions) + UNLIKE * likeness(regions, slow[theirs].regions)
        )
        related = semantic_relation(online[ours].scores, slow[ours].scores)
        wanted = wanted + RELATION * related / 2
    torch.testing.assert_close(model.loss(views), wanted)


def test_without_regions_it_is_byol_and_begins_at_the_same_weights():
    torch.manual_seed(0)
    full = FRA(10)
    torch.manual_seed(0)
    plain = FRA(10, 0).eval()
    ours, theirs = full.online.backbone.state_dict(), plain.online.backbone.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not any("masks" in name or "parts" in name for name, _ in plain.named_parameters())
    views = torch.rand(3, 2, 3, 64, 64)
    first, second = views.unbind(dim=1)
    wanted = apart(plain.of_whole(plain.online(first).whole), plain.slow(second).whole)
    wanted = wanted + apart(plain.of_whole(plain.online(second).whole), plain.slow(first).whole)
    torch.testing.assert_close(plain.loss(views), wanted)


def test_everything_online_learns_and_nothing_slow_does():
    torch.manual_seed(0)
    model = FRA(10, 3, 16, 32)
    model.loss(torch.rand(4, 2, 3, 64, 64)).backward()
    # As in DETR nothing has been found before the first look, so its attention among the regions
    # has nothing but a constant to say.
    first = "online.masks.layers.0."
    silent = {
        f"{first}among.in_proj_weight",
        f"{first}among.out_proj.weight",
        f"{first}norms.0.weight",
    }
    for name, parameter in model.named_parameters():
        learnt = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert learnt == (not name.startswith("slow") and name not in silent), name


def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path):
    faces = torch.rand(12, 2, 3, 32, 32)
    settings = Settings(steps=4, batch=4, rate=0.01, save_every=2)

    def made() -> FRA:
        with seeded(0):
            return FRA(4, 2, 16, 32)

    class Stopped(Exception):
        pass

    calls = 0

    def loss(model: torch.nn.Module, rows: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise Stopped
        assert isinstance(model, FRA)
        return model.loss(faces[rows])

    whole = train(made(), loss, 12, settings, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(made(), loss, 12, settings, tmp_path / "parts")
    parts = train(made(), loss, 12, replace(settings), tmp_path / "parts")
    ours, theirs = whole.state_dict(), parts.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert int(ours["slow.steps_done"]) == 4
