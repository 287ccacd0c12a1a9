"""Which face stands for a person: the one that others of the same person are most likely to match.

Detection score times recognizability, both known of every stored face. `lineament bench discard`
measures how well this and other scores choose; without a centre of unrecognisable faces for the
gallery's space, the faces' plain quality decides.
"""

from __future__ import annotations

from collections.abc import Callable

from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput
from lineament.know.gallery import FaceView, Gallery
from lineament.know.recognizability import recognizability


def worth(gallery: Gallery) -> Callable[[FaceView], float]:
    """How well each face of a gallery stands for its person, in [0, 1]; more is better."""
    faces = gallery.codes()
    try:
        clear = recognizability(Embeddings.from_codes(faces.codes, gallery.space))
    except BadInput:
        return lambda face: face.quality
    by_id = dict(zip(faces.ids.tolist(), clear.tolist(), strict=True))
    return lambda face: face.score * by_id[face.id]
