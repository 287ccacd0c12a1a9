"""RAF-DB, basic part: faces in the wild, each of one of seven expressions.

Layout: ``basic/EmoLabel/list_patition_label.txt`` (the set's own spelling) with lines such as
``test_0001.jpg 5``, and ``basic/Image/aligned/test_0001_aligned.jpg`` (100 x 100) or
``basic/Image/original/test_0001.jpg``.

Source: S. Li, W. Deng, J. Du, "Reliable crowdsourcing and deep locality-preserving learning for
expression recognition in the wild", CVPR 2017, section 3, and the ``readme`` of the set.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import LabeledPictures, Terms, need_files
from lineament.measure.sets.text import read_lines

TERMS = Terms(
    name="RAF-DB",
    where="its authors, on request (whdeng.cn/RAF/model1.html)",
    terms="non-commercial research, under a signed agreement",
)
EXPRESSIONS = tuple("surprise fear disgust happiness sadness anger neutral".split())
"""Expression k; the set's own labels count from 1."""


def read_rafdb(folder: Path, split: str = "test", *, aligned: bool = True) -> LabeledPictures:
    """Read a folder of RAF-DB, or its ``basic``. The label is ``expression``.

    Args:
        folder: holds what the module says.
        split: ``test`` (3,068) or ``train`` (12,271).
        aligned: the authors' own crops, or the pictures as they were found.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: the list does not follow its format.
    """
    if split not in ("train", "test"):
        raise BadInput(f"{split!r} is neither train nor test")
    folder = folder / "basic" if (folder / "basic").is_dir() else folder
    path = folder / "EmoLabel" / "list_patition_label.txt"
    need_files(TERMS, path)
    pictures = folder / "Image" / ("aligned" if aligned else "original")
    paths, expressions = [], []
    for line in read_lines(path):
        line.expect(2)
        name, label = line.name(0), line.integer(1, 1, len(EXPRESSIONS))
        part, stem = name.partition("_")[0], name.rpartition(".")[0]
        if part not in ("train", "test") or not stem:
            raise line.bad(f"{name[:40]!r} is not a picture of either part")
        if part == split:
            paths.append(pictures / (f"{stem}_aligned.jpg" if aligned else name))
            expressions.append(label - 1)
    if not paths:
        raise BadInput(f"no pictures for {split}", str(path))
    return LabeledPictures(
        tuple(paths),
        {"expression": np.asarray(expressions, np.int64)},
        {"expression": EXPRESSIONS},
    )
