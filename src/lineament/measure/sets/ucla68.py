"""UCLA-68: 1,000 faces of 128 x 128 with the 68 points of 300-W.

Layout: ``images/NAME.jpg`` and ``landmarks/NAME.mat`` with the variable ``lms`` (68 x 2).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lineament.core.errors import BadInput
from lineament.measure.sets.matlab import read_matlab
from lineament.measure.sets.nouns import PointedFaces, Terms, need_files

TERMS = Terms(
    name="UCLA-68",
    where="the course pages of statistics at UCLA (1,000 faces with 68 points)",
    terms="research",
)


def read_ucla68(folder: Path) -> PointedFaces:
    """Read the folder, in order of name; scheme ``68``.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a file does not hold 68 finite points.
    """
    need_files(TERMS, folder / "images", folder / "landmarks")
    paths = tuple(sorted((folder / "images").glob("*.jpg")))
    if not paths:
        raise TERMS.missing(folder / "images")
    points = [_read_points(folder / "landmarks" / f"{path.stem}.mat") for path in paths]
    return PointedFaces(paths, np.stack(points), "68")


def _read_points(path: Path) -> Float32[np.ndarray, "68 2"]:
    need_files(TERMS, path)
    points = read_matlab(path).get("lms")
    if not isinstance(points, np.ndarray) or points.shape != (68, 2):
        raise BadInput("no variable 'lms' of 68 x 2", str(path))
    if not np.isfinite(points).all():
        raise BadInput("a point is not a finite number", str(path))
    return points.astype(np.float32)
