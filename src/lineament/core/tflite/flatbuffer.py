"""FlatBuffers as they lie in a file: tables, vectors and strings, each held to the file's bounds.

A table is a set of numbered fields. It begins with the distance back to its vtable, and the vtable
holds for each field where in the table it lies, or 0 for a field that has its default. A vector is
a count and its items; tables within it, and strings, are reached by forward distances. All is
little-endian.

Nothing is followed twice in search of an end: one look is one read of bytes that are there, so
hostile bytes give a `WeightError` and never a loop.

Source: the FlatBuffers project, "FlatBuffer internals".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from lineament.core.errors import WeightError

_FORMATS = {"b": 1, "B": 1, "?": 1, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}


class Buffer:
    """The bytes of a file, read at places that are checked first."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def take(self, at: int, count: int) -> bytes:
        """`count` bytes from `at` on.

        Raises:
            WeightError: they are not all in the file.
        """
        self._hold(at, count)
        return self._data[at : at + count]

    def array(self, at: int, count: int, dtype: np.dtype) -> np.ndarray:
        """`count` items from `at` on, without a copy.

        Raises:
            WeightError: they are not all in the file.
        """
        self._hold(at, count * dtype.itemsize)
        return np.frombuffer(self._data, dtype, count, at)

    def scalar(self, at: int, kind: str) -> int | float:
        """One number, by its letter of the module `struct`."""
        return struct.unpack("<" + kind, self.take(at, _FORMATS[kind]))[0]

    def integer(self, at: int, kind: str) -> int:
        """The whole number at a place, of a kind as `struct` names it."""
        return int(self.scalar(at, kind))

    def root(self) -> Table:
        """The table that the file is."""
        return Table(self, self.integer(0, "I"))

    def _hold(self, at: int, count: int) -> None:
        if not 0 <= at <= at + count <= len(self._data):
            raise WeightError(f"damaged: {count} bytes at {at} of a file of {len(self._data)}")


@dataclass(frozen=True)
class Table:
    """One table; its fields go by number, and an absent field has its default.

    Raises:
        WeightError: from every method, where the bytes cannot be what is asked for.
    """

    buffer: Buffer
    at: int

    def number(self, field: int, kind: str, default: int | float = 0) -> int | float:
        """A number, by its letter of the module `struct`."""
        at = self._place(field)
        return self.buffer.scalar(at, kind) if at else default

    def integer(self, field: int, kind: str, default: int = 0) -> int:
        """A field that is a whole number."""
        return int(self.number(field, kind, default))

    def table(self, field: int) -> Table | None:
        """A field that is a table; None where it is not there."""
        at = self._target(field)
        return Table(self.buffer, at) if at else None

    def tables(self, field: int, most: int) -> list[Table]:
        """The tables of a vector, of which there may be `most`."""
        start, count = self._vector(field, most)
        places = self.buffer.array(start, count, np.dtype("<u4")).tolist()
        return [Table(self.buffer, start + 4 * k + place) for k, place in enumerate(places)]

    def array(self, field: int, dtype: str, most: int) -> np.ndarray | None:
        """The numbers of a vector, without a copy; None where there is no vector."""
        if not self._place(field):
            return None
        return self.buffer.array(*self._vector(field, most), np.dtype(dtype))

    def integers(self, field: int, most: int) -> tuple[int, ...]:
        """The int32 of a vector; none where there is no vector."""
        values = self.array(field, "<i4", most)
        return () if values is None else tuple(values.tolist())

    def text(self, field: int, most: int) -> str:
        """A field that is text, of at most so many bytes; empty where it is not there."""
        start, count = self._vector(field, most)
        return self.buffer.take(start, count).decode("utf-8", errors="replace")

    def _place(self, field: int) -> int:
        """Where a field lies in the file; 0 where it has its default."""
        vtable = self.at - self.buffer.integer(self.at, "i")
        entry = 4 + 2 * field
        if entry + 2 > self.buffer.integer(vtable, "H"):
            return 0
        place = self.buffer.integer(vtable + entry, "H")
        return self.at + place if place else 0

    def _target(self, field: int) -> int:
        """Where a field points to; 0 where it is absent."""
        at = self._place(field)
        return at + self.buffer.integer(at, "I") if at else 0

    def _vector(self, field: int, most: int) -> tuple[int, int]:
        """Where the items of a vector begin, and how many there are."""
        at = self._target(field)
        if not at:
            return 0, 0
        count = self.buffer.integer(at, "I")
        if count > most:
            raise WeightError(f"damaged or too large: a vector of {count} items, {most} allowed")
        return at + 4, count
