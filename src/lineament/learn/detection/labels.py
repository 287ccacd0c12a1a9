"""Points and poses of faces by other methods, where nobody annotated them; and which scenes look
alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from lineament.core.cards import method
from lineament.core.errors import BadInput
from lineament.core.faces import Faces
from lineament.core.geometry import box_iou
from lineament.core.image import Image
from lineament.core.markups import convert
from lineament.core.protocols import Describer, Detector
from lineament.learn.data.cache import DAMAGED
from lineament.learn.detection.scenes import Scene

LEAST = 20.0
"""Side of a box below which a teacher is not asked for points and pose, pixels."""
_ALIKE = 0.95
"""Correlation of two scenes' thumbnails from which they are taken for one."""
_THUMBNAIL = 16
_OVERLAP = 0.4
_DOUBT = 0.2
"""Mean distance of a teacher's five points from the detector's, over that of the eyes, beyond
which its answer is not trusted."""


@dataclass(frozen=True, eq=False)
class Teachers:
    """Methods whose answers stand in for annotations."""

    detector: Detector
    landmarker: Describer
    poser: Describer

    @staticmethod
    def usual() -> Teachers:
        """YuNet, MediaPipe's face landmarker, and the pose of its points; each on one thread."""
        return Teachers(
            method("yunet", "detect").load()(threads=1),
            method("face-landmarker", "describe").load()(threads=1),
            method("pnp-pose", "describe").load()(),
        )

    def __call__(self, image: Image) -> Faces:
        """The faces that the detector finds, with the fields ``landmarks`` and ``pose``: none where
        it finds nobody."""
        found = self.detector([image])[0]
        found = found.with_fields(**self.landmarker([image], [found])[0])
        return found.with_fields(**self.poser([image], [found])[0])

    def all(self, images: Sequence[Image]) -> list[Faces]:
        """The faces of each picture."""
        return [self(image) for image in images]


def alike(pictures: Sequence[Image]) -> Int64[np.ndarray, " n"]:
    """The first picture that each one looks like: by its own number, where by none before it."""
    thumbnails = np.stack([_thumbnail(picture) for picture in pictures])
    like = thumbnails @ thumbnails.T >= _ALIKE
    np.fill_diagonal(like, True)
    groups = like.argmax(axis=1)
    while (groups != groups[groups]).any():  # alike to one that is alike to another
        groups = groups[groups]
    return groups


@dataclass(frozen=True, eq=False)
class Labels:
    """What a teacher says of some pictures, face after face.

    Attributes:
        counts: faces of each picture.
        boxes: of all faces.
        points: scheme "5" of each, NaN where not trusted.
        poses: of each, NaN where not trusted.
    """

    counts: Int64[np.ndarray, " p"]
    boxes: Float32[np.ndarray, "f 4"]
    points: Float32[np.ndarray, "f 5 2"]
    poses: Float32[np.ndarray, "f 3"]

    @staticmethod
    def of(scenes: Sequence[Scene]) -> Labels:
        """Those of labelled scenes."""
        joined = (
            np.concatenate([getattr(s, name) for s in scenes])
            for name in ("boxes", "points", "poses")
        )
        return Labels(np.asarray([len(s.boxes) for s in scenes], np.int64), *joined)

    def scenes(self, pictures: Sequence[Image]) -> list[Scene]:
        """The labelled pictures, which must be those that were labelled."""
        ends = np.cumsum(self.counts)[:-1]
        columns = (np.split(each, ends) for each in (self.boxes, self.points, self.poses))
        rows = zip(pictures, *columns, strict=True)
        return [Scene(picture.pixels, b, p, a) for picture, b, p, a in rows]


def kept(path: Path, key: str, make: Callable[[], Sequence[Scene]]) -> Labels:
    """Labels that `make` gives, made once and kept in a file.

    Args:
        path: of the file, in a folder that exists.
        key: what they are made of, such as a hash.
        make: makes them.

    Raises:
        BadInput: the file holds no labels, or those of something else.
    """
    names = ("counts", "boxes", "points", "poses")
    if not path.is_file():
        made = Labels.of(make())
        partial = path.with_suffix(".part.npz")
        np.savez(partial, key=key, **{name: getattr(made, name) for name in names})
        partial.replace(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            theirs, parts = str(archive["key"]), [archive[name] for name in names]
    except DAMAGED as error:
        raise BadInput(f"not a file of labels: {error}", str(path)) from error
    if theirs != key:
        raise BadInput("holds labels of other pictures; choose another folder", str(path))
    return Labels(*parts)


def labelled(picture: Image, boxes: Float32[np.ndarray, "n 4"], teachers: Teachers) -> Scene:
    """A scene whose annotated faces have a teacher's points and pose, where it can be trusted."""
    points = np.full((len(boxes), 5, 2), np.nan, np.float32)
    poses = np.full((len(boxes), 3), np.nan, np.float32)
    found = teachers(picture)
    if len(found) and len(boxes):
        overlaps = box_iou(boxes, found.boxes)
        sides = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
        trusted = _trusted(found)
        for row in np.flatnonzero(sides >= LEAST):
            best = int(overlaps[row].argmax())
            if overlaps[row, best] >= _OVERLAP and trusted[best]:
                points[row] = _five(found)[best]
                poses[row] = found.pose[best]
    return Scene(picture.pixels, boxes, points, poses)


def portrait(picture: Image, teachers: Teachers) -> Scene:
    """A picture whose one face is a teacher's; without any where it finds another number of faces,
    or does not trust what it found."""
    found = teachers(picture)
    rows = np.flatnonzero(_trusted(found)) if len(found) == 1 else np.empty(0, np.int64)
    if not len(rows):
        nothing = np.empty((0, 10), np.float32)
        return Scene(picture.pixels, nothing[:, :4], nothing.reshape(0, 5, 2), nothing[:, :3])
    return Scene(picture.pixels, found.boxes, _five(found), found.pose)


def _five(found: Faces) -> Float32[np.ndarray, "n 5 2"]:
    return convert(found.landmarks, "5").points


def _trusted(found: Faces) -> np.ndarray:
    seen = found.keypoints.points
    apart = np.linalg.norm(seen[:, 1] - seen[:, 0], axis=1)
    off = np.linalg.norm(_five(found) - seen, axis=2).mean(axis=1)
    return off <= _DOUBT * apart


def _thumbnail(picture: Image) -> Float32[np.ndarray, " t"]:
    """Grey, of mean 0 and length 1; of one colour, 0."""
    from PIL import Image as Pillow

    grey = Pillow.fromarray(picture.pixels).convert("L")
    small = grey.resize((_THUMBNAIL, _THUMBNAIL), Pillow.Resampling.BOX)
    flat = np.asarray(small, np.float32).ravel()
    flat = flat - flat.mean()
    return flat / max(1.0, float(np.linalg.norm(flat)))
