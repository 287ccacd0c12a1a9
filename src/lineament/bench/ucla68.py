"""UCLA-68: how well five points and 68 are placed, on 1,000 faces of 128 x 128.

Detectors are measured on all faces, methods of dense points on every other one, in order of name:
the other half was looked at when conversions between markups were chosen.
"""

from __future__ import annotations

from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.dense_landmarks import compare_dense, subset
from lineament.bench.landmarks import DEFAULT, compare
from lineament.measure.points import inter_pupil
from lineament.measure.sets.ucla68 import read_ucla68


def run(context: Context) -> Outcome:
    """Measure detectors and methods of dense points beside a mean face."""
    faces = read_ucla68(context.set_folder("ucla68"))
    data = f"UCLA-68, {len(faces.paths):,} faces of 128 x 128"
    length = inter_pupil(faces.points)
    usual = "inter-pupil distance"
    five, found = compare("ucla68", data, faces, length, usual, context)
    half, here = subset(faces, found[DEFAULT], slice(None, None, 2))
    data = f"UCLA-68, {len(half.paths)} of its faces of 128 x 128"
    return five + compare_dense("ucla68", data, half, here, usual, context)


PROTOCOL = Protocol("ucla68", "5 and 68 points on UCLA-68", run, ("ucla68",), version=2)
"""`lineament bench ucla68`."""
