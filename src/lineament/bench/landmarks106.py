"""Landmarks-106: how well detectors place five points, on 500 faces at all poses."""

from __future__ import annotations

from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.landmarks import compare, five_points
from lineament.measure.points import inter_pupil
from lineament.measure.sets.landmarks106 import read_landmarks106


def run(context: Context) -> Outcome:
    """Measure every detector's points beside a mean face."""
    faces = read_landmarks106(context.set_folder("landmarks106"))
    data = f"Landmarks-106, {len(faces.paths)} faces"
    length = inter_pupil(five_points(faces))
    return compare("landmarks106", data, faces, length, "inter-pupil distance", context)[0]


PROTOCOL = Protocol("landmarks106", "five points on Landmarks-106", run, ("landmarks106",))
"""`lineament bench landmarks106`."""
