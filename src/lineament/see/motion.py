"""Where a moving box will be: a Kalman filter of constant velocity, for many boxes at once.

Source: R. E. Kalman, "A New Approach to Linear Filtering and Prediction Problems", 1960; the use on
boxes follows A. Bewley et al., "Simple Online and Realtime Tracking", arXiv:1602.00763, section
3.2. Here centre and size are four coordinates of equal standing, each with a velocity, noise is
measured in the box's own height, and steps in time may differ, as they do in videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

_JITTER = 0.03
"""Standard deviation of a detector's box, in heights of it."""
_PUSH = 3.0
"""Standard deviation of acceleration, in heights a second squared: heads turn and stop at will."""
_FIRST_SPEED = 2.0
"""Standard deviation of the velocity before anything is known of it, in heights a second."""


@dataclass(frozen=True, eq=False)
class Motion:
    """n boxes with their velocities, all at one time.

    Attributes:
        seconds: that time.
        place: centre x and y, width and height, pixels.
        speed: of the same, a second.
        spread: covariance of place and speed, the same for each coordinate, in heights.
    """

    seconds: float
    place: Float64[np.ndarray, "n 4"]
    speed: Float64[np.ndarray, "n 4"]
    spread: Float64[np.ndarray, "n 2 2"]

    @classmethod
    def at(cls, boxes: Float[np.ndarray, "n 4"], seconds: float) -> Motion:
        """Boxes seen for the first time."""
        first = np.diag([_JITTER**2, _FIRST_SPEED**2])
        place = _place(boxes)
        return cls(seconds, place, np.zeros_like(place), np.tile(first, (len(boxes), 1, 1)))

    def __len__(self) -> int:
        return len(self.place)

    def __getitem__(self, rows: np.ndarray) -> Motion:
        return Motion(self.seconds, self.place[rows], self.speed[rows], self.spread[rows])

    @staticmethod
    def join(parts: Sequence[Motion]) -> Motion:
        """The boxes of several, which must be of one time."""
        columns = ([getattr(p, name) for p in parts] for name in ("place", "speed", "spread"))
        return Motion(parts[0].seconds, *map(np.concatenate, columns))

    @property
    def boxes(self) -> Float32[np.ndarray, "n 4"]:
        """x1, y1, x2, y2."""
        half = np.maximum(self.place[:, 2:], 1) / 2
        corners = np.concatenate([self.place[:, :2] - half, self.place[:, :2] + half], axis=1)
        return corners.astype(np.float32)

    def to(self, seconds: float) -> Motion:
        """The boxes as they are expected at a later time."""
        step = seconds - self.seconds
        move = np.asarray([[1.0, step], [0.0, 1.0]])
        push = _PUSH**2 * np.outer([step**2 / 2, step], [step**2 / 2, step])
        spread = move @ self.spread @ move.T + push
        return Motion(seconds, self.place + step * self.speed, self.speed, spread)

    def seen(self, rows: Int64[np.ndarray, " k"], boxes: Float[np.ndarray, "k 4"]) -> Motion:
        """With some of the boxes corrected by what was really seen."""
        gain = self.spread[rows, :, 0] / (self.spread[rows, :1, 0] + _JITTER**2)
        off = _place(boxes) - self.place[rows]
        place, speed, spread = self.place.copy(), self.speed.copy(), self.spread.copy()
        place[rows] += gain[:, :1] * off
        speed[rows] += gain[:, 1:] * off
        spread[rows] -= gain[:, :, None] * self.spread[rows, :1]
        return replace(self, place=place, speed=speed, spread=spread)


def _place(boxes: Float[np.ndarray, "n 4"]) -> Float64[np.ndarray, "n 4"]:
    low, high = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64)
    return np.concatenate([(low + high) / 2, high - low], axis=1)
