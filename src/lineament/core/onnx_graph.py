"""Mending published ONNX graphs: pure functions from one model to another.

Exporters often freeze what need not be frozen. A batch of 1 written into the graph forbids
batching, a size of 640 x 640 forbids other pictures, and parameters listed as inputs forbid
folding; and some operators are slow for no reason. Nothing here touches a parameter: each item gets
the answer that it had before.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

from lineament.core.errors import WeightError

BATCH = "batch"
SPATIAL = ("height", "width")

# A prime that is no channel count, and a size that every stride up to 64 divides.
_PROBE_BATCH = 7919
_PROBE_SIZE = 64


def drop_initialiser_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its parameters as constants, no longer as inputs that a caller may replace.

    ONNX Runtime may fold only what cannot change; batch normalisation then goes into the
    convolution before it.
    """
    mended = _copy(model)
    parameters = {tensor.name for tensor in mended.graph.initializer}
    inputs = [value for value in mended.graph.input if value.name not in parameters]
    del mended.graph.input[:]
    mended.graph.input.extend(inputs)
    # Before version 4 of the format every initialiser had to be an input.
    mended.ir_version = max(mended.ir_version, 4)
    return mended


def plain_rectifiers(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with each rectifier of learnt slope a, PRelu(x), as Relu(x) - a Relu(-x).

    The same numbers to the last bit; but ONNX Runtime takes PRelu element by element, which is most
    of the time of a small convolutional network, and has the others vectorised.
    """
    mended = _copy(model)
    parameters = {tensor.name for tensor in mended.graph.initializer}
    nodes = []
    for node in mended.graph.node:
        learnt = node.op_type == "PRelu" and node.input[1] in parameters
        nodes += _rectified(node) if learnt else [node]
    del mended.graph.node[:]
    mended.graph.node.extend(nodes)
    return mended


def free_axes(model: onnx.ModelProto, batch: bool = True, spatial: bool = False) -> onnx.ModelProto:
    """The model with any number of items, and where asked any height and width, as input.

    Inputs are taken as n x c x h x w. What the model states of shapes further down is dropped where
    it was true of the frozen size only. Each reshape that writes a batch of 1 over an axis that
    is the batch keeps that axis instead; row-major order makes this the same reshape of each item.

    Args:
        batch: free the first axis of every input.
        spatial: free the axes after the channels of every input of four axes.

    Raises:
        WeightError: the graph would still mix the items of a batch, or fix their number.
    """
    mended = _copy(model)
    parameters = {tensor.name for tensor in mended.graph.initializer}
    for value in mended.graph.input:
        if value.name not in parameters:
            _free_input(value, batch, spatial)
    _free_stated_shapes(mended.graph, batch, spatial)
    if batch:
        _free_reshapes(mended)
        _check_outputs(mended)
    return mended


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def _free_input(value: onnx.ValueInfoProto, batch: bool, spatial: bool) -> None:
    axes = value.type.tensor_type.shape.dim
    if batch and axes:
        axes[0].dim_param = BATCH
    if spatial and len(axes) == 4:
        for axis, name in zip(axes[2:], SPATIAL, strict=True):
            axis.dim_param = name


def _free_stated_shapes(graph: onnx.GraphProto, batch: bool, spatial: bool) -> None:
    """Forget the shapes between; of the outputs keep what holds for every input."""
    del graph.value_info[:]
    for output in graph.output:
        axes = output.type.tensor_type.shape.dim
        if batch and axes:
            axes[0].dim_param = BATCH
        for axis in axes[1:] if spatial else ():
            axis.Clear()


def _free_reshapes(model: onnx.ModelProto) -> None:
    """Replace the leading 1 of constant reshape targets by 0, "as it came in", down the graph.

    What leads with the batch further down is known only once the reshapes above are mended, so
    shapes are inferred again until nothing is left to do.
    """
    targets = _integer_vectors(model.graph)
    while True:
        leading = _leading_axes(model)
        frozen = [
            node
            for node in model.graph.node
            if node.op_type == "Reshape"
            and leading.get(node.input[0]) == _PROBE_BATCH
            and targets.get(node.input[1], [0])[:1] == [1]
        ]
        if not frozen:
            return
        for node in frozen:
            # Other reshapes may share the target, so it is not changed in place.
            name = f"{node.output[0]}_shape_of_any_batch"
            targets[name] = [0, *targets[node.input[1]][1:]]
            constant = numpy_helper.from_array(np.array(targets[name], np.int64), name)
            model.graph.initializer.append(constant)
            node.input[1] = name


def _integer_vectors(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """The constant vectors of int64 in the graph, by name: reshape targets are among them."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensors[node.output[0]] = node.attribute[0].t
    return {
        name: numpy_helper.to_array(tensor).tolist()
        for name, tensor in tensors.items()
        if tensor.data_type == onnx.TensorProto.INT64 and len(tensor.dims) == 1
    }


def _leading_axes(model: onnx.ModelProto) -> dict[str, int]:
    """The length of the first axis of every value for which it can be inferred.

    The batch is given a length that no other axis has: inference follows numbers through more
    operators than it follows names.
    """
    probe = _copy(model)
    for value in probe.graph.input:
        for axis in value.type.tensor_type.shape.dim:
            if not axis.dim_value:
                axis.dim_value = _PROBE_BATCH if axis.dim_param == BATCH else _PROBE_SIZE
    graph = shape_inference.infer_shapes(probe, data_prop=True).graph
    shapes = {
        value.name: value.type.tensor_type.shape.dim
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    return {name: axes[0].dim_value for name, axes in shapes.items() if axes and axes[0].dim_value}


def _check_outputs(model: onnx.ModelProto) -> None:
    leading = _leading_axes(model)
    # A shape that the graph computes while it runs cannot be inferred, and is not frozen either.
    frozen = [
        value.name
        for value in model.graph.output
        if leading.get(value.name, _PROBE_BATCH) != _PROBE_BATCH
    ]
    if frozen:
        raise WeightError(
            f"this network cannot be batched: its output {', '.join(frozen)} does not keep the "
            f"batch as first axis"
        )


def _rectified(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    (x, slope), (y,) = node.input, node.output
    above, turned, below, sloped = (
        f"{y}/{part}" for part in ("above", "turned", "below", "sloped")
    )
    make = onnx.helper.make_node
    return [
        make("Relu", [x], [above]),
        make("Neg", [x], [turned]),
        make("Relu", [turned], [below]),
        make("Mul", [below, slope], [sloped]),
        make("Sub", [above, sloped], [y]),
    ]
