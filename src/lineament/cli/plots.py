"""Where everything of a plot lies on the page; the report's template draws it as SVG.

All positions are pixels of the picture, y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

from lineament.bench.plots import Axis, Bars, Curve, Scale, Span

WIDTH, HEIGHT = 640, 420
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 12, 56
"""Of a curve plot: the picture, and the margins around what is plotted."""
BAR, GAP, LABELS = 14, 14, 190
"""Of a bar plot: the height of a bar, the space between groups, the width of their names."""
STEP = 0.4
"""A line's points nearer to each other than this are drawn as one."""

_PROBABILITIES = (1e-4, 1e-3, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
_PROBABILITIES += (0.98, 0.99, 0.999)
Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    """A mark of an axis: where, and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """A series: the path of its line, and its marked points as (x, y, y of low, y of high)."""

    name: str
    path: str
    marks: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True)
class Bar:
    """One bar: which series, its left upper corner, its length, its whisker, and its figure."""

    series: int
    x: float
    y: float
    length: float
    whisker: Span | None
    label: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A plot, laid out, with the same numbers as a table for who cannot see it."""

    title: str
    note: str
    x_label: str
    y_label: str
    names: tuple[str, ...]
    height: float
    box: tuple[float, float, float, float]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    lines: Sequence[Line] = ()
    bars: Sequence[Bar] = ()
    diagonal: str = ""
    headings: tuple[str, ...] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=list)


def number(value: float | None) -> str:
    """Four digits that count."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}".replace("e-0", "e-")


def _figure(value: float | None, interval: Span | None) -> str:
    if value is None or not interval:
        return number(value)
    return f"{number(value)} ({number(interval[0])} to {number(interval[1])})"


def lay_out(plot: Curve | Bars) -> Picture:
    """A plot as a picture."""
    return _curve(plot) if isinstance(plot, Curve) else _bars(plot)


def _curve(plot: Curve) -> Picture:
    spans = list(plot.intervals.values())
    x_span = _span(plot.x, [v for x, _ in plot.series.values() for v in x])
    y_span = _span(
        plot.y,
        [v for _, y in plot.series.values() for v in y] + [v for s in spans for w in s for v in w],
    )
    x = _placing(plot.x.scale, x_span, LEFT, WIDTH - RIGHT)
    y = _placing(plot.y.scale, y_span, HEIGHT - BOTTOM, TOP)
    lines = []
    for name, (xs, ys) in plot.series.items():
        rows = [i for i in range(len(xs)) if _has(plot.x, xs[i]) and _has(plot.y, ys[i])]
        whiskers = plot.intervals.get(name, ())
        marks = [
            (x(xs[i]), y(ys[i]), y(_within(plot.y, low, y_span)), y(high))
            for i in rows
            if whiskers
            for low, high in [whiskers[i]]
        ]
        lines.append(Line(name, _path([(x(xs[i]), y(ys[i])) for i in rows]), tuple(marks)))
    low, high = max(x_span[0], y_span[0]), min(x_span[1], y_span[1])
    headings, rows = _curve_table(plot, x_span)
    return Picture(
        title=plot.title,
        note=plot.note,
        x_label=plot.x.label,
        y_label=plot.y.label,
        names=tuple(plot.series),
        height=HEIGHT,
        box=(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
        x_ticks=_marks(x, _ticks(plot.x.scale, x_span), 46),
        y_ticks=_marks(y, _ticks(plot.y.scale, y_span), 18),
        lines=lines,
        diagonal=_path([(x(low), y(low)), (x(high), y(high))]) if plot.diagonal else "",
        headings=headings,
        rows=rows,
    )


def _curve_table(plot: Curve, span: Span) -> tuple[tuple[str, ...], list[list[str]]]:
    """The points where there are few, else the lines' height at the ticks."""
    points = sorted({v for x, _ in plot.series.values() for v in x if span[0] <= v <= span[1]})
    few = len(points) <= 24
    rows = []
    for value in points if few else _ticks(plot.x.scale, span):
        row = [number(value)]
        for name, (x, y) in plot.series.items():
            here = [i for i, v in enumerate(x) if v == value or (v < value and not few)]
            if not here:
                row.append("")
            elif name in plot.intervals:
                row.append(_figure(y[here[-1]], plot.intervals[name][here[-1]]))
            else:
                row.append(_figure(y[here[-1]], None))
        rows.append(row)
    return (plot.x.label, *plot.series), rows


def _bars(plot: Bars) -> Picture:
    count = max(1, len(plot.values))
    block = count * BAR + GAP
    height = TOP + block * len(plot.groups) + BOTTOM
    shown = [v for row in plot.values.values() for v in row if v is not None]
    shown += [end for row in plot.intervals.values() for s in row if s for end in s]
    span = (min(shown, default=0.0), max(shown, default=0.0))
    span = (min(span[0], 0.0), max(span[1], 0.0) or 1.0)
    x = _placing("linear", span, LABELS, WIDTH - 64)
    bars, rows = [], []
    for g, group in enumerate(plot.groups):
        cells = [group]
        for m, (name, values) in enumerate(plot.values.items()):
            value = values[g]
            whisker = plot.intervals[name][g] if name in plot.intervals else None
            cells.append(_figure(value, whisker))
            if value is not None:
                left, right = sorted((x(0), x(value)))
                top = TOP + g * block + GAP / 2 + m * BAR
                ends = (x(whisker[0]), x(whisker[1])) if whisker else None
                bars.append(Bar(m, left, top, right - left, ends, number(value)))
        rows.append(cells)
    return Picture(
        title=plot.title,
        note=plot.note,
        x_label=plot.label,
        y_label="",
        names=tuple(plot.values),
        height=height,
        box=(LABELS, TOP, WIDTH - 64, height - BOTTOM),
        x_ticks=_marks(x, _ticks("linear", span), 46),
        y_ticks=[Tick(TOP + (g + 0.5) * block, name) for g, name in enumerate(plot.groups)],
        bars=bars,
        headings=("group", *plot.values),
        rows=rows,
    )


def strip(values: Sequence[float | None], span: Span, width: float) -> list[float | None]:
    """Positions of figures along a small axis of their own."""
    place = _placing("linear", span, 6, width - 6)
    return [None if value is None else place(value) for value in values]


def _has(axis: Axis, value: float) -> bool:
    """Whether a scale has a place for a value."""
    return {"linear": True, "log": value > 0, "probit": 0 < value < 1}[axis.scale]


def _within(axis: Axis, value: float, span: Span) -> float:
    return value if _has(axis, value) else span[0]


def _span(axis: Axis, values: Sequence[float]) -> Span:
    """What an axis shows; never nothing."""
    if axis.span:
        return axis.span
    usable = [v for v in values if _has(axis, v)]
    if not usable:
        return {"linear": (0.0, 1.0), "log": (0.1, 1.0), "probit": (0.01, 0.5)}[axis.scale]
    low, high = min(usable), max(usable)
    if axis.scale == "log":
        return 10.0 ** math.floor(math.log10(low) + 1e-9), high if high > low else 10 * high
    if axis.scale == "probit":
        return low, high if high > low else (1 + low) / 2
    room = 0.04 * (high - low) or abs(high) / 10 or 1.0
    return low - room, high + room


def _placing(scale: Scale, span: Span, start: float, end: float) -> Callable[[float], float]:
    """Value -> pixel."""
    turn: dict[Scale, Callable[[float], float]] = {
        "linear": float,
        "log": math.log10,
        "probit": NormalDist().inv_cdf,
    }
    to = turn[scale]
    low, high = map(to, span)
    return lambda value: round(start + (to(value) - low) / (high - low) * (end - start), 2)


def _marks(place: Callable[[float], float], values: Sequence[float], room: float) -> list[Tick]:
    """Marks at values, without the labels that would run into the one before."""
    marks: list[Tick] = []
    last = -math.inf
    for at, label in ((place(v), number(v)) for v in values):
        free = abs(at - last) >= room
        marks.append(Tick(at, label if free else ""))
        last = at if free else last
    return marks


def _ticks(scale: Scale, span: Span) -> list[float]:
    low, high = span
    if scale == "probit":
        return [p for p in _PROBABILITIES if low <= p <= high]
    if scale == "log":
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        steps = (1,) if len(decades) > 3 else (1, 2, 5)
        marks = [float(f"{s}e{d}") for d in decades for s in steps]
        return [m for m in marks if low * (1 - 1e-9) <= m <= high * (1 + 1e-9)]
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _path(points: Sequence[Point]) -> str:
    """A line through points, without those that nobody could tell apart."""
    kept: list[Point] = []
    for i, point in enumerate(points):
        if not kept or i == len(points) - 1 or math.dist(point, kept[-1]) >= STEP:
            kept.append(point)
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in kept) if kept else ""
