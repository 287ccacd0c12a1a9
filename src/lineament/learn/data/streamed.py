"""Faces that are decoded when a step asks for them: as many as the disk holds, in flat memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64, UInt8

from lineament.core.errors import BadInput
from lineament.core.media import decode
from lineament.learn.data.people import read_people
from lineament.learn.data.records import RecordPictures
from lineament.learn.data.shards import TarPictures


@runtime_checkable
class Pictures(Protocol):
    """Files of pictures with the numbers of their people."""

    labels: Int64[np.ndarray, " n"]

    def __len__(self) -> int: ...
    def read(self, row: int) -> bytes:
        """The file of one picture."""
        ...


class FolderPictures:
    """Pictures of a folder with names (`read_people`)."""

    labels: Int64[np.ndarray, " n"]

    def __init__(self, folder: Path) -> None:
        found = read_people(folder)
        assert found.people is not None
        self._paths, self.labels = found.paths, found.people

    def __len__(self) -> int:
        return len(self._paths)

    def read(self, row: int) -> bytes:
        """The file of one picture."""
        return self._paths[row].read_bytes()


def open_pictures(folder: Path) -> Pictures:
    """Pictures with names in whatever way a folder holds them: ``*.rec``, ``*.tar``, or folders.

    Raises:
        BadInput: none of these are there, or they are damaged.
    """
    if records := sorted(folder.glob("*.rec")):
        if len(records) > 1:
            raise BadInput("holds several files of records; name a folder with one", str(folder))
        return RecordPictures(records[0])
    if shards := sorted(folder.glob("*.tar")):
        return TarPictures(shards)
    return FolderPictures(folder)


class Streamed:
    """Aligned faces in files, to be indexed by rows as an array of their pixels would be.

    Args:
        pictures: of square aligned faces.
        size: that they are brought to, pixels.
        rows: of the pictures; None takes all.
    """

    def __init__(self, pictures: Pictures, size: int, rows: np.ndarray | None = None) -> None:
        self._pictures, self._size = pictures, size
        self._rows = np.arange(len(pictures)) if rows is None else rows

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """As of the array that this stands for."""
        return len(self._rows), self._size, self._size, 3

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: np.ndarray | Sequence[int]) -> UInt8[np.ndarray, "m s s 3"]:
        """Decoded faces.

        Raises:
            UnreadableImage: a file is no picture.
            BadInput: a picture is not square.
        """
        faces = np.empty((len(rows), self._size, self._size, 3), np.uint8)
        for place, row in enumerate(rows):
            faces[place] = self._decoded(int(self._rows[row]))
        return faces

    def some(self, rows: np.ndarray) -> Streamed:
        """Only some of the faces, still undecoded."""
        return Streamed(self._pictures, self._size, self._rows[rows])

    def _decoded(self, row: int) -> np.ndarray:
        from PIL import Image as Pillow

        image = decode(self._pictures.read(row), name=f"picture {row}")
        if image.width != image.height:
            raise BadInput(f"{image.width} x {image.height} pixels where a square is due", f"{row}")
        if image.width == self._size:
            return image.pixels
        square = image.pillow.resize((self._size, self._size), Pillow.Resampling.BILINEAR)
        return np.asarray(square)
