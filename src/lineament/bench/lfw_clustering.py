"""People from LFW's 7,701 faces, beside scikit-learn's clustering."""

from __future__ import annotations

from lineament.bench.clustering import lfw_faces
from lineament.bench.clustering_embedders import asked, measure
from lineament.bench.context import Context, Outcome, Protocol


def run(context: Context) -> Outcome:
    """Cluster LFW by each method asked for, or by the default ones."""
    folder = context.set_folder("lfw")
    return measure([lfw_faces(folder, slug) for slug in asked(context)], PROTOCOL.name)


PROTOCOL = Protocol("lfw-clustering", "people from LFW's faces", run, ("lfw",))
