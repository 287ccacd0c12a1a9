"""WFLW: faces in the wild with 98 points, and six attributes that make a face hard.

Layout: ``WFLW_images/0--Parade/....jpg`` and ``WFLW_annotations/list_98pt_rect_attr_train_test/
list_98pt_rect_attr_test.txt`` (or ``..._train.txt``). A line has 207 words: x and y of 98 points,
a box as left, top, right, bottom, six attributes of 0 or 1, and the picture.

Source: W. Wu et al., "Look at Boundary: a boundary-aware face alignment algorithm", CVPR 2018,
section 4, and the ``README`` of the annotations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import PointedFaces, Terms, need_files
from lineament.measure.sets.text import read_lines

TERMS = Terms(
    name="WFLW",
    where="its authors' page (wywu.github.io/projects/LAB/WFLW.html)",
    terms="research; the pictures are WIDER FACE's, for non-commercial research",
)
ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
"""Each is a subset of the test set, and a label: 1 where it makes the face hard."""
POINTS = 98


def read_wflw(folder: Path, split: str = "test") -> PointedFaces:
    """Read a folder of WFLW: 2,500 faces to test on, 7,500 to train on.

    The labels are `ATTRIBUTES` (0 or 1), and ``box`` with left, top, right, bottom in pixels. A
    picture with several faces comes once a face.

    Args:
        folder: holds ``WFLW_images`` and ``WFLW_annotations``.
        split: ``test`` or ``train``.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: the list does not follow its format.
    """
    if split not in ("test", "train"):
        raise BadInput(f"{split!r} is neither test nor train")
    lists = folder / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    path = lists / f"list_98pt_rect_attr_{split}.txt"
    need_files(TERMS, path)
    end = 2 * POINTS + 4
    paths, numbers, attributes = [], [], []
    for line in read_lines(path):
        line.expect(end + len(ATTRIBUTES) + 1)
        numbers.append(np.asarray(line.floats(0, end), np.float32))
        attributes.append([line.integer(end + k, 0, 1) for k in range(len(ATTRIBUTES))])
        paths.append(folder / "WFLW_images" / line.name(-1))
    if not paths:
        raise BadInput("the list is empty", str(path))
    table, flags = np.stack(numbers), np.asarray(attributes, np.int64)
    labels = {name: flags[:, k].copy() for k, name in enumerate(ATTRIBUTES)}
    return PointedFaces(
        tuple(paths),
        table[:, : 2 * POINTS].reshape(-1, POINTS, 2).copy(),
        "wflw98",
        {**labels, "box": table[:, 2 * POINTS :].copy()},
    )
