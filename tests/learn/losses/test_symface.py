"""The symmetry loss by hand: which faces are frontal, what a half is, what is pulled."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from lineament.core.crops import ARCFACE_112, align
from lineament.core.media import read_image
from lineament.learn.data.augment import augmented
from lineament.learn.losses import symface
from lineament.learn.losses.classifier import CosineClassifier
from lineament.learn.losses.symface import frontality, halves, measured, objective, split, symmetry
from lineament.learn.recipes import Job, recipe
from lineament.learn.recognition import figures
from lineament.learn.recognition.crops import default_detector, shrunk
from lineament.learn.recognition.material import Material, People, every_pair
from lineament.learn.recognition.trial import classify, with_head

RNG = np.random.default_rng(3)
PEOPLE = torch.arange(8) % 4


def some_pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)


def some_faces(seed: int = 0) -> People:
    pixels = some_pixels(seed)
    return People(pixels, PEOPLE.numpy(), f"faces {seed}")


def test_a_face_is_frontal_as_far_as_its_nose_is_midway():
    points = RNG.uniform(0, 112, (6, 5, 2)).astype(np.float32)
    points[:5, 0, 0], points[:5, 1, 0] = 40, 72
    points[:5, 2, 0] = 56, 60, 72, 80, 40
    points[5, :2, 0] = 50
    np.testing.assert_allclose(frontality(points), [1, 0.75, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(frontality(points[:, [1, 0, 2, 3, 4]]), frontality(points))


def test_halves_lie_on_one_side_and_the_right_one_is_mirrored():
    picture = torch.arange(1.0, 7).view(1, 1, 1, 6).expand(1, 3, 2, 6)
    left, right = halves(picture)
    assert left[0, 1, 1].tolist() == [1, 2, 3, 0, 0, 0]
    assert right[0, 1, 1].tolist() == [6, 5, 4, 0, 0, 0]
    both = picture + picture.flip(-1)
    assert torch.equal(*halves(both))


def test_the_loss_is_the_squared_distance_at_length_one():
    left, right = torch.randn(5, 7), torch.randn(5, 7)
    cosines = torch.nn.functional.cosine_similarity(left, right)
    assert float(symmetry(left, right)) == pytest.approx(float((2 - 2 * cosines).mean()), abs=1e-6)
    assert float(symmetry(left, 3 * left)) == pytest.approx(0, abs=1e-6)
    assert float(symmetry(left, -left)) == pytest.approx(4, abs=1e-5)
    assert float(symmetry(left[:0], right[:0])) == 0


def test_only_chosen_faces_are_split_and_whole_faces_are_as_without():
    people = some_faces()
    chosen = np.arange(8) % 3 == 0
    rows = np.asarray([5, 3, 0, 7])
    seen = split(people, chosen)(some_pixels()[rows], np.random.default_rng(4))
    assert torch.equal(seen[:, 0], augmented(some_pixels()[rows], np.random.default_rng(4)))
    assert seen[:, 1:].flatten(1).any(dim=1).tolist() == chosen[rows].tolist()
    middle = some_pixels()[3, 10, 40] / 127.5 - 1
    np.testing.assert_allclose(seen[1, 2, :, 10, 64 - 41], middle, atol=1e-6)


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return with_head(lambda p, d: CosineClassifier(p, d, 8.0))(4)


def test_the_pull_is_added_to_the_margin_loss_and_leaves_its_statistics(model):
    people = some_faces()
    seen = split(people, np.arange(8) < 5)(some_pixels(), np.random.default_rng(0))
    ours, plain, asked = (copy.deepcopy(model).train() for _ in range(3))
    expected = classify(plain, seen[:, 0], PEOPLE, RNG).detach()
    pair = asked(torch.cat([seen[:5, 1], seen[:5, 2]])).detach()
    expected = expected + symmetry(pair[:5], pair[5:])
    loss = objective(ours, seen, PEOPLE, RNG)
    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-5)
    norms = [m for m in ours.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(norm.momentum == 0.1 for norm in norms)
    for (name, buffer), other in zip(ours.named_buffers(), plain.buffers(), strict=True):
        if "num_batches" not in name:
            assert torch.equal(buffer, other)


@pytest.mark.parametrize("count", [0, 1])
def test_without_frontal_faces_it_is_the_margin_loss(model, count):
    people = some_faces()
    seen = split(people, np.arange(8) < count)(some_pixels(), np.random.default_rng(0))
    ours, plain = copy.deepcopy(model).train(), copy.deepcopy(model).train()
    loss = objective(ours, seen, PEOPLE, RNG)
    assert float(loss.detach()) == float(classify(plain, seen[:, 0], PEOPLE, RNG).detach())


def test_the_pull_alone_brings_halves_together(model):
    people = some_faces()
    seen = split(people, np.ones(8, bool))(some_pixels(), np.random.default_rng(0))
    ours = copy.deepcopy(model).train()
    steps = torch.optim.SGD(ours.parameters(), 0.05)

    def apart() -> torch.Tensor:
        return symmetry(ours(seen[:, 1]), ours(seen[:, 2]))

    before = float(apart().detach())
    for _ in range(6):
        steps.zero_grad()
        apart().backward()
        steps.step()
    assert float(apart().detach()) < 0.7 * before


def test_noses_are_found_on_small_crops_as_on_pictures(album):
    """And a mirrored face is as frontal as the face."""
    detector = default_detector()
    expected, crops = [], []
    for path in sorted(album.rglob("*.jpg"))[:6]:
        picture = read_image(path)
        found = detector([picture])[0]
        if len(found):
            crop = align(picture, found.keypoints[:1])
            crops.append(crop.pixels)
            there = found.keypoints.points[0] @ crop.transforms[0, :, :2].T
            expected.append(frontality(there[None])[0])
    squares = shrunk(np.concatenate(crops), 64)
    labels = np.arange(len(squares))
    ours = measured(People(squares, labels, ""))
    assert len(ours) >= 3
    np.testing.assert_allclose(ours, expected, atol=0.25)
    assert np.corrcoef(ours, expected)[0, 1] > 0.9
    turned = measured(People(squares[:, :, ::-1].copy(), labels, ""))
    np.testing.assert_allclose(turned, ours, atol=0.2)
    assert measured(People(np.zeros((1, 64, 64, 3), np.uint8), labels[:1], "")).tolist() == [0]
    assert ARCFACE_112.size == crops[0].shape[1]


def test_the_recipe_runs_whole(tmp_path, monkeypatch):
    material = Material(some_faces(), some_faces(1), (every_pair("test", some_faces(2)),))
    monkeypatch.setattr(symface, "gather", lambda job: material)
    monkeypatch.setattr(
        symface, "measured", lambda people: np.linspace(0.1, 1, 8, dtype=np.float32)
    )
    monkeypatch.setattr(figures, "ROUNDS", 5)
    known = recipe("symface").recipe
    settings = replace(known.settings, steps=2, batch=8, warm_up=1)
    done = symface.run(Job(recipe=known, settings=settings, seeds=(0,), out=tmp_path / "symface"))
    names = ["ArcFace and symmetry", "ArcFace", "ArcFace and symmetry of any faces"]
    assert [row[0] for row in done.rows[:4]] == [*names, "raw pixels"]
    assert {result.baseline for result in done.results} == set(names[1:])
    assert [path.name for path in done.files] == ["arcface-and-symmetry-0.onnx"]
