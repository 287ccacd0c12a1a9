"""The gallery: one SQLite file that is the record of truth, and an index derived from it."""

from lineament.know.gallery.gallery import Gallery
from lineament.know.gallery.records import (
    Erased,
    FaceCodes,
    FaceRecord,
    FaceView,
    LogEntry,
    Match,
    Person,
    PhotoRecord,
    PhotoView,
    Skipped,
    Span,
)

__all__ = [
    "Erased",
    "FaceCodes",
    "FaceRecord",
    "FaceView",
    "Gallery",
    "LogEntry",
    "Match",
    "Person",
    "PhotoRecord",
    "PhotoView",
    "Skipped",
    "Span",
]
