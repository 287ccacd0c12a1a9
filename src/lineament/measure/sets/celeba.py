"""CelebA: pictures of well-known people, 40 yes-or-no attributes, identities.

Layout, by the set's own file names: ``identity_CelebA.txt`` (lines such as ``000001.jpg 2880``),
``list_attr_celeba.txt`` (a count, a line of 40 names, then ``000001.jpg -1 1 ...``; some copies
leave out the count), ``list_eval_partition.txt`` (``000001.jpg 0``: 0 train, 1 validation, 2 test;
optional) and the pictures in ``img_align_celeba``, ``img`` or ``Img/img_align_celeba``. The lists
may stand in ``Anno`` and ``Eval``, as they are given out.

Source: Z. Liu et al., "Deep learning face attributes in the wild", ICCV 2015, section 4, and the
``README.txt`` of the set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import LabeledPictures, Terms
from lineament.measure.sets.text import read_lines

TERMS = Terms(
    name="CelebA",
    where="its authors' page (mmlab.ie.cuhk.edu.hk/projects/CelebA.html)",
    terms="non-commercial research",
)
ATTRIBUTES = 40
_T = TypeVar("_T")
PARTS = ("train", "validation", "test")
"""What the numbers of `LabeledPictures.split` mean."""


def read_celeba(folder: Path) -> LabeledPictures:
    """Read a folder of CelebA: the pictures that are here, in order of name.

    Each attribute is a label of 0 and 1 under its own name. A folder may hold only some of the
    pictures, and lists of only those.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a list does not follow its format, or lacks a picture.
    """
    pictures = _first(folder, "img_align_celeba", "img", "Img/img_align_celeba")
    names = sorted(path.name for path in pictures.glob("*.jpg"))
    if not names:
        raise TERMS.missing(pictures / "*.jpg")
    identities = _first(folder, "identity_CelebA.txt", "Anno/identity_CelebA.txt")
    partition = [folder / place / "list_eval_partition.txt" for place in (".", "Eval")]
    split = next((path for path in partition if path.is_file()), None)
    return LabeledPictures(
        tuple(pictures / name for name in names),
        _read_attributes(
            _first(folder, "list_attr_celeba.txt", "Anno/list_attr_celeba.txt"), names
        ),
        people=_read_numbers(identities, names, 2**31),
        split=_read_numbers(split, names, len(PARTS) - 1) if split else None,
    )


def _first(folder: Path, *places: str) -> Path:
    for place in places:
        if (folder / place).exists():
            return folder / place
    raise TERMS.missing(folder / places[0])


def _read_numbers(path: Path, names: Sequence[str], highest: int) -> np.ndarray:
    numbers = {}
    for line in read_lines(path):
        line.expect(2)
        numbers[line.name(0)] = line.integer(1, 0, highest)
    return np.asarray(_in_order(numbers, names, path), np.int64)


def _read_attributes(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    titles: tuple[str, ...] = ()
    rows = {}
    for line in read_lines(path):
        if not titles:
            if line.number == 1 and len(line.words) == 1:
                continue
            line.expect(ATTRIBUTES)
            titles = line.words
            continue
        line.expect(ATTRIBUTES + 1)
        rows[line.name(0)] = np.asarray(line.words[1:])
    flags = np.stack(_in_order(rows, names, path))
    if not np.isin(flags, ("1", "-1")).all() or len(set(titles)) != ATTRIBUTES:
        raise BadInput("40 different names expected, and 1 or -1 of each", str(path))
    table = (flags == "1").astype(np.int64)
    return {title: np.ascontiguousarray(table[:, k]) for k, title in enumerate(titles)}


def _in_order(rows: Mapping[str, _T], names: Sequence[str], path: Path) -> list[_T]:
    lacking = next((name for name in names if name not in rows), None)
    if lacking is not None:
        raise BadInput(f"the picture {lacking} is not in the list", str(path))
    return [rows[name] for name in names]
