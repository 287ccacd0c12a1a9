"""Where a head points over time: forward, left, right, up or down, and for how long.

Pure data: rows for a file, spans for a chart. Nothing here opens a camera or a video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from lineament.core.cards import Card
from lineament.core.errors import BadInput

CARD = Card(
    slug="attention-pose",
    title="Real-Time Confidence Detection through Facial Expressions and Hand Gestures",
    paper="arXiv:2506.09153",
    verb="watch",
    task="Says from the poses of one head over time where it pointed, for how long, and how much "
    "of the time to the front.",
    entry="attention",
    needs=("pose",),
    gives=("orientations", "attention"),
    deviations=(
        "Classes and their limits are ours, as is common with MediaPipe's landmarks: forward, "
        "left, right, up, down, beyond 15 degrees of yaw or pitch. The abstract names neither, and "
        "nothing beyond it was used.",
        "Attention is the share of time that the head points forward. The abstract gives no "
        "formula, and its confidence from expressions and hand gestures is not here.",
        "Left and right are the person's own, as everywhere in this library.",
        "Poses come from any method that gives them, not only from landmarks.",
    ),
    risk=(
        "A head that points elsewhere may be thinking, reading, listening or in pain: this is not "
        "attention, interest or confidence. Watching people so at work, in school or in an "
        "interview is intrusive and punishes disabled and neurodivergent people; inferring "
        "emotions at work and in education is restricted in the EU (Regulation 2024/1689, article "
        "5). Use it on yourself, or on people who asked for it."
    ),
)

ORIENTATIONS: tuple[str, ...] = ("forward", "left", "right", "up", "down")
ABSENT: str = "absent"
"""The orientation of a moment in which no face was found."""
LIMIT = float(np.radians(15.0))
"""Yaw or pitch beyond which a head no longer points forward."""


@dataclass(frozen=True)
class Span:
    """A time without change.

    Attributes:
        start: in seconds.
        end: in seconds; the start of the next span, if there is one.
        orientation: one of `ORIENTATIONS`, or `ABSENT`.
    """

    start: float
    end: float
    orientation: str

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start


@dataclass(frozen=True, eq=False)
class Attention:
    """Where one head pointed over time.

    Attributes:
        times: of the moments looked at, seconds.
        lasted: how long each moment stands for, seconds.
        poses: pitch, yaw, roll of each, radians; NaN where no face was found.
        orientations: of each.
    """

    times: Float64[np.ndarray, " n"]
    lasted: Float64[np.ndarray, " n"]
    poses: Float64[np.ndarray, "n 3"]
    orientations: tuple[str, ...]

    @property
    def score(self) -> float:
        """Share of all time in which the head pointed forward; absent counts as elsewhere."""
        return self.shares["forward"]

    @property
    def shares(self) -> dict[str, float]:
        """Share of all time by orientation, `ABSENT` last. They add up to 1."""
        names = np.asarray(self.orientations)
        total = self.lasted.sum()
        return {n: float(self.lasted[names == n].sum() / total) for n in (*ORIENTATIONS, ABSENT)}

    @property
    def spans(self) -> list[Span]:
        """Times without change, in order and without a gap between them."""
        changed = [i for i in range(1, len(self.times)) if self._changes(i)]
        starts = [0, *changed]
        edges = [*self.times[starts].tolist(), float(self.times[-1] + self.lasted[-1])]
        pairs = zip(starts, edges[:-1], edges[1:], strict=True)
        return [Span(start, end, self.orientations[i]) for i, start, end in pairs]

    @property
    def longest(self) -> dict[str, float]:
        """The longest dwell on each orientation, seconds; 0 where there was none."""
        dwells = dict.fromkeys((*ORIENTATIONS, ABSENT), 0.0)
        for span in self.spans:
            dwells[span.orientation] = max(dwells[span.orientation], span.seconds)
        return dwells

    def running_score(self, window: float = 10.0) -> Float64[np.ndarray, " n"]:
        """The score over the moments that began in the last `window` seconds, at each moment.

        Raises:
            BadInput: the window is not longer than nothing.
        """
        if not window > 0:
            raise BadInput("the window must be longer than nothing")
        forward = np.asarray(self.orientations) == "forward"
        first = np.searchsorted(self.times, self.times - window, side="right")
        return _sums(self.lasted * forward, first) / _sums(self.lasted, first)

    def rows(self) -> list[tuple[float, str, float, float, float]]:
        """A row a moment, under `HEADINGS`: as a table, or a file of comma-separated values."""
        degrees = np.degrees(self.poses).round(2).tolist()
        cells = zip(self.times.tolist(), self.orientations, degrees, strict=True)
        return [(time, name, *angles) for time, name, angles in cells]

    def _changes(self, row: int) -> bool:
        return self.orientations[row] != self.orientations[row - 1]


HEADINGS = ("seconds", "orientation", "pitch", "yaw", "roll")
"""Of `Attention.rows`; angles in degrees, NaN where no face was found."""


def attention(
    times: Sequence[float], poses: Float[np.ndarray, "n 3"], limit: float = LIMIT
) -> Attention:
    """Where one head pointed over time.

    A moment lasts until the next one; the last lasts as long as moments do in the middle (the
    median), and a single one a second.

    Args:
        times: of the moments, seconds, each later than the one before; they need not be even.
        poses: pitch, yaw, roll, radians, in the house's convention; a row of NaN where no face was
            found.
        limit: as of `orientations`.

    Raises:
        BadInput: there is nothing, the lengths differ, a time is not finite or not later than the
            one before, or a pose is neither finite nor all NaN.
    """
    moments = np.asarray(times, np.float64)
    if not len(moments) or len(moments) != len(poses):
        raise BadInput(f"{len(moments)} times for {len(poses)} poses")
    gaps = np.diff(moments)
    if not (np.isfinite(moments).all() and (gaps > 0).all()):
        raise BadInput("each time must be later than the one before")
    last = float(np.median(gaps)) if len(gaps) else 1.0
    angles = poses.astype(np.float64)
    return Attention(moments, np.append(gaps, last), angles, tuple(orientations(angles, limit)))


def orientations(poses: Float[np.ndarray, "n 3"], limit: float = LIMIT) -> list[str]:
    """The orientation of each head, by the larger of its yaw and pitch where it passes `limit`.

    Args:
        poses: pitch, yaw, roll, radians; a row of NaN is `ABSENT`.
        limit: radians.

    Raises:
        BadInput: a pose is neither finite nor all NaN.
    """
    absent = np.isnan(poses).all(axis=1)
    if not np.isfinite(poses[~absent]).all():
        raise BadInput("a pose must be finite, or NaN as a whole")
    pitch, yaw = poses[:, 0], poses[:, 1]
    sideways = np.abs(yaw) >= np.abs(pitch)
    choices = np.where(
        sideways, np.where(yaw > 0, "right", "left"), np.where(pitch > 0, "down", "up")
    )
    forward = np.maximum(np.abs(pitch), np.abs(yaw)) <= limit
    return np.where(absent, ABSENT, np.where(forward, "forward", choices)).tolist()


def _sums(values: Float64[np.ndarray, " n"], first: np.ndarray) -> Float64[np.ndarray, " n"]:
    """The sum of values from `first` of each row to that row."""
    before = np.append(0.0, np.cumsum(values))
    return before[1:] - before[first]
