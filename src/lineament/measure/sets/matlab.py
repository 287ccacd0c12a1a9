"""A reader of MATLAB's data files (version 5, which MATLAB writes as "-v6" and "-v7").

Several test sets keep their protocols in such files. Only data is read: numbers, text, cells and
structures. Source: MathWorks, "MAT-File Format", R2023a, chapter "Level 5 MAT-File Format".
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from lineament.core.errors import BadInput, MissingFile

MAX_BYTES = 2**26
"""The most that a file may hold, packed or unpacked: 64 MiB."""
MAX_PIECES = 2_000_000
"""An empty cell takes 8 bytes of a file and many more of memory; this holds that to 0.3 GB."""
MAX_DEPTH = 16
"""How deep cells may stand in cells."""

_MATRIX, _PACKED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
_TYPES |= {13: "u8", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4"}
_NUMBERS |= {14: "i8", 15: "u8"}
_COMPLEX = 0x800


def read_matlab(path: Path) -> dict[str, Any]:
    """The variables of a file by name.

    Numbers are arrays of MATLAB's shape (two axes or more). Text of one row is a ``str``, of
    more a list of ``str``. Cells are a list in MATLAB's order, column by column; a structure is a
    dict, and an array of structures a list of dicts.

    Raises:
        MissingFile: there is no such file, or it may not be read.
        BadInput: it is not such a file, is damaged or too large, is of version 7.3 (HDF5), or
            holds something other than data.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror or error}", str(path)) from error
    if not data:
        raise BadInput(f"{size:,} bytes; 1 to {MAX_BYTES:,} are read", str(path))
    try:
        return _Reader(data).variables()
    except BadInput as error:
        raise BadInput(error.reason, str(path)) from error
    except (ValueError, KeyError, IndexError, TypeError, struct.error, zlib.error) as error:
        raise BadInput(f"not a readable MATLAB file: {str(error)[:100]}", str(path)) from error


@dataclass
class _Element:
    """A piece of a file: the number of its type, and its bytes."""

    type: int
    data: memoryview


class _Reader:
    def __init__(self, data: bytes) -> None:
        if data[:10] == b"MATLAB 7.3" or data[512:516] == b"\x89HDF":
            raise BadInput("a MATLAB file of version 7.3 (HDF5), which is not read here")
        version, mark = data[124:126], data[126:128]
        if mark not in (b"IM", b"MI") or version not in (b"\x00\x01", b"\x01\x00"):
            raise BadInput("not a MATLAB file of version 5")
        self.order = "<" if mark == b"IM" else ">"
        self.data = memoryview(data)
        self.left = MAX_BYTES
        self.pieces = 0

    def variables(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for element in self.elements(self.data[128:]):
            if element.type == _PACKED:
                (element,) = self.elements(self.unpacked(element.data))
            if element.type == _MATRIX:
                name, value = self.matrix(element.data, 0)
                found[name] = value
        return found

    def unpacked(self, data: memoryview) -> memoryview:
        unpack = zlib.decompressobj()
        plain = unpack.decompress(data, self.left)
        self.left -= len(plain)
        if not unpack.eof:
            whole = self.left > 0
            raise BadInput("cut off" if whole else f"more than {MAX_BYTES:,} bytes, unpacked")
        return memoryview(plain)

    def elements(self, data: memoryview) -> list[_Element]:
        """The pieces that follow each other in some bytes."""
        found, at = [], 0
        while at < len(data):
            element, at = self.element(data, at)
            found.append(element)
        self.pieces += len(found)
        if self.pieces > MAX_PIECES:
            raise BadInput(f"a MATLAB file of more than {MAX_PIECES:,} pieces")
        return found

    def element(self, data: memoryview, at: int) -> tuple[_Element, int]:
        (word,) = struct.unpack_from(self.order + "I", data, at)
        if word >> 16:  # the small form: up to four bytes, beside their own tag
            kind, size, start, end = word & 0xFFFF, word >> 16, at + 4, at + 8
            if size > 4:
                raise ValueError(f"{size} bytes in the place of four")
        else:
            (size,) = struct.unpack_from(self.order + "I", data, at + 4)
            kind, start = word, at + 8
            end = start + size + (0 if kind == _PACKED else -size % 8)
        if start + size > len(data):
            raise ValueError("cut off")
        return _Element(kind, data[start : start + size]), end

    def matrix(self, data: memoryview, depth: int) -> tuple[str, Any]:
        if not data:
            return "", np.empty((0, 0))
        if depth > MAX_DEPTH:
            raise ValueError(f"cells more than {MAX_DEPTH} deep")
        flags, sides, name, *parts = self.elements(data)
        flag = int(self.array(flags)[0])
        shape = tuple(int(side) for side in self.array(sides))
        if len(shape) < 2 or min(shape) < 0:
            raise ValueError(f"an array of shape {shape}")
        return bytes(name.data).decode("ascii"), self.content(flag, shape, parts, depth)

    def content(self, flag: int, shape: tuple[int, ...], parts: list[_Element], depth: int) -> Any:
        kind = flag & 0xFF
        if kind == _CELL:
            return self.cells(parts, prod(shape), depth)
        if kind == _STRUCT:
            return self.structures(parts, prod(shape), depth)
        if kind == _CHAR:
            return self.text(parts[0], shape)
        if kind not in _NUMBERS or flag & _COMPLEX:
            raise ValueError(f"an object of class {kind}, which is not plain data")
        numbers = self.array(parts[0])
        if len(numbers) != prod(shape):
            raise ValueError(f"{len(numbers)} numbers for an array of shape {shape}")
        return numbers.astype(_NUMBERS[kind]).reshape(shape, order="F")

    def cells(self, parts: list[_Element], count: int, depth: int) -> list[Any]:
        if len(parts) != count or any(part.type != _MATRIX for part in parts):
            raise ValueError(f"{len(parts)} pieces for {count} cells")
        return [self.matrix(part.data, depth + 1)[1] for part in parts]

    def structures(self, parts: list[_Element], count: int, depth: int) -> Any:
        width = int(self.array(parts[0])[0])
        packed = bytes(parts[1].data)
        if width < 1 or len(packed) % width:
            raise ValueError("a structure whose fields have no names")
        names = [packed[i : i + width] for i in range(0, len(packed), width)]
        fields = [name.split(b"\0")[0].decode("ascii") for name in names]
        values = self.cells(parts[2:], count * len(fields), depth)
        step = len(fields)
        rows = [
            dict(zip(fields, values[at : at + step], strict=True))
            for at in range(0, len(values), step or 1)
        ]
        return rows[0] if count == 1 else rows

    def text(self, element: _Element, shape: tuple[int, ...]) -> Any:
        dtype = _TYPES[element.type]
        if dtype.startswith("utf"):
            sign = {"<": "-le", ">": "-be"}[self.order] if dtype != "utf-8" else ""
            letters = bytes(element.data).decode(dtype + sign)
        else:
            letters = "".join(map(chr, self.array(element)))
        if len(letters) != prod(shape):
            raise ValueError(f"{len(letters)} letters for a text of shape {shape}")
        rows = shape[0]
        return letters if rows <= 1 else [letters[row::rows] for row in range(rows)]

    def array(self, element: _Element) -> np.ndarray:
        return np.frombuffer(element.data, self.order + _TYPES[element.type])
