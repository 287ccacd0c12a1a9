"""CelebAMask-HQ: 30,000 faces, each pixel of one of 19 classes.

Layout: ``CelebA-HQ-img/0.jpg`` (1024 x 1024), ``CelebAMask-HQ-mask-anno/0/00000_skin.png`` (512 x
512, a file for each class that a picture has, 2,000 pictures a folder), and
``CelebA-HQ-to-CelebA-mapping.txt``. Which pictures are for testing comes from CelebA's own
``list_eval_partition.txt``, which has to be put beside the mapping.

Source: C.-H. Lee et al., "MaskGAN: towards diverse and interactive facial image manipulation",
CVPR 2020; the order of classes and of merging is that of
github.com/switchablenorms/CelebAMask-HQ, face_parsing/Data_preprocessing/g_mask.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from lineament.core.errors import BadInput
from lineament.core.media import read_image
from lineament.measure.sets.nouns import Terms, need_files
from lineament.measure.sets.text import read_lines

TERMS = Terms(
    name="CelebAMask-HQ",
    where="its authors' repository (github.com/switchablenorms/CelebAMask-HQ); the partition: "
    "CelebA's page (mmlab.ie.cuhk.edu.hk/projects/CelebA.html)",
    terms="non-commercial research and education",
)
CLASSES = tuple(
    "background skin nose eye_g l_eye r_eye l_brow r_brow l_ear r_ear mouth u_lip l_lip hair hat "
    "ear_r neck_l neck cloth".split()
)
"""Class k of a mask, in the official order; where files overlap, the later class wins."""
SPLITS = ("train", "val", "test")
_A_FOLDER = 2000
_SIDE = 512


@dataclass(frozen=True, eq=False)
class CelebAMask:
    """Faces whose masks are read when asked for.

    Attributes:
        folder: of the set.
        numbers: of the pictures in CelebA-HQ.
        classes: names.
    """

    folder: Path
    numbers: Int64[np.ndarray, " n"]
    classes: tuple[str, ...] = CLASSES

    def path(self, row: int) -> Path:
        """Of a picture."""
        return self.folder / "CelebA-HQ-img" / f"{self.numbers[row]}.jpg"

    def mask(self, row: int) -> UInt8[np.ndarray, "512 512"]:
        """Class of each pixel; the mask has half the side of the picture.

        Raises:
            BadInput: the picture has no file of any class, or one is not 512 x 512.
        """
        number = int(self.numbers[row])
        place = self.folder / "CelebAMask-HQ-mask-anno" / str(number // _A_FOLDER)
        merged = np.zeros((_SIDE, _SIDE), np.uint8)
        files = [place / f"{number:05d}_{name}.png" for name in self.classes]
        present = [(k, file) for k, file in enumerate(files) if k and file.is_file()]
        if not present:
            raise BadInput(f"picture {number} has no masks", str(place))
        for k, file in present:
            pixels = read_image(file).pixels
            if pixels.shape[:2] != merged.shape:
                raise BadInput(f"a mask of {pixels.shape[1]} x {pixels.shape[0]}", str(file))
            merged[pixels[..., 0] > 0] = k
        return merged


def read_celebamask(folder: Path, split: str | None = "test") -> CelebAMask:
    """Read a folder of CelebAMask-HQ. No picture is decoded.

    Args:
        folder: holds what the module says.
        split: ``train`` (24,183), ``val`` (2,993), ``test`` (2,824), or None for all, which
            needs no partition.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a list does not follow its format, or names a split that is none.
    """
    if split is not None and split not in SPLITS:
        raise BadInput(f"{split!r} is none of {', '.join(SPLITS)}")
    mapping = folder / "CelebA-HQ-to-CelebA-mapping.txt"
    partition = folder / "list_eval_partition.txt"
    need_files(TERMS, mapping, *([partition] if split else []))
    parts = _read_partition(partition) if split else {}
    numbers = []
    for line in read_lines(mapping):
        line.expect(3)
        if line.words[0] == "idx":
            continue
        number, original = line.integer(0, 0, 29_999), line.words[2]
        if split and original not in parts:
            raise line.bad(f"{original[:40]!r} is not in {partition.name}")
        if not split or SPLITS[parts[original]] == split:
            numbers.append(number)
    if not numbers or len(set(numbers)) != len(numbers):
        raise BadInput("no pictures, or one of them twice", str(mapping))
    return CelebAMask(folder, np.asarray(numbers, np.int64))


def _read_partition(path: Path) -> dict[str, int]:
    parts = {}
    for line in read_lines(path):
        line.expect(2)
        parts[line.words[0]] = line.integer(1, 0, 2)
    return parts
