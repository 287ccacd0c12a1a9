"""Detection metrics: average precision of boxes, as three evaluations define it.

`average_precision` is Pascal VOC's of 2010 and later; `wider_counts` is WIDER FACE's, with its
subsets; `coco_precision` is COCO's. They agree on what a precision is and differ on which
thresholds, recalls and boxes count, so a figure of one is none of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int64

from lineament.core.geometry import box_area, box_iou
from lineament.measure.checks import need, need_finite

WIDER_STEPS = 1000
COCO_IOUS = tuple(float(x) for x in np.linspace(0.5, 0.95, 10))
COCO_RECALLS = np.linspace(0.0, 1.0, 101)
EVERYWHERE = (0.0, float("inf"))


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

    Args:
        boxes: found in each picture, pixels.
        scores: of those boxes; more is surer.
        truth: the true boxes of each picture.
        iou: overlap from which a box is found.

    Raises:
        BadInput: there is no true box, lengths differ, or a number is not finite.
    """
    _need_pictures(boxes, scores, truth)
    total = sum(map(len, truth))
    right = np.concatenate([match(*one, iou) for one in zip(boxes, scores, truth, strict=True)])
    all_scores = np.concatenate([np.asarray(s, np.float64) for s in scores])
    order = np.argsort(-all_scores, kind="stable")
    hits = np.cumsum(right[order])
    # Equal scores are one point of the curve: the last of them.
    last = np.append(np.diff(all_scores[order]) != 0, True)[: len(hits)]
    return _area(hits[last] / total, (hits / np.arange(1, len(hits) + 1))[last])


@dataclass(frozen=True, eq=False)
class WiderCounts:
    """What WIDER FACE's evaluation counts in each picture, at its 1000 thresholds.

    Kept by picture, so that pictures can be drawn anew: an interval of a set of p pictures is
    ``bootstrap(counts.average_precision, np.arange(p))`` of `measure.interval`.

    Attributes:
        claimed: detections that are right or wrong, at thresholds 0.999, 0.998 .. 0.
        found: counted faces that they find.
        faces: counted faces there are.
    """

    claimed: Int64[np.ndarray, "p 1000"]
    found: Int64[np.ndarray, "p 1000"]
    faces: Int64[np.ndarray, " p"]

    def average_precision(self, pictures: Int[np.ndarray, " m"] | None = None) -> float:
        """AP in [0, 1], over all pictures or over these rows, where a row may stand twice.

        Raises:
            BadInput: these pictures have no counted face.
        """
        rows = slice(None) if pictures is None else pictures
        total = self.faces[rows].sum()
        need(total > 0, "average precision needs at least one face that counts")
        claimed, found = self.claimed[rows].sum(0), self.found[rows].sum(0)
        # Where nothing is claimed there is no precision, and 0 leaves the envelope as it is.
        precision = np.divide(found, claimed, out=np.zeros(WIDER_STEPS), where=claimed > 0)
        return _area(found / total, precision)


def wider_counts(
    boxes: Sequence[Float[np.ndarray, "_ 4"]],
    scores: Sequence[Float[np.ndarray, " _"]],
    truth: Sequence[Float[np.ndarray, "_ 4"]],
    counted: Sequence[Bool[np.ndarray, " _"]],
    iou: float = 0.5,
) -> WiderCounts:
    """Counts of WIDER FACE's evaluation; their `average_precision` is the figure.

    As the official code has it: scores are brought to [0, 1] over the whole set and read at 1000
    thresholds. A detection belongs to the true box that it overlaps most. If that face does not
    count in this subset, the detection is neither right nor wrong; if it was found already, the
    detection is wrong. Pixels are counted with both ends, so a box is one longer than x2 - x1.
    Detections in a picture without any true box are left out. Where all scores are equal, they
    are 1 (the official code has no answer).

    Source: S. Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016, and its
    evaluation code.

    Args:
        boxes: found in each picture: x, y, x + width, y + height.
        scores: of those boxes; more is surer.
        truth: every true box of each picture, whatever the subset.
        counted: which of them the subset (easy, medium, hard) counts.
        iou: overlap from which a box is found.

    Raises:
        BadInput: there is no true box, lengths differ, or a number is not finite.
    """
    _need_pictures(boxes, scores, truth)
    need([*map(len, truth)] == [*map(len, counted)], "one `counted` a true box expected")
    every = np.concatenate([np.asarray(s, np.float64) for s in scores])
    low, high = (every.min(), every.max()) if len(every) else (0.0, 0.0)
    rows = []
    for found, score, real, counts in zip(boxes, scores, truth, counted, strict=True):
        level = (
            (score.astype(np.float64) - low) / (high - low) if high > low else np.ones(len(score))
        )
        rows.append(_wider_picture(found, level, real, counts, iou))
    claimed, hits = (np.stack(column) for column in zip(*rows, strict=True))
    faces = np.asarray([counts.sum() for counts in counted], np.int64)
    return WiderCounts(claimed, hits, faces)


def _wider_picture(
    boxes: np.ndarray, scores: np.ndarray, truth: np.ndarray, counted: np.ndarray, iou: float
) -> tuple[np.ndarray, np.ndarray]:
    """Claimed and found at each threshold."""
    if not len(boxes) or not len(truth):
        return np.zeros(WIDER_STEPS, np.int64), np.zeros(WIDER_STEPS, np.int64)
    order = np.argsort(-scores, kind="stable")
    both_ends = np.asarray([0.0, 0.0, 1.0, 1.0])
    overlaps = box_iou(boxes[order] + both_ends, truth + both_ends)
    nearest = overlaps.argmax(1)
    touches = overlaps.max(1) >= iou
    claims = ~(touches & ~counted[nearest])
    hits = touches & counted[nearest]
    _, first = np.unique(np.where(hits, nearest, -1), return_index=True)
    new = np.isin(np.arange(len(order)), first) & hits
    thresholds = 1 - np.arange(1, WIDER_STEPS + 1) / WIDER_STEPS
    reached = np.searchsorted(-scores[order], -thresholds, side="right")
    claimed, found = (np.append(0, np.cumsum(flags))[reached] for flags in (claims, new))
    return claimed, found


@dataclass(frozen=True)
class CocoPrecision:
    """COCO's average precision at each overlap.

    Attributes:
        ious: the overlaps from which a box is found.
        values: AP at each, in [0, 1].
    """

    ious: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the overlaps; with all ten this is what COCO calls AP."""
        return float(np.mean(self.values))


def coco_precision(
    boxes: Sequence[Float[np.ndarray, "_ 4"]],
    scores: Sequence[Float[np.ndarray, " _"]],
    truth: Sequence[Float[np.ndarray, "_ 4"]],
    *,
    ignore: Sequence[Bool[np.ndarray, " _"]] | None = None,
    crowd: Sequence[Bool[np.ndarray, " _"]] | None = None,
    ious: Sequence[float] = COCO_IOUS,
    max_detections: int = 100,
    area: tuple[float, float] = EVERYWHERE,
) -> CocoPrecision:
    """Average precision as COCO's evaluation has it: the mean of 101 precisions.

    Best score first, a detection takes the true box that it overlaps most and that is free, one
    that counts before one that does not. What takes a box that does not count is neither right nor
    wrong, nor is an unmatched detection outside `area`. Equal scores keep the pictures' order.

    Source: T.-Y. Lin et al., "Microsoft COCO", ECCV 2014, and its evaluation code.

    Args:
        boxes: found in each picture, pixels.
        scores: of those boxes; more is surer.
        truth: the true boxes of each picture.
        ignore: which true boxes do not count.
        crowd: which of them are many faces in one box: they do not count, any number of
            detections may take one, and overlap is then the share of the detection.
        ious: overlaps from which a box is found.
        max_detections: the best so many of a picture are looked at.
        area: smallest and largest area that counts, square pixels, both included. COCO has this
            of the outline; boxes are all that a face has.

    Raises:
        BadInput: no true box counts, lengths differ, or a number is not finite.
    """
    _need_pictures(boxes, scores, truth)
    need(max_detections > 0 and len(ious) > 0, "a detection and an overlap at least")
    crowds = crowd if crowd is not None else [np.zeros(len(t), bool) for t in truth]
    ignored = ignore if ignore is not None else [np.zeros(len(t), bool) for t in truth]
    for flags in (crowds, ignored):
        need([*map(len, flags)] == [*map(len, truth)], "one flag a true box expected")
    limits = np.minimum(np.asarray(ious, np.float64), 1 - 1e-10)
    outside = [_outside(np.asarray(t, np.float64), area) for t in truth]
    skipped = [i | c | o for i, c, o in zip(ignored, crowds, outside, strict=True)]
    total = sum(int((~s).sum()) for s in skipped)
    need(total > 0, "average precision needs at least one true box that counts")
    looked = [np.argsort(-s, kind="stable")[:max_detections] for s in scores]
    right, aside = [], []
    for b, rows, t, s, c in zip(boxes, looked, truth, skipped, crowds, strict=True):
        found = np.asarray(b, np.float64)[rows]
        one, other = _coco_match(found, np.asarray(t, np.float64), s, c, limits)
        right.append(one)
        aside.append(other | (~one & _outside(found, area)))
    ranked = np.concatenate([s[rows] for s, rows in zip(scores, looked, strict=True)])
    order = np.argsort(-ranked, kind="stable")
    flags = np.concatenate(right, 1)[:, order], np.concatenate(aside, 1)[:, order]
    values = [_coco_mean(r[~a], total) for r, a in zip(*flags, strict=True)]
    return CocoPrecision(tuple(map(float, ious)), tuple(values))


def _coco_match(
    boxes: np.ndarray, truth: np.ndarray, skipped: np.ndarray, crowd: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Per limit and detection, best score first: right, and neither right nor wrong."""
    right = np.zeros((len(limits), len(boxes)), bool)
    aside = right.copy()
    if not len(truth):
        return right, aside
    overlaps = _coco_overlaps(boxes, truth, crowd)
    for level, limit in enumerate(limits):
        free = np.ones(len(truth), bool)
        for row, overlap in enumerate(overlaps):
            open_ = (free | crowd) & (overlap >= limit)
            counting = open_ & ~skipped
            pool = np.flatnonzero(counting if counting.any() else open_)
            if not len(pool):
                continue
            # Of equal overlaps the last one, as in the official code.
            taken = pool[len(pool) - 1 - int(overlap[pool][::-1].argmax())]
            free[taken] = False
            (aside if skipped[taken] else right)[level, row] = True
    return right, aside


def _coco_overlaps(boxes: np.ndarray, truth: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    overlaps = box_iou(boxes, truth)
    if crowd.any():
        low = np.maximum(boxes[:, None, :2], truth[None, crowd, :2])
        high = np.minimum(boxes[:, None, 2:], truth[None, crowd, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=2)
        own = box_area(boxes)[:, None]
        overlaps[:, crowd] = np.divide(shared, own, out=np.zeros_like(shared), where=own > 0)
    return overlaps


def _coco_mean(right: np.ndarray, total: int) -> float:
    """Mean precision at 101 recalls, of detections best first."""
    hits = np.cumsum(right)
    envelope = _envelope(hits / np.arange(1, len(hits) + 1))
    places = np.searchsorted(hits / total, COCO_RECALLS, side="left")
    return float(np.append(envelope, 0.0)[places].mean())


def _outside(boxes: np.ndarray, area: tuple[float, float]) -> np.ndarray:
    size = box_area(boxes)
    return (size < area[0]) | (size > area[1])


def _area(recall: np.ndarray, precision: np.ndarray) -> float:
    return float(np.sum(np.diff(recall, prepend=0.0) * _envelope(precision)))


def _envelope(precision: np.ndarray) -> np.ndarray:
    """The best precision from here on."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def _need_pictures(
    boxes: Sequence[np.ndarray], scores: Sequence[np.ndarray], truth: Sequence[np.ndarray]
) -> None:
    need(len(boxes) == len(scores) == len(truth), "boxes, scores and truth of the same pictures")
    need([*map(len, boxes)] == [*map(len, scores)], "one score a box expected")
    need(sum(map(len, truth)) > 0, "average precision needs at least one true box")
    for found, score, real in zip(boxes, scores, truth, strict=True):
        fits = found.shape[1:] == real.shape[1:] == (4,) and score.ndim == 1
        need(fits, "boxes of four numbers expected, and scores of one")
        need_finite(boxes=found, scores=score, truth=real)
