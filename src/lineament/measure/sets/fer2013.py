"""FER-2013: grey faces of 48 x 48, each of one of seven expressions.

Two layouts: a folder an expression (``angry``, ``disgust`` ...), whose pictures may be named after
their part (``PublicTest_123.jpg``, ``PrivateTest_123.jpg``, ``Training_123.jpg``), and the original
``fer2013.csv`` with ``emotion,pixels,Usage``, whose pixels stand in the file itself.

Source: I. Goodfellow et al., "Challenges in representation learning: a report on three machine
learning contests", ICONIP 2013, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import LabeledPictures, Terms, need_files
from lineament.measure.sets.text import read_lines

TERMS = Terms(
    name="FER-2013",
    where="Kaggle, 'Challenges in Representation Learning: Facial Expression Recognition'",
    terms="research",
)
EXPRESSIONS = tuple("angry disgust fear happy sad surprise neutral".split())
"""By the numbers of the original file."""
PARTS = ("Training", "PublicTest", "PrivateTest")
SIDE = 48


@dataclass(frozen=True, eq=False)
class FerTable:
    """The original file as arrays.

    Attributes:
        pixels: grey.
        expression: as numbers of `EXPRESSIONS`.
        split: as numbers of `PARTS`.
    """

    pixels: UInt8[np.ndarray, "n 48 48"]
    expression: Int64[np.ndarray, " n"]
    split: Int64[np.ndarray, " n"]


def read_fer2013(folder: Path) -> LabeledPictures:
    """Read the folders, in order of expression and name. The label is ``expression``.

    ``split`` is of `PARTS` where every name says its part; else None.

    Raises:
        MissingFile: a folder is not there, or empty; the message says where to get the set.
    """
    rows: list[tuple[Path, int]] = []
    for number, name in enumerate(EXPRESSIONS):
        pictures = sorted(p for p in (folder / name).glob("*") if p.suffix in (".jpg", ".png"))
        if not pictures:
            raise TERMS.missing(folder / name)
        rows += [(path, number) for path in pictures]
    parts = [path.name.partition("_")[0] for path, _ in rows]
    known = all(part in PARTS for part in parts)
    return LabeledPictures(
        tuple(path for path, _ in rows),
        {"expression": np.asarray([number for _, number in rows], np.int64)},
        {"expression": EXPRESSIONS},
        split=np.asarray([PARTS.index(part) for part in parts], np.int64) if known else None,
    )


def read_fer2013_csv(path: Path) -> FerTable:
    """Read the original file (35,887 faces).

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: it does not follow its format.
    """
    need_files(TERMS, path)
    pixels, expressions, split = [], [], []
    for line in read_lines(path, ","):
        line.expect(3)
        if line.number == 1:
            if line.words != ("emotion", "pixels", "Usage"):
                raise line.bad("not the titles of fer2013.csv")
            continue
        expressions.append(line.integer(0, 0, len(EXPRESSIONS) - 1))
        values = line.words[1].split()
        if len(values) != SIDE**2 or not all(v.isascii() and v.isdigit() for v in values):
            raise line.bad(f"{SIDE**2} whole numbers from 0 to 255 expected")
        face = np.asarray([int(v[:4]) for v in values])
        if face.max() > 255:
            raise line.bad("a pixel is brighter than 255")
        pixels.append(face.astype(np.uint8).reshape(SIDE, SIDE))
        if line.words[2] not in PARTS:
            raise line.bad(f"{line.words[2][:20]!r} is no part of the set")
        split.append(PARTS.index(line.words[2]))
    if not pixels:
        raise BadInput("the list is empty", str(path))
    return FerTable(
        np.stack(pixels), np.asarray(expressions, np.int64), np.asarray(split, np.int64)
    )
