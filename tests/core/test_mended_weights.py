"""Copies of weights that were mended for use: made once, noticed when damaged, raced for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lineament.core.cards import Weight
from lineament.core.errors import WeightError
from lineament.core.weights import derived, fetch, prepared, remove
from local_web import Web, record
from weight_store import CONTENT, folder_of, names_in


def doubling_model() -> bytes:
    """A network that gives 2 x."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])
    two = numpy_helper.from_array(np.array([2], np.float32), "two")
    graph = helper.make_graph([helper.make_node("Mul", ["x", "two"], ["y"])], "g", [x], [y], [two])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString()


@pytest.fixture
def double(web: Web, home: Path) -> Weight:
    content = doubling_model()
    web.files["/double"] = content
    return record(content, f"{web.address}/double", file="double.onnx")


class Tripler:
    """Mends 2 x into 3 x, and counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, model: onnx.ModelProto) -> onnx.ModelProto:
        self.calls += 1
        three = numpy_helper.from_array(np.array([3], np.float32), "two")
        model.graph.initializer[0].CopyFrom(three)
        return model


def factor_in(path: Path) -> float:
    return float(numpy_helper.to_array(onnx.load(path).graph.initializer[0])[0])


def test_a_mended_copy_is_made_once_beside_the_original(double: Weight, home: Path) -> None:
    mend = Tripler()
    path = prepared(double, "tripled", mend)
    assert path == folder_of(home, double) / "double.tripled.onnx"
    assert (factor_in(path), factor_in(fetch(double))) == (3, 2)
    assert prepared(double, "tripled", mend) == path
    assert mend.calls == 1
    assert prepared(double, "other-tag", mend) != path
    assert mend.calls == 2
    assert remove(double) > 0
    assert not path.exists()


@pytest.mark.parametrize("damage", ["shortened", "altered", "deleted", "unstamped"])
def test_a_damaged_mended_copy_is_made_again(double: Weight, damage: str) -> None:
    mend = Tripler()
    path = prepared(double, "tripled", mend)
    whole = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    elif damage == "unstamped":
        path.with_name(f"{path.name}.stamp").unlink()
    else:
        path.write_bytes(whole[:-3] if damage == "shortened" else whole[:-3] + b"abc")
    assert prepared(double, "tripled", mend).read_bytes() == whole
    assert mend.calls == 2


def test_a_model_can_be_derived_from_any_bytes(web: Web, home: Path) -> None:
    weight = record(CONTENT, f"{web.address}/toy")
    path = derived(weight, "reversed", lambda original: original.read_bytes()[::-1])
    assert path == folder_of(home, weight) / "toy.reversed.onnx"
    assert path.read_bytes() == CONTENT[::-1]


def test_a_failed_mend_leaves_nothing(double: Weight, home: Path) -> None:
    def refuse(model: onnx.ModelProto) -> onnx.ModelProto:
        raise WeightError("not this one")

    with pytest.raises(WeightError, match="^not this one$"):
        prepared(double, "t", refuse)
    assert names_in(folder_of(home, double)) == {"double.onnx", "double.onnx.stamp"}


def test_threads_mend_once(double: Weight) -> None:
    mend = Tripler()
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: prepared(double, "t", mend), range(8)))) == 1
    assert mend.calls == 1


def test_a_weight_that_is_no_model_cannot_be_mended(web: Web, home: Path) -> None:
    weight = record(CONTENT, f"{web.address}/toy")
    with pytest.raises(WeightError, match="is no ONNX model") as caught:
        prepared(weight, "t", lambda model: model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tag", ["", "a/b", "..", "a.b"])
def test_a_tag_cannot_leave_the_folder(double: Weight, tag: str) -> None:
    with pytest.raises(ValueError, match="letters, digits and hyphens"):
        prepared(double, tag, lambda model: model)
