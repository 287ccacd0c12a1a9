"""The reader of .npy files, held against numpy's own."""

from __future__ import annotations

import os

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets import npy
from lineament.measure.sets.npy import read_npy


@pytest.mark.parametrize("kind", ["?", "i1", "<i8", ">f4", "f8", "U5", "S3"])
@pytest.mark.parametrize("shape", [(), (1,), (3, 4), (0, 2)])
def test_arrays_come_back(tmp_path, kind, shape):
    path = tmp_path / "a.npy"
    count = np.prod(shape, dtype=int)
    array = np.asarray(np.arange(count).astype(kind).reshape(shape), order="F")
    np.save(path, array)
    read = read_npy(path)
    assert (read.shape, read.dtype) == (array.shape, array.dtype)
    assert np.array_equal(read, np.load(path))


def test_plain_objects_come_as_a_list(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.asarray({"left": 1, "top": 2.5}, object), allow_pickle=True)
    assert read_npy(path) == [{"left": 1, "top": 2.5}]


def test_objects_that_run_code_are_refused(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "was here"),)

    path = tmp_path / "a.npy"
    np.save(path, np.asarray([Hostile()], object), allow_pickle=True)
    with pytest.raises(BadInput, match="a.npy: .*mkdir"):
        read_npy(path)
    assert not (tmp_path / "was here").exists()


def header(text: str) -> bytes:
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk",
        b"\x93NUMPY\x03\x00" + bytes(200),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }") + bytes(8),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,), }") + bytes(8),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }") + bytes(8),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }") + bytes(8),
        header("{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }") + bytes(8),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (), }") + b"N.",
        header("{'descr': '|O', 'fortran_order': False, 'shape': (), }"),
        header("__import__('os').getcwd()"),
        header("(" * 100),
    ],
    ids=range(12),
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="a.npy: ") as caught:
        read_npy(path)
    assert "\n" not in str(caught.value)


def test_a_header_of_python_2(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (2L,), }") + bytes(16)
    )
    assert read_npy(path).tolist() == [0, 0]


def test_large_and_absent_files(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(npy.MAX_BYTES, np.uint8))
    with pytest.raises(BadInput, match="more than 1,048,576 bytes"):
        read_npy(tmp_path / "a.npy")
    with pytest.raises(MissingFile):
        read_npy(tmp_path / "b.npy")
