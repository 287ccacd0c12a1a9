"""Better points: each face is looked at again by itself, enlarged and level.

Detectors place points best on large faces that stand upright. On small ones the points hardly
follow a tilted head, and the face would be aligned as crooked as it is. So each face is cut out
at one size, turned back by the tilt that its points tell, and looked at again; as long as it still
looks tilted, it is turned further and looked at once more. A face that the detector is not sure of
is tried the other ways up too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32

from lineament.core.crops import warp
from lineament.core.faces import Face, Faces
from lineament.core.geometry import box_iou, invert_transform, transform_points
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.protocols import Detector
from lineament.see.detect.grid import long_side, to_picture
from lineament.see.detect.pyramid import BoundedDetector

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_SIDE = 144
"""Pixels of the square that a face is cut out to."""
_FACE = 125
"""Pixels of a box's longer side in it."""
_ENLARGED = 2
"""The square is looked at this much larger: points of a face of 250 pixels follow it best, and
turning fewer pixels and then enlarging them is faster and looks the same."""
_WELL = (200, 350)
"""Pixels of a level face, in the look that found it, between which a second look places its points
no better."""
_ROUNDS = 3
"""Further looks at a face that is still tilted."""
_QUARTERS = (np.pi / 2, np.pi, 3 * np.pi / 2)
_MARGIN = 0.02
"""Another way up must be better than the one at hand by more than this."""
_LEVEL = float(np.radians(4))
"""A face that is tilted by less is level."""
_SLACK = 0.05
"""A later look counts unless its score is worse than the one before by more than this."""
_SAME = 0.3
"""Overlap of a box with the middle of the square from which on it is the face that was cut out."""


def level(detector: BoundedDetector, image: Image, faces: Faces) -> Faces:
    """The same faces with better points; boxes and scores stay.

    Any tilt is followed. A face that is not found again keeps its points, and so does one that was
    seen level, surely and about as large as it would be seen again.

    Args:
        detector: that found them.
        image: the picture.
        faces: with boxes and keypoints.
    """
    seen = min(1.0, detector.max_side / long_side(image))
    found = [
        face.points if _is_seen_well(detector, face, seen) else _look_again(detector, image, face)
        for face in faces
    ]
    points = np.asarray(found, np.float32).reshape(-1, 5, 2)
    return faces.with_fields(keypoints=Landmarks(points, "5"))


def _is_seen_well(detector: BoundedDetector, face: Face, scale: float) -> bool:
    """Whether a look of this scale has shown a face as well as another one would."""
    side = scale * float((face.box[2:] - face.box[:2]).max())
    sure = face.score >= detector.confident
    return sure and _WELL[0] <= side <= _WELL[1] and _is_level(face.points)


@dataclass(frozen=True, eq=False)
class _Look:
    """A face as it was seen by itself.

    Attributes:
        turned: how far it had been turned back, radians.
        score: how sure the detector was.
        seen: its points in the square.
        points: the same in the picture.
    """

    turned: float
    score: float
    seen: Float32[np.ndarray, "5 2"]
    points: Float32[np.ndarray, "5 2"]


def _look_again(detector: BoundedDetector, image: Image, face: Face) -> Float32[np.ndarray, "5 2"]:
    turned = 0.0 if _is_level(face.points) else tilt(face.points)
    best = _look(detector, image, face.box, [turned])
    if best is None or best.score < detector.confident:
        # Half way between two quarter turns detectors may see a face upside down.
        others = _look(detector, image, face.box, [turned + quarter for quarter in _QUARTERS])
        if best is None or (others and others.score > best.score + _MARGIN):
            best = others
    if best is None:
        return face.points
    for _ in range(_ROUNDS):
        if _is_level(best.seen):
            break
        again = _look(detector, image, face.box, [best.turned + tilt(best.seen)])
        if again is None or again.score < best.score - _SLACK:
            break
        best = again
    return best.points


def _look(
    detector: Detector, image: Image, box: Float32[np.ndarray, " 4"], turns: Sequence[float]
) -> _Look | None:
    """The best of looks at one face, turned back by each of `turns`; None where it is not seen."""
    cuts = [_cut(box, turned) for turned in turns]
    zoom = _ENLARGED * float(np.hypot(cuts[0][0, 0], cuts[0][0, 1]))
    views = [Image.of_pillow(_square(image, cut), scale=image.scale * zoom) for cut in cuts]
    found = [_middle(faces) for faces in detector(views)]
    best = int(np.argmax([faces.scores[0] if len(faces) else 0.0 for faces in found]))
    if not len(found[best]):
        return None
    face = found[best][0]
    seen = to_picture(face.points, np.full(2, float(_ENLARGED)))
    points = transform_points(invert_transform(cuts[best]), seen)
    return _Look(turns[best], face.score, seen, points)


def _is_level(points: Float[np.ndarray, "5 2"]) -> bool:
    return abs(tilt(points)) < _LEVEL


def tilt(points: Float[np.ndarray, "5 2"]) -> float:
    """How far a face is turned in the picture's plane, clockwise, radians.

    Eyes and corners of the mouth, each from one side of the face to the other, taken together.
    """
    across = points[1] - points[0] + points[4] - points[3]
    return float(np.arctan2(across[1], across[0]))


def _cut(box: Float32[np.ndarray, " 4"], turned: float) -> Float32[np.ndarray, "2 3"]:
    """Picture to square: the box in the middle, to size, turned counter-clockwise, radians."""
    low, high = box[:2].astype(np.float64), box[2:].astype(np.float64)
    scale = _FACE / max(1.0, (high - low).max())
    cosine, sine = scale * np.cos(turned), scale * np.sin(turned)
    linear = np.asarray([[cosine, sine], [-sine, cosine]])
    shift = (_SIDE - 1) / 2 - linear @ ((low + high) / 2)
    return np.concatenate([linear, shift[:, None]], axis=1).astype(np.float32)


def _square(image: Image, cut: Float32[np.ndarray, "2 3"]) -> PilImage:
    """The enlarged square; a plain cut, which most are, is resized, which is faster than turned."""
    from PIL import Image as Pillow

    size = (_ENLARGED * _SIDE, _ENLARGED * _SIDE)
    (scale, sine, x), (_, _, y) = cut.tolist()
    if sine:
        turned = Pillow.fromarray(warp(image, cut, _SIDE))
        return turned.resize(size, Pillow.Resampling.BILINEAR)
    left, top, side = (-0.5 - x) / scale + 0.5, (-0.5 - y) / scale + 0.5, _SIDE / scale
    right, bottom = left + side, top + side
    if min(left, top) >= 0 and right <= image.width and bottom <= image.height:
        box = (left, top, right, bottom)
        return image.pillow.resize(size, Pillow.Resampling.BILINEAR, box, 1.0)
    x1, y1 = floor(left), floor(top)
    part = image.cut(x1, y1, ceil(right), ceil(bottom))
    box = (left - x1, top - y1, right - x1, bottom - y1)
    return part.resize(size, Pillow.Resampling.BILINEAR, box, 1.0)


def _middle(faces: Faces) -> Faces:
    """The best face in the middle of the enlarged square, alone, or none."""
    low, high = _ENLARGED * (_SIDE - _FACE) / 2, _ENLARGED * (_SIDE + _FACE) / 2
    middle = np.asarray([[low, low, high, high]], np.float32)
    return faces[box_iou(faces.boxes, middle)[:, 0] > _SAME][:1]
