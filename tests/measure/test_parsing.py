"""Scores of face parts against scikit-learn and worked values."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, jaccard_score

from lineament.core.errors import BadInput
from lineament.measure.parsing import Confusion

PARTS = ("background", "skin", "nose", "hat", "mouth")


@pytest.mark.parametrize("seed", range(100))
def test_scores_agree_with_scikit_learn_over_all_pictures(seed):
    rng = np.random.default_rng(seed)
    total, truths, answers = Confusion(PARTS), [], []
    for _ in range(3):
        truth = rng.choice([0, 1, 2, 4], (8, 9))  # no hat anywhere
        found = np.where(rng.random(truth.shape) < 0.7, truth, rng.choice([0, 1, 2], truth.shape))
        counted = rng.random(truth.shape) < 0.8
        total.add(found, truth, counted)
        truths.append(truth[counted])
        answers.append(found[counted])
    y, x = np.concatenate(truths), np.concatenate(answers)
    labels = [0, 1, 2, 4]
    names = [PARTS[i] for i in labels]
    iou = np.asarray([jaccard_score(y == label, x == label) for label in labels])
    f1 = np.asarray([f1_score(y == label, x == label) for label in labels])
    assert list(total.iou()) == list(total.f1()) == names
    assert list(total.iou().values()) == pytest.approx(iou, abs=1e-9)
    assert list(total.f1().values()) == pytest.approx(f1, abs=1e-9)
    assert total.mean_iou() == pytest.approx(iou.mean(), abs=1e-9)
    assert total.mean_f1(leave_out=("background",)) == pytest.approx(f1[1:].mean(), abs=1e-9)
    assert total.pixel_accuracy() == pytest.approx(accuracy_score(y, x), abs=1e-9)


def test_a_class_only_answered_is_present_and_scores_nothing():
    one = Confusion(("a", "b", "c"))
    one.add(np.asarray([[0, 1]]), np.asarray([[0, 0]]))
    assert one.pixels[0].tolist() == [1, 1, 0]  # rows are the truth
    assert one.iou() == {"a": 0.5, "b": 0.0}
    assert one.f1() == {"a": pytest.approx(2 / 3), "b": 0.0}
    assert one.mean_iou() == 0.25


def test_sums_are_sums():
    rng = np.random.default_rng(0)
    whole, parts = Confusion(PARTS), []
    for _ in range(3):
        found, truth = rng.integers(0, 5, (2, 6, 6))
        parts.append(Confusion(PARTS))
        parts[-1].add(found, truth)
        whole.add(found, truth)
    assert np.array_equal((parts[0] + parts[1] + parts[2]).pixels, whole.pixels)
    assert whole.pixels.sum() == 3 * 36
    with pytest.raises(BadInput, match="other classes"):
        _ = whole + Confusion(("a",))


@pytest.mark.parametrize("wrong", [-1, 5])
def test_numbers_that_are_no_class_are_refused(wrong):
    total = Confusion(PARTS)
    good, bad = np.asarray([[0, 1]]), np.asarray([[0, wrong]])
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(BadInput, match="0 to 4"):
            total.add(*pair)
    total.add(good, bad, np.asarray([[True, False]]))
    assert total.pixels.sum() == 1


def test_what_has_no_score_is_refused():
    empty = Confusion(PARTS)
    for metric in (empty.mean_iou, empty.mean_f1, empty.pixel_accuracy):
        with pytest.raises(BadInput):
            metric()
    with pytest.raises(BadInput, match="no such class: ear"):
        empty.mean_f1(leave_out=("ear",))
    with pytest.raises(BadInput, match="differ"):
        Confusion(("a", "a"))
