"""Classifiers of pixels on pictures made here, against slow loops and scikit-learn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image as Pillow
from sklearn.metrics import accuracy_score, f1_score

from lineament.bench.parsing import LEVELS, PLACES, confusions, count, summed
from lineament.measure.sets.fasseg import CLASSES, COLOURS
from lineament.measure.sets.nouns import MaskedPictures


@pytest.fixture
def faces(tmp_path):
    rng = np.random.default_rng(0)
    paths, masks, pixels, truths = [], [], [], []
    for k, (height, width) in enumerate([(60, 50), (96, 48), (33, 70)]):
        truth = rng.integers(0, 6, (height // 3 + 1, width // 3 + 1)).repeat(3, 0).repeat(3, 1)
        truth = truth[:height, :width]
        picture = (truth[..., None] * 30 + rng.integers(0, 80, (height, width, 3))).astype(np.uint8)
        paths.append(tmp_path / f"{k}.png")
        masks.append(tmp_path / f"{k}-mask.png")
        Pillow.fromarray(picture).save(paths[-1])
        Pillow.fromarray(COLOURS[truth]).save(masks[-1])
        pixels.append(picture)
        truths.append(truth)
    return MaskedPictures(tuple(paths), tuple(masks), CLASSES, COLOURS), pixels, truths


def test_both_classifiers_against_slow_counting(faces):
    noun, pictures, truths = faces
    places, colours, classes = Counter(), Counter(), Counter()
    for picture, truth in zip(pictures, truths, strict=True):
        for y, x in np.ndindex(truth.shape):
            c = int(truth[y, x])
            places[y * PLACES // truth.shape[0], x * PLACES // truth.shape[1], c] += 1
            colours[*(picture[y, x].astype(int) // (256 // LEVELS)), c] += 1
            classes[c] += 1
    counts = count(noun)
    rng = np.random.default_rng(1)
    new = rng.integers(0, 256, (41, 37, 3), np.uint8)
    prior, bayes = counts.prior(new), counts.bayes(new)
    for y, x in zip(rng.integers(0, 41, 200), rng.integers(0, 37, 200), strict=True):
        cell = (y * PLACES // 41, x * PLACES // 37)
        at = np.asarray([places[*cell, c] + 1 for c in range(6)], float)
        shade = tuple(new[y, x].astype(int) // (256 // LEVELS))
        of = [(colours[*shade, c] + 1) / (classes[c] + LEVELS**3) for c in range(6)]
        assert at[prior[y, x]] == at.max()
        chances = at * np.asarray(of)
        assert chances[bayes[y, x]] == pytest.approx(chances.max())


def test_figures_are_over_all_pixels_of_all_pictures(faces):
    noun, pictures, truths = faces
    counts = count(noun)
    tables = confusions(counts.bayes, noun)
    found = np.concatenate([counts.bayes(picture).ravel() for picture in pictures])
    truth = np.concatenate([one.ravel() for one in truths])
    total = summed(tables)
    expected = [f1_score(truth == c, found == c) for c in range(6)]
    assert list(total.f1().values()) == pytest.approx(expected)
    assert total.pixel_accuracy() == pytest.approx(accuracy_score(truth, found))
    twice = summed(tables, np.asarray([1, 1]))
    assert np.array_equal(twice.pixels, 2 * tables[1])


def test_colour_helps(faces):
    noun, _, _ = faces
    counts = count(noun)
    prior, bayes = (summed(confusions(c, noun)).mean_f1() for c in (counts.prior, counts.bayes))
    assert bayes > prior
