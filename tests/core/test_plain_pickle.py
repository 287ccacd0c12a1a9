"""The common part of the readers of pickles: alone it knows no name and nothing beside a file.

What it does with each opcode is tested with numpy's names, in ``tests/measure/sets``.
"""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.core.plain_pickle import Machine, Name


def test_plain_data_comes_back_and_a_file_is_left_behind_it():
    file = io.BytesIO(pickle.dumps([1, {"a": (None, "x")}], 2) + pickle.dumps("next") + b"rest")
    assert Machine({}).read(file) == [1, {"a": (None, "x")}]
    assert Machine({}).read(file) == "next"
    assert file.read() == b"rest"


def test_no_name_is_known_and_none_is_looked_up():
    for thing in (np.ones(2), np.float64(1), ValueError("x"), 1j, len):
        with pytest.raises(BadInput, match="asks for"):
            Machine({}).read(pickle.dumps(thing))


def test_a_name_of_the_table_stands_for_our_own_function():
    machine = Machine({Name("math", "sqrt"): lambda machine, x: ("root", x)})
    assert machine.read(b"cmath\nsqrt\n(I4\ntR.") == ("root", 4)


def test_states_and_references_are_refused():
    with pytest.raises(BadInput, match="dict with a state"):
        Machine({}).read(b"}}b.")
    with pytest.raises(BadInput, match="points outside itself"):
        Machine({}).read(b"\x80\x02X\x01\x00\x00\x00aQ.")
