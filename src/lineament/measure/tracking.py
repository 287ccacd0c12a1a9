"""How well faces are followed through a video: misses, false finds, and identities mixed up.

Source: K. Bernardin, R. Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR
MOT Metrics", 2008 (MOTA and identity switches); Y. Li, C. Huang, R. Nevatia, "Learning to
Associate: HybridBoosted Multi-Target Tracker for Crowded Scene", CVPR 2009, section 5 (fragments);
E. Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking",
arXiv:1609.01775, section 3 (IDF1); A. Milan et al., "MOT16", arXiv:1603.00831, section 4.1 (what
nobody is asked to find is taken out of the answer first).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass

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
    """What tracking got right and wrong. Those of several videos add up.

    Attributes:
        boxes: of the truth, in all frames.
        given: boxes of the answer.
        misses: boxes of the truth that nothing was matched with.
        false_finds: boxes of the answer that nothing was matched with.
        switches: times that somebody's identity in the answer changed.
        fragments: times that somebody was found again after frames in which they were to be seen
            and were missed; time out of sight breaks nothing.
        agreeing: boxes that agree under the best matching of whole identities.
    """

    boxes: int
    given: int
    misses: int
    false_finds: int
    switches: int
    fragments: int
    agreeing: int

    @property
    def mota(self) -> float:
        """1 - (misses + false finds + switches) / boxes; at most 1, and below 0 where there are
        more errors than boxes."""
        return 1 - (self.misses + self.false_finds + self.switches) / self.boxes

    @property
    def idf1(self) -> float:
        """Share of the boxes, of truth and answer together, that agree under the best matching of
        whole identities, in [0, 1]."""
        return 2 * self.agreeing / (self.boxes + self.given)

    def __add__(self, other: TrackingScore) -> TrackingScore:
        """Of both videos together: identities of the one are not looked for in the other."""
        return TrackingScore(*map(sum, zip(astuple(self), astuple(other), strict=True)))


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
    matched = switches = fragments = 0
    latest, missed = dict[int, int](), set[int]()
    agreeing: Counter[tuple[int, int]] = Counter()
    for frame, reply in zip(truth, answer, strict=True):
        shared = box_iou(frame.boxes, reply.boxes)
        near = shared >= overlap
        agreeing.update(
            (int(frame.ids[row]), int(reply.ids[column])) for row, column in np.argwhere(near)
        )
        found = {
            int(frame.ids[row]): int(reply.ids[column])
            for row, column in _matches(frame, reply, np.where(near, shared, 0), latest)
        }
        matched += len(found)
        switches += sum(latest.get(who, label) != label for who, label in found.items())
        fragments += len(missed & found.keys())
        latest |= found
        missed = (missed | (set(frame.ids.tolist()) & latest.keys())) - found.keys()
    return TrackingScore(
        boxes,
        given,
        boxes - matched,
        given - matched,
        switches,
        fragments,
        _best_agreement(agreeing),
    )


def without_ignored(
    truth: Sequence[Labelled],
    answer: Sequence[Labelled],
    ignored: Sequence[Float[np.ndarray, "_ 4"]],
    *,
    overlap: float = 0.5,
) -> list[Labelled]:
    """The answer without the boxes of faces that may be found and need not be.

    Each box of the answer is matched with a face of its frame, asked for or not; those that get one
    that is not asked for are left out, so that they are neither right nor wrong.

    Args:
        truth: of each frame in turn: those who are asked for.
        answer: of the same frames.
        ignored: boxes of the others.
        overlap: least intersection over union of boxes that can be matched, in (0, 1].
    """
    kept = []
    for frame, reply, others in zip(truth, answer, ignored, strict=True):
        shared = box_iou(np.concatenate([frame.boxes, others]), reply.boxes)
        pairs = assign(np.where(shared >= overlap, shared, 0))
        left = np.ones(len(reply.ids), bool)
        left[pairs[pairs[:, 0] >= len(frame.ids), 1]] = False
        kept.append(Labelled(reply.ids[left], reply.boxes[left]))
    return kept


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
