"""Faces of every size, whichever way up the photo is or the head is held: a search around any
detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineament.core.faces import Faces
from lineament.core.geometry import rotate_points_quarter
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.see.detect.grid import fit
from lineament.see.detect.level import level
from lineament.see.detect.pyramid import BoundedDetector, look

_PROBE_SIDE = 640
"""Long side at which the other turns of a photo are tried: who shows which way is up is rarely
the smallest face, and all three turns together cost less than one look at 1280 pixels."""
_MARGIN = 0.02
"""A turn must be better than the photo as it is by more than this: between equals it stays."""


class Search:
    """A detector that makes another one look harder; itself a detector.

    Very large faces are always looked for (see `pyramid`). Photos in which no face is certain are
    tried in the other three quarter turns: scans and photos without EXIF lie on their side, and
    detectors then find nothing, or faces with their points in the wrong places. Each face's points
    are then taken from a second look at it alone, enlarged and level (see `level`).

    Args:
        detector: looks at each view.
        upright: try the other quarter turns of a photo where no face is certain, and level faces.
        small_faces: look a second time, twice as close, for some five times the time.
    """

    def __init__(
        self, detector: BoundedDetector, *, upright: bool = True, small_faces: bool = False
    ) -> None:
        self.detector = detector
        self.upright = upright
        self.small_faces = small_faces

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        return self.detector.seconds

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        """The faces of each picture, best score first, in that picture's pixels."""
        found = look(self.detector, images, self.small_faces)
        if not self.upright:
            return found
        turns = self._turns(images, found)
        turned = [row for row, quarters in enumerate(turns) if quarters]
        uprights = [turn(image, quarters) for image, quarters in zip(images, turns, strict=True)]
        again = look(self.detector, [uprights[row] for row in turned], self.small_faces)
        for row, faces in zip(turned, again, strict=True):
            found[row] = faces
        return [
            turn_back(level(self.detector, upright, faces), quarters, image)
            for upright, faces, quarters, image in zip(uprights, found, turns, images, strict=True)
        ]

    def _turns(self, images: Sequence[Image], found: Sequence[Faces]) -> list[int]:
        """Quarter turns after which the best face of each picture is most certain."""
        turns = [0] * len(images)
        unsure = [i for i, faces in enumerate(found) if _best(faces) < self.detector.confident]
        small = [fit(images[i], _PROBE_SIDE) for i in unsure]
        probes = iter(self.detector([turn(image, k) for image in small for k in (1, 2, 3)]))
        for i in unsure:
            scores = [_best(found[i]) + _MARGIN, *(_best(next(probes)) for _ in range(3))]
            turns[i] = int(np.argmax(scores))
        return turns


def turn(image: Image, quarters: int) -> Image:
    """The picture turned counter-clockwise by quarters."""
    if not quarters:
        return image
    return Image(np.rot90(image.pixels, quarters), image.source, image.scale)


def turn_back(faces: Faces, quarters: int, image: Image) -> Faces:
    """Faces of a turned picture in the pixels of the picture as it was."""
    if not quarters:
        return faces
    size = (quarters, image.width, image.height)
    corners = rotate_points_quarter(faces.boxes.reshape(-1, 2, 2), *size)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    points = rotate_points_quarter(faces.keypoints.points, *size)
    return faces.with_fields(boxes=boxes, keypoints=Landmarks(points, "5"))


def _best(faces: Faces) -> float:
    return float(faces.scores[0]) if len(faces) else 0.0
