"""A reader of pickles that hold plain data, which runs nothing that the file names.

Some test sets and some weights come as pickles. Unpickling calls whatever the file asks for, so it
never happens here. `pickletools.genops` splits the file into opcodes, and a few of them are
interpreted: those that build lists, tuples, dicts, text, bytes and numbers. A name in the file is
looked up in a short table of our own, and nowhere else. Everything else is refused.

This is the common part: `measure.sets.plain_pickle` adds numpy's arrays, and `core.torch_file`
adds PyTorch's tensors.

Source: the module ``pickletools`` of Python, which describes each opcode of protocols 0 to 5.
"""

from __future__ import annotations

import io
import mmap
import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lineament.core.errors import BadInput

MAX_OPCODES = 2_000_000
"""An opcode of one byte can ask for an object of a hundred; this holds memory to 0.3 GB."""


@dataclass(frozen=True)
class Name:
    """A name in a pickle, which is only ever compared."""

    module: str
    name: str


class Machine:
    """The stack machine of the pickle format, without its powers.

    Args:
        names: those that a file may ask for, and what stands for each: a function of the machine
            and of the arguments in the file.
    """

    def __init__(self, names: Mapping[Name, Callable[..., Any]]) -> None:
        self.names = names
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.result: Any = None

    def read(self, data: bytes | mmap.mmap | io.BytesIO) -> Any:
        """What a pickle holds; a file is left behind the pickle's last byte.

        Raises:
            BadInput: it is cut off, or asks for anything but plain data and the names allowed.
        """
        try:
            with warnings.catch_warnings():  # of odd escapes in text: what matters is refused below
                warnings.simplefilter("ignore", DeprecationWarning)
                self._run(data)
        except BadInput:
            raise
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as bad:
            reason = str(bad)[:100] or type(bad).__name__
            raise BadInput(f"not a pickle of plain data: {reason}") from bad
        return self.result

    def _run(self, data: bytes | mmap.mmap | io.BytesIO) -> None:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):  # type: ignore[arg-type]
            if count >= MAX_OPCODES:
                raise BadInput(f"a pickle of more than {MAX_OPCODES:,} opcodes")
            self._step(opcode.name, argument)

    def _step(self, opcode: str, argument: Any) -> None:
        if opcode in _CONSTANTS:
            self.stack.append(argument)
        elif opcode in _PYTHON2_TEXT:
            self.stack.append(argument.encode("latin-1"))
        elif opcode in _OPCODES:
            _OPCODES[opcode](self, argument)
        elif opcode not in ("PROTO", "FRAME"):
            raise BadInput(f"a pickle that does more than hold data (opcode {opcode}); refused")

    def pop_mark(self) -> list[Any]:
        """The items since the last mark, which is taken off."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def mark(self, _: object) -> None:
        """Begin a run of items."""
        self.marks.append(self.stack)
        self.stack = []

    def stop(self, _: object) -> None:
        """End with the one object that is left."""
        if self.marks or len(self.stack) != 1:
            raise ValueError("its stack does not end with one object")
        self.result = self.stack.pop()

    def put(self, index: int | None) -> None:
        """Remember the top object, under the next number where none is given."""
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def get(self, index: int) -> None:
        """Lay a remembered object on top."""
        self.stack.append(self.memo[index])

    def collect(self, kind: Callable[[list[Any]], Any]) -> None:
        """One container of all items since the last mark."""
        items = self.pop_mark()
        self.stack.append(kind(items))

    def tuple_of(self, count: int) -> None:
        """One tuple of the top items."""
        if count > len(self.stack):
            raise ValueError("its stack is empty")
        start = len(self.stack) - count
        self.stack[start:] = [tuple(self.stack[start:])]

    def append(self, many: bool) -> None:
        """Items into the list below them."""
        items = self.pop_mark() if many else [self.stack.pop()]
        expect(self.stack[-1], list).extend(items)

    def set_items(self, many: bool) -> None:
        """Keys and values into the dict below them."""
        items = self.pop_mark() if many else [self.stack.pop() for _ in "kv"][::-1]
        expect(self.stack[-1], dict).update(_mapping(items))

    def name(self, text: str | None) -> None:
        """A name that the file asks for, which must be among those known."""
        if text is None:
            name, module = self.stack.pop(), self.stack.pop()
        else:
            module, name = text.split(" ")
        asked = Name(expect(module, str), expect(name, str))
        if asked not in self.names:
            wanted = f"{asked.module}.{asked.name}"[:80]
            raise BadInput(f"a pickle that asks for {wanted!r}; refused")
        self.stack.append(asked)

    def call(self, _: object) -> None:
        """What stands for a name, made of its arguments by our own code."""
        arguments, asked = expect(self.stack.pop(), tuple), expect(self.stack.pop(), Name)
        self.stack.append(self.names[asked](self, *arguments))

    def build(self, _: object) -> None:
        """Give the object on top its state."""
        state, target = self.stack.pop(), self.stack[-1]
        self.filled(target, state)

    def filled(self, target: Any, state: Any) -> None:
        """Take the state that the file gives an object, in place. Nothing here has one."""
        raise ValueError(f"{type(target).__name__} with a state")

    def persistent(self, _: object) -> None:
        """What stands for an object that lies elsewhere in the file."""
        self.stack.append(self.stored(self.stack.pop()))

    def stored(self, key: Any) -> Any:
        """What stands for an object that lies outside the pickle. Here nothing does."""
        raise BadInput("a pickle that points outside itself; refused")


def expect(item: Any, kind: Any) -> Any:
    """`item`, which must be of this kind.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(item, kind):
        raise ValueError(f"{type(item).__name__} in the wrong place")
    return item


def _mapping(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2 or not all(isinstance(key, str | bytes | int) for key in items[::2]):
        raise ValueError("a dict whose keys are not text or numbers")
    return dict(zip(items[::2], items[1::2], strict=True))


_CONSTANTS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT".split()
    + "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
    + "UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8".split()
)
_PYTHON2_TEXT = frozenset("STRING BINSTRING SHORT_BINSTRING".split())

_OPCODES: dict[str, Callable[[Machine, Any], None]] = {
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
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine.get),
    **dict.fromkeys(("GLOBAL", "STACK_GLOBAL"), Machine.name),
    "MARK": Machine.mark,
    "STOP": Machine.stop,
    "REDUCE": Machine.call,
    "BUILD": Machine.build,
    "BINPERSID": Machine.persistent,
}
