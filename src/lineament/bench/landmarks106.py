"""Landmarks-106: how well five points, 106 and 68 are placed, on 500 faces at all poses."""

from __future__ import annotations

from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.dense_landmarks import compare_dense
from lineament.bench.landmarks import DEFAULT, compare, five_points
from lineament.measure.points import inter_pupil
from lineament.measure.sets.landmarks106 import read_landmarks106


def run(context: Context) -> Outcome:
    """Measure detectors and methods of dense points beside a mean face."""
    faces = read_landmarks106(context.set_folder("landmarks106"))
    data = f"Landmarks-106, {len(faces.paths)} faces"
    length = inter_pupil(five_points(faces))
    usual = "inter-pupil distance"
    five, found = compare("landmarks106", data, faces, length, usual, context)
    return five + compare_dense("landmarks106", data, faces, found[DEFAULT], usual, context)


PROTOCOL = Protocol(
    "landmarks106", "5, 68 and 106 points on Landmarks-106", run, ("landmarks106",), version=2
)
"""`lineament bench landmarks106`."""
