"""AffectNet: expressions in the wild, as classes and as valence and arousal.

Two forms are read. The first release has lists: ``validation.csv`` and ``training.csv`` with the
columns ``subDirectory_filePath, face_x, face_y, face_width, face_height, facial_landmarks,
expression, valence, arousal``, and pictures in ``Manually_Annotated_Images``. The later one of
eight classes has files: ``val_set/images/12.jpg`` and ``val_set/annotations/12_exp.npy``,
``12_val.npy``, ``12_aro.npy``, whose value may be a number or text. These are read without
unpickling.

Source: A. Mollahosseini, B. Hasani, M. H. Mahoor, "AffectNet: a database for facial expression,
valence, and arousal computing in the wild", IEEE Transactions on Affective Computing 2019,
section 3, and the ``readme`` of the set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import LabeledPictures, Terms
from lineament.measure.sets.npy import read_npy
from lineament.measure.sets.text import Line, read_lines

TERMS = Terms(
    name="AffectNet",
    where="its authors, on request (mohammadmahoor.com/pages/databases/affectnet)",
    terms="non-commercial research, under a signed agreement",
)
EXPRESSIONS = tuple(
    "neutral happy sad surprise fear disgust anger contempt none uncertain non-face".split()
)
"""Expression k. Figures are published for the first seven or eight."""
_LISTS = {"train": "training.csv", "val": "validation.csv"}
_UNLABELLED = -2.0


@dataclass(frozen=True, eq=False)
class AffectNet:
    """Faces with expressions.

    Attributes:
        pictures: with the label ``expression``; see `EXPRESSIONS`.
        valence: -1 (unpleasant) to 1; NaN where the set says that there is none.
        arousal: -1 (calm) to 1; likewise.
    """

    pictures: LabeledPictures
    valence: Float32[np.ndarray, " n"]
    arousal: Float32[np.ndarray, " n"]


def read_affectnet(folder: Path, split: str = "val") -> AffectNet:
    """Read a folder of AffectNet in either form; where both are there, the lists.

    Args:
        folder: holds the lists, or ``val_set`` and ``train_set``.
        split: ``val`` or ``train``; the test set was never published.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a list or a label does not follow its format.
    """
    if split not in _LISTS:
        raise BadInput(f"{split!r} is neither val nor train")
    listed, labels = folder / _LISTS[split], folder / f"{split}_set" / "annotations"
    if listed.is_file():
        rows = list(_from_list(listed))
    elif labels.is_dir():
        rows = [_from_files(path) for path in sorted(labels.glob("*_exp.npy"), key=_number)]
    else:
        raise TERMS.missing(listed)
    if not rows:
        raise BadInput("no labels", str(listed if listed.is_file() else labels))
    paths, expressions, valence, arousal = zip(*rows, strict=True)
    return AffectNet(
        LabeledPictures(
            paths,
            {"expression": np.asarray(expressions, np.int64)},
            {"expression": EXPRESSIONS},
        ),
        np.asarray(valence, np.float32),
        np.asarray(arousal, np.float32),
    )


_Row = tuple[Path, int, float, float]


def _from_list(path: Path) -> list[_Row]:
    pictures = path.parent / "Manually_Annotated_Images"
    rows = []
    for line in read_lines(path, ","):
        line.expect(9)
        if line.words[0] != "subDirectory_filePath":  # the titles
            valence, arousal = (_degree(value, line) for value in line.floats(7, 9))
            rows.append((pictures / line.name(0), line.integer(6, 0, 10), valence, arousal))
    return rows


def _from_files(path: Path) -> _Row:
    stem = path.name.removesuffix("_exp.npy")
    expression = _label(path)
    if expression not in range(len(EXPRESSIONS)):
        raise BadInput(f"{expression} is not an expression", str(path))
    line = Line(path, 1, ())
    valence, arousal = (
        _degree(_label(path.with_name(f"{stem}_{what}.npy")), line) for what in ("val", "aro")
    )
    return path.parents[1] / "images" / f"{stem}.jpg", int(expression), valence, arousal


def _label(path: Path) -> float:
    """One number, which some files hold as text."""
    content = np.asarray(read_npy(path))
    try:
        (value,) = (float(word) for word in content.ravel().tolist())
    except (TypeError, ValueError):
        raise BadInput("one number expected", str(path)) from None
    return value


def _degree(value: float, line: Line) -> float:
    if value == _UNLABELLED:
        return math.nan
    if not -1 <= value <= 1:
        raise line.bad(f"valence and arousal go from -1 to 1, not to {value}")
    return value


def _number(path: Path) -> tuple[int, str]:
    """In order of the pictures' numbers."""
    stem = path.name.removesuffix("_exp.npy")
    return (int(stem) if stem.isdecimal() else -1), stem
