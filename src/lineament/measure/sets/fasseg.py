"""FASSEG: faces whose pixels are of six classes; frontal (version 2) and at 13 poses (version 3).

Layout: ``V2/Train_RGB/1.jpg`` with ``V2/Train_Labels/1.png``, likewise ``Test``;
``V3/Train_RGB/+15/NAME.jpg`` with ``V3/Train_labels/+15/NAME.png``, likewise ``Test``, whose masks
cover six of the poses, four of them not in the size of their picture. A name of version 3 such as
``personne08146+0+0`` is person 08, series 1, number 46, tilt and pan in degrees (of the Pointing'04
set); no person is in both of its parts.

A class is a colour of the masks. Their edges are blended, so a pixel is of the class whose colour
is the nearest.

Source: S. Benini et al., "FASSEG: a FAce semantic SEGmentation repository for face image analysis",
Data in Brief 2019; github.com/massimomauro/FASSEG-repository.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from lineament.core.errors import BadInput
from lineament.core.headers import Limits, read_header
from lineament.core.media import read_image
from lineament.measure.sets.nouns import MaskedPictures, Terms, need_files

TERMS = Terms(
    name="FASSEG",
    where="its authors' repository (github.com/massimomauro/FASSEG-repository)",
    terms="research, citing its authors",
)
CLASSES = ("background", "skin", "hair", "eyes", "nose", "mouth")
COLOURS = np.asarray(
    [(255, 0, 0), (255, 255, 0), (127, 0, 0), (0, 0, 255), (0, 255, 255), (0, 255, 0)], np.uint8
)
"""RGB of each class."""
VERSIONS = {"V2": "Labels", "V3": "labels"}
"""How each version spells the folder of its masks."""
PARTS = ("Train", "Test")

_NAME = re.compile(r"personne(\d\d)\d{3}[+-]\d+([+-]\d+)")


def read_fasseg(folder: Path, version: str, part: str) -> MaskedPictures:
    """Read a part of a version, in order of name: the pictures that have a mask of their size.

    Labels of version 3: ``person`` and ``pan`` in degrees, as the name has it. The pictures of
    version 2 have no label.

    Args:
        folder: holds ``V2`` or ``V3``.
        version: ``V2`` or ``V3``.
        part: ``Train`` or ``Test``.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: there is no such version or part, or a name of version 3 says no pose.
    """
    if version not in VERSIONS or part not in PARTS:
        raise BadInput(f"{version} {part} is none of V2 or V3, Train or Test")
    pictures = folder / version / f"{part}_RGB"
    home = folder / version / f"{part}_{VERSIONS[version]}"
    need_files(TERMS, pictures, home)
    masks = sorted(home.rglob("*.png"), key=lambda path: (len(path.stem), path.stem))
    if not masks:
        raise TERMS.missing(home / "*.png")
    pairs = [(pictures / m.relative_to(home).with_suffix(".jpg"), m) for m in masks]
    need_files(TERMS, *(path for path, _ in pairs))
    fitting = [(path, mask) for path, mask in pairs if _size(path) == _size(mask)]
    if not fitting:
        raise BadInput("no mask has the size of its picture", str(home))
    paths, kept = zip(*fitting, strict=True)
    labels = _labels(paths) if version == "V3" else {}
    return MaskedPictures(paths, kept, CLASSES, COLOURS, labels)


@cache
def _nearest() -> UInt8[np.ndarray, "32 32 32"]:
    """The class of each colour, in steps of 8: a table, since a mask has 200,000 pixels."""
    levels = np.arange(4, 256, 8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    distances = ((grid[..., None, :] - COLOURS.astype(np.int64)) ** 2).sum(axis=-1)
    return distances.argmin(axis=-1).astype(np.uint8)


def read_mask(path: Path) -> Int64[np.ndarray, "h w"]:
    """The class of each pixel of a mask.

    Raises:
        UnreadableImage: it cannot be decoded.
    """
    red, green, blue = np.moveaxis(read_image(path).pixels >> 3, 2, 0)
    return _nearest()[red, green, blue].astype(np.int64)


def _size(path: Path) -> tuple[int, int] | None:
    return read_header(path.read_bytes(), Limits()).size


def _labels(paths: tuple[Path, ...]) -> dict[str, np.ndarray]:
    matches = [_NAME.fullmatch(path.stem) for path in paths]
    rows = []
    for path, match in zip(paths, matches, strict=True):
        if not match:
            raise BadInput("a name such as personne08146+0+0 expected", str(path))
        rows.append((int(match[1]), int(match[2])))
    person, pan = np.asarray(rows, np.int64).T.copy()
    return {"person": person, "pan": pan}
