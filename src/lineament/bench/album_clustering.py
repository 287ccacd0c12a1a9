"""People from the sample album, beside scikit-learn's clustering."""

from __future__ import annotations

from lineament.bench.clustering import album_faces
from lineament.bench.clustering_embedders import asked, measure
from lineament.bench.context import Context, Outcome, Protocol
from lineament.core.errors import MissingFile


def run(context: Context) -> Outcome:
    """Cluster the album by each method asked for, or by the default ones."""
    if context.album is None:
        raise MissingFile("the sample album is needed: run this in a checkout")
    albums = [album_faces(context.album, slug) for slug in asked(context)]
    return measure(albums, PROTOCOL.name)


PROTOCOL = Protocol("album-clustering", "people from the sample album's faces", run)
