"""From the network's maps to candidates: boxes, scores, five points and poses. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from lineament.learn.detection.anchors import (
    BINS,
    PER_CELL,
    STRIDES,
    WIDTHS,
    anchors,
    decode_boxes,
    decode_points,
    expected_angles,
)

_POINTS = 5


@dataclass(frozen=True, eq=False)
class Found:
    """Candidates of one picture, many to a face.

    Attributes:
        boxes: x1, y1, x2, y2 in pixels of what the network saw.
        scores: in [0, 1].
        points: scheme "5" in the same pixels.
        poses: pitch, yaw, roll, radians.
    """

    boxes: Float32[np.ndarray, "k 4"]
    scores: Float32[np.ndarray, " k"]
    points: Float32[np.ndarray, "k 5 2"]
    poses: Float32[np.ndarray, "k 3"]


def decode(maps: Sequence[Float32[np.ndarray, "_ _ _"]], score: float) -> Found:
    """The anchors of one picture that are at least so sure of a face.

    Args:
        maps: of each stride: channels x rows x columns.
        score: least score, in [0, 1].
    """
    height, width = (side * STRIDES[0] for side in maps[0].shape[1:])
    tasks = by_task(maps)
    with np.errstate(over="ignore"):  # far from a face the exponential is infinite, its inverse 0
        scores = 1 / (1 + np.exp(-tasks["class"][:, 0]))
    rows = np.flatnonzero(scores >= score)
    places = anchors(height, width)[rows]
    return Found(
        decode_boxes(tasks["box"][rows], places),
        scores[rows],
        decode_points(tasks["points"][rows].reshape(-1, _POINTS, 2), places),
        expected_angles(tasks["pose"][rows].reshape(-1, 3, BINS)),
    )


def by_task(maps: Sequence[Float32[np.ndarray, "_ _ _"]]) -> dict[str, Float32[np.ndarray, "n _"]]:
    """What each task says, a row an anchor, in the anchors' order."""
    parts: dict[str, list[np.ndarray]] = {task: [] for task in WIDTHS}
    for answers in maps:
        start = 0
        for task, count in WIDTHS.items():
            own = answers[start : start + PER_CELL * count]
            cells = own.reshape(PER_CELL, count, -1).transpose(2, 0, 1)
            parts[task].append(cells.reshape(-1, count))
            start += PER_CELL * count
    return {task: np.concatenate(part) for task, part in parts.items()}
