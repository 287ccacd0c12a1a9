"""Faces with ages: the split, what is kept apart, degraded copies, and the comparison's figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from lineament.bench import utkface as protocol
from lineament.core.cards import method
from lineament.core.crops import ARCFACE_112, align
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.learn.attributes import aged_faces as faces
from lineament.learn.attributes.age_trial import WILD, Condition, answers, blind, compare, degraded
from lineament.learn.attributes.aged_faces import (
    ALIKE,
    BANDS,
    SPLIT_SEED,
    AgedFaces,
    Answers,
    Material,
    apart,
    split,
)
from lineament.learn.attributes.fp_age import CUT, RECIPE
from lineament.learn.landmarks.augment import still
from lineament.learn.landmarks.crops import template
from lineament.learn.recipes import Job
from lineament.measure.degrade.suites import suite
from lineament.measure.sets.nouns import LabeledPictures
from lineament.measure.sets.utkface import GROUPS

RNG = np.random.default_rng(8)


def aged(ages, sexes=None, groups=None, side=8) -> AgedFaces:
    count = len(ages)
    return AgedFaces(
        RNG.integers(0, 256, (count, side, side, 3), dtype=np.uint8),
        np.asarray(ages, np.float32),
        np.asarray(sexes if sexes is not None else [0] * count, np.int64),
        np.asarray(groups if groups is not None else [0] * count, np.int64),
        np.zeros((count, 5, 2), np.float32),
        np.asarray(["nowhere"] * count),
    )


def material(test: AgedFaces, train: AgedFaces, rivals=None) -> Material:
    return Material(train, train, train, test, rivals or {}, "hash", 0, 0)


def test_the_parts_are_apart_and_the_test_is_what_the_protocol_measures():
    count = protocol.CHOSEN_ON * 5
    parts = split(count)
    together = np.concatenate(list(parts.values()))
    np.testing.assert_array_equal(np.sort(together), np.arange(count))
    paths = tuple(Path(str(row)) for row in range(count))
    measured = {int(p.name) for p in protocol.measured(LabeledPictures(paths)).paths}
    assert SPLIT_SEED == protocol.CHOICE_SEED
    assert measured == {*parts["test"].tolist(), *parts["train"].tolist()}
    assert len(parts["test"]) == len(measured) / 3


def test_bands_are_those_of_the_protocol():
    assert list(BANDS.values()) == list(protocol.BANDS.values())
    parts = aged([0, 12, 13, 19, 20, 59, 60, 116], groups=[0, 0, 1, 1, 2, 2, 3, 3]).parts()
    assert parts["0-12"].tolist() == [True, True] + [False] * 6
    assert parts["60+"].tolist() == [False] * 6 + [True, True]
    assert [name for name in parts if name in GROUPS] == list(GROUPS[:4])


def test_a_face_that_may_be_of_the_test_is_not_learnt_from():
    angles = np.arccos([ALIKE - 0.01, ALIKE + 0.01])
    learnt = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    test = np.asarray([[1, 0], [-1, 0]], np.float32)
    assert apart(learnt, test).tolist() == [True, False]


def test_degraded_copies_take_turns():
    pixels = RNG.integers(0, 256, (len(WILD) + 1, 128, 128, 3), dtype=np.uint8)
    worse = degraded(pixels, CUT)
    points = np.repeat(np.asarray([CUT.points], np.float32), 2, axis=0)
    for row, (name, level) in enumerate(WILD):
        mine = np.asarray([row, row + len(WILD)][: 2 if row == 0 else 1])
        expected = suite(name)(pixels[mine], points[: len(mine)], level, 0)
        np.testing.assert_array_equal(worse[mine], expected)
        assert (worse[row] != pixels[row]).any()
    np.testing.assert_array_equal(worse, degraded(pixels, CUT))


def test_the_comparison_says_what_the_answers_are():
    truth = np.asarray([5, 15, 25, 45, 70, 30], np.float32)
    test = aged(truth, [0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2])
    train = aged([10, 20, 90], [1, 1, 0])
    right = test.sexes == 1
    exact = truth.astype(np.float64)
    ours = [Answers(exact + 1, right), Answers(exact - 2, ~right)]
    theirs = [Answers(exact + 4, right)] * 2
    rivals = {"other": Answers(exact, right)}
    job = Job(recipe=RECIPE, settings=RECIPE.settings, seeds=(0, 1), out=Path())
    done = compare(
        job,
        material(test, train, rivals),
        [Condition("as they are", {"ours": ours, "theirs": theirs})],
        {"ours": "a note"},
    )
    table = {row[0]: dict(zip(done.headings, row, strict=True)) for row in done.rows}
    assert table["ours"]["MAE#"] == "1.50"
    assert table["ours"]["over seeds"] == "1.00 to 2.00"
    assert table["ours"]["sex %#"] == "50.0"
    assert table["theirs"]["ours less this"] == "-2.50 (-2.50 to -2.50)"
    assert table["other"]["MAE#"] == "0.00"
    # 20 years for everybody, and the second label: of these six, half.
    assert table["median age, commonest label"]["MAE#"] == f"{np.abs(truth - 20).mean():.2f}"
    assert table["median age, commonest label"]["sex %#"] == "50.0"
    results = {result.metric: result for result in done.results}
    age = results["age MAE, years, beside theirs"]
    assert (age.ours, age.baseline_value) == (1.5, 4.0)
    assert ": better." in age.note
    assert ": worse." in results["age MAE, years, beside other"].note
    assert results["sex accuracy, beside theirs"].ours == pytest.approx(0.5)
    assert ": worse." in results["sex accuracy, beside theirs"].note


def test_who_sees_nobody_answers_the_middle():
    train = aged([1, 2, 50], [1, 0, 1])
    said = blind(material(aged([3, 4]), train))
    assert said.ages.tolist() == [2, 2]
    assert said.male is not None
    assert said.male.tolist() == [True, True]


def test_answers_are_of_the_squares_as_they_are_changed():
    class Bright(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.ones(1))

        def forward(self, x):
            mean = x.mean(dim=(1, 2, 3)) * self.factor
            return mean, torch.stack([mean < 50, mean >= 50], dim=1).float()

    pixels = RNG.integers(0, 256, (70, 32, 32, 3), dtype=np.uint8)
    said = answers(Bright(), pixels, 16, lambda seen: seen / 3)
    expected = still(pixels, 16).mean(dim=(1, 2, 3)).numpy() / 3
    np.testing.assert_allclose(said.ages, expected, rtol=1e-5)
    assert said.male is not None
    np.testing.assert_array_equal(said.male, expected >= 50)


def test_faces_are_found_cut_and_labelled(album, tmp_path):
    """On faces of nobody: the age is the labeller's own, a picture without people is placed."""
    portrait = next(album.rglob("IMG_0021.jpg"))
    blank = tmp_path / "blank.png"
    Pillow.new("RGB", (160, 120), (90, 90, 90)).save(blank)
    found = faces._find([portrait, blank], "age-v1", lambda line: None)
    assert found["found"].tolist() == [True, False]
    image = read_image(portrait)
    five = Landmarks(found["points"][:1], "5")
    shares = found["points"] / [[[image.width, image.height]], [[160, 120]]]
    np.testing.assert_allclose(shares[0], shares[1], atol=1e-5)
    crops = faces._cut([portrait], found["points"][:1], template(80))
    np.testing.assert_array_equal(crops, align(image, five, template(80)).pixels)
    embedder = method("sface", "embed").load()(threads=1)
    vectors = embedder(align(image, five, ARCFACE_112)).vectors
    np.testing.assert_allclose(found["vectors"][:1], vectors, atol=1e-5)
    detector = method("yunet", "detect").load()(threads=1)
    said = method("age-v1").load()(threads=1)([image], [detector([image])[0][:1]])[0]["age"]
    assert found["ages"][0] == pytest.approx(said[0], abs=0.01)
