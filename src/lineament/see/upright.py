"""Faces of every size and whichever way up the photo is: a search around any detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineament.core.faces import Faces
from lineament.core.geometry import rotate_points_quarter
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.see.detect.grid import fit
from lineament.see.detect.pyramid import BoundedDetector, look

_PROBE_SIDE = 640
"""Long side at which the other turns of a photo are tried: who shows which way is up is rarely
the smallest face, and all three turns together cost less than one look at 1280 pixels."""


class Search:
    """A detector that makes another one look harder; itself a detector.

    Very large faces are always looked for (see `pyramid`). Photos in which no face is certain are
    tried in the other three quarter turns: scans and photos without EXIF lie on their side, and
    detectors then find nothing, or faces with their points in the wrong places.

    Args:
        detector: looks at each view.
        upright: try the other quarter turns of a photo where no face is certain.
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
        unsure = [i for i, faces in enumerate(found) if _best(faces) < self.detector.confident]
        turns = self._turns([images[i] for i in unsure], [_best(found[i]) for i in unsure])
        turned = [(i, quarters) for i, quarters in zip(unsure, turns, strict=True) if quarters]
        again = look(
            self.detector, [turn(images[i], quarters) for i, quarters in turned], self.small_faces
        )
        for (i, quarters), faces in zip(turned, again, strict=True):
            found[i] = turn_back(faces, quarters, images[i])
        return found

    def _turns(self, images: Sequence[Image], scores: Sequence[float]) -> list[int]:
        """Quarter turns after which the best face of each picture is more certain than `scores`."""
        small = [Image(fit(image.pixels, _PROBE_SIDE)) for image in images]
        probes = [turn(image, quarters) for image in small for quarters in (1, 2, 3)]
        best = np.asarray([_best(faces) for faces in self.detector(probes)]).reshape(-1, 3)
        ladder = np.concatenate([np.reshape(scores, (-1, 1)), best], axis=1)
        return ladder.argmax(axis=1).tolist()


def turn(image: Image, quarters: int) -> Image:
    """The picture turned counter-clockwise by quarters."""
    return Image(np.rot90(image.pixels, quarters), image.source, image.scale)


def turn_back(faces: Faces, quarters: int, image: Image) -> Faces:
    """Faces of a turned picture in the pixels of the picture as it was."""
    size = (quarters, image.width, image.height)
    corners = rotate_points_quarter(faces.boxes.reshape(-1, 2, 2), *size)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    points = rotate_points_quarter(faces.landmarks.points, *size)
    return faces.with_fields(boxes=boxes, landmarks=Landmarks(points, "5"))


def _best(faces: Faces) -> float:
    return float(faces.scores[0]) if len(faces) else 0.0
