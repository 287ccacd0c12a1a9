"""dlib's landmark models: read back what was written, refuse everything else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dlib_files import column, integers, random_trees, write
from lineament.core import dlib_shape
from lineament.core.dlib_shape import read_shape_trees
from lineament.core.errors import WeightError


@pytest.mark.parametrize("block", [1, 3, 64, 1 << 15])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (5, 3, 4, 2), (68, 2, 2, 3)])
def test_a_model_is_read_as_it_was_written(block, shape, monkeypatch):
    monkeypatch.setattr(dlib_shape, "_BLOCK", block)
    written = random_trees(block, *shape)
    found = read_shape_trees(write(written))
    for name, expected in vars(written).items():
        assert np.array_equal(getattr(found, name), expected), name


def test_bytes_too_few_or_too_many_are_refused():
    data = write(random_trees(0, trees=2))
    for end in range(len(data)):
        with pytest.raises(WeightError):
            read_shape_trees(data[:end])
    with pytest.raises(WeightError, match="too many"):
        read_shape_trees(data + integers(0))


@given(st.binary(max_size=200))
def test_any_bytes_give_one_kind_of_error(data):
    with pytest.raises(WeightError):
        read_shape_trees(data)


@given(st.data())
def test_a_changed_byte_gives_a_model_or_that_error(data):
    written = bytearray(write(random_trees(1, trees=2)))
    written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    try:
        trees = read_shape_trees(bytes(written))
    except WeightError:
        return
    assert all(np.isfinite(array).all() for array in vars(trees).values())
    assert trees.anchors.max() < len(trees.mean)
    assert max(trees.first.max(), trees.second.max()) < trees.anchors.shape[1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"anchors": 5}, "anchored"),
        ({"first": 7}, "no pixel"),
        ({"second": -1}, "no pixel"),
    ],
)
def test_numbers_of_nothing_are_refused(change, reason):
    trees = random_trees(2)
    ((name, value),) = change.items()
    getattr(trees, name).flat[3] = value
    with pytest.raises(WeightError, match=reason):
        read_shape_trees(write(trees))


def test_lengths_are_held_against_the_bytes_that_are_there():
    huge = integers(1) + column(np.ones(4)) + integers(64, 4096, 255)
    with pytest.raises(WeightError, match="expected"):
        read_shape_trees(huge)
