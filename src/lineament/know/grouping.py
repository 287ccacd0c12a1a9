"""From a gallery's faces to its people: clustering under the user's decisions."""

from __future__ import annotations

import numpy as np

from lineament.core.embeddings import Embeddings
from lineament.know.calibration import calibration_of
from lineament.know.cluster import cluster, threshold_for
from lineament.know.gallery import Gallery


def regroup(gallery: Gallery, *, anew: bool = False) -> int:
    """Put every face of the gallery with its person; returns the number of people.

    Args:
        gallery: open for writing.
        anew: take all groups apart first. The user's decisions (merged, split, different) hold,
            and people keep ids and names by the faces that they share with the new groups.

    Raises:
        BadInput: the user's decisions contradict each other.
        LineamentError: there is no calibration of the gallery's space.
    """
    faces = gallery.codes()
    count = len(faces.ids)
    if count == 0:
        return 0
    if not anew and not np.any(faces.people < 0):
        return len(np.unique(faces.people))
    row = {face: i for i, face in enumerate(faces.ids.tolist())}
    same, different = [], []
    for kind, side_a, side_b in gallery.decisions():
        a, b = ([row[face] for face in side] for side in (side_a, side_b))
        if kind == "same":
            same.append(a)
        else:
            different.append((a, b))
    different += _named_apart(gallery, row)
    labels = cluster(
        Embeddings.from_codes(faces.codes, gallery.space).vectors,
        photos=faces.photos,
        spans=faces.spans,
        start=None if anew else faces.people,
        same=same,
        different=different,
        threshold=threshold_for(count, calibration_of(gallery.space)),
    )
    gallery.set_people(faces.ids, labels)
    return len(np.unique(labels))


def _named_apart(gallery: Gallery, row: dict[int, int]) -> list[tuple[list[int], list[int]]]:
    """Two people with names of their own are two people."""
    named = [[row[face] for face in faces] for faces in gallery.named_faces()]
    return [(a, b) for i, a in enumerate(named) for b in named[i + 1 :]]
