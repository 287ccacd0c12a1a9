"""What adapters give says which data it is, and whose."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from lineament.core.errors import MissingFile
from lineament.measure.sets.nouns import (
    LabeledPictures,
    MaskedPictures,
    Pairs,
    PointedFaces,
    Terms,
    digest,
    need_files,
)

TERMS = Terms(name="A set", where="its makers", terms="looking only")


@pytest.fixture
def paths(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path / "a", tmp_path / "b"


def test_a_digest_is_of_bytes_and_arrays_in_their_order(paths):
    numbers = np.asarray([1, 2])
    assert digest(paths, numbers, None) == hashlib.sha256(b"ab" + numbers.tobytes()).hexdigest()
    turned = np.asarray([[1, 9], [2, 9]])[:, 0]  # not contiguous, yet the same numbers
    assert digest(paths, turned) == digest(paths, numbers)


def test_any_change_of_the_data_changes_the_digest(paths):
    flags, people = np.asarray([0, 1]), np.asarray([3, 4])
    points = np.zeros((2, 5, 2), np.float32)
    pairs, same = np.asarray([[0, 1]]), np.asarray([True])
    colours = np.zeros((1, 3), np.uint8)
    digests = [
        LabeledPictures(paths).digest(),
        LabeledPictures(paths[::-1]).digest(),
        LabeledPictures(paths, {"x": flags}).digest(),
        LabeledPictures(paths, {"x": flags}, people=people).digest(),
        LabeledPictures(paths, {"x": flags}, people=people, split=flags).digest(),
        PointedFaces(paths, points, "5").digest(),
        PointedFaces(paths, points + 1, "5").digest(),
        Pairs(paths, pairs, same, np.asarray([0])).digest(),
        Pairs(paths, pairs, ~same, np.asarray([0])).digest(),
        MaskedPictures(paths[:1], paths[:1], ("x",), colours).digest(),
        MaskedPictures(paths[:1], paths[1:], ("x",), colours).digest(),
        MaskedPictures(paths[:1], paths[1:], ("x",), colours + np.uint8(1)).digest(),
        MaskedPictures(paths[:1], paths[1:], ("x",), colours, {"y": flags}).digest(),
    ]
    assert len(set(digests)) == len(digests)
    paths[1].write_bytes(b"other")
    assert LabeledPictures(paths).digest() not in digests


def test_what_is_missing_says_where_to_get_it_and_on_which_terms(paths):
    need_files(TERMS, *paths)
    absent = paths[0].with_name("c")
    with pytest.raises(MissingFile, match=r"c: needed of A set.*its makers; terms: looking only"):
        need_files(TERMS, *paths, absent)
