"""Classifiers of pixels on pictures made here, against slow loops and scikit-learn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image as Pillow
from sklearn.metrics import accuracy_score, f1_score

from lineament.bench.context import Context
from lineament.bench.parsers import Chain, chains
from lineament.bench.parsing import (
    BAYES,
    COMMON,
    LEVELS,
    PLACES,
    PRIOR,
    class_tables,
    common,
    common_table,
    confusions,
    count,
    knows_all,
    summed,
    turned,
)
from lineament.core.cards import method
from lineament.core.faces import Faces
from lineament.core.masks import Masks
from lineament.core.media import read_image
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


def test_eyes_nose_and_mouth_are_skin_among_the_classes_that_all_know(faces):
    noun, pictures, truths = faces
    counts = count(noun)
    onto = np.asarray([0, 1, 2, 1, 1, 1])
    found = onto[np.concatenate([counts.bayes(picture).ravel() for picture in pictures])]
    truth = onto[np.concatenate([one.ravel() for one in truths])]
    total = summed(common(confusions(counts.bayes, noun)), classes=COMMON)
    assert list(total.f1()) == ["background", "skin", "hair"]
    expected = [f1_score(truth == c, found == c) for c in range(3)]
    assert list(total.f1().values()) == pytest.approx(expected)


def test_turned_pictures_keep_their_truth_and_their_corners_do_not_count(faces):
    noun, pictures, truths = faces
    quarter, truth = turned(pictures[0], truths[0], 90)
    np.testing.assert_array_equal(quarter, np.rot90(pictures[0]))
    np.testing.assert_array_equal(truth, np.rot90(truths[0]))
    tilted, truth = turned(pictures[0], truths[0], 30)
    assert tilted.shape[:2] == truth.shape
    assert (truth >= 0).sum() == pytest.approx(truths[0].size, rel=0.03)

    def knows(pixels: np.ndarray) -> np.ndarray:
        return np.where(truth >= 0, truth, 5)  # the answer, and nonsense in the corners

    one = MaskedPictures(noun.paths[:1], noun.masks[:1], CLASSES, COLOURS)
    (table,) = confusions(knows, one, 30)
    assert table.sum() == np.trace(table) == (truth >= 0).sum()


class OneFace:
    """Finds the same face everywhere, or none."""

    seconds = 0.0

    def __init__(self, there: bool) -> None:
        self.count = int(there)

    def __call__(self, images):
        return [Faces(np.zeros((self.count, 4), np.float32)) for _ in images]


class Halves:
    """Says hair for the left half of a picture, and face skin for the right."""

    card = method("selfie-multiclass").card
    seconds = 3.0
    names = ("background", "hair", "face_skin", "clothes")

    def __call__(self, images, found):
        (image,), (faces,) = images, found
        labels = np.full((len(faces), image.height, image.width), 2, np.uint8)
        labels[:, :, : image.width // 2] = 1
        same = np.tile(np.eye(2, 3, dtype=np.float32), (len(faces), 1, 1))
        return [{"parsing": Masks(labels, same, self.names)}]


def test_a_chain_answers_in_the_sets_classes_and_counts_whom_it_missed():
    chain = Chain(OneFace(True), Halves(), Halves.names)
    picture = np.zeros((4, 6, 3), np.uint8)
    np.testing.assert_array_equal(chain(picture), [[2, 2, 2, 1, 1, 1]] * 4)
    assert chain.classes == {"background", "hair", "skin"}
    assert (chain.faces, chain.missed, chain.seconds) == (1, 0, 3.0)
    assert not knows_all("halves", {"halves": chain})
    assert knows_all(BAYES, {"halves": chain})
    blind = Chain(OneFace(False), Halves(), Halves.names)
    assert not blind(picture).any()
    assert (blind.faces, blind.missed) == (0, 1)


def test_a_class_that_nobody_answered_has_no_figure_of_its_own(faces):
    """What a network cannot answer is not scored 0: it stands in the table of common classes."""
    noun, _, _ = faces
    counts = count(noun)
    done = {PRIOR: confusions(counts.prior, noun), BAYES: confusions(counts.bayes, noun)}
    tables = class_tables("made up", done)
    assert [table.title for table in tables] == [
        "made up: F1 of each class",
        "made up: IoU of each class",
    ]
    halves = confusions(Chain(OneFace(True), Halves(), Halves.names), noun)
    table = common_table("made up", {**done, "halves": halves})
    assert [row[0] for row in table.rows] == [PRIOR, BAYES, "halves"]
    assert len(table.headings) == len(table.rows[2]) == 9
    total = summed(common(halves), classes=COMMON)
    assert table.rows[2][1:4] == tuple(f"{100 * v:.1f}" for v in total.f1().values())


def test_only_parsers_are_asked_for():
    assert chains(Context(methods=("sface",))) == {}
    (name,) = chains(Context(methods=("selfie-multiclass",)))
    assert name == "selfie-multiclass"


def test_research_weights_are_left_out_and_said_to_be(monkeypatch, tmp_path):
    monkeypatch.delenv("LINEAMENT_ACCEPT_RESEARCH", raising=False)
    monkeypatch.setenv("LINEAMENT_HOME", str(tmp_path))
    said = []
    assert chains(Context(methods=("bisenet",), say=said.append)) == {}
    assert "bisenet-celebamask" in said[0]


def test_networks_beat_colour_and_place_on_real_faces(shared_data):
    from lineament.measure.sets.fasseg import read_fasseg, read_mask

    test = read_fasseg(shared_data / "fasseg", "V3", "Test")
    rows = np.arange(0, len(test.paths), 12)
    some = MaskedPictures(
        tuple(test.paths[k] for k in rows), tuple(test.masks[k] for k in rows), CLASSES, COLOURS
    )
    (chain,) = chains(Context(methods=("selfie-multiclass",))).values()
    total = summed(common(confusions(chain, some)), classes=COMMON)
    assert total.mean_f1() > 0.93
    assert chain.missed == 0
    assert read_image(some.paths[0]).pixels.shape[:2] == read_mask(some.masks[0]).shape
