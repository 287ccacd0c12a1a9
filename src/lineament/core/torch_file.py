"""A reader of PyTorch's saved state dicts, without PyTorch and without unpickling.

``torch.save`` writes a pickle that names tensors, and beside it the numbers of each storage. Since
version 1.6 both lie in a zip archive (``data.pkl`` and ``data/KEY``); before, one file held five
pickles (a magic number, a version, the machine's type sizes, the content, the storages' keys) and
then each storage as a count of numbers and their bytes. The pickle is interpreted by
`core.plain_pickle`, with the few names below; what else a file asks for is refused.

Nothing is made that is larger than the file: storages must lie in the file as they are (the archive
of ``torch.save`` is not compressed), and tensors are views of them.

Source: the functions ``_save`` and ``_legacy_save`` of ``torch/serialization.py`` and
``_rebuild_tensor_v2`` of ``torch/_utils.py``, PyTorch 2.13.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lineament.core.errors import BadInput, WeightError
from lineament.core.plain_pickle import Machine, Name, expect

StateDict = dict[str, Any]
"""Arrays by name, or state dicts by name."""

MAX_BYTES = 2**31
"""The largest file that is read: 2 GiB, well above any network that is run here."""

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_DEEPEST = 16
_MOST_AXES = 32
_DTYPES = {
    "BoolStorage": np.dtype("?"),
    "ByteStorage": np.dtype("u1"),
    "CharStorage": np.dtype("i1"),
    "ShortStorage": np.dtype("<i2"),
    "IntStorage": np.dtype("<i4"),
    "LongStorage": np.dtype("<i8"),
    "HalfStorage": np.dtype("<f2"),
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
}


def read_state_dict(path: Path) -> StateDict:
    """The arrays of a file of ``torch.save``, by name.

    A checkpoint is a dict of state dicts; it comes as one. What is neither an array nor a dict with
    text as keys (the number of an epoch, a list) is left out. Arrays are read-only.

    Raises:
        WeightError: the file is damaged, too large, no state dict, or asks for more than arrays.
    """
    try:
        if not 0 < path.stat().st_size <= MAX_BYTES:
            raise BadInput(f"{path.stat().st_size:,} bytes; 1 to {MAX_BYTES:,} are read")
        return parse_state_dict(path.read_bytes())
    except OSError as error:
        raise WeightError(f"{path} cannot be read: {error.strerror or error}") from error
    except BadInput as error:
        raise WeightError(f"{path} is no state dict of PyTorch: {error.reason}") from error


def parse_state_dict(data: bytes) -> StateDict:
    """`read_state_dict` of a file's bytes.

    Raises:
        BadInput: as there, without the name of the file.
    """
    try:
        content, storages = (_from_zip if data[:2] == b"PK" else _from_legacy)(data)
        return _Builder(storages).arrays(content)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise BadInput(" ".join(str(error).split())[:100] or type(error).__name__) from error


# ---- the two layouts


def _from_zip(data: bytes) -> tuple[Any, Callable[[str], bytes]]:
    """The content of ``data.pkl``, and where the bytes of a storage come from."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise BadInput("an archive without data.pkl")
    root = pickles[0].removesuffix("data.pkl")
    left = len(data)

    def member(name: str) -> bytes:
        nonlocal left
        if name not in archive.NameToInfo:
            raise BadInput(f"{name[:80]!r} is missing")
        info = archive.getinfo(name)
        left -= info.file_size
        # Members may lie over each other: together they must not be more than the file.
        if info.compress_type != zipfile.ZIP_STORED or left < 0:
            raise BadInput("an archive that grows as it is read; refused")
        return archive.read(info)

    if f"{root}byteorder" in archive.NameToInfo and member(f"{root}byteorder") != b"little":
        raise BadInput("numbers with the high byte first are not read")
    content = _TensorMachine().read(member(pickles[0]))
    return content, lambda key: member(f"{root}data/{key}")


def _from_legacy(data: bytes) -> tuple[Any, Callable[[str], bytes]]:
    """The content of the fourth pickle, and the bytes of each storage."""
    file = io.BytesIO(data)
    if _TensorMachine().read(file) != _MAGIC or _TensorMachine().read(file) != _VERSION:
        raise BadInput("neither an archive nor the older layout")
    if expect(_TensorMachine().read(file), dict).get("little_endian") is not True:
        raise BadInput("numbers with the high byte first are not read")
    machine = _TensorMachine()
    content, keys = machine.read(file), _TensorMachine().read(file)
    found = {}
    for key in expect(keys, list):
        storage = machine.storages.get(expect(key, str))
        if storage is None or key in found:
            raise BadInput("a storage that no tensor uses")
        count = int.from_bytes(file.read(8), "little")
        found[key] = file.read(min(count, len(data)) * storage.dtype.itemsize)
        if count != storage.count:
            raise BadInput(f"a storage of {count:,} numbers, {storage.count:,} announced")
    return content, lambda key: found.get(key, b"")


# ---- the content


@dataclass(frozen=True)
class _Storage:
    """Numbers that lie beside the pickle, under a key."""

    key: str
    dtype: np.dtype
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage: where it starts, its shape and its strides, in numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """The tensor's numbers out of those of its storage, not copied."""
        size = int(np.prod(self.shape, dtype=object))
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((side - 1) * stride for side, stride in steps)
        # Strides of 0 would let a small file ask for a large array.
        if size > len(numbers) or (size and last >= len(numbers)):
            raise BadInput("a tensor that is larger than its storage")
        strides = tuple(stride * numbers.itemsize if size else 0 for stride in self.strides)
        start = numbers[self.offset :] if size else numbers[:0]
        return np.lib.stride_tricks.as_strided(start, self.shape, strides, writeable=False)


class _TensorMachine(Machine):
    """A machine that knows ordered dicts and tensors, and notes which storages these need."""

    def __init__(self) -> None:
        super().__init__(_NAMES)
        self.storages: dict[str, _Storage] = {}

    def stored(self, key: Any) -> _Storage:
        """The storage that a tensor names: what it is, its type, its key, where it was, its size;
        in older files also which part of another it is."""
        what, kind, name, _, count, *view = expect(key, tuple)
        if what != "storage" or any(part is not None for part in view):
            raise ValueError("a view of a storage" if view else "no storage")
        dtype = _DTYPES[expect(kind, Name).name]
        if type(count) is not int or count < 0:
            raise ValueError("a storage of impossible size")
        storage = _Storage(expect(name, str), dtype, count)
        if self.storages.setdefault(name, storage) != storage:
            raise ValueError("two storages under one key")
        return storage

    def filled(self, target: Any, state: Any) -> None:
        """Leave out what a state dict notes about itself: the versions of its layers."""
        expect(target, dict)
        expect(state, dict)

    def ordered_dict(self, *pairs: Any) -> dict[Any, Any]:
        return dict(*pairs)

    def tensor(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: object) -> _Tensor:
        sides = (offset, *expect(shape, tuple), *expect(strides, tuple))
        if any(type(side) is not int or side < 0 for side in sides):
            raise ValueError("a tensor of impossible shape")
        if len(shape) != len(strides) or len(shape) > _MOST_AXES:
            raise ValueError("a tensor whose strides do not fit its shape")
        return _Tensor(expect(storage, _Storage), offset, shape, strides)

    def parameter(self, tensor: Any, *_: object) -> _Tensor:
        return expect(tensor, _Tensor)


_NAMES: Mapping[Name, Callable[..., Any]] = {
    Name("collections", "OrderedDict"): _TensorMachine.ordered_dict,
    Name("torch._utils", "_rebuild_tensor"): _TensorMachine.tensor,
    Name("torch._utils", "_rebuild_tensor_v2"): _TensorMachine.tensor,
    Name("torch._utils", "_rebuild_parameter"): _TensorMachine.parameter,
    # A storage's type is only ever named, never called.
    **{Name("torch", kind): _TensorMachine.parameter for kind in _DTYPES},
}


class _Builder:
    """Arrays in place of tensors, all over a tree of dicts."""

    def __init__(self, storages: Callable[[str], bytes]) -> None:
        self._bytes = storages
        self._numbers: dict[str, np.ndarray] = {}
        self._built: dict[int, StateDict] = {}

    def arrays(self, content: Any, depth: int = 0) -> StateDict:
        if not isinstance(content, dict) or depth > _DEEPEST:
            raise BadInput("no dict, or dicts in dicts without end")
        # A pickle can name a dict many times over: it is built once.
        if id(content) not in self._built:
            built = {}
            for key, value in content.items():
                if isinstance(key, str) and isinstance(value, _Tensor):
                    built[key] = value.of(self._of(value.storage))
                elif isinstance(key, str) and isinstance(value, dict):
                    built[key] = self.arrays(value, depth + 1)
            self._built[id(content)] = built
        return self._built[id(content)]

    def _of(self, storage: _Storage) -> np.ndarray:
        if storage.key not in self._numbers:
            data = self._bytes(storage.key)
            if len(data) != storage.count * storage.dtype.itemsize:
                raise BadInput(f"a storage of {len(data):,} bytes for {storage.count:,} numbers")
            self._numbers[storage.key] = np.frombuffer(data, storage.dtype)
        return self._numbers[storage.key]
