"""WebDataset shards: tar files in which a picture and its label lie one after the other.

Members of one sample have the same name up to the first dot of their last part:
``000123.jpg`` and ``000123.cls``, a text file with the person's number. A shard is gone through
once for where its members lie; pictures are read when they are asked for; nothing is unpacked.

Source: github.com/webdataset/webdataset, "The WebDataset Format"; POSIX.1-1988, ustar.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from lineament.core.errors import BadInput

LARGEST = 2**24
"""The largest member that is read, bytes."""
_PICTURES, _LABEL = ("jpg", "jpeg", "png", "webp"), "cls"
_DIGITS = 10


class TarPictures:
    """The pictures of some shards, in order of shard and place.

    Attributes:
        labels: number of each picture's person, as the shards have it.

    Args:
        paths: of the shards.

    Raises:
        BadInput: a shard is damaged, holds no samples, or lacks the label of a picture.
    """

    labels: Int64[np.ndarray, " n"]

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        found = [row for k, path in enumerate(self._paths) for row in _samples(path, k)]
        if not found:
            raise BadInput("no pictures in these shards", ", ".join(map(str, self._paths))[:200])
        table = np.asarray(found, np.int64)
        self._places, self.labels = table[:, :3].copy(), table[:, 3].copy()

    def __len__(self) -> int:
        return len(self._places)

    def read(self, row: int) -> bytes:
        """The file of one picture.

        Raises:
            BadInput: the shard has become shorter.
        """
        shard, offset, size = self._places[row].tolist()
        with self._paths[shard].open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) != size:
            raise BadInput("the shard ends here", str(self._paths[shard]))
        return data


def _samples(path: Path, shard: int) -> Iterator[tuple[int, int, int, int]]:
    """Shard, offset, size and label of each picture."""
    name, picture, label = "", None, None
    for stem, ending, offset, size, text in _members(path):
        if stem != name:
            yield from _sample(path, shard, name, picture, label)
            name, picture, label = stem, None, None
        if ending in _PICTURES:
            picture = offset, size
        elif ending == _LABEL:
            label = text
    yield from _sample(path, shard, name, picture, label)


def _sample(
    path: Path, shard: int, name: str, picture: tuple[int, int] | None, label: bytes | None
) -> Iterator[tuple[int, int, int, int]]:
    if picture is None:
        return
    if label is None or not label.isdigit() or len(label) > _DIGITS:
        raise BadInput(f"the sample {name[:80]!r} has no person's number", str(path))
    yield shard, *picture, int(label)


def _members(path: Path) -> Iterator[tuple[str, str, int, int, bytes]]:
    """Stem, ending, offset, size, and of a label its text, of each member."""
    end = path.stat().st_size
    try:
        # Without "r:" a file would be asked whether it is compressed, and unpacked.
        with tarfile.open(path, "r:") as shard:
            while (member := shard.next()) is not None:
                vars(shard)["members"].clear()  # all that were seen would be kept otherwise
                folder, _, last = member.name.rpartition("/")
                stem, _, ending = last.partition(".")
                if not member.isreg() or member.issparse():
                    continue
                if member.size > LARGEST or member.offset_data + member.size > end:
                    raise BadInput(f"a member of {member.size} bytes", str(path))
                text = b""
                if ending == _LABEL and (opened := shard.extractfile(member)):
                    text = opened.read(_DIGITS + 2).strip()
                yield f"{folder}/{stem}", ending.lower(), member.offset_data, member.size, text
    except (tarfile.TarError, OSError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"not a tar file that can be read: {error}", str(path)) from error
