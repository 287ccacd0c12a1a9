"""Landmarks-106: faces of some 320 x 320 with 106 points each.

Layout: pictures such as ``000001.jpg`` and ``landmarks.npz`` with ``names`` (text, n) and ``pts``
(n x 106 x 2). The archive may name more pictures than the folder holds; those that are here are
read.

The order of the points, found by their mean positions: 0 to 32 the contour, 33 to 50 the brows, 51
to 56 and 61 to 66 the rims of the eyes, 71 to 85 the nose (tip 74), 86 to 105 the mouth (corners 86
and 90).
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import PointedFaces, Terms, need_files

TERMS = Terms(
    name="Landmarks-106",
    where="its makers (500 faces with 106 points)",
    terms="non-commercial use",
)
POINTS = 106


def read_landmarks106(folder: Path) -> PointedFaces:
    """Read the folder, in order of name; scheme ``106``.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: the archive does not hold what it should.
    """
    path = folder / "landmarks.npz"
    need_files(TERMS, path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names, points = archive["names"], archive["pts"]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise BadInput(f"not a readable archive of points: {error}", str(path)) from error
    if names.ndim != 1 or names.dtype.kind != "U" or points.shape != (len(names), POINTS, 2):
        raise BadInput(f"names {names.shape} and points {points.shape} do not fit", str(path))
    if points.dtype.kind != "f" or not np.isfinite(points).all():
        raise BadInput("a point is not a finite number", str(path))
    here = {p.name for p in folder.glob("*.jpg")}
    rows = [int(row) for row in np.argsort(names) if str(names[row]) in here]
    if not rows:
        raise TERMS.missing(folder / "*.jpg")
    paths = tuple(folder / str(names[row]) for row in rows)
    return PointedFaces(paths, points[rows].astype(np.float32), "106")
