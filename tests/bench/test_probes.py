"""Linear probes against closed forms, and the crops that they are given."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow
from sklearn.linear_model import LogisticRegression

from lineament.bench.context import Context
from lineament.bench.probes import (
    BASELINE,
    LOOSENESS,
    STRENGTHS,
    _usual_points,
    classify,
    feature_sets,
    out_of_fold,
    placed_crops,
    raw_pixels,
    regress,
)
from lineament.core.crops import ARCFACE_112
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks


def scaled(train, test):
    mean, spread = train.mean(axis=0), train.std(axis=0)
    return (train - mean) / spread, (test - mean) / spread


@pytest.mark.parametrize("seed", range(20))
def test_regression_is_one_of_the_ridge_solutions_and_the_best_by_leaving_one_out(seed):
    rng = np.random.default_rng(seed)
    train, test = rng.normal(3, 2, (40, 6)), rng.normal(3, 2, (9, 6))
    truth = train @ rng.normal(size=6) + rng.normal(0, 3, 40)
    x, new = scaled(train, test)
    y = truth - truth.mean()
    errors, answers = [], []
    for strength in STRENGTHS:
        inverse = np.linalg.inv(x.T @ x + strength * np.eye(6))
        hat = x @ inverse @ x.T + 1 / 40
        errors.append(np.mean(((y - hat @ y) / (1 - np.diag(hat))) ** 2))
        answers.append(truth.mean() + new @ inverse @ x.T @ y)
    assert np.allclose(regress(train, truth, test), answers[int(np.argmin(errors))], atol=1e-8)


def test_each_target_of_a_regression_stands_alone():
    rng = np.random.default_rng(0)
    train, test, targets = (
        rng.normal(size=(50, 8)),
        rng.normal(size=(7, 8)),
        rng.normal(size=(50, 3)),
    )
    targets[:, 0] += train @ np.arange(8)
    together = regress(train, targets, test)
    alone = [regress(train, targets[:, k], test) for k in range(3)]
    assert np.allclose(together, np.stack(alone, axis=1), atol=1e-9)


@pytest.mark.parametrize("grouped", [False, True])
def test_classification_is_logistic_regression_at_one_of_its_strengths(grouped):
    rng = np.random.default_rng(1)
    labels, groups = rng.integers(0, 3, 90), np.arange(90) % 3
    train, test = rng.normal(size=(90, 5)) + labels[:, None], rng.normal(size=(8, 5))
    chances = classify(train, labels, test, groups if grouped else None)
    x, new = scaled(train, test)
    possible = [
        LogisticRegression(C=c, max_iter=2000).fit(x, labels).predict_proba(new) for c in LOOSENESS
    ]
    assert min(np.abs(chances - one).max() for one in possible) < 1e-9
    assert np.allclose(chances.sum(axis=1), 1)


@pytest.mark.parametrize(("rows", "folds"), [(10, 5), (11, 5), (7, 2)])
def test_each_row_is_judged_once_and_never_by_what_it_trained(rows, folds):
    parts = list(out_of_fold(rows, folds, 3))
    assert sorted(row for _, judged in parts for row in judged) == list(range(rows))
    for train, judged in parts:
        assert sorted([*train, *judged]) == list(range(rows))
    sizes = [len(judged) for _, judged in parts]
    assert max(sizes) - min(sizes) <= 1


def test_a_face_not_found_is_cut_where_the_others_are():
    images = [Image(np.zeros((50, 100, 3), np.uint8)) for _ in range(4)]
    points = np.arange(10, dtype=np.float32).reshape(5, 2)
    found = [Landmarks((points + shift)[None], "5") for shift in (0, 1, 90)]
    usual = _usual_points(images, (*found, None))
    assert np.allclose(usual, (points + 1) / (100, 50))


def test_where_nobody_is_found_the_picture_is_taken_for_the_crop(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (112, 112, 3), np.uint8)
    path = tmp_path / "noise.png"
    Pillow.fromarray(pixels).save(path)
    placed = placed_crops((path,), ARCFACE_112)
    assert placed.found.tolist() == [False]
    assert placed.say().startswith("1 of 1 ")
    assert np.abs(placed.crops.pixels[0].astype(int) - pixels).max() <= 1  # by rounding
    blocks = placed.crops.pixels[0].reshape(16, 7, 16, 7, 3).astype(float).mean(axis=(1, 3, 4))
    assert np.allclose(raw_pixels((path,)), blocks.reshape(1, 256) / 255)


def test_embedders_are_probed_and_general_features_where_they_are_named():
    every = feature_sets(Context())
    assert next(iter(every)) == BASELINE
    assert "sface" in every
    assert "cnn-off-the-shelf" not in every
    assert list(feature_sets(Context(methods=("sface",)))) == [BASELINE, "sface"]
    named = feature_sets(Context(methods=("cnn-off-the-shelf",)))
    assert list(named) == [BASELINE, "cnn-off-the-shelf"]
    both = feature_sets(Context(methods=("cnn-off-the-shelf", "sface")))
    assert list(both) == [BASELINE, "sface", "cnn-off-the-shelf"]


@pytest.mark.parametrize(("slug", "numbers"), [("sface", 128), (BASELINE, 256)])
def test_features_have_a_row_for_every_picture(tmp_path, slug, numbers):
    paths = tuple(tmp_path / f"{k}.png" for k in range(2))
    for k, path in enumerate(paths):
        Pillow.new("RGB", (60, 70), (90 * k, 40, 200)).save(path)
    features = feature_sets(Context(methods=("sface",)))[slug](paths)
    assert features.shape == (2, numbers)
