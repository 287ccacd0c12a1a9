"""A reader of pickles that hold plain data, which runs nothing that the file names.

Some test sets come as pickles. Unpickling calls whatever the file asks for, so it never happens
here. `pickletools.genops` splits the file into opcodes, and a few of them are interpreted: those
that build lists, tuples, dicts, text, bytes and numbers, and the few spellings by which numpy
and Python 3 write bytes and arrays. A name in the file is looked up in our own short table, and
nowhere else. Everything else is refused.

Source: the module ``pickletools`` of Python, which describes each opcode of protocols 0 to 5.
"""

from __future__ import annotations

import mmap
import pickletools
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from lineament.core.errors import BadInput

MAX_BYTES = 2**30
"""The largest file that is read: 1 GiB. The largest known verification set has 0.1 GiB."""
MAX_OPCODES = 2_000_000
"""An opcode of one byte can ask for an object of a hundred; this holds memory to 0.3 GB."""


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
    machine = _Machine(len(data))
    try:
        with warnings.catch_warnings():  # of odd escapes in text: what matters is refused below
            warnings.simplefilter("ignore", DeprecationWarning)
            machine.run(data)
    except BadInput:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        reason = str(error)[:100] or type(error).__name__
        raise BadInput(f"not a pickle of plain data: {reason}") from error
    return unboxed(machine.result)


@dataclass
class Boxed:
    """A numpy array or number on its way: ``value`` is set when the pickle fills it."""

    value: Any = None


def unboxed(item: Any) -> Any:
    """The array or number of a `Boxed`, and anything else as it is."""
    return item.value if isinstance(item, Boxed) else item


@dataclass(frozen=True)
class _Name:
    """A name in a pickle, which is only ever compared."""

    module: str
    name: str


@dataclass
class _Kind:
    """A numpy dtype: a kind and a size; its byte order comes later."""

    text: str
    order: str = "|"

    def dtype(self) -> np.dtype:
        if not re.fullmatch(r"b1|[iu][1248]|f[248]", self.text):
            raise ValueError(f"an array of {self.text[:20]!r}")
        return np.dtype(self.order + self.text)


class _Machine:
    """The stack machine of the pickle format, without its powers."""

    def __init__(self, size: int) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.result: Any = None
        # Bytes written as text cost at least their number in the file, and are copied here.
        self.budget = size

    def run(self, data: bytes | mmap.mmap) -> None:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):  # type: ignore[arg-type]
            if count >= MAX_OPCODES:
                raise BadInput(f"a pickle of more than {MAX_OPCODES:,} opcodes")
            self.step(opcode.name, argument)

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _CONSTANTS:
            self.stack.append(argument)
        elif opcode in _PYTHON2_TEXT:
            self.stack.append(argument.encode("latin-1"))
        elif opcode in _OPCODES:
            _OPCODES[opcode](self, argument)
        elif opcode not in ("PROTO", "FRAME"):
            raise BadInput(f"a pickle that does more than hold data (opcode {opcode}); refused")

    def pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def mark(self, _: object) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def stop(self, _: object) -> None:
        if self.marks or len(self.stack) != 1:
            raise ValueError("its stack does not end with one object")
        self.result = self.stack.pop()

    def put(self, index: int | None) -> None:
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def collect(self, kind: Callable[[list[Any]], Any]) -> None:
        items = self.pop_mark()
        self.stack.append(kind(items))

    def tuple_of(self, count: int) -> None:
        if count > len(self.stack):
            raise ValueError("its stack is empty")
        start = len(self.stack) - count
        self.stack[start:] = [tuple(self.stack[start:])]

    def append(self, many: bool) -> None:
        items = self.pop_mark() if many else [self.stack.pop()]
        _expect(self.stack[-1], list).extend(items)

    def set_items(self, many: bool) -> None:
        items = self.pop_mark() if many else [self.stack.pop() for _ in "kv"][::-1]
        _expect(self.stack[-1], dict).update(_mapping(items))

    def name(self, text: str | None) -> None:
        if text is None:
            name, module = self.stack.pop(), self.stack.pop()
        else:
            module, name = text.split(" ")
        asked = _Name(_expect(module, str), _expect(name, str))
        if asked not in _NAMES:
            wanted = f"{asked.module}.{asked.name}"[:80]
            raise BadInput(f"a pickle that asks for {wanted!r}; refused")
        self.stack.append(asked)

    def call(self, _: object) -> None:
        arguments, asked = _expect(self.stack.pop(), tuple), _expect(self.stack.pop(), _Name)
        self.stack.append(_NAMES[asked](self, *arguments))

    def build(self, _: object) -> None:
        state, target = _expect(self.stack.pop(), tuple), self.stack[-1]
        if isinstance(target, _Kind):
            _, order, subdtype, names, fields, *_ = state
            target.order = _text(order)
            if (subdtype, names, fields) != (None, None, None) or target.order not in "<>|=":
                raise ValueError("an array with fields")
        else:
            _, shape, kind, fortran, data = state
            _expect(target, Boxed).value = _array(kind, shape, fortran, data)

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
    if _expect(kind, _Kind).text in ("O", "O8"):
        if len(_expect(data, list)) != prod(shape) or len(shape) > 1:
            raise ValueError("an array of objects with more than one axis")
        cells = np.empty(len(data), object)
        cells[:] = data
        return cells
    dtype = kind.dtype()
    if len(_expect(data, bytes | bytearray)) != prod(shape) * dtype.itemsize:
        raise ValueError("an array whose bytes do not fill its shape")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _expect(item: Any, kind: Any) -> Any:
    if not isinstance(item, kind):
        raise ValueError(f"{type(item).__name__} in the wrong place")
    return item


def _mapping(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2 or not all(isinstance(key, str | bytes | int) for key in items[::2]):
        raise ValueError("a dict whose keys are not text or numbers")
    return dict(zip(items[::2], items[1::2], strict=True))


def _text(item: str | bytes) -> str:
    return item.decode("ascii") if isinstance(item, bytes) else _expect(item, str)


_CONSTANTS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT".split()
    + "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
    + "UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8".split()
)
_PYTHON2_TEXT = frozenset("STRING BINSTRING SHORT_BINSTRING".split())

_OPCODES: dict[str, Callable[[_Machine, Any], None]] = {
    "NONE": lambda machine, _: machine.stack.append(None),
    "NEWTRUE": lambda machine, _: machine.stack.append(True),
    "NEWFALSE": lambda machine, _: machine.stack.append(False),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "LIST": lambda machine, _: machine.collect(list),
    "DICT": lambda machine, _: machine.collect(_mapping),
    "TUPLE": lambda machine, _: machine.collect(tuple),
    "EMPTY_TUPLE": lambda machine, _: machine.tuple_of(0),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": lambda machine, _: machine.append(False),
    "APPENDS": lambda machine, _: machine.append(True),
    "SETITEM": lambda machine, _: machine.set_items(False),
    "SETITEMS": lambda machine, _: machine.set_items(True),
    "MEMOIZE": lambda machine, _: machine.put(None),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    **dict.fromkeys(("GLOBAL", "STACK_GLOBAL"), _Machine.name),
    "MARK": _Machine.mark,
    "STOP": _Machine.stop,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
}

_NAMES: dict[_Name, Callable[..., Any]] = {
    _Name("_codecs", "encode"): _Machine.encode,
    _Name("__builtin__", "bytes"): _Machine.no_bytes,
    _Name("numpy", "dtype"): _Machine.kind,
    _Name("numpy", "ndarray"): _Machine.empty_array,  # only ever an argument of _reconstruct
}
for _core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
    _NAMES[_Name(f"{_core}.multiarray", "_reconstruct")] = _Machine.empty_array
    _NAMES[_Name(f"{_core}.multiarray", "scalar")] = _Machine.number
    _NAMES[_Name(f"{_core}.numeric", "_frombuffer")] = _Machine.array
