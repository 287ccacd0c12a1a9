"""UTKFace: faces with age, sex and group, all in the names of the files.

Layout: ``[age]_[sex]_[group]_[date].jpg`` (``.jpg.chip.jpg`` for the aligned and cropped version of
200 x 200), in one folder or in ``UTKFace``. A few of the original's names lack the group; such
pictures are left out.

The labels are what the set's authors had guessed by an algorithm and checked by a person; sex and
group are not what people said of themselves.

Source: Z. Zhang, Y. Song, H. Qi, "Age progression/regression by conditional adversarial
autoencoder", CVPR 2017, and susanqq.github.io/UTKFace.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from lineament.measure.sets.nouns import LabeledPictures, Terms

TERMS = Terms(
    name="UTKFace",
    where="its authors' page (susanqq.github.io/UTKFace)",
    terms="non-commercial research",
)
SEXES = ("male", "female")
GROUPS = ("White", "Black", "Asian", "Indian", "Others")
"""The names that the set's authors gave."""

_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_\d+ ?\.jpg(\.chip\.jpg)?")


def read_utkface(folder: Path) -> LabeledPictures:
    """Read the folder, in order of name. Labels: ``age`` in years, ``sex`` and ``group``.

    Raises:
        MissingFile: no picture with such a name is there; the message says where to get the set.
    """
    inner = folder / "UTKFace"
    folder = inner if inner.is_dir() else folder
    named = [(path, _NAME.fullmatch(path.name)) for path in sorted(folder.glob("*.jpg"))]
    rows = [(path, [int(match[k]) for k in (1, 2, 3)]) for path, match in named if match]
    if not rows:
        raise TERMS.missing(folder / "AGE_SEX_GROUP_DATE.jpg")
    age, sex, group = np.asarray([labels for _, labels in rows], np.int64).T.copy()
    return LabeledPictures(
        tuple(path for path, _ in rows),
        {"age": age, "sex": sex, "group": group},
        {"sex": SEXES, "group": GROUPS},
    )
