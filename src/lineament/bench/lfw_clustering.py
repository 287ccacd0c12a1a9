"""People from LFW's 7,701 faces, beside scikit-learn's clustering."""

from __future__ import annotations

from lineament.bench.clustering import lfw_faces, measure
from lineament.bench.context import Context, Outcome, Protocol


def run(context: Context) -> Outcome:
    """Cluster LFW by the first method asked for, SFace where none is."""
    slug = context.methods[0] if context.methods else "sface"
    return measure(lfw_faces(context.set_folder("lfw"), slug), PROTOCOL.name)


PROTOCOL = Protocol("lfw-clustering", "people from LFW's faces", run, ("lfw",))
