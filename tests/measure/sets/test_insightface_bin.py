"""InsightFace's .bin files, written here by Python's own pickle."""

from __future__ import annotations

import os
import pickle
import struct

import numpy as np
import pytest
from sklearn.model_selection import KFold

from lineament.core.errors import BadInput, MissingFile, UnreadableImage
from lineament.core.media import encode_jpeg
from lineament.measure.sets.insightface_bin import read_insightface_bin

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
RNG = np.random.default_rng(1)
COLOURS = RNG.integers(0, 256, (8, 3))
PICTURES = [encode_jpeg(np.full((16, 16, 3), colour, np.uint8), 95) for colour in COLOURS]
SAME = [True, False, False, True]


def as_objects(items):
    cells = np.empty(len(items), object)
    cells[:] = items
    return cells


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "labels",
    [SAME, tuple(SAME), np.asarray(SAME), [np.bool_(s) for s in SAME], [int(s) for s in SAME]],
    ids=["list", "tuple", "array", "numpy bools", "ints"],
)
@pytest.mark.parametrize(
    "pictures",
    [PICTURES, tuple(PICTURES), as_objects(PICTURES), [np.frombuffer(p, "u1") for p in PICTURES]],
    ids=["list", "tuple", "objects", "byte arrays"],
)
def test_every_way_to_write_one_gives_the_same(tmp_path, pictures, labels, protocol):
    path = tmp_path / "cfp_fp.bin"
    path.write_bytes(pickle.dumps((pictures, labels), protocol))
    packed = read_insightface_bin(path)
    assert list(packed.pictures) == PICTURES
    assert packed.same.tolist() == SAME
    assert packed.pairs.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    for number, colour in enumerate(COLOURS):
        assert np.abs(packed.image(number).pixels.mean((0, 1)) - colour).max() < 4


def test_a_file_of_python_2(tmp_path):
    """Protocol 2 with BINSTRING for the pictures, as the published files have it."""
    strings = b"".join(b"T" + struct.pack("<i", len(p)) + p for p in PICTURES)
    labels = b"".join(b"\x88" if same else b"\x89" for same in SAME)
    path = tmp_path / "lfw.bin"
    path.write_bytes(b"\x80\x02]q\x01(" + strings + b"e]q\x02(" + labels + b"e\x86q\x03.")
    packed = read_insightface_bin(path)
    assert list(packed.pictures) == PICTURES
    assert packed.same.tolist() == SAME


@pytest.mark.parametrize("count", [10, 13, 60, 6000])
def test_folds_are_those_of_scikit_learn(tmp_path, count):
    path = tmp_path / "x.bin"
    path.write_bytes(pickle.dumps(([b"p"] * 2 * count, [True] * count)))
    fold = read_insightface_bin(path).fold
    for number, (_, test) in enumerate(KFold(10, shuffle=False).split(np.empty(count))):
        assert np.array_equal(np.flatnonzero(fold == number), test)


@pytest.mark.parametrize(
    "content",
    [
        (PICTURES, SAME[:3]),
        (PICTURES[:7], SAME),
        ([], []),
        PICTURES,
        (PICTURES,),
        (PICTURES, SAME, 1),
        (PICTURES, "yes!"),
        (PICTURES, [2, 0, 0, 1]),
        (PICTURES, [0.5, 0, 0, 1]),
        (PICTURES, [None] * 4),
        (PICTURES, np.ones((2, 2), bool)),
        ([*PICTURES[:7], "text"], SAME),
        ([*PICTURES[:7], b""], SAME),
        ([*PICTURES[:7], np.ones(4)], SAME),
        ([*PICTURES[:7], [b"x"]], SAME),
        (dict(enumerate(PICTURES)), SAME),
        {"pictures": PICTURES},
    ],
    ids=range(17),
)
def test_other_content_is_refused(tmp_path, content):
    path = tmp_path / "set.bin"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(BadInput, match="set.bin"):
        read_insightface_bin(path)


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("was_here",)


def test_a_file_that_runs_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "set.bin"
    for content in ((Hostile(), SAME), ([Hostile()], SAME), (PICTURES, [Hostile()] * 4)):
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(BadInput, match="mkdir"):
            read_insightface_bin(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["set.bin"]


def test_absent_and_undecodable(tmp_path):
    with pytest.raises(MissingFile, match="get it from .* terms: non-commercial"):
        read_insightface_bin(tmp_path / "lfw.bin")
    path = tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps(([b"junk", b"junk"], [True])))
    packed = read_insightface_bin(path)
    with pytest.raises(UnreadableImage, match="lfw.bin picture 1"):
        packed.image(1)
    assert packed.digest() != read_again(path, [False]).digest()


def read_again(path, same):
    path.write_bytes(pickle.dumps(([b"junk", b"junk"], same)))
    return read_insightface_bin(path)
