"""300-W: faces with 68 points; the common, the challenging and the full test set.

Layout, a folder a source: ``afw``, ``helen/trainset``, ``helen/testset``, ``lfpw/trainset``,
``lfpw/testset``, ``ibug``; each picture has a ``.pts`` file of the same stem beside it. By custom
the common part is the test pictures of Helen and LFPW (330 + 224), the challenging part is ibug
(135), the full one is both; the rest is for training (337 + 2,000 + 811). What the contest itself
tested on later, ``01_Indoor`` and ``02_Outdoor``, is the part ``contest`` (600).

The files count pixels from 1, as MATLAB does. Points are given here from 0: 1 is taken off.

Source: C. Sagonas et al., "300 faces in-the-wild challenge: the first facial landmark localization
challenge", ICCV Workshops 2013; the parts are those of S. Ren et al., "Face alignment at 3000 FPS
via regressing local binary features", CVPR 2014, section 4.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import PointedFaces, Terms
from lineament.measure.sets.text import read_lines

TERMS = Terms(
    name="300-W",
    where="Imperial College's page (ibug.doc.ic.ac.uk/resources/300-W)",
    terms="non-commercial research; not to be passed on",
)
PARTS = {
    "common": ("helen/testset", "lfpw/testset"),
    "challenging": ("ibug",),
    "full": ("helen/testset", "lfpw/testset", "ibug"),
    "train": ("afw", "helen/trainset", "lfpw/trainset"),
    "contest": ("01_Indoor", "02_Outdoor"),
}
"""Folders of each part."""
POINTS = 68
_SUFFIXES = (".jpg", ".png", ".jpeg")


def read_300w(folder: Path, part: str = "full") -> PointedFaces:
    """Read a part of 300-W, in order of folder and name. Mirrored copies are left out.

    Args:
        folder: holds the folders of `PARTS`.
        part: a name of `PARTS`.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a file of points does not follow its format, or there is no such part.
    """
    if part not in PARTS:
        raise BadInput(f"{part!r} is none of {', '.join(PARTS)}")
    paths, points = [], []
    for place in PARTS[part]:
        if not (folder / place).is_dir():
            raise TERMS.missing(folder / place)
        for path in sorted((folder / place).glob("*.pts")):
            if path.stem.endswith("_mirror"):
                continue
            points.append(read_pts(path, POINTS))
            paths.append(_picture(path))
    if not paths:
        raise BadInput("no .pts files", str(folder))
    return PointedFaces(tuple(paths), np.stack(points), "300w68")


def read_pts(path: Path, count: int) -> Float32[np.ndarray, "k 2"]:
    """A file of points: ``version: 1``, ``n_points: 68``, and x y lines between braces.

    Pixels count from 1 in the file and from 0 here.

    Raises:
        MissingFile: there is no such file.
        BadInput: it does not follow its format, or holds another number of points.
    """
    points: list[list[float]] = []
    inside = done = False
    for line in read_lines(path):
        if not inside:
            inside = line.words == ("{",)
            if line.words[0] == "n_points:" and line.integer(1) != count:
                raise line.bad(f"{line.words[1][:20]} points instead of {count}")
            if not inside and not line.words[0].endswith(":"):
                raise line.bad("a title such as n_points: or a brace expected")
        elif done or line.words == ("}",):
            if done:
                raise line.bad("something after the closing brace")
            done = True
        else:
            line.expect(2)
            points.append(line.floats(0, 2))
            if len(points) > count:
                raise line.bad(f"more than {count} points")
    if not done or len(points) != count:
        raise BadInput(f"{len(points)} points in braces instead of {count}", str(path))
    return np.asarray(points, np.float32) - 1


def _picture(points: Path) -> Path:
    for suffix in _SUFFIXES:
        path = points.with_suffix(suffix)
        if path.is_file():
            return path
    raise TERMS.missing(points.with_suffix(_SUFFIXES[0]))
