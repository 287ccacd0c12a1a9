"""What goes into a gallery and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64, Int8, Int64


@dataclass(frozen=True)
class PhotoRecord:
    """A photo to be stored.

    Attributes:
        sha256: of the file's bytes; a photo is known by its content.
        path: of the file, absolute.
        size: of the file, bytes.
        mtime_ns: of the file.
        width: of the upright picture, pixels.
        height: of the upright picture, pixels.
        seconds: that it lasts, where it is a video; None for a photo.
        damage: what was wrong with the video; empty where nothing was.
    """

    sha256: str
    path: str
    size: int
    mtime_ns: int
    width: int
    height: int
    seconds: float | None = None
    damage: str = ""


@dataclass(frozen=True)
class Span:
    """When a face was to be seen in a video, in seconds.

    Attributes:
        first: when it was first seen.
        last: when it was last seen.
        best: when its picture was taken.
        frames: in which it was seen.
    """

    first: float
    last: float
    best: float
    frames: int


@dataclass(frozen=True, eq=False)
class FaceRecord:
    """A face to be stored.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the upright file.
        score: the detector's confidence, in [0, 1].
        landmarks: (x, y) of scheme "5", the same pixels.
        quality: in [0, 1].
        code: the embedding as bytes; see `lineament.core.embeddings.encode`.
        crop: a small JPEG for people to look at.
        span: when it was to be seen, where it was followed through a video; None in a photo.
    """

    box: Float32[np.ndarray, " 4"]
    score: float
    landmarks: Float32[np.ndarray, "5 2"]
    quality: float
    code: Int8[np.ndarray, " d"]
    crop: bytes
    span: Span | None = None


@dataclass(frozen=True, eq=False)
class FaceCodes:
    """All faces of a gallery as a clusterer sees them, in an order that depends on content alone.

    Attributes:
        ids: of the faces.
        codes: their embeddings, n x d.
        photos: the photo that each is in.
        people: the person that each is, or -1.
        spans: seconds of a video from which to which each is seen; NaN for faces of photos.
    """

    ids: Int64[np.ndarray, " n"]
    codes: Int8[np.ndarray, "n d"]
    photos: Int64[np.ndarray, " n"]
    people: Int64[np.ndarray, " n"]
    spans: Float64[np.ndarray, "n 2"]


@dataclass(frozen=True, eq=False)
class FaceView:
    """A stored face as people see it; ``photo`` is the first of its photo's paths. Where that is a
    video, ``span`` says when the face is seen."""

    id: int
    photo_id: int
    photo: str
    box: Float32[np.ndarray, " 4"]
    score: float
    quality: float
    span: Span | None = None


@dataclass(frozen=True)
class Person:
    """Faces taken for one person; ``name`` is None until somebody gives one."""

    id: int
    name: str | None
    faces: tuple[FaceView, ...]


@dataclass(frozen=True)
class PhotoView:
    """A stored photo; ``paths`` are the files that hold it, in order. Where it is a video,
    ``seconds`` and ``damage`` are its own."""

    id: int
    paths: tuple[str, ...]
    width: int
    height: int
    seconds: float | None = None
    damage: str = ""


@dataclass(frozen=True)
class Skipped:
    """A file that could not be read, and why."""

    path: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Match:
    """A stored face that is like one that was searched for; ``score`` is their cosine."""

    face_id: int
    person_id: int | None
    name: str | None
    photo: str
    score: float


@dataclass(frozen=True)
class Erased:
    """What `forget` removed; ``reports`` are the pages that it deleted."""

    faces: int
    photos: int
    reports: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class LogEntry:
    """A line of the gallery's log of decisions, consent and erasure."""

    at: str
    event: str
    person_id: int | None
    stated_by: str
    note: str
