"""Verification sets in InsightFace's ``.bin`` files: LFW, CFP-FP, AgeDB-30, CALFW, CPLFW.

A file is a pickle of (encoded pictures, labels): pictures 2 i and 2 i + 1 are pair i, and label i
says whether they show one person. The pictures are aligned crops of 112 x 112. It is read without
unpickling (see `plain_pickle`). Source: github.com/deepinsight/insightface,
recognition/arcface_torch/eval/verification.py, which also fixes the ten folds: in order, and of
equal size.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from lineament.core.errors import BadInput
from lineament.core.image import Image
from lineament.core.media import decode
from lineament.measure.sets.nouns import Terms, need_files
from lineament.measure.sets.plain_pickle import read_plain_pickle, unboxed

TERMS = Terms(
    name="LFW, CFP-FP, AgeDB-30, CALFW and CPLFW as .bin files",
    where="the data sets of InsightFace's model zoo (github.com/deepinsight/insightface, "
    "recognition/_datasets_), or packed from the authors' pictures",
    terms="non-commercial research, each set under its own authors' terms",
)
FOLDS = 10


@dataclass(frozen=True, eq=False)
class PackedPairs:
    """Pairs of pictures that are kept as their files' bytes.

    Attributes:
        path: the file.
        pictures: encoded (JPEG, mostly); 2 i and 2 i + 1 are pair i.
        same: whether a pair shows one person.
        fold: of each pair, 0 to 9.
    """

    path: Path
    pictures: tuple[bytes, ...]
    same: Bool[np.ndarray, " p"]
    fold: Int64[np.ndarray, " p"]

    @property
    def pairs(self) -> Int64[np.ndarray, "p 2"]:
        """Rows of two picture numbers."""
        return np.arange(len(self.pictures)).reshape(-1, 2)

    def image(self, number: int) -> Image:
        """A picture, decoded.

        Raises:
            UnreadableImage: its bytes are no picture.
        """
        return decode(self.pictures[number], name=f"{self.path} picture {number}")

    def digest(self) -> str:
        """Hash of all pictures and labels: which data a figure was measured on."""
        total = hashlib.sha256(self.same.tobytes())
        for picture in self.pictures:
            total.update(picture)
        return total.hexdigest()


def read_insightface_bin(path: Path) -> PackedPairs:
    """Read a ``.bin`` file.

    Takes about as much memory as the file has bytes, and three times that while it reads one that
    Python 3 wrote by protocol 2. No picture is decoded.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: it is not such a file, or asks for anything but plain data.
    """
    need_files(TERMS, path)
    content = read_plain_pickle(path)
    if not isinstance(content, tuple | list) or len(content) != 2:
        raise BadInput("a pair of pictures and labels expected", str(path))
    pictures = tuple(_picture(item, path) for item in _items(content[0], path))
    labels = [_label(item, path) for item in _items(content[1], path)]
    if not labels or len(pictures) != 2 * len(labels):
        raise BadInput(f"{len(pictures)} pictures for {len(labels)} pairs", str(path))
    parts = np.array_split(np.arange(len(labels)), FOLDS)
    fold = np.repeat(np.arange(FOLDS), [len(part) for part in parts])
    return PackedPairs(path, pictures, np.asarray(labels, bool), fold)


def _items(content: Any, path: Path) -> list[Any]:
    content = unboxed(content)
    flat = isinstance(content, np.ndarray) and content.ndim == 1
    if not flat and not isinstance(content, tuple | list):
        raise BadInput(f"a list expected, not {type(content).__name__}", str(path))
    return [unboxed(item) for item in content]


def _picture(item: Any, path: Path) -> bytes:
    """A picture's bytes; some packers keep them as an array of bytes."""
    if isinstance(item, np.ndarray) and item.dtype == np.uint8 and item.ndim == 1:
        item = item.tobytes()
    if not isinstance(item, bytes | bytearray) or not item:
        raise BadInput("a picture that is not a file's bytes", str(path))
    return bytes(item)


def _label(item: Any, path: Path) -> bool:
    if not isinstance(item, bool | int | np.bool_ | np.integer) or item not in (0, 1):
        raise BadInput("a label that is neither true nor false", str(path))
    return bool(item)
