"""A reader of pickles that hold plain data and numpy arrays, which runs nothing that they name.

Some test sets come as pickles. `core.plain_pickle` reads them without unpickling; here are the few
spellings by which numpy and Python 3 write bytes and arrays.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from lineament.core.errors import BadInput
from lineament.core.plain_pickle import Machine, Name, expect

MAX_BYTES = 2**30
"""The largest file that is read: 1 GiB. The largest known verification set has 0.1 GiB."""


def read_plain_pickle(path: Path) -> Any:
    """What a pickle of plain data holds.

    Python 2's ``str`` comes as bytes. A numpy array that is not itself the whole content comes as
    a `Boxed`, because a pickle fills an array only after it has named it: see `unboxed`.

    Raises:
        BadInput: the file is empty, too large, cut off, or asks for anything but plain data.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if not 0 < size <= MAX_BYTES:
                raise BadInput(f"{size:,} bytes; 1 to {MAX_BYTES:,} are read", str(path))
            # A map, because its read() takes no more than there is, whatever length a file claims.
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return read_plain(data)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror or error}", str(path)) from error
    except BadInput as error:
        raise BadInput(error.reason, str(path)) from error.__cause__


def read_plain(data: bytes | mmap.mmap) -> Any:
    """`read_plain_pickle` of a file's bytes.

    Raises:
        BadInput: as there, without the name of a file.
    """
    return unboxed(_NumpyMachine(len(data)).read(data))


@dataclass
class Boxed:
    """A numpy array or number on its way: ``value`` is set when the pickle fills it."""

    value: Any = None


def unboxed(item: Any) -> Any:
    """The array or number of a `Boxed`, and anything else as it is."""
    return item.value if isinstance(item, Boxed) else item


@dataclass
class _Kind:
    """A numpy dtype: a kind and a size; its byte order comes later."""

    text: str
    order: str = "|"

    def dtype(self) -> np.dtype:
        if not re.fullmatch(r"b1|[iu][1248]|f[248]", self.text):
            raise ValueError(f"an array of {self.text[:20]!r}")
        return np.dtype(self.order + self.text)


class _NumpyMachine(Machine):
    """A machine that knows numpy's arrays and numbers, and bytes as protocol 2 spells them."""

    def __init__(self, size: int) -> None:
        super().__init__(_NAMES)
        # Bytes written as text cost at least their number in the file, and are copied here.
        self.budget = size

    def filled(self, target: Any, state: Any) -> None:
        """Give a dtype its byte order, or an array its content."""
        expect(state, tuple)
        if isinstance(target, _Kind):
            _, order, subdtype, names, fields, *_ = state
            target.order = _text(order)
            if (subdtype, names, fields) != (None, None, None) or target.order not in "<>|=":
                raise ValueError("an array with fields")
        else:
            _, shape, kind, fortran, data = state
            expect(target, Boxed).value = _array(kind, shape, fortran, data)

    def encode(self, text: str, encoding: str) -> bytes:
        """Python 3 below protocol 3 writes bytes as text, one character a byte."""
        if encoding != "latin1":
            raise ValueError(f"bytes as {encoding!r}")
        self.budget -= len(text)
        if self.budget < 0:
            raise BadInput("a pickle that grows as it is read; refused")
        return text.encode("latin-1")

    def no_bytes(self) -> bytes:
        """Python 3 below protocol 3 writes b"" as a call without arguments."""
        return b""

    def kind(self, text: str | bytes, *_: object) -> _Kind:
        return _Kind(_text(text))

    def empty_array(self, *_: object) -> Boxed:
        return Boxed()

    def number(self, kind: _Kind, data: bytes) -> Boxed:
        return Boxed(_array(kind, (), False, data)[()])

    def array(
        self, data: bytes | bytearray, kind: _Kind, shape: tuple[int, ...], order: str
    ) -> Boxed:
        return Boxed(_array(kind, shape, order == "F", data))


def _array(kind: _Kind, shape: tuple[int, ...], fortran: bool, data: Any) -> np.ndarray:
    """An array over the file's own bytes; one of objects over a list of plain data."""
    if any(type(side) is not int or side < 0 for side in shape):
        raise ValueError("an array of impossible shape")
    if expect(kind, _Kind).text in ("O", "O8"):
        if len(expect(data, list)) != prod(shape) or len(shape) > 1:
            raise ValueError("an array of objects with more than one axis")
        cells = np.empty(len(data), object)
        cells[:] = data
        return cells
    dtype = kind.dtype()
    if len(expect(data, bytes | bytearray)) != prod(shape) * dtype.itemsize:
        raise ValueError("an array whose bytes do not fill its shape")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _text(item: str | bytes) -> str:
    return item.decode("ascii") if isinstance(item, bytes) else expect(item, str)


_NAMES: dict[Name, Callable[..., Any]] = {
    Name("_codecs", "encode"): _NumpyMachine.encode,
    Name("__builtin__", "bytes"): _NumpyMachine.no_bytes,
    Name("numpy", "dtype"): _NumpyMachine.kind,
    Name("numpy", "ndarray"): _NumpyMachine.empty_array,  # only ever an argument of _reconstruct
}
for _core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
    _NAMES[Name(f"{_core}.multiarray", "_reconstruct")] = _NumpyMachine.empty_array
    _NAMES[Name(f"{_core}.multiarray", "scalar")] = _NumpyMachine.number
    _NAMES[Name(f"{_core}.numeric", "_frombuffer")] = _NumpyMachine.array
