"""Tasks: credits by hand, few labels, what is asked of a representation, and real sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineament.core.crops import ARCFACE_112, align
from lineament.core.errors import BadInput
from lineament.core.geometry import transform_points
from lineament.core.media import read_image
from lineament.learn.pretraining import material as material_module
from lineament.learn.pretraining import tasks
from lineament.learn.pretraining.material import choice_pairs, gather, landmarks
from lineament.learn.pretraining.outside import embedder
from lineament.learn.pretraining.tasks import (
    Labelled,
    Measure,
    Pairs,
    Probed,
    Verification,
    balanced,
    points_off,
    right_class,
    score,
    told_rightly,
    years_off,
)
from lineament.learn.recipes import Job, recipe
from lineament.learn.recognition.crops import default_detector, shrunk
from lineament.learn.recognition.material import People
from lineament.measure.attributes import balanced_accuracies
from lineament.measure.sets.ucla68 import read_ucla68
from lineament.measure.verification import fold_accuracy

RNG = np.random.default_rng(3)


def grey(levels: np.ndarray) -> np.ndarray:
    """Faces of one grey each."""
    levels = np.asarray(levels, np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (len(levels), 4, 4, 3)).copy()


def light(pixels: np.ndarray) -> np.ndarray:
    """A representation: how light a face is, and a number that says nothing."""
    level = pixels.mean(axis=(1, 2, 3))
    return np.stack([level, np.zeros(len(pixels))], axis=1).astype(np.float32)


def labelled(levels: np.ndarray, targets: np.ndarray) -> Labelled:
    return Labelled(grey(levels), targets.astype(np.float32), np.arange(len(levels)))


def by_light(count: int = 60) -> Probed:
    """Years that grow with the light."""

    def part(n: int) -> Labelled:
        levels = RNG.integers(0, 250, n)
        return labelled(levels, levels[:, None] / 4)

    measure = Measure("mean error, years", years_off, higher_is_better=False, percent=False)
    return Probed("age", "greys", "hash", measure, part(count), part(20), part(30))


def test_years_are_read_from_a_feature_that_grows_with_them():
    task = by_light()
    read = task.credits(light, 1.0)
    blind = task.credits(lambda pixels: np.zeros((len(pixels), 2), np.float32), 1.0)
    assert read.mean() < 0.5
    guess = np.abs(task.train.targets.mean() - task.test.targets[:, 0])
    np.testing.assert_allclose(blind, guess, rtol=1e-5)


def test_the_chosen_part_is_not_the_measured_one():
    task = by_light()
    assert len(task.credits(light, 1.0, part="choose")) == 20 == len(task.people("choose"))
    assert len(task.credits(light, 1.0)) == 30 == len(task.people())


def test_few_labels_are_drawn_anew_with_each_seed_and_their_mean_is_given(monkeypatch):
    task = by_light(200)
    first, again, other = (task.credits(light, 0.01, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    monkeypatch.setattr(tasks, "DRAWS", 1)
    assert not np.array_equal(first, task.credits(light, 0.01, 0))


def test_labels_are_learnt_from_no_more_than_the_share_says():
    task = by_light(200)
    seen = []
    measure = Measure("seen", lambda a, t, middle: seen.append(middle) or np.zeros(len(t)))
    marked = replace(task.train, targets=np.arange(200, dtype=np.float32)[:, None])
    replace(task, train=marked, measure=measure).credits(light, 0.1)
    wholes = np.asarray(seen)[:, 0] * 20
    assert len(seen) == tasks.DRAWS
    # The mean of 20 different whole numbers, and not of all 200.
    np.testing.assert_allclose(wholes, np.round(wholes), atol=1e-3)
    assert not np.allclose(np.asarray(seen), 99.5)


def test_a_representation_is_asked_once_for_each_array():
    task, asked = by_light(), []

    def counted(pixels: np.ndarray) -> np.ndarray:
        asked.append(id(pixels))
        return light(pixels)

    worth = score(counted, [task, replace(task, name="again")])
    assert len(asked) == len(set(asked)) == 2
    assert set(worth.credits) == {(n, s) for n in ("age", "again") for s in tasks.SHARES}
    assert worth.value("age") == pytest.approx(task.credits(light, 1.0).mean())


def test_classes_are_right_where_the_highest_answer_is():
    answers = np.asarray([[0.1, 0.7, 0.2], [0.5, 0.4, 0.1]])
    truth = np.eye(3)[[1, 2]]
    assert right_class(answers, truth, truth.mean(axis=0)).tolist() == [1, 0]


def test_credits_of_attributes_have_the_balanced_accuracy_as_their_mean():
    truth = (RNG.random((50, 6)) < (0.1, 0.3, 0.5, 0.7, 0.9, 0.2)).astype(float)
    answers, middle = RNG.normal(0, 1, (50, 6)), RNG.normal(0, 1, 6)
    expected = balanced_accuracies(answers > middle, truth > 0.5).mean()
    assert balanced(answers, truth, middle).mean() == pytest.approx(expected)
    # A column to which everybody has one answer says nothing.
    constant = np.concatenate([truth, np.ones((50, 1))], axis=1)
    wider = np.concatenate([answers, answers[:, :1]], axis=1)
    assert balanced(wider, constant, np.append(middle, 0)).mean() == pytest.approx(expected)


def test_points_are_off_by_a_share_of_the_distance_of_the_eyes_outer_corners():
    points = RNG.normal(0, 1, (2, 68, 2))
    points[:, 36], points[:, 45] = (-2, 0), (2, 0)
    found = points.copy()
    found[1] += (0.3, 0.4)
    off = points_off(found.reshape(2, -1), points.reshape(2, -1), np.zeros(136))
    np.testing.assert_allclose(off, [0, 0.5 / 4], atol=1e-12)


def test_pairs_are_told_as_lfws_protocol_tells_them():
    same = np.arange(200) % 2 == 0
    scores, fold = RNG.normal(same, 1.0), np.arange(200) // 20
    rightly = told_rightly(scores, same, fold)
    assert rightly.mean() == pytest.approx(fold_accuracy(scores, same, fold).mean)


def verification() -> Verification:
    """People whose own number is drowned by another that varies from face to face."""
    labels = np.repeat(np.arange(60), 5)

    def faces(count: int) -> tuple[np.ndarray, np.ndarray]:
        of = np.repeat(np.arange(count), 5)
        own = RNG.integers(0, 256, count)[of].astype(np.uint8)
        pixels = np.zeros((len(of), 4, 4, 3), np.uint8)
        pixels[..., 0] = own[:, None, None]
        pixels[..., 1] = RNG.integers(0, 256, len(of))[:, None, None]
        pixels[..., 2] = RNG.integers(0, 256, len(of))[:, None, None]
        return pixels, of

    def pairs(count: int) -> Pairs:
        pixels, of = faces(count)
        return choice_pairs(People(pixels, of, "pairs"))

    return Verification(
        "recognition", "colours", "hash", faces(60)[0], labels, pairs(30), pairs(40)
    )


def colours(pixels: np.ndarray) -> np.ndarray:
    """The mean of each channel."""
    return pixels.mean(axis=(1, 2)).astype(np.float32)


def test_people_are_told_better_by_what_does_not_vary_within_them():
    task = verification()
    assert task.credits(colours, 1.0).mean() > 0.65
    nothing = task.credits(lambda pixels: colours(pixels)[:, 1:], 1.0).mean()
    assert 0.4 < nothing < 0.6
    assert task.people().shape == (len(task.test.pairs), 2)


def test_pairs_to_choose_by_are_balanced_and_the_same_each_time():
    people = People(np.zeros((40, 4, 4, 3), np.uint8), np.repeat(np.arange(8), 5), "h")
    first, again = choice_pairs(people), choice_pairs(people)
    assert first.same.sum() * 2 == len(first.same) == 160
    np.testing.assert_array_equal(first.pairs, again.pairs)
    np.testing.assert_array_equal(first.people[:, 0] == first.people[:, 1], first.same)


def test_an_embedder_sees_the_faces_at_its_own_size():
    pixels = RNG.integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    vectors = embedder("lineament-s")(pixels)
    assert len(vectors) == 3
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert not np.allclose(vectors[0], vectors[1])


def test_material_needs_a_folder_of_test_sets(tmp_path):
    known = recipe("barlow-twins").recipe
    with pytest.raises(BadInput, match="folder"):
        gather(Job(recipe=known, settings=known.settings, seeds=(0,), out=tmp_path))


def test_points_move_with_the_alignment_of_real_faces(shared_data: Path, tmp_path, monkeypatch):
    whole = read_ucla68(shared_data / "ucla68")
    some = replace(whole, paths=whole.paths[:12], points=whole.points[:12], labels={})
    monkeypatch.setattr(material_module, "read_ucla68", lambda folder: some)
    task = landmarks(shared_data / "ucla68", tmp_path, 64)
    assert task.train.pixels.shape[1:] == (64, 64, 3)
    detector = default_detector()
    for row, file in enumerate(range(0, 12, 2)):
        picture = read_image(some.paths[file])
        crop = align(picture, detector([picture])[0].keypoints[:1], ARCFACE_112)
        expected = (transform_points(crop.transforms[0], some.points[file]) + 0.5) / 112 - 0.5
        np.testing.assert_allclose(task.test.targets[row].reshape(68, 2), expected, atol=2e-3)
        face = shrunk(crop.pixels, 64)[0].astype(float)
        assert np.corrcoef(face.ravel(), task.test.pixels[row].ravel())[0, 1] > 0.98
