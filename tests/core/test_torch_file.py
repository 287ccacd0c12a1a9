"""The reader of PyTorch's files, on files that PyTorch 2.13 wrote, and on hostile ones."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineament.core.errors import WeightError
from lineament.core.torch_file import read_state_dict
from lineament.core.weight_file import inspect_file

DATA = Path(__file__).parent / "data"
FILES = ("torch_zip.pth", "torch_legacy.pth")
BASE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize("name", FILES)
def test_what_pytorch_wrote_comes_back(name):
    """The files hold, under ``state_dict``, what is written out here; they were made with
    ``torch.save(..., _use_new_zipfile_serialization=...)``."""
    read = read_state_dict(DATA / name)
    assert list(read) == ["state_dict", "layer", "parameter"]  # an epoch and a list are left out
    expected = {
        "weight": BASE / 8,
        "turned": (BASE / 8).transpose(2, 0, 1),
        "part": BASE[1, 1:, ::2],
        "halves": np.arange(5, dtype=np.float16) / np.float16(2),
        "counts": np.asarray(7),
        "flags": np.asarray([True, False]),
        "bytes": np.arange(4, dtype=np.uint8),
        "doubles": np.asarray([[1e-300]]),
        "none": np.empty((0, 3), np.float32),
        "again": BASE / 8,
    }
    state = read["state_dict"]
    assert list(state) == list(expected)
    for key, array in expected.items():
        assert state[key].dtype == array.dtype
        assert state[key].shape == array.shape
        np.testing.assert_array_equal(state[key], array)
        assert not state[key].flags.writeable
    assert np.shares_memory(state["weight"], state["again"])
    layer = read["layer"]
    assert list(layer) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    np.testing.assert_array_equal(layer["running_var"], np.ones(3, np.float32))
    np.testing.assert_array_equal(read["parameter"], np.ones(2, np.float32))


class Storage:
    """Pickled, it is a reference to a storage beside the pickle."""

    def __init__(
        self, count: Any = 4, key: Any = "0", kind="FloatStorage", what="storage", view=()
    ):
        self.parts = what, _Global("torch", kind), key, "cpu", count, *view


class _Global:
    def __init__(self, module, name):
        self.named = module, name


class Tensor:
    """Pickled, it is the call by which PyTorch makes a tensor again."""

    def __init__(self, storage, offset=0, shape=(2, 2), strides=(2, 1)):
        self.arguments = storage, offset, shape, strides, False, {}


_Pickler: Any = vars(pickle)["_Pickler"]  # the one in Python, whose steps can be replaced


class _Writer(_Pickler):
    """Writes what PyTorch writes, and what it would not."""

    def persistent_id(self, obj):
        return obj.parts if isinstance(obj, Storage) else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, _Global):
            self.write(b"c" + "\n".join((*obj.named, "")).encode())
        elif isinstance(obj, Tensor):
            self.save(_Global("torch._utils", "_rebuild_tensor_v2"))
            self.save(obj.arguments)
            self.write(b"R")
        else:
            super().save(obj, save_persistent_id)


def dumps(content) -> bytes:
    file = io.BytesIO()
    _Writer(file, 2).dump(content)
    return file.getvalue()


def zipped(content, storages=None, compression=zipfile.ZIP_STORED, **members) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("x/data.pkl", content if isinstance(content, bytes) else dumps(content))
        for key, data in (storages or {"0": bytes(16)}).items():
            archive.writestr(f"x/data/{key}", data)
        for name, data in members.items():
            archive.writestr(f"x/{name}", data)
    return file.getvalue()


def legacy(content, keys=("0",), storages=None, order=True, magic=0x1950A86A20F9469CFC6C) -> bytes:
    parts = [magic, 1001, {"little_endian": order}]
    head = b"".join(pickle.dumps(part, 2) for part in parts)
    body = struct.pack("<q", 4) + bytes(16) if storages is None else storages
    return head + dumps(content) + pickle.dumps(list(keys), 2) + body


def read(data: bytes, folder: Path):
    path = folder / "weights.pth"
    path.write_bytes(data)
    return read_state_dict(path)


@pytest.mark.parametrize("layout", [zipped, legacy])
def test_the_writer_of_this_test_writes_what_is_read(layout, tmp_path):
    assert read(layout({"a": Tensor(Storage())}), tmp_path)["a"].tolist() == [[0, 0], [0, 0]]


class Hostile:
    """Unpickled, it would make a file."""

    def __init__(self, function, *arguments):
        self.plan = function, arguments

    def __reduce__(self):
        return self.plan


@pytest.mark.parametrize("layout", [zipped, legacy])
def test_what_runs_code_is_refused_and_not_run(layout, tmp_path):
    mark = tmp_path / "was here"
    for thing in (
        Hostile(os.system, f"touch '{mark}'"),
        Hostile(eval, f"open({str(mark)!r}, 'w')"),
        Hostile(os.mkdir, str(mark)),
        Hostile(bytearray, 2**40),
        os.system,
        _Global("torch.hub", "load"),
        _Global("numpy", "load"),
    ):
        with pytest.raises(WeightError, match="asks for"):
            read(layout({"a": thing, "b": Tensor(Storage())}), tmp_path)
    assert not mark.exists()


A = {"a": Tensor(Storage())}
BAD = {
    "empty": b"",
    "junk": b"not a pickle",
    "zip junk": b"PK\x03\x04" + bytes(40),
    "a list": zipped([1]),
    "a storage alone": zipped(Storage()),
    "no data.pkl": zipped(A).replace(b"data.pkl", b"data.txt"),
    "no storage": zipped(A, {"1": bytes(16)}),
    "short storage": zipped(A, {"0": bytes(15)}),
    "long storage": zipped(A, {"0": bytes(17)}),
    "squeezed": zipped(A, {"0": bytes(16)}, zipfile.ZIP_DEFLATED),
    "wrong sum": zipped(A, {"0": b"0123456789abcdef"}).replace(b"0123456789abcdef", b"f" * 16, 1),
    "big endian": zipped(A, byteorder=b"big"),
    "not a storage": zipped({"a": Tensor(Storage(what="module"))}),
    "a view of a storage": zipped({"a": Tensor(Storage(view=(("k", 0, 1),)))}),
    "a type of no storage": zipped({"a": Tensor(Storage(kind="Tensor"))}),
    "no type": zipped({"a": Tensor(Storage(kind="BFloat16Storage"))}),
    "a path as key": zipped({"a": Tensor(Storage(key="../../secret"))}),
    "a number as key": zipped({"a": Tensor(Storage(key=0))}),
    "a negative count": zipped({"a": Tensor(Storage(-4))}),
    "a fraction of a count": zipped({"a": Tensor(Storage(4.0))}),
    "no tensor": zipped({"a": Tensor("0")}),
    "two storages, one key": zipped([Tensor(Storage()), Tensor(Storage(5))]),
    "beyond its storage": zipped({"a": Tensor(Storage(), 1)}),
    "long strides": zipped({"a": Tensor(Storage(), 0, (2, 2), (3, 1))}),
    "negative strides": zipped({"a": Tensor(Storage(), 3, (4,), (-1,))}),
    "a negative offset": zipped({"a": Tensor(Storage(), -1, (4,), (1,))}),
    "a negative side": zipped({"a": Tensor(Storage(), 0, (-1, -1), (1, 1))}),
    "true as a side": zipped({"a": Tensor(Storage(), 0, (True,), (1,))}),
    "a side for two strides": zipped({"a": Tensor(Storage(), 0, (2,), (1, 1))}),
    "a list as shape": zipped({"a": Tensor(Storage(), 0, [2], (1,))}),
    "more axes than arrays have": zipped({"a": Tensor(Storage(), 0, (1,) * 65, (1,) * 65)}),
    "numbers out of nothing": zipped({"a": Tensor(Storage(), 0, (2**40,), (0,))}),
    "an overflow": zipped({"a": Tensor(Storage(), 0, (2**32, 2**32), (0, 0))}),
    "the wrong magic": legacy(A, magic=0x1950A86A20F9469CFC6D),
    "legacy big endian": legacy(A, order=False),
    "legacy without storages": legacy(A, keys=()),
    "legacy with a strange storage": legacy(A, keys=("1",)),
    "legacy twice": legacy(A, keys=("0", "0"), storages=(struct.pack("<q", 4) + bytes(16)) * 2),
    "legacy cut": legacy(A, storages=struct.pack("<q", 4) + bytes(15)),
    "legacy huge": legacy(A, storages=struct.pack("<q", 2**62) + bytes(16)),
    "legacy keys of lists": legacy(A, keys=([],)),
}


@pytest.mark.parametrize("name", BAD)
def test_damaged_and_hostile_files_end_in_one_error(name, tmp_path):
    with pytest.raises(WeightError) as caught:
        read(BAD[name], tmp_path)
    assert "\n" not in str(caught.value)
    assert "weights.pth" in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_any_cut_and_any_changed_byte_end_in_arrays_or_the_error(name, tmp_path):
    data = (DATA / name).read_bytes()
    rng = np.random.default_rng(7)
    for end in range(0, len(data), 397):
        with pytest.raises(WeightError):
            read(data[:end], tmp_path)
    for place in rng.integers(len(data), size=80):
        changed = bytearray(data)
        changed[place] = rng.integers(256)
        try:
            read(bytes(changed), tmp_path)
        except WeightError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_dicts_without_end_are_refused(tmp_path):
    endless: dict = {}
    endless["a"] = endless
    with pytest.raises(WeightError, match="without end"):
        read(zipped(endless), tmp_path)
    deep: dict = {}
    for _ in range(20):
        deep = {"a": deep}
    with pytest.raises(WeightError, match="without end"):
        read(zipped(deep), tmp_path)


def overlapping(many: int, size: int) -> bytes:
    """An archive in which each storage lies in the one before it: `many` times `size` bytes."""

    def header(mark: bytes, name: str, data: bytes, versions: int) -> bytes:
        facts = struct.pack("<4H3I", 0, 0, 0, 0, zlib.crc32(data), len(data), len(data))
        return mark + bytes((20, 0)) * versions + facts + struct.pack("<2H", len(name), 0)

    data, entries, content = bytes(size), [], {}
    for key in range(many):
        entries.append((f"x/data/{key}", data))
        content[str(key)] = Tensor(Storage(len(data), str(key), "ByteStorage"), 0, (1,), (1,))
        data = header(b"PK\3\4", entries[-1][0], data, 1) + entries[-1][0].encode() + data
    entries.append(("x/data.pkl", dumps(content)))
    name, pickled = entries[-1]
    whole = header(b"PK\3\4", name, pickled, 1) + name.encode() + pickled + data
    index = b""
    for name, data in entries:
        start = whole.index(header(b"PK\3\4", name, data, 1) + name.encode())
        index += header(b"PK\1\2", name, data, 2) + bytes(10) + struct.pack("<I", start)
        index += name.encode()
    counts = struct.pack("<4H2IH", 0, 0, many + 1, many + 1, len(index), len(whole), 0)
    return whole + index + b"PK\5\6" + counts


def test_a_file_cannot_ask_for_more_memory_than_it_has_bytes(tmp_path):
    wide: dict = {"a": Tensor(Storage())}
    for _ in range(12):
        wide = {str(k): wide for k in range(12)}  # 12 ** 12 paths to one tensor
    assert len(read(overlapping(1, 9), tmp_path)) == 1
    large = overlapping(200, 500_000)
    assert len(large) < 600_000
    tracemalloc.start()
    assert len(read(zipped(wide), tmp_path)) == 12
    with pytest.raises(WeightError, match=r"grows|[Oo]verlap"):
        read(large, tmp_path)
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert top < 5e6


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(WeightError, match=r"absent\.pth cannot be read"):
        read_state_dict(tmp_path / "absent.pth")


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_arrays_alone_is_safe_and_any_other_is_not(name, tmp_path):
    report = inspect_file(DATA / name)
    assert report.safe
    assert report.format == "state dict"
    path = tmp_path / "weights.pth"
    path.write_bytes(zipped({"a": Tensor(Storage()), "b": os.system}))
    assert not inspect_file(path).safe
    path.write_bytes(pickle.dumps({"a": os.system}))
    assert inspect_file(path).findings == ("a pickle: loading it runs whatever it says",)
