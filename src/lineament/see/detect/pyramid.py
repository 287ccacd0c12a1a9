"""One picture looked at in several sizes, so that neither large nor small faces fall through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64

from lineament.core.faces import Faces
from lineament.core.geometry import nms
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.protocols import Detector
from lineament.see.detect.grid import fit, long_side, resize, scale_of, shrink, to_picture

_COARSE = 4
"""The coarse look is this much smaller than the plain one: at 1280 pixels it sees a face that
fills the picture as 320 pixels, and costs a sixteenth."""
_LARGE = 64
"""Pixels of a face from which on the coarse look counts: 256 in the plain one."""
_TOO_LARGE = 384
"""Pixels of a face from which on the plain look leaves it to the coarse one: so near, a network
takes the middle of a face for a face. In between both count, and the better score speaks."""
_CLOSE = 2
"""The close look is this much larger than the plain one."""
_SMALL = 96
"""Pixels of a face up to which the close look counts: 48 in the plain one."""
_TOO_SMALL = 32
"""Pixels of a face under which the plain look leaves it to the close one, where there is one."""
_OVERLAP = 2 * _SMALL
"""Pixels that neighbouring tiles share: a small face and what surrounds it lie whole in one."""


@runtime_checkable
class BoundedDetector(Detector, Protocol):
    """A detector that says how it is best used."""

    @property
    def max_side(self) -> int:
        """It looks at no side longer than this, pixels."""
        ...

    @property
    def confident(self) -> float:
        """A score that upright faces in plain view mostly reach and turned ones mostly do not."""
        ...

    @property
    def largest(self) -> int:
        """Pixels of a picture up to which one look finds even a face that fills it."""
        ...

    @property
    def nms_iou(self) -> float:
        """Two boxes that overlap by more than this are one face."""
        ...


@dataclass(frozen=True, eq=False)
class _View:
    """A part of a picture in some size.

    Attributes:
        image: what is looked at.
        scale: pixels of the view per pixel of the picture, x and y.
        origin: of the view in the scaled picture.
        cell: x1, y1, x2, y2 in the scaled picture: faces centred here are this view's to find.
        sizes: least and greatest length of a box's longer side that is this view's to find.
    """

    image: Image
    scale: Float64[np.ndarray, " 2"]
    origin: tuple[float, float] = (0, 0)
    cell: tuple[float, float, float, float] = (-np.inf, -np.inf, np.inf, np.inf)
    sizes: tuple[float, float] = (0, np.inf)

    @classmethod
    def of(cls, view: Image, image: Image, sizes: tuple[float, float]) -> _View:
        """The whole picture, resized."""
        return cls(view, scale_of(view, image), sizes=sizes)

    def place(self, faces: Faces) -> Faces:
        """Those faces that are this view's to find, in the picture's pixels."""
        faces = faces[self._own(faces)]
        boxes = to_picture(faces.boxes.reshape(-1, 2, 2) + self.origin, self.scale)
        points = to_picture(faces.keypoints.points + self.origin, self.scale)
        return Faces(boxes.reshape(-1, 4), scores=faces.scores, keypoints=Landmarks(points, "5"))

    def _own(self, faces: Faces) -> Bool[np.ndarray, " n"]:
        low, high = faces.boxes[:, :2], faces.boxes[:, 2:]
        size = (high - low).max(axis=1)
        centre = (low + high) / 2 + self.origin
        inside = ((centre >= self.cell[:2]) & (centre < self.cell[2:])).all(axis=1)
        return inside & (size >= self.sizes[0]) & (size < self.sizes[1])


def look(detector: BoundedDetector, images: Sequence[Image], close: bool) -> list[Faces]:
    """The faces of each picture, from two sizes or three, best score first.

    The plain look has the size that the detector asks for. A coarse look finds faces too large for
    it. A close look, in overlapping tiles, finds small ones for some five times the time.

    Args:
        detector: looks at each view.
        images: pictures.
        close: take the close look too.
    """
    views = [list(_views(detector, image, close)) for image in images]
    found = iter(detector([view.image for group in views for view in group]))
    return [
        _merge([view.place(faces) for view, faces in zip(group, found, strict=False)], detector)
        for group in views
    ]


def _views(detector: BoundedDetector, image: Image, close: bool) -> Iterator[_View]:
    max_side = detector.max_side
    plain = fit(image, max_side)
    least = _TOO_SMALL if close else 0
    near = long_side(plain) > detector.largest
    yield _View.of(plain, image, sizes=(least, _TOO_LARGE if near else np.inf))
    if near:
        coarse = shrink(plain, _COARSE)
        yield _View.of(coarse, image, sizes=(_LARGE, np.inf))
    if close:
        ratio = _CLOSE * long_side(plain) / long_side(image)
        yield from _tiles(resize(image, ratio), image, max_side)


def _tiles(large: Image, image: Image, max_side: int) -> Iterator[_View]:
    """The enlarged picture in equal tiles that share a strip with each neighbour."""
    whole = _View.of(large, image, sizes=(0, _SMALL))
    for y1, y2, top, bottom in _cuts(large.height, max_side):
        for x1, x2, left, right in _cuts(large.width, max_side):
            yield replace(
                whole,
                image=Image(large.pixels[y1:y2, x1:x2], scale=large.scale),
                origin=(x1, y1),
                cell=(left, top, right, bottom),
            )


def _cuts(length: int, limit: int) -> list[tuple[int, int, float, float]]:
    """An axis in tiles no longer than `limit`: where each begins and ends, and its own cell."""
    count = max(1, -(-(length - _OVERLAP) // max(1, limit - _OVERLAP)))
    starts = [round(i * (length - _OVERLAP) / count) for i in range(count)]
    ends = [start + _OVERLAP for start in starts[1:]] + [length]
    borders = [-np.inf, *(start + _OVERLAP / 2 for start in starts[1:]), np.inf]
    return [
        (start, end, low, high)
        for start, end, (low, high) in zip(starts, ends, pairwise(borders), strict=True)
    ]


def _merge(parts: Sequence[Faces], detector: BoundedDetector) -> Faces:
    """All views' faces, each once: the look with the best score speaks for it."""
    if len(parts) == 1:
        return parts[0]
    faces = Faces(
        np.concatenate([part.boxes for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        keypoints=Landmarks(np.concatenate([part.keypoints.points for part in parts]), "5"),
    )
    return faces[nms(faces.boxes, faces.scores, detector.nms_iou)]
