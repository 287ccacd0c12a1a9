"""Parts of networks, by a graph worked by hand."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lineament.core.errors import WeightError
from lineament.core.onnx_cut import cut


def test_the_part_up_to_a_value_holds_nothing_else():
    constants = [
        numpy_helper.from_array(np.full(1, k, np.float32), name) for k, name in ((2, "a"), (5, "b"))
    ]
    nodes = [
        helper.make_node("Mul", ["x", "a"], ["doubled"]),
        helper.make_node("Add", ["doubled", "b"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    part = cut(model, "doubled", ["n"])
    assert [tensor.name for tensor in part.graph.initializer] == ["a"]
    session = onnxruntime.InferenceSession(part.SerializeToString())
    (found,) = session.run(None, {"x": np.asarray([1, 3], np.float32)})
    assert np.asarray(found).tolist() == [2, 6]
    assert len(model.graph.node) == 2, "the model itself stays as it is"
    with pytest.raises(WeightError, match="no 'gone' inside"):
        cut(model, "gone", ["n"])
