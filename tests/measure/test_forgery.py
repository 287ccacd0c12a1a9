"""Forged frames, videos and pixels against scikit-learn and worked values."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score, roc_auc_score

from lineament.core.errors import BadInput
from lineament.measure.forgery import (
    frame_auc,
    localisation,
    pixel_auc,
    video_auc,
    video_scores,
)


@pytest.mark.parametrize("seed", range(100))
def test_areas_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    video = rng.permutation(np.concatenate([np.arange(12), rng.integers(0, 12, 60)])) * 7
    forged_videos = rng.permutation(np.repeat([True, False], 6))
    forged = forged_videos[video // 7]
    scores = np.round(rng.normal(forged * 0.7), 1)
    assert frame_auc(scores, forged) == pytest.approx(roc_auc_score(forged, scores), abs=1e-9)
    means = [scores[video == 7 * v].mean() for v in range(12)]
    found, labels = video_scores(scores, forged, video)
    assert found == pytest.approx(means, abs=1e-12)
    assert labels.tolist() == forged_videos.tolist()
    # Means are compared as computed: rounding may break a tie, alike in both.
    expected = roc_auc_score(forged_videos, found)
    assert video_auc(scores, forged, video) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(100))
def test_masks_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    shapes = [(7, 9), (5, 4), (8, 8)]
    truth = [rng.random(shape) < 0.4 for shape in shapes]
    maps = [
        np.round(rng.random(shape) + real, 1) for shape, real in zip(shapes, truth, strict=True)
    ]
    found = [values > rng.uniform(0.3, 1) for values in maps]
    scores = localisation(found, truth)
    flat = [(real.ravel(), answer.ravel()) for real, answer in zip(truth, found, strict=True)]
    assert scores.iou == pytest.approx([jaccard_score(*pair) for pair in flat], abs=1e-9)
    assert scores.f1 == pytest.approx([f1_score(*pair) for pair in flat], abs=1e-9)
    expected = roc_auc_score(
        np.concatenate([y for y, _ in flat]), np.concatenate([*map(np.ravel, maps)])
    )
    assert pixel_auc(maps, truth) == pytest.approx(expected, abs=1e-9)


def test_values_worked_by_hand():
    truth, found = np.zeros((2, 3), bool), np.zeros((2, 3), bool)
    truth[0] = True
    found[:, 0] = True
    scores = localisation([found], [truth])
    assert (scores.iou.tolist(), scores.f1.tolist()) == ([1 / 4], [2 / 5])
    assert localisation([~truth], [truth]).f1.tolist() == [0]
    # Frame scores interleave, video means do not.
    frames = np.asarray([0.9, 0.1, 0.4, 0.3])
    forged = np.asarray([True, True, False, False])
    assert frame_auc(frames, forged) == 0.5
    assert video_auc(frames, forged, np.asarray([3, 3, 8, 8])) == 1


def test_what_has_no_score_is_refused():
    scores, forged = np.asarray([0.1, 0.9]), np.asarray([False, True])
    with pytest.raises(BadInput, match="both|kind|pairs"):
        frame_auc(scores, np.asarray([True, True]))
    with pytest.raises(BadInput, match="either forged or real"):
        video_auc(scores, forged, np.asarray([1, 1]))
    with pytest.raises(BadInput, match="finite"):
        frame_auc(scores * np.nan, forged)
    blank = np.zeros((2, 2), bool)
    with pytest.raises(BadInput, match="no localisation"):
        localisation([blank], [blank])
    with pytest.raises(BadInput, match="one shape"):
        localisation([np.ones((2, 3), bool)], [~blank])
    with pytest.raises(BadInput, match="at least one picture"):
        localisation([], [])
    with pytest.raises(BadInput, match="finite"):
        pixel_auc([np.full((2, 2), np.nan)], [~blank])
    with pytest.raises(BadInput):
        pixel_auc([np.ones((2, 2))], [~blank])
