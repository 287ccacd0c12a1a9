"""Which anchor has to find which face.

Source: W. Liu et al., "SSD", ECCV 2016, section 2.2; the threshold is that of RetinaFace's smaller
variants, on which the authors of MOS build.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int64

from lineament.core.geometry import box_iou

OVERLAP = 0.35
"""Intersection over union from which an anchor stands for a face."""
NOBODY = -1


def assign(
    boxes: Float[np.ndarray, "f 4"], anchors: Float[np.ndarray, "a 4"], overlap: float = OVERLAP
) -> Int64[np.ndarray, " a"]:
    """The face of each anchor, or `NOBODY`.

    An anchor stands for the face that it overlaps most, if by `overlap` or more. Each face has the
    anchor that overlaps it most besides, however little; two faces that want the same one leave it
    to the later.

    Args:
        boxes: of the faces.
        anchors: as boxes.
        overlap: intersection over union, in [0, 1].
    """
    owners = np.full(len(anchors), NOBODY, np.int64)
    if not len(boxes):
        return owners
    shared = box_iou(anchors, boxes)
    best = shared.argmax(axis=1)
    near = shared[np.arange(len(anchors)), best] >= overlap
    owners[near] = best[near]
    own = shared.argmax(axis=0)
    touched = shared[own, np.arange(len(boxes))] > 0
    owners[own[touched]] = np.flatnonzero(touched)
    return owners
