"""Training of embeddings: what is kept apart, what arms share, what figures and gaps say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lineament.core.crops import ARCFACE_112
from lineament.core.errors import BadInput
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.learn.data.balanced import Balanced
from lineament.learn.losses.classifier import CosineClassifier
from lineament.learn.recipes import Job, recipe
from lineament.learn.recognition import figures as figures_module
from lineament.learn.recognition import trial
from lineament.learn.recognition.crops import aligned, default_detector, shrunk
from lineament.learn.recognition.figures import Run, compare, figures, raw_pixels, score, verdict
from lineament.learn.recognition.material import Material, PairTest, People, every_pair
from lineament.learn.recognition.trial import Arm, Learner, embed, fit, folder_of, run, with_head

RNG = np.random.default_rng(8)
SIDE = 16


def people(count: int, each: int, first: int = 0) -> People:
    """People who differ in the colours of two stripes; two others say nothing."""
    labels = np.repeat(np.arange(count), each)
    own = np.stack([np.random.default_rng((first, int(k))).normal(128, 25, (2, 3)) for k in labels])
    rng = np.random.default_rng(first)
    stripes = np.concatenate([own, rng.normal(128, 60, (len(labels), 2, 3))], axis=1)
    faces = np.repeat(stripes, 4, axis=1)[:, :, None].repeat(SIDE, axis=2)
    faces = faces + rng.normal(0, 15, faces.shape)
    return People(faces.clip(0, 255).astype(np.uint8), labels, f"people from {first}")


class Small(nn.Module):
    dimension = 8

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.AvgPool2d(4), nn.Flatten(), nn.Linear(48, 32), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Linear(32, self.dimension), nn.BatchNorm1d(self.dimension),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def learner(count: int) -> nn.Module:
    return Learner(Small(), CosineClassifier(count, Small.dimension, scale=8.0))


@pytest.fixture(autouse=True)
def few_draws(monkeypatch) -> None:
    monkeypatch.setattr(figures_module, "ROUNDS", 40)


@pytest.fixture(scope="module")
def material() -> Material:
    return Material(people(40, 6), people(8, 5, 100), (every_pair("test", people(12, 5, 200)),))


def job(out: Path, **changed: Any) -> Job:
    known = recipe("softmax").recipe
    settings = replace(known.settings, steps=80, batch=24, rate=0.01, warm_up=5, save_every=10)
    ours = Job(recipe=known, settings=settings, seeds=(0, 1), out=out)
    return replace(ours, **changed)


def test_training_makes_people_easier_to_tell_apart(material, tmp_path):
    table = run(job(tmp_path), [Arm("cosine", learner), Arm("none", untrained)], material=material)
    ours, nobody, raw = (dict(zip(table.headings, row, strict=True)) for row in table.rows[:3])
    name = "test TAR@1e-2#"
    assert float(ours[name].split()[0]) > float(nobody[name].split()[0]) + 10
    assert raw["arm"] == "raw pixels"
    gap = table.rows[3]
    assert gap[0] == "cosine less none"
    assert gap[1].endswith("helps")
    assert {r.method for r in table.results} == {"softmax"}
    assert {r.baseline for r in table.results} == {"none"}
    best = next(r for r in table.results if "1e-2" in r.metric)
    assert best.interval is not None
    assert best.interval[0] <= best.ours <= best.interval[1]
    assert best.ours == pytest.approx(float(ours[name].split()[0]) / 100, abs=6e-4)


def untrained(count: int) -> nn.Module:
    """Its backbone gets no gradient."""
    model = learner(count)
    assert isinstance(model, Learner)
    model.backbone.requires_grad_(False)
    return model


def test_arms_begin_alike_and_see_the_same_faces(material, tmp_path):
    seen: dict[str, list[torch.Tensor]] = {}
    first: dict[str, torch.Tensor] = {}

    def watched(name):
        def objective(model, faces, labels, rng):
            seen.setdefault(name, []).append(faces.clone())
            first.setdefault(name, model.backbone.body[2].weight.detach().clone())
            return trial.classify(model, faces, labels, rng)

        return objective

    settings = replace(job(tmp_path).settings, steps=3)
    for name in ("a", "b"):
        fit(Arm(name, learner, watched(name)), material, settings, tmp_path / name)
    assert torch.equal(first["a"], first["b"])
    assert all(torch.equal(a, b) for a, b in zip(seen["a"], seen["b"], strict=True))
    assert not torch.equal(seen["a"][0], seen["a"][1])


def test_a_plan_decides_on_the_rows(material, tmp_path):
    whose = []

    def objective(model, faces, labels, rng):
        whose.append(labels.clone())
        return trial.classify(model, faces, labels, rng)

    arm = Arm("p", learner, objective, plan=lambda y, s: Balanced(y, s.batch, 4, s.seed))
    fit(arm, material, replace(job(tmp_path).settings, steps=2), tmp_path)
    for labels in whose:
        assert labels.view(-1, 4).unique(dim=1).shape == (6, 1)


def test_embeddings_do_not_depend_on_the_batch(material):
    model = learner(40).eval()
    whole = embed(model, material.train.pixels)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(embed(model, material.train.pixels[5:7]), whole[5:7], atol=1e-6)


def test_only_shared_arms_lie_where_other_recipes_find_them(material, tmp_path):
    ours = job(tmp_path / "one")
    arm = Arm("my loss", learner)
    assert folder_of(arm, ours, ours.settings, material) == tmp_path / "one" / "my-loss-0"
    shared = replace(arm, shared=True)
    other = job(tmp_path / "two")
    here = folder_of(shared, ours, ours.settings, material)
    assert here == folder_of(shared, other, other.settings, material)
    for changed in (replace(ours.settings, rate=0.2), replace(ours.settings, seed=1)):
        assert folder_of(shared, ours, changed, material) != here
    train = material.train
    some = train.of(np.arange(train.count) > 0)
    noisy = replace(train, labels=train.labels[::-1].copy())
    for other_people in (some, noisy, replace(train, hash="other")):
        changed = replace(material, train=other_people)
        assert folder_of(shared, ours, ours.settings, changed) != here


def test_pairs_of_a_test_share_embeddings():
    clean = every_pair("clean", people(4, 3))
    worse = replace(clean, name="worse", probes=255 - clean.probes)
    asked = []

    def network(pixels):
        asked.append(pixels)
        return raw_pixels(pixels)

    first, second = score(network, (clean, worse))
    assert len(asked) == 2
    a, b = raw_pixels(clean.gallery), raw_pixels(worse.probes)
    k = 7
    i, j = clean.pairs[k]
    assert first[k] == pytest.approx(float(a[i] @ a[j]), abs=1e-6)
    assert second[k] == pytest.approx(float(a[i] @ b[j]), abs=1e-6)


def test_every_pair_comes_once():
    test = every_pair("t", people(3, 4))
    assert len(test.pairs) == 66
    assert int(test.same.sum()) == 3 * 6
    assert len({tuple(sorted(pair)) for pair in test.pairs.tolist()}) == 66


def test_what_is_reported():
    labels = np.repeat(np.arange(10), 2)
    pixels = np.zeros((20, 4, 4, 3), np.uint8)
    faces = People(pixels, labels, "")
    pairs = np.asarray([(2 * k, 2 * k + 1) for k in range(10)] + [(k, k + 2) for k in range(10)])
    same = np.arange(20) < 10
    whose, fold = labels[pairs], np.arange(20) % 10
    balanced = PairTest("LFW", pixels, pixels, pairs, same, whose, fold, "")
    damaged = replace(balanced, name="LFW, dark", probes=pixels.copy())
    names = [f.name for f in figures((balanced, damaged, every_pair("ORL", faces)))]
    assert names == [
        "LFW accuracy", "LFW TAR@1e-2", "LFW TAR@1e-3", "LFW, dark TAR@1e-2", "ORL TAR@1e-2",
        "ORL TAR@1e-3",
    ]  # fmt: skip


def test_a_gap_is_taken_seed_by_seed(tmp_path):
    """Two arms whose scores differ by noise that they share: the gap's interval is narrow."""
    test = every_pair("t", people(30, 4))
    rng = np.random.default_rng(0)
    runs = []
    for seed in range(3):
        noise = rng.normal(0, 1 + seed, len(test.pairs))
        for arm, gain in (("better", 1.2), ("same", 1.0), ("plain", 1.0)):
            scores = (test.same * 2 * gain + noise).astype(np.float32)
            runs.append(Run(arm, seed, (scores,)))
    material = Material(people(3, 2), people(3, 2), (test,))
    against = [("better", "plain"), ("same", "plain")]
    table = compare(job(tmp_path, seeds=(0, 1, 2)), material, runs, against)
    better, same = table.rows[-2:]
    assert better[0] == "better less plain"
    assert better[1].endswith("helps")
    assert same[1] == "+0.0 (+0.0 to +0.0) no effect seen"


def test_verdicts():
    assert verdict((0.001, 0.02)) == "helps"
    assert verdict((-0.02, -0.001)) == "hurts"
    assert verdict((-0.01, 0.02)) == "no effect seen"


def test_people_are_numbered_anew():
    some = people(5, 2).of(np.asarray([False, True, False, True, True]))
    assert some.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert some.count == 3


def test_a_small_picture_is_aligned_like_a_large_one(album):
    """The same face at 64 pixels and at full size goes to the same square."""
    path = sorted(album.rglob("*.jpg"))[0]
    large = read_image(path)
    detector = default_detector()
    found = detector([large])[0]
    box = found.boxes[0]
    half = 0.9 * max(box[2:] - box[:2])
    x, y = (box[:2] + box[2:]) / 2
    cut = large.cut(round(x - half), round(y - half), round(x + half), round(y + half))
    small = Image(np.asarray(cut.resize((64, 64))))
    crops, there = aligned([Image(np.asarray(cut)), small, Image(small.pixels * 0)], detector)
    assert there.tolist() == [True, True, False]
    assert crops.shape == (2, ARCFACE_112.size, ARCFACE_112.size, 3)
    squares = shrunk(crops, 16).astype(float)
    assert np.abs(squares[0] - squares[1]).mean() < 12


def test_without_test_sets_there_is_nothing_to_measure_on(tmp_path):
    with pytest.raises(BadInput, match="lfw and orl"):
        trial.gather(job(tmp_path))


def test_losses_make_learners(tmp_path):
    model = with_head(CosineClassifier)(7)
    assert isinstance(model, Learner)
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 128)
    assert model.head.get_parameter("weight").shape == (7, 128)
