"""Trackers that ours is measured beside: by motion alone, and by looks alone.

Source: A. Bewley et al., "Simple Online and Realtime Tracking", arXiv:1602.00763, section 3 (SORT:
a motion filter, overlap, the best matching; who is missed for more than a frame is gone).
"""

from __future__ import annotations

from itertools import count

import numpy as np
from jaxtyping import Float, Float32, Int64

from lineament.core.assignment import assign
from lineament.core.geometry import box_iou
from lineament.see.motion import Motion

CONFIRM = 3
"""Frames in which a face must be seen to get a number; ours asks for as many."""
_OVERLAP = 0.3
"""Least overlap with the place where a face was expected (SORT, section 4)."""


class Sort:
    """SORT, with our motion filter.

    Args:
        keep: frames that a face may be missed in a row before it is forgotten; the paper's is 1.
    """

    def __init__(self, keep: int = 1) -> None:
        self._keep = keep
        self._motion: Motion | None = None
        self._seen = np.zeros(0, np.int64)
        self._missed = np.zeros(0, np.int64)
        self._ids = np.zeros(0, np.int64)
        self._numbers = count(1)

    def step(self, seconds: float, boxes: Float32[np.ndarray, "n 4"]) -> Int64[np.ndarray, " n"]:
        """The number of each face of the next frame; 0 where it has none yet."""
        motion = self._motion.to(seconds) if self._motion else Motion.at(boxes[:0], seconds)
        overlap = box_iou(motion.boxes, boxes)
        pairs = assign(np.where(overlap >= _OVERLAP, overlap, 0).astype(np.float64))
        motion = motion.seen(pairs[:, 0], boxes[pairs[:, 1]])
        self._missed += 1
        self._missed[pairs[:, 0]] = 0
        self._seen[pairs[:, 0]] += 1
        new = np.setdiff1d(np.arange(len(boxes)), pairs[:, 1])
        stays = np.flatnonzero(self._missed <= self._keep)
        rows = np.full(len(boxes), -1)
        rows[pairs[:, 1]] = np.searchsorted(stays, pairs[:, 0])
        rows[new] = len(stays) + np.arange(len(new))
        self._motion = Motion.join([motion[stays], Motion.at(boxes[new], seconds)])
        self._missed = np.concatenate([self._missed[stays], np.zeros(len(new), np.int64)])
        self._seen = np.concatenate([self._seen[stays], np.ones(len(new), np.int64)])
        self._ids = np.concatenate([self._ids[stays], np.zeros(len(new), np.int64)])
        for row in np.flatnonzero((self._seen >= CONFIRM) & (self._ids == 0)):
            self._ids[row] = next(self._numbers)
        return self._ids[rows]


class Looks:
    """Each face of a frame goes to the person whom it looks most like, wherever it is.

    Args:
        same: least cosine to a person's mean embedding; a face that is like nobody is somebody new.
    """

    def __init__(self, same: float) -> None:
        self._same = same
        self._sums: list[np.ndarray] = []
        self._seen: list[int] = []
        self._ids: list[int] = []
        self._numbers = count(1)

    def step(self, vectors: Float[np.ndarray, "n d"]) -> Int64[np.ndarray, " n"]:
        """The number of each face of the next frame, by its embedding of length 1."""
        rows = np.full(len(vectors), -1)
        if self._sums and len(vectors):
            means = np.stack([total / np.linalg.norm(total) for total in self._sums])
            alike = vectors @ means.T
            pairs = assign(np.where(alike >= self._same, alike, 0).astype(np.float64))
            rows[pairs[:, 0]] = pairs[:, 1]
        for face, row in enumerate(rows.tolist()):
            if row < 0:
                rows[face] = row = len(self._sums)
                self._sums.append(np.zeros(vectors.shape[1]))
                self._seen.append(0)
                self._ids.append(0)
            self._sums[row] = self._sums[row] + vectors[face]
            self._seen[row] += 1
            if not self._ids[row] and self._seen[row] >= CONFIRM:
                self._ids[row] = next(self._numbers)
        return np.asarray([self._ids[row] for row in rows.tolist()], np.int64)
