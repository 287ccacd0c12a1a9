"""MXNet's RecordIO files as InsightFace packs faces: ``train.rec`` with its index ``train.idx``.

A record is a magic number, a word of 3 bits of kind and 29 bits of length, and the bytes, filled up
to a multiple of 4. Bytes that hold the magic number themselves lie in several records, of kind 1
(first), 2 and 3 (last), with the number left out between them. What is in a record begins with a
header (flag, label, two numbers); where the flag is not 0 it counts the labels that follow. Record
0 of InsightFace's files says where the pictures end: behind them comes a record a person.

Nothing is read but what is asked for, and nothing that a file says is trusted: lengths and offsets
are held to the file's own size.

Source: dmlc-core, ``include/dmlc/recordio.h``; MXNet, ``python/mxnet/recordio.py`` (``IRHeader``);
github.com/deepinsight/insightface, ``recognition/arcface_torch/dataset.py``.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from lineament.core.errors import BadInput

MAGIC = 0xCED7230A
LARGEST = 2**24
"""The largest record that is read, bytes."""
_WORDS, _HEADER = struct.Struct("<II"), struct.Struct("<IfQQ")
_LABELS = 64
"""More labels than this on one picture are an error."""


class RecordPictures:
    """The pictures of a file of records, in the order of the index.

    Attributes:
        labels: number of each picture's person, as the file has it.

    Args:
        path: of the ``.rec`` file; the ``.idx`` file lies beside it.

    Raises:
        BadInput: a file is missing, or not what it should be.
    """

    labels: Int64[np.ndarray, " n"]

    def __init__(self, path: Path) -> None:
        self._path = path
        for needed in (path, path.with_suffix(".idx")):
            if not needed.is_file():
                raise BadInput("is needed: records come with their index", str(needed))
        self._size = path.stat().st_size
        keys, offsets = _read_index(path.with_suffix(".idx"), self._size)
        with path.open("rb") as file:
            first = self._unpack(self._record(file, int(offsets[0])))
            if keys[0] == 0 and len(first[0]) == 2 and not first[1]:
                pictures = (keys > 0) & (keys < first[0][0])
                keys, offsets = keys[pictures], offsets[pictures]
            self._offsets = offsets
            labels = [self._unpack(self._start(file, int(o)))[0][0] for o in offsets]
        self.labels = np.asarray(labels, np.int64)

    def __len__(self) -> int:
        return len(self._offsets)

    def read(self, row: int) -> bytes:
        """The file of one picture.

        Raises:
            BadInput: its record is damaged.
        """
        with self._path.open("rb") as file:
            return self._unpack(self._record(file, int(self._offsets[row])))[1]

    def _start(self, file, offset: int) -> bytes:
        """The beginning of a record, with its header and labels."""
        _, length = self._words(file, offset)
        return file.read(min(length, _HEADER.size + 4 * _LABELS))

    def _record(self, file, offset: int) -> bytes:
        kind, length = self._words(file, offset)
        parts, total = [file.read(length)], length
        while kind not in (0, 3):
            offset += _WORDS.size + length + -length % 4
            kind, length = self._words(file, offset)
            total += length
            if kind not in (2, 3) or total > LARGEST:
                raise self._bad(offset, "a record in parts without an end")
            parts.append(file.read(length))
        return struct.pack("<I", MAGIC).join(parts)

    def _words(self, file, offset: int) -> tuple[int, int]:
        """Kind and length of the record that begins here; the file is left at its bytes."""
        file.seek(offset)
        words = file.read(_WORDS.size)
        if len(words) < _WORDS.size:
            raise self._bad(offset, "the file ends here")
        magic, word = _WORDS.unpack(words)
        kind, length = word >> 29, word & (2**29 - 1)
        if magic != MAGIC or kind > 3:
            raise self._bad(offset, "no record begins here")
        if length > LARGEST or offset + _WORDS.size + length > self._size:
            raise self._bad(offset, f"a record of {length} bytes")
        return kind, length

    def _unpack(self, record: bytes) -> tuple[list[float], bytes]:
        """Labels, and the picture behind them."""
        if len(record) < _HEADER.size:
            raise BadInput("a record without a header", str(self._path))
        flag, label, _, _ = _HEADER.unpack_from(record)
        end = _HEADER.size + 4 * flag
        if flag > _LABELS or end > len(record):
            raise BadInput(f"a record of {flag} labels", str(self._path))
        labels = list(struct.unpack_from(f"<{flag}f", record, _HEADER.size)) if flag else [label]
        if not all(np.isfinite(labels)) or abs(labels[0]) > 2**31:
            raise BadInput("a label that is no person's number", str(self._path))
        return labels, record[end:]

    def _bad(self, offset: int, reason: str) -> BadInput:
        return BadInput(f"{reason} (byte {offset})", str(self._path))


def _read_index(path: Path, size: int) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """Keys, rising, and where their records begin."""
    rows = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            words = line.split()
            if len(words) != 2 or not all(w.isdigit() and len(w) < 16 for w in words):
                raise BadInput("a key and an offset expected", f"{path}:{number}")
            rows.append((int(words[0]), int(words[1])))
            if rows[-1][1] >= size:
                raise BadInput("an offset beyond the end of the records", f"{path}:{number}")
    if not rows:
        raise BadInput("is empty", str(path))
    table = np.asarray(sorted(rows), np.int64)
    return table[:, 0].copy(), table[:, 1].copy()
