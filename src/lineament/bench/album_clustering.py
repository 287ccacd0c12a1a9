"""People from the sample album, beside scikit-learn's clustering."""

from __future__ import annotations

from lineament.bench.clustering import album_faces, measure
from lineament.bench.context import Context, Outcome, Protocol
from lineament.core.errors import MissingFile


def run(context: Context) -> Outcome:
    """Cluster the album by the first method asked for, SFace where none is."""
    if context.album is None:
        raise MissingFile("the sample album is needed: run this in a checkout")
    slug = context.methods[0] if context.methods else "sface"
    return measure(album_faces(context.album, slug), PROTOCOL.name)


PROTOCOL = Protocol("album-clustering", "people from the sample album's faces", run)
