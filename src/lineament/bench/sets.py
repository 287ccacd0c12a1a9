"""Test sets by the name of their folder: what each holds, and where its makers give it out.

No set is shipped and none is fetched: each has terms of its own, which are yours to read.
"""

from __future__ import annotations

from lineament.core.errors import MissingFile

SETS: dict[str, str] = {
    "lfw": "LFW, pairs.txt and images/: vis-www.cs.umass.edu/lfw (research)",
    "orl": "AT&T faces, s1 to s40: the ORL database of AT&T Laboratories Cambridge (credit it)",
    "facemask853": "images/ and annotations/: 'Face Mask Detection' by andrewmvd on Kaggle (CC0)",
    "landmarks106": "500 pictures and landmarks.npz with 106 points each (non-commercial)",
    "ucla68": "1,000 pictures of 128 x 128 in images/ with 68 points and the sex (research)",
    "aflw2000_16": "pictures and .mat files of AFLW2000-3D, given out with 3DDFA",
    "fasseg": "FASSEG: github.com/massimomauro/FASSEG-repository (research, cite)",
    "celeba5k": "img/, attributes and identities of CelebA: "
    "mmlab.ie.cuhk.edu.hk/projects/CelebA.html (non-commercial research)",
    "celeba64_train": "CelebA's pictures at 64 x 64, of people not in celeba5k: "
    "mmlab.ie.cuhk.edu.hk/projects/CelebA.html (non-commercial research)",
    "utkface": "UTKFace, aligned and cropped: susanqq.github.io/UTKFace (non-commercial research)",
    "fer2013": "FER-2013, one folder an expression: from Kaggle's challenge of 2013",
    "antispoof": "real/ and fake/ pictures, a folder a source; no terms are stated",
}
"""Folder name -> what it holds, who gives it out, and on what terms."""


class MissingSet(MissingFile):
    """A test set that a protocol needs is not here. ``name`` is its folder's name."""

    def __init__(self, name: str) -> None:
        known = f" ({SETS[name]})" if name in SETS else ""
        super().__init__(
            f"the test set {name!r} is needed{known}; "
            f"put it into a folder {name!r} and point --data at that folder's parent"
        )
        self.name = name
