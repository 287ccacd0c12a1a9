"""Forged faces: how well frames, videos and pixels are told from real ones.

A score says how forged something looks: more is more suspicious, and pixel maps likewise. All areas
under the ROC count equal scores half. Frames of a video are not independent, nor are videos of one
person: draw people for an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from lineament.measure.checks import need, need_alike, need_rows
from lineament.measure.verification import area_under_roc


def frame_auc(scores: Float[np.ndarray, " n"], forged: Bool[np.ndarray, " n"]) -> float:
    """Chance that a forged frame looks more forged than a real one.

    Raises:
        BadInput: lengths differ, one kind is missing, or a score is not finite.
    """
    need_rows(scores=scores, forged=forged)
    return area_under_roc(scores, forged)


def video_scores(
    scores: Float[np.ndarray, " n"], forged: Bool[np.ndarray, " n"], video: Int[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " v"], Bool[np.ndarray, " v"]]:
    """The mean score of each video's frames, and whether it is forged; by rising video number.

    Raises:
        BadInput: lengths differ, there are no frames, a score is not finite, or a video is both
            forged and real.
    """
    need_rows(scores=scores, forged=forged, video=video)
    _, row, sizes = np.unique(video, return_inverse=True, return_counts=True)
    share = np.bincount(row, weights=forged) / sizes
    need(np.isin(share, (0.0, 1.0)).all(), "a video is either forged or real, in all frames")
    return np.bincount(row, weights=scores.astype(np.float64)) / sizes, share == 1


def video_auc(
    scores: Float[np.ndarray, " n"], forged: Bool[np.ndarray, " n"], video: Int[np.ndarray, " n"]
) -> float:
    """Chance that a forged video looks more forged than a real one, by the mean of its frames.

    Raises:
        BadInput: as `video_scores`, or one kind of video is missing.
    """
    return area_under_roc(*video_scores(scores, forged, video))


@dataclass(frozen=True, eq=False)
class Localisation:
    """How well the forged part of each picture is found.

    Attributes:
        iou: TP / (TP + FP + FN) of each picture's pixels.
        f1: 2 TP / (2 TP + FP + FN) of the same.
    """

    iou: Float64[np.ndarray, " n"]
    f1: Float64[np.ndarray, " n"]


def localisation(
    found: Sequence[Bool[np.ndarray, "_ _"]], truth: Sequence[Bool[np.ndarray, "_ _"]]
) -> Localisation:
    """Scores of each forged picture; their means are the usual figures.

    Args:
        found: the mask answered for each picture.
        truth: the pixels that are forged.

    Raises:
        BadInput: there are no pictures, shapes differ, or a picture has no forged pixel: a real
            picture has nothing to find, and its figure is a false alarm, not an overlap.
    """
    need(0 < len(found) == len(truth), "one mask a picture expected, of at least one picture")
    counts = []
    for answer, real in zip(found, truth, strict=True):
        need_alike(found=answer, truth=real)
        need(real.any(), "a picture without forged pixels has no localisation")
        counts.append((int((answer & real).sum()), int(answer.sum() + real.sum())))
    both, sizes = np.asarray(counts, np.float64).T
    return Localisation(both / (sizes - both), 2 * both / sizes)


def pixel_auc(
    maps: Sequence[Float[np.ndarray, "_ _"]], truth: Sequence[Bool[np.ndarray, "_ _"]]
) -> float:
    """Area under the ROC of all pixels of all pictures, which are held in memory at once.

    Raises:
        BadInput: there are no pictures, shapes differ, one kind of pixel is missing, or a value is
            not finite.
    """
    need(0 < len(maps) == len(truth), "one map a picture expected, of at least one picture")
    for values, real in zip(maps, truth, strict=True):
        need_alike(maps=values, truth=real)
    flat = (np.concatenate([array.ravel() for array in arrays]) for arrays in (maps, truth))
    return area_under_roc(*flat)
