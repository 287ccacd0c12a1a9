"""Points of a face held steady over time: the One Euro filter.

A low-pass whose cutoff rises with speed: at rest it takes the jitter out, in motion it lags little.

Source: G. Casiez, N. Roussel, D. Vogel, "1 Euro Filter: a simple speed-based low-pass filter for
noisy input in interactive systems", CHI 2012, equations 1 to 5 and algorithm 1.
"""

from __future__ import annotations

from math import tau

import numpy as np
from jaxtyping import Float32, Float64

from lineament.core.errors import BadInput


class OneEuro:
    """The filter for the points of one face, at times that need not be evenly spaced.

    Unlike the paper's, it measures speed in sizes of the face a second, so that the same settings
    hold for a face near and far; and the two coordinates of a point share one cutoff, by the length
    of the point's velocity, so that a turned picture is filtered alike.

    Args:
        min_cutoff: cutoff at rest, Hz. Lower takes out more jitter.
        beta: how much the cutoff rises, Hz for one face size a second. Higher lags less.
        derivative_cutoff: cutoff of the velocity, Hz.
        gap: seconds without points after which the next ones count as the first.

    Raises:
        BadInput: a cutoff or the gap is not above 0, or `beta` is below 0.

    Example:
        >>> steady = OneEuro()
        >>> for frame in frames:
        ...     points = steady(frame.points, frame.seconds)
    """

    def __init__(
        self,
        min_cutoff: float = 0.5,
        beta: float = 50.0,
        derivative_cutoff: float = 1.0,
        gap: float = 0.5,
    ) -> None:
        if not (min_cutoff > 0 and derivative_cutoff > 0 and gap > 0 and beta >= 0):
            raise BadInput("cutoffs and gap are above 0, and beta is at least 0")
        self.min_cutoff = min_cutoff
        self.beta = beta
        self.derivative_cutoff = derivative_cutoff
        self.gap = gap
        self.reset()

    def reset(self) -> None:
        """Forget all points: the next ones count as the first."""
        self._seconds = float("-inf")
        self._points: Float64[np.ndarray, "k 2"] = np.empty((0, 2))
        self._velocity: Float64[np.ndarray, "k 2"] = np.empty((0, 2))

    def __call__(
        self, points: Float32[np.ndarray, "k 2"], seconds: float, size: float | None = None
    ) -> Float32[np.ndarray, "k 2"]:
        """The points of one moment, steadied. The first ones come back as they are.

        Args:
            points: of the face, pixels; as many each time.
            seconds: when; later than the time before.
            size: of the face, pixels; None takes the longer side of the box around the points.

        Raises:
            BadInput: the time does not go on, a number is not finite, the number of points has
                changed, or the size is not above 0.
        """
        if not (np.isfinite(points).all() and np.isfinite(seconds)):
            raise BadInput("points and their time must be finite numbers")
        step = seconds - self._seconds
        if step <= 0:
            raise BadInput(f"time must go on: {seconds} after {self._seconds} seconds")
        now = points.astype(np.float64)
        if step > self.gap:
            self._points, self._velocity = now, np.zeros_like(now)
        elif now.shape != self._points.shape:
            raise BadInput(f"{len(now)} points after {len(self._points)}; reset between faces")
        else:
            self._advance(now, step, _size(now) if size is None else size)
        self._seconds = seconds
        return self._points.astype(np.float32)

    def _advance(self, now: Float64[np.ndarray, "k 2"], step: float, size: float) -> None:
        if not size > 0:
            raise BadInput(f"the size of a face is above 0, not {size}")
        velocity = (now - self._points) / (step * size)
        share = _share(self.derivative_cutoff, step)
        self._velocity = self._velocity + share * (velocity - self._velocity)
        speed = np.linalg.norm(self._velocity, axis=1, keepdims=True)
        share = _share(self.min_cutoff + self.beta * speed, step)
        self._points = self._points + share * (now - self._points)


def _share(
    cutoff: float | Float64[np.ndarray, "k 1"], step: float
) -> float | Float64[np.ndarray, "k 1"]:
    """How much of what is new a low-pass of this cutoff (Hz) takes after `step` seconds."""
    return 1 / (1 + 1 / (tau * cutoff * step))


def _size(points: Float64[np.ndarray, "k 2"]) -> float:
    return float(np.ptp(points, axis=0).max(initial=0))
