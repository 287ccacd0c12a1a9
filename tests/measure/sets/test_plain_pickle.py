"""The reader of plain pickles, held against files that Python's own pickle writes."""

from __future__ import annotations

import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from lineament.core import plain_pickle
from lineament.core.errors import BadInput
from lineament.measure.sets.plain_pickle import read_plain, read_plain_pickle, unboxed

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = [
    [0, 1, 255, 256, 70_000, -1, 2**70, -(2**70)],
    [1.5, -0.0, 1e300],
    ["", "text", "ünïcödé 😀", "line\nbreak", b"\x00\xff\n'\"", b"x" * 70_000],
    (True, False, None, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}),
    {"a": [1, {"b": (2,)}], b"c": None, 3: "d"},
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", PLAIN, ids=["ints", "floats", "text", "tuples", "dicts"])
def test_plain_data_comes_back(value, protocol):
    read = read_plain(pickle.dumps(value, protocol))
    assert read == value
    assert repr(read) == repr(value)  # 1 is not True, -0.0 is not 0.0


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["?", "u1", "i2", "<i8", ">i4", "f4", ">f8"])
def test_arrays_come_back(kind, protocol):
    array = np.arange(12).reshape(3, 4).astype(kind)
    for case in (array, np.asfortranarray(array), array[:0], array[1, 2:3]):
        read = read_plain(pickle.dumps(case, protocol))
        assert read.shape == case.shape
        assert read.dtype == case.dtype
        assert np.array_equal(read, case)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_numbers_and_arrays_of_objects_come_back(protocol):
    numbers = [np.bool_(True), np.int64(-5), np.float32(0.1), np.float64(1e-9)]
    read = [unboxed(item) for item in read_plain(pickle.dumps(numbers, protocol))]
    assert read == numbers
    cells = np.empty(2, object)
    cells[:] = [b"one", {"two": 2}]
    assert list(read_plain(pickle.dumps(cells, protocol))) == [b"one", {"two": 2}]


def test_shared_objects_stay_one():
    picture = os.urandom(50)
    read = read_plain(pickle.dumps([picture, picture], 2))
    assert read[0] is read[1]


def test_python_2_text_comes_as_bytes():
    """Python 2 writes its str as SHORT_BINSTRING (U) or BINSTRING (T), and arrays over these."""
    picture = bytes(range(256)) * 2
    data = b"\x80\x02]q\x00(U\x03abcT" + struct.pack("<i", len(picture)) + picture + b"e."
    assert read_plain(data) == [b"abc", picture]
    number = (
        b"\x80\x02cnumpy.core.multiarray\nscalar\nq\x01cnumpy\ndtype\nq\x02U\x02f8K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbU\x08"
        + struct.pack("<d", 2.5)
        + b"\x86R."
    )
    assert read_plain(number) == 2.5


class Hostile:
    """Unpickled, it would make a file."""

    def __init__(self, function, *arguments):
        self.plan = function, arguments

    def __reduce__(self):
        return self.plan


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_runs_code_is_refused_and_not_run(protocol, tmp_path):
    mark = tmp_path / "was here"
    for thing in (
        Hostile(os.system, f"touch '{mark}'"),
        Hostile(eval, f"open({str(mark)!r}, 'w')"),
        Hostile(os.mkdir, str(mark)),
        Hostile(np.fromfile, str(mark)),
        Hostile(bytearray, 2**40),
        mark,
        {1, 2},
        os.system,
        1j,
        range(3),
    ):
        with pytest.raises(BadInput, match="asks for|more than hold data"):
            read_plain(pickle.dumps(([thing], [True]), protocol))
    assert not mark.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"\x80\x04",
        b"not a pickle",
        b"(lp0\n",
        b"]" * 10 + b".",
        b"((((.",
        b"a.",
        b"]]e.",
        b"0.",
        b"h\x05.",  # a memo that was never filled
        b"K\x01\x85\x85\x86.",
        b"}K\x01s.",
        b"}(K\x01u.",
        b"](}K\x01K\x02\x87e}]s.",
        b"Ksomething.",
        b"I" + b"9" * 5000 + b"\n.",
        b"X\xff\xff\xff\x7fshort.",  # text of 2 GB
        b"B\xff\xff\xff\x7fshort.",
        b"\x8e" + struct.pack("<Q", 2**63 - 1) + b"short.",  # bytes of 8 EB
        b"\x8b\xff\xff\xff\x7f1.",  # a number of 2 GB
        b"cnumpy\ndtype\n(Vf8\ntR(K\x03V<\nVx\nNNtb.",  # a dtype with a subtype
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(VO\ntR]tR.",
        b"c_codecs\nencode\n(Vabc\nVrot13\ntR.",
        b"c_codecs\nencode\n(Vabc\\u0100\nVlatin1\ntR.",
        b"c_codecs\nencode\n)R.",
        b"c_codecs\nencode\n}R.",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(Vf8\ntRVabc\ntR.",
        b"\x8c\x02os\x8c\x06system\x93.",
        b"ios\nsystem\n.",
        b"\x80\x02P\x00.",
        b"\x97.",
        b"\x82\x01.",
    ],
    ids=repr,
)
def test_damaged_and_hostile_bytes_end_in_one_error(data):
    with pytest.raises(BadInput) as caught:
        read_plain(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_any_cut_of_a_file_is_refused():
    for protocol in PROTOCOLS:
        data = pickle.dumps(([b"picture"], np.ones(2), [np.bool_(True)]), protocol)
        for end in range(0, len(data), 2):
            with pytest.raises(BadInput):
                read_plain(data[:end])


def test_any_changed_byte_ends_in_data_or_the_error():
    rng = np.random.default_rng(5)
    for protocol in PROTOCOLS:
        data = pickle.dumps(([b"picture"], np.ones(2), [np.bool_(True)]), protocol)
        for _ in range(150):
            changed = bytearray(data)
            changed[rng.integers(len(data))] = rng.integers(256)
            try:
                read_plain(bytes(changed))
            except BadInput as error:
                assert "\n" not in str(error)  # noqa: PT017


def test_an_array_must_fill_its_shape():
    data = pickle.dumps(np.arange(6, dtype="u1"), 2)
    assert data.count(b"K\x06\x85") == 1
    for side in (b"K\x07", b"J\xff\xff\xff\xff", b"J\xff\xff\xff\x7f", b"G" + bytes(8)):
        with pytest.raises(BadInput):
            read_plain(data.replace(b"K\x06\x85", side + b"\x85"))


def peak(data: bytes) -> int:
    tracemalloc.start()
    with pytest.raises(BadInput):
        read_plain(data)
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return top


def test_a_file_cannot_ask_for_more_memory_than_it_has_bytes():
    doubled = b"(]q\x00" + b"(h\x00h\x00lq\x00" * 40 + b"t."  # each list holds the last one twice
    assert len(read_plain(doubled)) == 41
    text = b"X" + struct.pack("<I", 10**6) + b"a" * 10**6 + b"q\x01"
    first = b"c_codecs\nencode\nq\x02h\x01X\x06\x00\x00\x00latin1\x86q\x03R"
    assert peak(b"(" + text + first + b"h\x02h\x03R" * 10**4 + b"t.") < 20e6  # 10 GB in all


def test_opcodes_are_counted(monkeypatch):
    monkeypatch.setattr(plain_pickle, "MAX_OPCODES", 1000)
    assert len(read_plain(b"(" + b"N" * 997 + b"t.")) == 997
    with pytest.raises(BadInput, match="1,000 opcodes"):
        read_plain(b"(" + b"N" * 998 + b"t.")


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "set.bin"
    for content in (b"", b"junk", pickle.dumps(os.system)):
        path.write_bytes(content)
        with pytest.raises(BadInput, match="set.bin"):
            read_plain_pickle(path)
    path.write_bytes(pickle.dumps([b"x"]))
    assert read_plain_pickle(path) == [b"x"]
    with pytest.raises(BadInput, match="absent.bin: cannot be read"):
        read_plain_pickle(tmp_path / "absent.bin")
