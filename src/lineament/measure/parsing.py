"""How well a face is cut into its parts: IoU and F1 of each class, from one confusion matrix.

Pictures are added one by one, so memory does not grow with their number. A class is *present* where
it stands in the truth or in an answer; one that stands in neither has no score and enters no mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int, Int64

from lineament.measure.checks import need


class Confusion:
    """Pixels by true class (rows) and answered class (columns), summed over pictures.

    For an interval keep one a picture, draw, and add those drawn with `+`.

    Args:
        classes: their names, in the order of their numbers.

    Raises:
        BadInput: there is no class, or a name stands twice.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        need(0 < len(classes) == len(set(classes)), "class names must differ, and be some")
        self.classes = tuple(classes)
        self.pixels: Int64[np.ndarray, "c c"] = np.zeros((len(classes),) * 2, np.int64)

    def add(
        self,
        found: Int[np.ndarray, "*s"],
        truth: Int[np.ndarray, "*s"],
        counted: Bool[np.ndarray, "*s"] | None = None,
    ) -> None:
        """Count a picture.

        Args:
            found: the class of each pixel.
            truth: the same, as annotated.
            counted: pixels that count; None counts all.

        Raises:
            BadInput: shapes differ, or a pixel that counts has a number that is no class.
        """
        need(found.shape == truth.shape, f"shapes {found.shape} and {truth.shape} differ")
        if counted is not None:
            need(counted.shape == truth.shape, "one flag a pixel expected")
            found, truth = found[counted], truth[counted]
        count = len(self.classes)
        for labels in (found, truth):
            need(
                ((labels >= 0) & (labels < count)).all(),
                f"class numbers must lie in 0 to {count - 1}",
            )
        cells = truth.ravel().astype(np.int64) * count + found.ravel().astype(np.int64)
        self.pixels += np.bincount(cells, minlength=count * count).reshape(count, count)

    def __add__(self, other: Confusion) -> Confusion:
        need(self.classes == other.classes, "confusions of other classes cannot be added")
        total = Confusion(self.classes)
        total.pixels = self.pixels + other.pixels
        return total

    def iou(self) -> dict[str, float]:
        """TP / (TP + FP + FN) of each class present."""
        return self._scores(1)

    def f1(self) -> dict[str, float]:
        """2 TP / (2 TP + FP + FN) of each class present; F1 of pixels, also called Dice."""
        return self._scores(2)

    def mean_iou(self, leave_out: Sequence[str] = ()) -> float:
        """Mean over the classes present, less those left out.

        Raises:
            BadInput: no class is left, or one left out is unknown.
        """
        return self._mean(self.iou(), leave_out)

    def mean_f1(self, leave_out: Sequence[str] = ()) -> float:
        """Mean over the classes present, less those left out; papers leave out the background.

        Raises:
            BadInput: no class is left, or one left out is unknown.
        """
        return self._mean(self.f1(), leave_out)

    def pixel_accuracy(self) -> float:
        """Share of pixels that are right.

        Raises:
            BadInput: nothing was counted.
        """
        need(self.pixels.any(), "no pixel was counted")
        return float(np.trace(self.pixels) / self.pixels.sum())

    def _scores(self, weight: int) -> dict[str, float]:
        """With the pixels that are right counted once (IoU) or twice (F1)."""
        right = np.diag(self.pixels)
        wrong = self.pixels.sum(axis=0) + self.pixels.sum(axis=1) - 2 * right
        rows = zip(self.classes, right * weight, right * weight + wrong, strict=True)
        return {name: float(top / bottom) for name, top, bottom in rows if bottom}

    def _mean(self, scores: dict[str, float], leave_out: Sequence[str]) -> float:
        unknown = set(leave_out) - set(self.classes)
        need(not unknown, f"no such class: {', '.join(sorted(unknown))}")
        kept = [score for name, score in scores.items() if name not in leave_out]
        need(len(kept) > 0, "no class is present")
        return float(np.mean(kept))
