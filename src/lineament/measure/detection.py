"""Detection metrics: average precision of boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from lineament.core.geometry import box_iou


def match(
    boxes: Float[np.ndarray, "n 4"],
    scores: Float[np.ndarray, " n"],
    truth: Float[np.ndarray, "m 4"],
    iou: float,
) -> Bool[np.ndarray, " n"]:
    """Which detections of one picture are right.

    Best score first, each detection takes the free true box that it overlaps most; it is right
    where that overlap is at least `iou`. A box that is found twice counts once.
    """
    right = np.zeros(len(boxes), bool)
    overlaps = box_iou(boxes, truth)
    for row in np.argsort(-scores, kind="stable"):
        if not overlaps.shape[1]:
            break
        best = int(overlaps[row].argmax())
        if overlaps[row, best] >= iou:
            right[row] = True
            overlaps[:, best] = -1
    return right


def average_precision(
    boxes: Sequence[Float[np.ndarray, "_ 4"]],
    scores: Sequence[Float[np.ndarray, " _"]],
    truth: Sequence[Float[np.ndarray, "_ 4"]],
    iou: float = 0.5,
) -> float:
    """Area under the precision-recall curve over all pictures, in [0, 1].

    Precision at a recall is the best precision at that recall or beyond it, summed over every
    point of the curve (Pascal VOC 2010 and later).

    Raises:
        ValueError: there is no true box, or a score is not finite.
    """
    total = sum(map(len, truth))
    if not total:
        raise ValueError("average precision needs at least one true box")
    all_scores = np.concatenate([np.asarray(s, np.float64) for s in scores])
    if not np.all(np.isfinite(all_scores)):
        raise ValueError("scores must be finite")
    right = np.concatenate([match(*one, iou) for one in zip(boxes, scores, truth, strict=True)])
    order = np.argsort(-all_scores, kind="stable")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(hits) + 1)
    recall = hits / total
    # Equal scores are one point of the curve: the last of them.
    last = np.append(np.diff(all_scores[order]) != 0, True)[: len(hits)]
    precision, recall = precision[last], recall[last]
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * best_from_here))
