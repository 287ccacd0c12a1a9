"""Online feedback sampling: the loss of a step decides what the next step sees.

Where small faces had too little share in the loss, the next pictures are stitched of four, each at
half its size, so that there are more small faces. Otherwise half of the next pictures are those in
which something was taken for a face, drawn the more often the more false detections they had, and
cut anew around the surest of them.

The state lies in buffers, so that a checkpoint holds it and a resumed run goes on the same.

Source: arXiv:2110.10953, figure 2e (add small faces, or false detections, as the loss tells); the
share of small faces and its threshold are those of Y. Chen et al., "Stitcher", arXiv:2004.12432,
section 3.2, of which the figure's pictures are.
"""

from __future__ import annotations

from math import sqrt
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from lineament.learn.detection.anchors import SIDES

THRESHOLD = 0.1
"""Share of the boxes' loss below which small faces are called neglected."""
SMALL = sqrt(SIDES[0][0] * SIDES[0][1])
"""A face of a lesser side is small: the smallest anchor is nearest to it. Pixels."""
DRAWN = 0.5
"""Share of the pictures that false detections may claim."""


def claimed(count: int, errors: Float[np.ndarray, " n"]) -> int:
    """How many of so many pictures false detections claim: none where there are none."""
    return int(DRAWN * count) if errors.any() else 0


def draw(
    rows: Int64[np.ndarray, " b"], errors: Float[np.ndarray, " n"], rng: np.random.Generator
) -> Int64[np.ndarray, " b"]:
    """Rows of a step, the first of them, as many as are `claimed`, replaced by draws in proportion
    to `errors`.

    Args:
        rows: of the step.
        errors: false detections of every row of the data.
        rng: draws.
    """
    if not (count := claimed(len(rows), errors)):
        return rows
    drawn = rng.choice(len(errors), count, p=errors / errors.sum())
    return np.concatenate([drawn, rows[count:]])


class Feedback(nn.Module):
    """What the last steps tell the next one.

    Args:
        rows: of the data.
    """

    share: Tensor
    errors: Tensor
    places: Tensor
    steps: Tensor

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.register_buffer("share", torch.ones((), dtype=torch.float64))
        self.register_buffer("errors", torch.zeros(rows, dtype=torch.float64))
        self.register_buffer("places", torch.zeros(rows, 2, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros(2, dtype=torch.int64))

    @property
    def wants_small(self) -> bool:
        """Whether the next pictures are to be stitched."""
        return float(self.share) < THRESHOLD

    @property
    def stitched(self) -> float:
        """Share of the steps so far whose pictures were stitched."""
        return float(self.steps[1] / self.steps.sum().clamp(min=1))

    def draw(
        self, rows: Int64[np.ndarray, " b"], rng: np.random.Generator
    ) -> list[tuple[int, np.ndarray | None]]:
        """`draw` with the errors seen so far: each row, and for those drawn the place of their
        surest false detection, pixels of the scene."""
        errors, places = self.errors.numpy(force=True), self.places.numpy(force=True)
        count = claimed(len(rows), errors)
        drawn = draw(rows, errors, rng).tolist()
        return [(row, places[row] if k < count else None) for k, row in enumerate(drawn)]

    @torch.no_grad()
    def note_loss(self, small: Tensor, total: Tensor, was_stitched: bool) -> None:
        """Keep the share of small faces in a step's loss; of no loss at all, it is 1."""
        share = cast("Tensor", small / total) if float(total) else torch.ones(())
        self.share.copy_(share)
        self.steps[int(was_stitched)] += 1

    @torch.no_grad()
    def note_errors(self, row: int, count: int, place: np.ndarray) -> None:
        """Keep how many false detections a row had now, and where the surest was."""
        self.errors[row] = count
        self.places[row] = torch.from_numpy(np.asarray(place, np.float64))
