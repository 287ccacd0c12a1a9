"""Plots as plain data: what a protocol has to show. The report draws them; nothing here does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lineament.core.errors import BadInput

Scale = Literal["linear", "log", "probit"]
"""How an axis runs; probit is the normal deviate of a share, as DET plots have it
(A. Martin et al., "The DET curve in assessment of detection task performance", 1997)."""

Span = tuple[float, float]
"""The low and the high end of an interval."""


@dataclass(frozen=True)
class Axis:
    """One side of a curve plot.

    Attributes:
        label: what it counts, with its unit where it has one.
        scale: log leaves out what is not above 0, probit what is not strictly between 0 and 1.
        span: what it shows; None is all there is.
    """

    label: str
    scale: Scale = "linear"
    span: Span | None = None


@dataclass(frozen=True)
class Curve:
    """Lines in a plane, one a method: ROC, DET, calibration, figures over a strength.

    Attributes:
        title: what is shown, on what.
        x, y: the axes.
        series: name -> (x, y), of one length each; the order is the order of the legend.
        intervals: name -> an interval of each y; the points are then marked, with whiskers.
        diagonal: also draw y = x, where both axes count the same.
        note: one sentence that a reader needs, or empty.

    Raises:
        BadInput: lengths differ, a value is not finite, or an interval has no series.
    """

    title: str
    x: Axis
    y: Axis
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    intervals: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    diagonal: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        for name, (x, y) in self.series.items():
            _require(len(x) == len(y), f"{self.title}: x and y of {name} differ in length")
            _require_finite(self.title, name, [*x, *y])
        for name, spans in self.intervals.items():
            _require(name in self.series, f"{self.title}: an interval of {name}, which is no line")
            _require(len(spans) == len(self.series[name][1]), f"{self.title}: intervals of {name}")
            _require_finite(self.title, name, [end for span in spans for end in span])


@dataclass(frozen=True)
class Bars:
    """One figure for each group of people or pictures, side by side for each method.

    Attributes:
        title: what is shown, on what.
        label: what the figure is, with its unit where it has one.
        groups: names of the groups.
        values: method -> one figure a group; None where there is none.
        intervals: method -> an interval of each figure; None where there is none.
        note: one sentence that a reader needs, or empty.

    Raises:
        BadInput: lengths differ, a value is not finite, or an interval has no figures.
    """

    title: str
    label: str
    groups: Sequence[str]
    values: Mapping[str, Sequence[float | None]]
    intervals: Mapping[str, Sequence[Span | None]] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        for name, row in self.values.items():
            _require(len(row) == len(self.groups), f"{self.title}: {name} lacks a group")
            _require_finite(self.title, name, [v for v in row if v is not None])
        for name, spans in self.intervals.items():
            _require(name in self.values, f"{self.title}: an interval of {name}, which has no bars")
            _require(len(spans) == len(self.groups), f"{self.title}: intervals of {name}")
            _require_finite(self.title, name, [end for span in spans if span for end in span])


@dataclass(frozen=True)
class Mistake:
    """One wrong answer, named and never shown.

    Attributes:
        kind: what went wrong, such as ``false match``.
        items: the pictures, as their numbers in the set or the stems of their files.
        score: how sure the method was.
        truth: what is right, or empty where `kind` says it.
    """

    kind: str
    items: Sequence[str]
    score: float
    truth: str = ""


@dataclass(frozen=True)
class ErrorGallery:
    """The worst mistakes of each method, by index, so that who holds the set can look them up.

    Attributes:
        title: what was asked, on what.
        mistakes: method -> its mistakes, worst first.
        note: one sentence that a reader needs, or empty.
    """

    title: str
    mistakes: Mapping[str, Sequence[Mistake]]
    note: str = ""


Plot = Curve | Bars | ErrorGallery


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise BadInput(message)


def _require_finite(title: str, name: str, values: Iterable[float]) -> None:
    _require(all(map(math.isfinite, values)), f"{title}: a value of {name} is not finite")
