"""The curve of a run as a picture, drawn anew while the run goes on: loss above, figures below."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from lineament.learn.curve import COLUMNS, read_curve

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

WIDTH, HEIGHT = 640, 240
"""Of one panel, pixels."""
LEFT, RIGHT, TOP, BOTTOM = 70, 16, 24, 24
"""Margins around what is plotted."""
_INK, _LINE, _FAINT = (40, 40, 40), (30, 90, 160), (190, 205, 220)
Point = tuple[float, float]


def draw(curve: Path, picture: Path) -> None:
    """Draw a curve that `Curve` wrote; nothing where it has no rows yet.

    Args:
        curve: the CSV file.
        picture: a PNG file, replaced as a whole.
    """
    from PIL import Image, ImageDraw

    rows = read_curve(curve)
    if not rows:
        return
    names = [name for name in rows[0] if name == "loss" or name not in COLUMNS]
    last = max(int(row["step"]) for row in rows)
    sheet = Image.new("RGB", (WIDTH, HEIGHT * len(names)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, name in enumerate(names):
        _panel(pen, name, series(rows, name), last, number * HEIGHT)
    partial = picture.with_suffix(".part.png")
    sheet.save(partial)
    partial.replace(picture)


def series(rows: Sequence[dict[str, str]], name: str) -> list[Point]:
    """(step, value) of a column, where it has a finite number."""
    pairs = [(float(row["step"]), float(row[name])) for row in rows if row.get(name)]
    return [(step, value) for step, value in pairs if isfinite(value)]


def smoothed(values: Sequence[float], memory: float = 0.95) -> list[float]:
    """A running mean, whose first values are not drawn to 0."""
    shown, total, weight = [], 0.0, 0.0
    for value in values:
        total, weight = memory * total + value, memory * weight + 1
        shown.append(total / weight)
    return shown


def _panel(pen: ImageDraw, name: str, points: list[Point], last: int, top: int) -> None:
    """One series over the steps, with its range; the loss with its running mean."""
    box = (LEFT, top + TOP, WIDTH - RIGHT, top + HEIGHT - BOTTOM)
    pen.rectangle(box, outline=_FAINT)
    pen.text((LEFT, top + 6), name, fill=_INK)
    pen.text((WIDTH - RIGHT - 60, top + HEIGHT - BOTTOM + 6), f"step {last}", fill=_INK)
    if not points:
        return
    low, high = min(v for _, v in points), max(v for _, v in points)
    pen.text((6, box[1]), f"{high:.4g}", fill=_INK)
    pen.text((6, box[3] - 12), f"{low:.4g}", fill=_INK)

    def place(point: Point) -> Point:
        across = point[0] / max(1, last)
        up = (point[1] - low) / (high - low) if high > low else 0.5
        return box[0] + across * (box[2] - box[0]), box[3] - up * (box[3] - box[1])

    pen.line([place(p) for p in points], fill=_FAINT if name == "loss" else _LINE, width=2)
    if name == "loss":
        mean = smoothed([value for _, value in points])
        line = [place((step, value)) for (step, _), value in zip(points, mean, strict=True)]
        pen.line(line, fill=_LINE, width=2)
