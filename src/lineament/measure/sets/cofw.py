"""COFW: faces that something hides in part, with 29 points and whether each can be seen.

The files ``COFW_test_color.mat`` and ``COFW_train_color.mat`` hold pictures and points. They are
of MATLAB's version 7.3, which is HDF5; reading them needs h5py, which Lineament does not bring.

The files count pixels from 1, as MATLAB does. Points and boxes are given here from 0.

Source: X. P. Burgos-Artizzu, P. Perona, P. Dollár, "Robust face landmark estimation under
occlusion", ICCV 2013, section 4, and the ``README`` of the set.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from lineament.core.errors import BadInput
from lineament.core.image import Image
from lineament.measure.sets.nouns import Terms, digest, need_files

TERMS = Terms(
    name="COFW",
    where="Caltech's data repository (data.caltech.edu/records/20099): COFW_color.zip",
    terms="research; credit the authors",
)
POINTS = 29
_MOST_PICTURES = 100_000
_MOST_BYTES = 2**27
_FIELDS = {"test": "T", "train": "Tr"}


@dataclass(frozen=True, eq=False)
class CofwFaces:
    """Faces in one file, whose pictures are read when asked for.

    Attributes:
        path: the file.
        split: ``test`` or ``train``.
        points: in pixels of the picture.
        hidden: whether something hides a point.
        boxes: left, top, right, bottom in pixels.
    """

    path: Path
    split: str
    points: Float32[np.ndarray, "n 29 2"]
    hidden: Bool[np.ndarray, "n 29"]
    boxes: Float32[np.ndarray, "n 4"]

    def image(self, number: int) -> Image:
        """A picture; grey ones come with three equal channels.

        Raises:
            BadInput: what the file holds in its place is no picture.
        """
        with _opened(self.path) as file:
            cells = file[f"Is{_FIELDS[self.split]}"]
            stored = file[cells[0, number]]
            grey = len(stored.shape) == 2
            if stored.dtype != np.uint8 or not (grey or stored.shape[:-2] == (3,)):
                raise BadInput(f"picture {number} is no picture", str(self.path))
            if not 0 < prod(stored.shape) <= _MOST_BYTES:
                raise BadInput(f"picture {number} has shape {stored.shape}", str(self.path))
            pixels = np.asarray(stored).T  # HDF5 has MATLAB's axes the other way round
        pixels = np.repeat(pixels[:, :, None], 3, axis=2) if grey else pixels
        return Image(np.ascontiguousarray(pixels), f"{self.path} picture {number}")

    def digest(self) -> str:
        """Hash of the file: which data a figure was measured on."""
        return digest([self.path])


def read_cofw(folder: Path, split: str = "test") -> CofwFaces:
    """Read a folder of COFW: 507 faces to test on, 1,345 to train on.

    Args:
        folder: holds the files.
        split: ``test`` or ``train``.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: h5py is not installed, or the file does not follow its format.
    """
    if split not in _FIELDS:
        raise BadInput(f"{split!r} is neither test nor train")
    path = folder / f"COFW_{split}_color.mat"
    need_files(TERMS, path)
    end = _FIELDS[split]
    with _opened(path) as file:
        stored, boxes = file[f"phis{end}"], file[f"bboxes{end}"]
        count = int(stored.shape[1])
        expected = [(1, count), (3 * POINTS, count), (4, count)]
        found = [tuple(item.shape) for item in (file[f"Is{end}"], stored, boxes)]
        if found != expected or not 0 < count <= _MOST_PICTURES:
            raise BadInput(f"shapes {found}, which are not a COFW file's", str(path))
        shapes, boxes = (np.asarray(item, np.float32).T for item in (stored, boxes))
    hidden = shapes[:, 2 * POINTS :]
    if (
        not np.isfinite(shapes).all()
        or not np.isfinite(boxes).all()
        or set(np.unique(hidden).tolist()) - {0.0, 1.0}
    ):
        raise BadInput("points that are not finite, or neither seen nor hidden", str(path))
    points = np.stack([shapes[:, :POINTS], shapes[:, POINTS : 2 * POINTS]], axis=2) - 1
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1) - 1
    return CofwFaces(path, split, points, hidden == 1, corners)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        h5py = import_module("h5py")
    except ImportError:
        raise BadInput("reading this file needs h5py: pip install h5py", str(path)) from None
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise BadInput(f"not a readable COFW file: {str(error)[:100]}", str(path)) from error
