"""A part of a network: the graph up to one value inside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lineament.core.errors import WeightError

if TYPE_CHECKING:
    from onnx import ModelProto


def cut(model: ModelProto, value: str, shape: Sequence[int | str]) -> ModelProto:
    """The graph up to `value`, which becomes its only output, and nothing that this does not need.

    Args:
        model: the network.
        value: name of what flows between two of its nodes.
        shape: of that value; names stand for axes of any length.

    Raises:
        WeightError: the model has no such value.
    """
    from onnx import ModelProto, TensorProto, helper

    makers = {name: node for node in model.graph.node for name in node.output}
    if value not in makers:
        raise WeightError(f"this network has no {value!r} inside")
    wanted, reached = [value], set()
    while wanted:
        name = wanted.pop()
        if name not in reached:
            reached.add(name)
            wanted += makers[name].input if name in makers else ()
    part = ModelProto()
    part.CopyFrom(model)
    graph = part.graph
    for kept in (graph.node, graph.initializer, graph.output, graph.value_info):
        del kept[:]
    graph.node.extend(node for node in model.graph.node if reached & set(node.output))
    graph.initializer.extend(t for t in model.graph.initializer if t.name in reached)
    graph.output.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, list(shape)))
    return part
