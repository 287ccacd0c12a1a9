"""Each TFLite operator as ONNX nodes: one small function a kind.

Source: the operators of TensorFlow Lite (``schema.fbs`` and its reference kernels) and of ONNX,
opset 18.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from lineament.core.errors import WeightError
from lineament.core.tflite import windows
from lineament.core.tflite.reader import Operator
from lineament.core.tflite.translate import (
    CHANNELS_FIRST,
    Order,
    Translation,
    Value,
    keep_first_axis,
    straight,
)
from lineament.core.tflite.windows import activated, bias

# ---- number by number


def _unary(net: Translation, op: Operator, *kinds: str) -> Value:
    value = net.value(op)
    for kind in kinds:
        value = net.node(kind, [value.name], value.shape, value.order)
    return value


def _shared(net: Translation, op: Operator, k: int, rank: int) -> np.ndarray:
    """The constant operand `k` for broadcasting to `rank` axes, in the file's order.

    What is the same all along an axis is kept only once.
    """
    array = net.array(op, k)
    array = array.reshape((1,) * (rank - array.ndim) + array.shape)
    for axis in range(rank):
        first = array.take([0], axis)
        array = first if (array == first).all() else array
    keep_first_axis(op, array.shape[0] == 1)
    return array


def _operand(net: Translation, op: Operator, k: int, order: Order) -> tuple[str, tuple[int, ...]]:
    """Operand `k` for broadcasting, its axes in `order`, and its shape in the file's order."""
    rank = len(order)
    if net.is_constant(op, k):
        array = _shared(net, op, k, rank)
        return net.constant(array.transpose(order)), array.shape
    value = net.value(op, k)
    if value.rank != rank:
        raise WeightError(f"{op.kind} of tensors of {value.rank} and {rank} axes")
    return net.arranged(value, order).name, value.shape


def _broadcast(net: Translation, op: Operator, kind: str) -> Value:
    """A node of all operands, in the order in which the largest of them lies."""
    numbers = range(len(op.inputs))
    computed = [net.value(op, k) for k in numbers if not net.is_constant(op, k)]
    if not computed:
        raise WeightError(f"{op.kind} of constants alone is not translated")
    order = max(computed, key=lambda value: (value.rank, np.prod(value.shape))).order
    operands = [_operand(net, op, k, order) for k in numbers]
    shape = np.broadcast_shapes(*(shape for _, shape in operands))
    return net.node(kind, [name for name, _ in operands], shape, order)


def _arithmetic(net: Translation, op: Operator, kind: str) -> Value:
    return activated(net, op, _broadcast(net, op, kind))


def _prelu(net: Translation, op: Operator) -> Value:
    """``x`` above 0 and ``slope * x`` below, as ``slope * x + (1 - slope) * max(x, 0)``.

    ONNX Runtime's own PRelu has no vectorised kernel and breaks the blocked layout of the
    convolutions around it. Two depthwise convolutions of 1 x 1 and a sum stay in that layout: the
    face landmarker takes a quarter of the time.
    """
    value = net.value(op)
    slopes = _shared(net, op, 1, value.rank)
    if value.order != CHANNELS_FIRST or slopes.shape != (1, 1, 1, value.shape[-1]):
        slope = net.constant(slopes.transpose(value.order))
        return net.node("PRelu", [value.name, slope], value.shape, value.order)
    slopes = slopes.reshape(-1, 1, 1, 1)
    above = _unary(net, op, "Relu")
    scaled = [
        net.node("Conv", [x.name, net.constant(k)], x.shape, x.order, group=len(slopes)).name
        for x, k in ((value, slopes), (above, 1 - slopes))
    ]
    return net.node("Add", scaled, value.shape, value.order)


def _squared_difference(net: Translation, op: Operator) -> Value:
    value = _broadcast(net, op, "Sub")
    return net.node("Mul", [value.name, value.name], value.shape, value.order)


def _dequantize(net: Translation, op: Operator) -> np.ndarray:
    return net.array(op, 0)


# ---- along axes


def _reduce(net: Translation, op: Operator, kind: str) -> Value:
    value = net.value(op)
    axes = {axis % value.rank for axis in net.integers(op, 1)}
    keep_first_axis(op, 0 not in axes)
    inputs = [value.name, net.indices([value.axis(axis) for axis in sorted(axes)])]
    if op.options["keep_dims"]:
        shape = [1 if axis in axes else n for axis, n in enumerate(value.shape)]
        return net.node(kind, inputs, shape, value.order, keepdims=1)
    left = [axis for axis in range(value.rank) if axis not in axes]
    order = tuple(left.index(axis) for axis in value.order if axis not in axes)
    return net.node(kind, inputs, [value.shape[axis] for axis in left], order, keepdims=0)


def _softmax(net: Translation, op: Operator) -> Value:
    value = net.value(op)
    keep_first_axis(op, value.rank > 1)
    if op.options["beta"] != 1:
        raise WeightError(f"SOFTMAX with beta {op.options['beta']} is not translated")
    return net.node("Softmax", [value.name], value.shape, value.order, axis=value.axis(-1))


def _concatenation(net: Translation, op: Operator) -> Value:
    numbers = range(len(op.inputs))
    first = next((net.value(op, k) for k in numbers if not net.is_constant(op, k)), None)
    if first is None:
        raise WeightError("CONCATENATION of constants alone is not translated")
    axis = int(op.options["axis"]) % first.rank
    keep_first_axis(op, axis != 0)
    parts = [_part(net, op, k, first) for k in numbers]
    shape = list(first.shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    names = [part.name for part in parts]
    result = net.node("Concat", names, shape, first.order, axis=first.axis(axis))
    return activated(net, op, result)


def _part(net: Translation, op: Operator, k: int, like: Value) -> Value:
    """Operand `k`, its axes as those of `like`; a constant is repeated for each item."""
    if not net.is_constant(op, k):
        return net.arranged(net.value(op, k), like.order)
    array = net.array(op, k)
    keep_first_axis(op, array.shape[:1] == like.shape[:1])
    name = net.constant(array.transpose(like.order))
    one = net.indices([1] * (array.ndim - 1))
    batch = net.node("Shape", [like.name], (1,), (0,), start=0, end=1)
    target = net.node("Concat", [batch.name, one], (array.ndim,), (0,), axis=0)
    return net.node("Expand", [name, target.name], array.shape, like.order)


def _pad(net: Translation, op: Operator) -> Value:
    value = net.value(op)
    pads = np.reshape(net.integers(op, 1), (-1, 2))
    if len(pads) != value.rank or pads.min() < 0 or pads.max() >= 1 << 12:
        raise WeightError(f"damaged: PAD of {value.shape} by {pads.tolist()}")
    keep_first_axis(op, not pads[0].any())
    moved = net.indices(pads[list(value.order)].T.reshape(-1).tolist())
    shape = (np.asarray(value.shape) + pads.sum(axis=1)).tolist()
    return net.node("Pad", [value.name, moved], shape, value.order)


def _strided_slice(net: Translation, op: Operator) -> Value:
    value = net.value(op)
    begin, end, step = (net.integers(op, k) for k in (1, 2, 3))
    masks = {k: int(op.options[k]) for k in op.options}
    if masks["ellipsis_mask"] or masks["new_axis_mask"] or set(step) != {1}:
        raise WeightError("a STRIDED_SLICE with steps, new axes or an ellipsis is not translated")
    begin += [0] * (value.rank - len(begin))
    end += [0] * (value.rank - len(end))
    shrunk = [axis for axis in range(value.rank) if masks["shrink_axis_mask"] >> axis & 1]
    if shrunk == [0] and value.shape[0] == 1 and begin[0] in (0, -1):
        shrunk = []  # it takes the one item out of its batch; here there are more of them
    keep_first_axis(op, not shrunk)
    for axis, n in enumerate(value.shape):
        whole = axis >= len(step)
        first = 0 if whole or masks["begin_mask"] >> axis & 1 else begin[axis]
        last = n if whole or masks["end_mask"] >> axis & 1 else end[axis]
        taken = range(n)[first:last]
        if axis == 0 and masks["shrink_axis_mask"] & 1:
            continue
        value = _sliced(net, op, value, axis, taken)
    return value


def _sliced(net: Translation, op: Operator, value: Value, axis: int, taken: range) -> Value:
    if len(taken) == value.shape[axis]:
        return value
    keep_first_axis(op, axis != 0)
    if not taken:
        raise WeightError(f"damaged: STRIDED_SLICE takes nothing of {value.shape}")
    limits = [net.indices([n]) for n in (taken.start, taken.stop, value.axis(axis))]
    shape = (*value.shape[:axis], len(taken), *value.shape[axis + 1 :])
    return net.node("Slice", [value.name, *limits], shape, value.order)


# ---- shapes


def _transpose(net: Translation, op: Operator) -> Value:
    value = net.value(op)
    permutation = net.integers(op, 1)
    if sorted(permutation) != list(straight(value.rank)):
        raise WeightError(f"damaged: TRANSPOSE of {value.shape} by {permutation}")
    keep_first_axis(op, permutation[0] == 0)
    shape = tuple(value.shape[axis] for axis in permutation)
    return Value(value.name, shape, tuple(permutation.index(axis) for axis in value.order))


def _reshape(net: Translation, op: Operator) -> Value:
    value, shape = net.value(op), net.shape(op)
    if not shape or np.prod(shape) != np.prod(value.shape):
        raise WeightError(f"damaged: RESHAPE from {value.shape} to {shape}")
    value = net.arranged(value, straight(value.rank))
    target = net.indices([-1, *shape[1:]])
    return net.node("Reshape", [value.name, target], shape, straight(len(shape)))


def _fully_connected(net: Translation, op: Operator) -> Value:
    value, weights, shape = net.value(op), net.weights(op, 1), net.shape(op)
    if op.options["weights_format"] or weights.ndim != 2:
        raise WeightError("FULLY_CONNECTED with shuffled weights is not translated")
    count, (outputs, inputs) = int(np.prod(value.shape)), weights.shape
    if np.prod(shape) * inputs != count * outputs or shape[-1] != outputs:
        raise WeightError(f"damaged: {inputs} x {outputs} weights from {value.shape} to {shape}")
    value = net.arranged(value, straight(value.rank))
    flat = net.node("Reshape", [value.name, net.indices([-1, inputs])], (1, inputs), (0, 1))
    operands = [flat.name, net.constant(weights), *bias(net, op, 2)]
    result = net.node("Gemm", operands, (count // inputs, outputs), (0, 1), transB=1)
    if len(shape) > 2:
        target = net.indices([-1, *shape[1:]])
        result = net.node("Reshape", [result.name, target], shape, straight(len(shape)))
    return activated(net, op, result)


TRANSLATIONS: dict[str, Callable[[Translation, Operator], Value | np.ndarray]] = {
    "ADD": partial(_arithmetic, kind="Add"),
    "CONCATENATION": _concatenation,
    "CONV_2D": windows.conv_2d,
    "DEPTHWISE_CONV_2D": windows.depthwise_conv_2d,
    "DEQUANTIZE": _dequantize,
    "DIV": partial(_arithmetic, kind="Div"),
    "FULLY_CONNECTED": _fully_connected,
    "GREATER": partial(_broadcast, kind="Greater"),
    "LOGISTIC": lambda net, op: _unary(net, op, "Sigmoid"),
    "MAX_POOL_2D": windows.max_pool_2d,
    "MEAN": partial(_reduce, kind="ReduceMean"),
    "MUL": partial(_arithmetic, kind="Mul"),
    "NEG": lambda net, op: _unary(net, op, "Neg"),
    "PAD": _pad,
    "PRELU": _prelu,
    "RELU": lambda net, op: _unary(net, op, "Relu"),
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": partial(windows.resize, mode="linear"),
    "RESIZE_NEAREST_NEIGHBOR": partial(windows.resize, mode="nearest"),
    "RSQRT": lambda net, op: _unary(net, op, "Sqrt", "Reciprocal"),
    "SELECT": partial(_broadcast, kind="Where"),
    "SOFTMAX": _softmax,
    "SQRT": lambda net, op: _unary(net, op, "Sqrt"),
    "SQUARED_DIFFERENCE": _squared_difference,
    "STRIDED_SLICE": _strided_slice,
    "SUB": partial(_arithmetic, kind="Sub"),
    "SUM": partial(_reduce, kind="ReduceSum"),
    "TRANSPOSE": _transpose,
    "TRANSPOSE_CONV": windows.transpose_conv,
}
