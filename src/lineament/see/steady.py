"""Faces of a video held steady while they are followed: boxes, keypoints and landmarks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64

from lineament.core.faces import Faces
from lineament.core.landmarks import Landmarks
from lineament.see.landmarks.steady import OneEuro

_POINTS = ("keypoints", "landmarks")
_DETECTOR_BETA = 10.0
"""Hz for one face size a second. A detector's boxes and points tremble several times as much as
landmarks, which the filter's own setting is for."""
_FORGET = 1.0
"""Seconds after which a track that is out of sight begins anew."""


class SteadyFaces:
    """A One Euro filter for each field of each track. For drawing: what is measured stays as it was
    found."""

    def __init__(self) -> None:
        self._filters: dict[tuple[int, str], OneEuro] = {}
        self._last: dict[int, float] = {}

    def __call__(
        self, faces: Faces, tracks: Int64[np.ndarray, " n"], seconds: float, *, cut: bool = False
    ) -> Faces:
        """The same faces, steadied.

        Args:
            faces: of a frame.
            tracks: of each face; 0 for none, which is left as it is.
            seconds: of the frame, later than the one before.
            cut: whether a new shot begins, in which nothing is where it was.
        """
        self._forget(seconds if not cut else float("inf"))
        self._last.update(dict.fromkeys(tracks[tracks > 0].tolist(), seconds))
        sizes = np.maximum((faces.boxes[:, 2:] - faces.boxes[:, :2]).max(axis=1, initial=1), 1)
        corners = faces.boxes.reshape(-1, 2, 2)
        boxes = self._steadied("boxes", corners, tracks, seconds, sizes).reshape(-1, 4)
        fields = {}
        for name in faces.fields.intersection(_POINTS):
            found: Landmarks = getattr(faces, name)
            points = self._steadied(name, found.points, tracks, seconds, sizes)
            fields[name] = Landmarks(points, found.scheme)
        return faces.with_fields(boxes=boxes, **fields)

    def _steadied(
        self,
        name: str,
        points: Float32[np.ndarray, "n k 2"],
        tracks: Int64[np.ndarray, " n"],
        seconds: float,
        sizes: Float32[np.ndarray, " n"],
    ) -> Float32[np.ndarray, "n k 2"]:
        steady = points.copy()
        for row, track in enumerate(tracks.tolist()):
            if track:
                hold = self._filters.setdefault((track, name), _filter(name))
                steady[row] = hold(points[row], seconds, float(sizes[row]))
        return steady

    def _forget(self, seconds: float) -> None:
        self._last = {t: last for t, last in self._last.items() if seconds - last <= _FORGET}
        self._filters = {k: held for k, held in self._filters.items() if k[0] in self._last}


def _filter(name: str) -> OneEuro:
    return OneEuro() if name == "landmarks" else OneEuro(beta=_DETECTOR_BETA)
