"""Our figures beside others': how far apart, and whether somebody has said why."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lineament.measure.evidence import Result

TOLERANCE = 0.5
"""A larger difference from the published figure, in points or per cent, needs a note."""

_UNITS = re.compile(r"%|\b(ms|s|seconds|minutes|bytes|[KMG]iB|pixels|px|degrees|years|times?)\b")
"""A metric that names one of these is no share, even where its figure lies in [0, 1]."""


@dataclass(frozen=True)
class Difference:
    """How far our figure lies from another.

    Attributes:
        size: ours less theirs.
        unit: ``points`` (percentage points) where both are shares; else ``%`` of theirs,
            or nothing where theirs is 0.
        better: whether ours is the better one; None where they are equal.
    """

    size: float
    unit: str
    better: bool | None

    def __str__(self) -> str:
        return f"{self.size:+.2f} {self.unit}".strip() if self.size else "0"


def from_paper(result: Result) -> Difference | None:
    """Our figure against the authors'; None where they gave none."""
    return None if result.paper is None else _difference(result, result.paper)


def from_baseline(result: Result) -> Difference | None:
    """Our figure against the baseline's; None where there is none."""
    return None if result.baseline_value is None else _difference(result, result.baseline_value)


def is_explained(result: Result) -> bool:
    """Whether ours is within `TOLERANCE` of the published figure, or its note says why not."""
    gap = from_paper(result)
    return gap is None or round(abs(gap.size), 9) <= TOLERANCE or bool(result.note)


def unexplained(results: Iterable[Result]) -> list[Result]:
    """Results further from their paper than `TOLERANCE`, without a note that says why."""
    return [result for result in results if not is_explained(result)]


def _difference(result: Result, theirs: float) -> Difference:
    gap = result.ours - theirs
    better = None if not gap else (gap > 0) == result.higher_is_better
    if 0 <= result.ours <= 1 and 0 <= theirs <= 1 and not _UNITS.search(result.metric):
        return Difference(100 * gap, "points", better)
    if not theirs:
        return Difference(gap, "", better)
    return Difference(100 * gap / abs(theirs), "%", better)
