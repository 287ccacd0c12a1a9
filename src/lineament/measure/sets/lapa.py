"""LaPa: faces in the wild with 106 points, and each pixel of one of 11 classes.

Layout: ``train``, ``val`` and ``test``, each with ``images/NAME.jpg``, ``labels/NAME.png`` (grey,
the class as the brightness) and ``landmarks/NAME.txt`` (the line ``106``, then a line a point).

Source: Y. Liu et al., "A new dataset and boundary-attention semantic segmentation for face
parsing", AAAI 2020, section 3; github.com/JDAI-CV/lapa-dataset.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import MaskedPictures, PointedFaces, Terms, need_files
from lineament.measure.sets.text import read_lines

TERMS = Terms(
    name="LaPa",
    where="its authors' repository (github.com/JDAI-CV/lapa-dataset)",
    terms="non-commercial research",
)
CLASSES = (
    "background",
    "skin",
    "left eyebrow",
    "right eyebrow",
    "left eye",
    "right eye",
    "nose",
    "upper lip",
    "inner mouth",
    "lower lip",
    "hair",
)
SPLITS = ("train", "val", "test")
POINTS = 106


def read_lapa_masks(folder: Path, split: str = "test") -> MaskedPictures:
    """The pictures and masks of a part of LaPa (18,168, 2,000 and 2,000), in order of name.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: there is no such part, or it is empty.
    """
    paths = _pictures(folder, split)
    masks = tuple(path.parents[1] / "labels" / f"{path.stem}.png" for path in paths)
    need_files(TERMS, *masks)
    grey = np.arange(len(CLASSES), dtype=np.uint8)
    return MaskedPictures(paths, masks, CLASSES, np.stack([grey, grey, grey], axis=1))


def read_lapa_points(folder: Path, split: str = "test") -> PointedFaces:
    """The pictures and points of a part of LaPa, in order of name.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a file of points does not follow its format, or there is no such part.
    """
    paths = _pictures(folder, split)
    points = [_read_points(path.parents[1] / "landmarks" / f"{path.stem}.txt") for path in paths]
    return PointedFaces(paths, np.stack(points), "lapa106")


def _pictures(folder: Path, split: str) -> tuple[Path, ...]:
    if split not in SPLITS:
        raise BadInput(f"{split!r} is none of {', '.join(SPLITS)}")
    images = folder / split / "images"
    if not images.is_dir():
        raise TERMS.missing(images)
    paths = tuple(sorted(images.glob("*.jpg")))
    if not paths:
        raise BadInput("no pictures", str(images))
    return paths


def _read_points(path: Path) -> Float32[np.ndarray, "106 2"]:
    need_files(TERMS, path)
    points: list[list[float]] = []
    count = None
    for line in read_lines(path):
        if count is None:
            line.expect(1)
            count = line.integer(0, POINTS, POINTS)
        else:
            line.expect(2)
            points.append(line.floats(0, 2))
            if len(points) > POINTS:
                raise line.bad(f"more than {POINTS} points")
    if len(points) != POINTS:
        raise BadInput(f"{len(points)} points instead of {POINTS}", str(path))
    return np.asarray(points, np.float32)
