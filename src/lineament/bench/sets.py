"""Test sets by the name of their folder: what each holds, and where its makers give it out.

No set is shipped and none is fetched: each has terms of its own, which are yours to read.
"""

from __future__ import annotations

from lineament.core.errors import MissingFile
from lineament.measure.sets import (
    aflw2000,
    antispoof,
    celeba,
    facemask853,
    fasseg,
    fer2013,
    landmarks106,
    lfw,
    orl,
    ucla68,
    utkface,
)
from lineament.measure.sets.nouns import Terms

SETS: dict[str, Terms] = {
    "lfw": lfw.TERMS,
    "orl": orl.TERMS,
    "facemask853": facemask853.TERMS,
    "landmarks106": landmarks106.TERMS,
    "ucla68": ucla68.TERMS,
    "aflw2000_16": aflw2000.TERMS,
    "fasseg": fasseg.TERMS,
    "celeba5k": celeba.TERMS,
    "celeba64_train": celeba.TERMS,
    "utkface": utkface.TERMS,
    "fer2013": fer2013.TERMS,
    "antispoof": antispoof.TERMS,
}
"""Folder name -> the set's makers and terms."""


class MissingSet(MissingFile):
    """A test set that a protocol needs is not here. ``name`` is its folder's name."""

    def __init__(self, name: str) -> None:
        terms = SETS.get(name)
        known = f" ({terms.name}, from {terms.where}; terms: {terms.terms})" if terms else ""
        super().__init__(
            f"the test set {name!r} is needed{known}; "
            f"put it into a folder {name!r} and point --data at that folder's parent"
        )
        self.name = name
