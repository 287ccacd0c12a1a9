"""How well faces are followed through a video: misses, false finds, and identities mixed up.

Source: K. Bernardin, R. Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR
MOT Metrics", 2008 (MOTA and identity switches); E. Ristani et al., "Performance Measures and a Data
Set for Multi-Target, Multi-Camera Tracking", arXiv:1609.01775, section 3 (IDF1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from lineament.core.assignment import assign
from lineament.core.errors import BadInput
from lineament.core.geometry import box_iou


@dataclass(frozen=True, eq=False)
class Labelled:
    """The boxes of a frame and whose each is.

    Attributes:
        ids: no number twice.
        boxes: x1, y1, x2, y2, pixels.

    Raises:
        BadInput: an id stands there twice, or a coordinate is not finite.
    """

    ids: Int64[np.ndarray, " n"]
    boxes: Float[np.ndarray, "n 4"]

    def __post_init__(self) -> None:
        if len(np.unique(self.ids)) != len(self.ids):
            raise BadInput("an identity stands twice in one frame")
        if not np.all(np.isfinite(self.boxes)):
            raise BadInput("a box must have finite coordinates")


@dataclass(frozen=True)
class TrackingScore:
    """What tracking got right and wrong.

    Attributes:
        boxes: of the truth, in all frames.
        misses: of them, those that nothing was matched with.
        false_finds: boxes of the answer that nothing was matched with.
        switches: times that somebody's identity in the answer changed.
        mota: 1 - (misses + false finds + switches) / boxes; at most 1, and below 0 where there are
            more errors than boxes.
        idf1: share of the boxes, of truth and answer together, that agree under the best matching
            of whole identities, in [0, 1].
    """

    boxes: int
    misses: int
    false_finds: int
    switches: int
    mota: float
    idf1: float


def tracking_score(
    truth: Sequence[Labelled], answer: Sequence[Labelled], *, overlap: float = 0.5
) -> TrackingScore:
    """Compare two labellings of the same frames.

    Args:
        truth: of each frame in turn.
        answer: of the same frames.
        overlap: least intersection over union of boxes that can be matched, in (0, 1].

    Raises:
        BadInput: the numbers of frames differ, or there is not one box in the truth.
    """
    if len(truth) != len(answer):
        raise BadInput(f"{len(truth)} frames of truth against {len(answer)}")
    boxes = sum(len(frame.ids) for frame in truth)
    if not boxes:
        raise BadInput("there is nobody to follow in the truth")
    given = sum(len(frame.ids) for frame in answer)
    matched, switches, latest = 0, 0, dict[int, int]()
    agreeing: Counter[tuple[int, int]] = Counter()
    for frame, reply in zip(truth, answer, strict=True):
        shared = box_iou(frame.boxes, reply.boxes)
        near = shared >= overlap
        agreeing.update(
            (int(frame.ids[row]), int(reply.ids[column])) for row, column in np.argwhere(near)
        )
        for row, column in _matches(frame, reply, np.where(near, shared, 0), latest):
            who, label = int(frame.ids[row]), int(reply.ids[column])
            switches += latest.get(who, label) != label
            latest[who] = label
            matched += 1
    misses, false_finds = boxes - matched, given - matched
    return TrackingScore(
        boxes,
        misses,
        false_finds,
        switches,
        1 - (misses + false_finds + switches) / boxes,
        2 * _best_agreement(agreeing) / (boxes + given),
    )


def _matches(
    frame: Labelled, reply: Labelled, shared: Float[np.ndarray, "n m"], latest: dict[int, int]
) -> list[list[int]]:
    """Matches of one frame: those of the frames before go on while they can, then the best."""
    benefit = shared.astype(np.float64)
    for row, who in enumerate(frame.ids.tolist()):
        before = np.flatnonzero(reply.ids == latest.get(who))
        if len(before):
            benefit[row, before] += len(frame.ids) + 1.0
    benefit[shared <= 0] = 0
    return assign(benefit).tolist()


def _best_agreement(agreeing: Counter[tuple[int, int]]) -> int:
    """Most boxes that agree when each identity of the truth stands for one of the answer."""
    if not agreeing:
        return 0
    pairs = np.asarray(list(agreeing), np.int64)
    people, rows = np.unique(pairs[:, 0], return_inverse=True)
    labels, columns = np.unique(pairs[:, 1], return_inverse=True)
    counts = np.zeros((len(people), len(labels)))
    counts[rows, columns] = list(agreeing.values())
    best = assign(counts)
    return int(counts[best[:, 0], best[:, 1]].sum())
