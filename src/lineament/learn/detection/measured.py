"""What a detector with points and pose is measured by, and how one is held against another.

A figure is computed from units that are drawn with replacement for its interval: scenes for the
average precision, faces for errors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int64

from lineament.core.faces import Faces
from lineament.core.geometry import box_iou
from lineament.core.image import Image
from lineament.measure.checks import need
from lineament.measure.detection import match
from lineament.measure.interval import bootstrap

AP, TAUGHT, POINTS, POSE = "AP50", "NME to the teacher", "NME on UCLA-68", "pose MAE"
"""Names of the figures."""
OVERLAP = 0.5
"""Intersection over union from which a face is found."""
ROUNDS = 500


@runtime_checkable
class Figure(Protocol):
    """A number, and what it is for other draws of its units."""

    def __len__(self) -> int:
        """Units."""
        ...

    def __call__(self, rows: Int[np.ndarray, " m"]) -> float: ...


@dataclass(frozen=True, eq=False)
class Precision:
    """Average precision (Pascal VOC 2010 and later) of some scenes.

    Attributes:
        scores: of each scene's detections.
        right: which of them are.
        faces: how many each scene has.
    """

    scores: Sequence[Float[np.ndarray, " _"]]
    right: Sequence[Bool[np.ndarray, " _"]]
    faces: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.faces)

    def __call__(self, rows: Int[np.ndarray, " m"]) -> float:
        scenes, right = self._by_score
        times = np.bincount(rows, minlength=len(self))[scenes]
        hits = np.cumsum(times * right)
        precision = hits / np.maximum(np.cumsum(times), 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        return float((best * times)[right].sum() / self.faces[rows].sum())

    @cached_property
    def _by_score(self) -> tuple[Int64[np.ndarray, " d"], Bool[np.ndarray, " d"]]:
        """Of all detections, the most certain first, their scenes and whether they are right: a
        scene that is drawn several times counts so often, and nothing is sorted anew."""
        order = np.argsort(-np.concatenate(self.scores), kind="stable")
        scenes = np.repeat(np.arange(len(self)), [len(each) for each in self.scores])
        return scenes[order], np.concatenate(self.right)[order]


@dataclass(frozen=True, eq=False)
class MeanError:
    """Mean of the errors of those faces that were found.

    Attributes:
        errors: of each face; NaN where it was not found.

    Raises:
        BadInput: when asked for a draw of which none was found.
    """

    errors: Float64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.errors)

    def __call__(self, rows: Int[np.ndarray, " m"]) -> float:
        known = self.errors[rows]
        known = known[np.isfinite(known)]
        need(len(known) > 0, "none of these faces was found")
        return float(known.mean())

    @property
    def found(self) -> int:
        """Faces that have an error."""
        return int(np.isfinite(self.errors).sum())


def precision(found: Sequence[Faces], truth: Sequence[Float32[np.ndarray, "_ 4"]]) -> Precision:
    """AP at `OVERLAP` of what was found in some scenes."""
    pairs = zip(found, truth, strict=True)
    right = [match(faces.boxes, faces.scores, real, OVERLAP) for faces, real in pairs]
    return Precision([f.scores for f in found], right, np.asarray([len(t) for t in truth]))


def nearest(faces: Faces, box: Float32[np.ndarray, " 4"], overlap: float) -> int | None:
    """The face that overlaps a box most, by at least `overlap`."""
    if not len(faces):
        return None
    shared = box_iou(faces.boxes, box[None])[:, 0]
    best = int(shared.argmax())
    return best if shared[best] >= overlap else None


def mean(figures: Sequence[Figure]) -> float:
    """Over seeds, of all units."""
    return mean_of(figures, np.arange(len(figures[0])))


def mean_of(figures: Sequence[Figure], rows: Int[np.ndarray, " m"]) -> float:
    """Over seeds, of a draw of units."""
    return float(np.mean([figure(rows) for figure in figures]))


def interval(figures: Sequence[Figure]) -> tuple[float, float]:
    """Of the mean over seeds, over draws of units."""
    units = np.arange(len(figures[0]))
    return bootstrap(lambda rows: mean_of(figures, rows), units, rounds=ROUNDS).pair


def gap(ours: Sequence[Figure], theirs: Sequence[Figure]) -> tuple[float, float, float]:
    """Ours less theirs, and its interval over draws of units that both share."""
    units = np.arange(len(ours[0]))

    def less(rows: Int[np.ndarray, " m"]) -> float:
        return mean_of(ours, rows) - mean_of(theirs, rows)

    return (less(units), *bootstrap(less, units, rounds=ROUNDS).pair)


def timed(look: Callable[[Sequence[Image]], list[Faces]], images: Sequence[Image]) -> float:
    """Median of the milliseconds of processor time that it takes for one picture."""
    taken = []
    for image in images:
        start = time.process_time()
        look([image])
        taken.append(1000 * (time.process_time() - start))
    return float(np.median(taken))
