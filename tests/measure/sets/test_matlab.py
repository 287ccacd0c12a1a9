"""The reader of MATLAB files, held against what scipy writes and reads."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets import matlab
from lineament.measure.sets.matlab import read_matlab


def cells(*items):
    box = np.empty((len(items), 1), object)
    for row, item in enumerate(items):
        box[row, 0] = item
    return box


@pytest.fixture
def write(tmp_path):
    def write(content, packed=False):
        path = tmp_path / "set.mat"
        savemat(path, content, do_compression=packed)
        return path

    return write


def same(ours, scipys) -> bool:
    """Ours against scipy's array, cell by cell."""
    if isinstance(ours, str):
        return ours == (scipys.item() if scipys.size else "")
    if isinstance(ours, list):
        flat = scipys.ravel(order="F")
        return len(ours) == flat.size and all(map(same, ours, flat))
    if isinstance(ours, dict):
        return all(same(value, scipys[0, 0][name]) for name, value in ours.items())
    return ours.shape == scipys.shape and np.array_equal(ours, scipys)


@pytest.mark.parametrize("packed", [False, True])
def test_content_is_as_scipy_reads_it(write, packed):
    rng = np.random.default_rng(3)
    content = {
        kind: rng.integers(0, 100, (3, 5)).astype(kind)
        for kind in ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
    }
    content |= {
        "cube": rng.random((2, 3, 4)),
        "one": np.asarray([[7.0]]),
        "word": "Protocol",
        "letter": "é",
        "list": cells("a.jpg", "picture 2.jpg", np.arange(4), cells("in", np.eye(2))),
        "square": np.asarray([["a", "b"], ["c", "d"]], object),
        "record": {"names": cells("x", "y"), "rate": 0.5},
    }
    path = write(content, packed)
    expected = loadmat(path)
    read = read_matlab(path)
    assert read.keys() == content.keys()
    for name, value in read.items():
        assert same(value, expected[name]), name
        assert not isinstance(value, np.ndarray) or value.dtype == np.asarray(content[name]).dtype
    assert read["square"] == ["a", "c", "b", "d"]  # MATLAB's order


def test_rows_of_text_and_of_records(write):
    read = read_matlab(write({"rows": np.asarray(["ab ", "cde"])}))
    assert read["rows"] == ["ab ", "cde"]
    records = np.zeros((1, 3), [("age", "f8"), ("id", "f8")])
    records["age"] = [[1, 2, 3]]
    read = read_matlab(write({"people": records}))
    assert [person["age"].item() for person in read["people"]] == [1, 2, 3]


def test_a_file_of_the_other_byte_order():
    matrix = b"".join(
        [
            struct.pack(">IIII", 6, 8, 12, 0),  # flags: class int32
            struct.pack(">IIii", 5, 8, 1, 2),
            struct.pack(">HH4s", 1, 1, b"n"),  # the small form, big-endian: size, then type
            struct.pack(">IIii", 5, 8, 258, -2),
        ]
    )
    data = b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(matrix)) + matrix
    assert loadmat(io.BytesIO(data))["n"].tolist() == [[258, -2]]
    assert matlab._Reader(data).variables()["n"].tolist() == [[258, -2]]


def test_what_is_not_read_says_so(tmp_path, write):
    path = tmp_path / "set.mat"
    cases = {
        b"": "0 bytes",
        b"junk" * 100: "not a MATLAB file of version 5",
        b"MATLAB 7.3 MAT-file".ljust(600): "HDF5",
    }
    for content, message in cases.items():
        path.write_bytes(content)
        with pytest.raises(BadInput, match=f"set.mat: .*{message}"):
            read_matlab(path)
    with pytest.raises(MissingFile):
        read_matlab(tmp_path / "absent.mat")
    with pytest.raises(BadInput, match="class 6"):
        read_matlab(write({"z": np.asarray([[1j]])}))


def test_cut_and_changed_files_end_in_data_or_the_error(write):
    content = {"list": cells("a", np.arange(3), cells("b")), "record": {"x": 1.0}, "n": np.eye(2)}
    rng = np.random.default_rng(7)
    path = write(content)
    whole = path.read_bytes()
    for end in range(128, len(whole), 7):
        path.write_bytes(whole[:end])
        try:
            read_matlab(path)
        except BadInput as error:
            assert "\n" not in str(error)  # noqa: PT017
    for _ in range(300):
        changed = bytearray(whole)
        changed[rng.integers(120, len(whole))] = rng.integers(256)
        path.write_bytes(changed)
        try:
            read_matlab(path)
        except BadInput as error:
            assert "\n" not in str(error)  # noqa: PT017


def packed(content: bytes) -> bytes:
    body = zlib.compress(content)
    return b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(body)) + body


def test_bombs_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "set.mat"
    path.write_bytes(packed(bytes(matlab.MAX_BYTES + 1)))
    assert path.stat().st_size < 200_000
    with pytest.raises(BadInput, match="unpacked"):
        read_matlab(path)
    path.write_bytes(packed(bytes(1000))[:-10])
    with pytest.raises(BadInput, match="cut off"):
        read_matlab(path)
    inner = struct.pack("<II", 14, 0)
    for _ in range(matlab.MAX_DEPTH + 2):
        head = struct.pack("<IIII IIii II", 6, 8, 1, 0, 5, 8, 1, 1, 1, 0)
        inner = struct.pack("<II", 14, len(head + inner)) + head + inner
    path.write_bytes(packed(inner))
    with pytest.raises(BadInput, match="deep"):
        read_matlab(path)
    monkeypatch.setattr(matlab, "MAX_PIECES", 100)
    path.write_bytes(packed(struct.pack("<II", 14, 0) * 101))
    with pytest.raises(BadInput, match="pieces"):
        read_matlab(path)


def test_real_files_are_read_as_scipy_reads_them(shared_data):
    paths = sorted((shared_data / "aflw2000_16").rglob("*.mat"))
    assert paths
    for path in paths:
        expected = loadmat(path)
        for name, value in read_matlab(path).items():
            assert same(value, expected[name]), (path, name)
