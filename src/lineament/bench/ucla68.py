"""UCLA-68: how well detectors place five points, on 1,000 faces of 128 x 128."""

from __future__ import annotations

from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.landmarks import compare
from lineament.measure.points import inter_pupil
from lineament.measure.sets.ucla68 import read_ucla68


def run(context: Context) -> Outcome:
    """Measure every detector's points beside a mean face."""
    faces = read_ucla68(context.set_folder("ucla68"))
    data = f"UCLA-68, {len(faces.paths):,} faces of 128 x 128"
    length = inter_pupil(faces.points)
    return compare("ucla68", data, faces, length, "inter-pupil distance", context)[0]


PROTOCOL = Protocol("ucla68", "five points on UCLA-68", run, ("ucla68",))
"""`lineament bench ucla68`."""
