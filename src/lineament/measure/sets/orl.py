"""ORL (AT&T) faces: 40 people, 10 grey pictures of 92 x 112 of each.

Layout: ``s1`` to ``s40``, each with ``1.pgm`` to ``10.pgm``. The pictures are binary PGM, which the
house does not decode for users, so `read_pgm` does here.

Source: F. Samaria, A. Harter, "Parameterisation of a stochastic model for human face
identification", WACV 1994, and the ``README`` of the set; the format: netpbm.sourceforge.net,
"PGM format specification".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import LabeledPictures, Terms, need_files

TERMS = Terms(
    name="the ORL database of faces",
    where="AT&T Laboratories Cambridge (cam-orl.co.uk/facedatabase.html)",
    terms="free to use where the Olivetti Research Laboratory is credited",
)
PEOPLE, SHOTS = 40, 10

_GAP = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(b"P5" + 2 * (_GAP + rb"(\d{1,5})") + _GAP + rb"(\d{1,3})\s")


def read_orl(folder: Path) -> LabeledPictures:
    """Read a folder of ORL: people 0 to 39 in order of number, the label ``shot`` from 1 to 10.

    Raises:
        MissingFile: a picture is not there; the message says where to get it, and its terms.
    """
    paths = tuple(
        folder / f"s{person}" / f"{shot}.pgm"
        for person in range(1, PEOPLE + 1)
        for shot in range(1, SHOTS + 1)
    )
    need_files(TERMS, *paths)
    return LabeledPictures(
        paths,
        {"shot": np.tile(np.arange(1, SHOTS + 1), PEOPLE)},
        people=np.repeat(np.arange(PEOPLE), SHOTS),
    )


def read_pgm(path: Path) -> UInt8[np.ndarray, "h w"]:
    """A binary PGM picture of at most 255 levels.

    Raises:
        BadInput: it is none, or its data does not fill its size.
    """
    data = path.read_bytes()
    header = _HEADER.match(data)
    if not header:
        raise BadInput("not a binary PGM picture", str(path))
    width, height, levels = (int(word) for word in header.groups())
    body = data[header.end() :]
    if not 0 < levels < 256 or not width * height or len(body) != width * height:
        raise BadInput(f"{len(body)} bytes for {width} x {height} pixels", str(path))
    return np.frombuffer(body, np.uint8).reshape(height, width)
