"""Named points of faces. A scheme says how many points there are and what each one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

SCHEMES = {"5": 5, "68": 68, "106": 106, "478": 478}
"""Names of the schemes and their number of points. The order of "5" is right eye, left eye, nose
tip, right and left corner of the mouth: the person's right, which is the picture's left. "68" is in
the order of 300-W, "106" in that of Landmarks-106, "478" is MediaPipe's mesh with irises."""


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The same points on each of n faces.

    Attributes:
        points: (x, y) in pixels, float32, n x k x 2.
        scheme: a name of `SCHEMES`, which fixes k.

    Raises:
        ValueError: the scheme is unknown or has another number of points.
    """

    points: Float32[np.ndarray, "n k 2"]
    scheme: str

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise ValueError(f"no landmark scheme {self.scheme!r}; there are {', '.join(SCHEMES)}")
        if self.points.shape[1:] != (SCHEMES[self.scheme], 2):
            raise ValueError(f"scheme {self.scheme!r} does not fit points {self.points.shape}")

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, rows: slice | np.ndarray) -> Landmarks:
        return Landmarks(self.points[rows], self.scheme)
