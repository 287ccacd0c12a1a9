"""From a TFLite graph to an ONNX model that gives the same numbers, for any number of items.

TFLite keeps channels last, ONNX wants them second. Transposing around each convolution would cost
as much as the convolution. So a value here carries the **order** that its axes lie in: a transpose
of the file only renames the order, an operator that does not care takes values as they lie, and
axes are moved only where one cares.

The file's shapes are those of a batch of 1. The first axis of every value is taken as the batch
times what the file says; that stays true through a reshape, because the batch is the slowest axis,
and an operator that would mix or cut the first axis is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lineament.core.errors import WeightError
from lineament.core.tflite.reader import Graph, Operator

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

_OPSET = 18
_IR_VERSION = 8
_MOST_BYTES = 1 << 30
"""Of all constants; operators may share one in the file, but each gets its own copy."""

Order = tuple[int, ...]

CHANNELS_FIRST: Order = (0, 3, 1, 2)


def straight(rank: int) -> Order:
    """The file's own order of axes."""
    return tuple(range(rank))


@dataclass(frozen=True)
class Value:
    """A computed tensor of the ONNX graph.

    Attributes:
        name: in the ONNX graph.
        shape: in the file's order of axes, for a batch of 1.
        order: axis i of the ONNX tensor is axis ``order[i]`` of `shape`.
    """

    name: str
    shape: tuple[int, ...]
    order: Order

    @property
    def rank(self) -> int:
        return len(self.shape)

    def axis(self, axis: int) -> int:
        """Where an axis of the file, which may count from the end, lies in the ONNX tensor."""
        if not -self.rank <= axis < self.rank:
            raise WeightError(f"damaged: axis {axis} of a tensor of shape {self.shape}")
        return self.order.index(axis % self.rank)


class Translation:
    """An ONNX graph as it is laid, and what has become of each tensor of the file."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[NodeProto] = []
        self.initialisers: list[TensorProto] = []
        self._bytes = 0
        self._values: dict[int, Value] = {}
        self._constants: dict[int, np.ndarray] = {}
        self._moved: dict[tuple[str, Order], Value] = {}

    # ---- what the file's tensors have become

    def assign(self, tensor: int, result: Value | np.ndarray) -> None:
        """Note what an operator gave for a tensor."""
        if isinstance(result, Value):
            self._values[tensor] = result
        else:
            self._constants[tensor] = result

    def is_absent(self, op: Operator, k: int) -> bool:
        """Whether an operator lacks its operand `k`."""
        return k >= len(op.inputs) or op.inputs[k] == -1

    def is_constant(self, op: Operator, k: int) -> bool:
        """Whether operand `k` of an operator is there and lies in the file."""
        return not self.is_absent(op, k) and op.inputs[k] not in self._values

    def value(self, op: Operator, k: int = 0) -> Value:
        """Operand `k` of an operator, which must have been computed.

        Raises:
            WeightError: it has not.
        """
        if self.is_absent(op, k) or op.inputs[k] not in self._values:
            raise WeightError(f"{op.kind}: its operand {k} is not computed before it")
        return self._values[op.inputs[k]]

    def array(self, op: Operator, k: int) -> np.ndarray:
        """Operand `k` of an operator, which must be a constant.

        Raises:
            WeightError: it is none.
        """
        if self.is_absent(op, k):
            raise WeightError(f"{op.kind}: its operand {k} is missing")
        number = op.inputs[k]
        if number not in self._constants:
            self._constants[number] = self.graph.tensors[number].real()
        return self._constants[number]

    def integers(self, op: Operator, k: int) -> list[int]:
        """Operand `k` of an operator, which must be a constant list of whole numbers.

        Raises:
            WeightError: it is none.
        """
        array = self.array(op, k)
        if array.dtype.kind != "i" or array.size > 64 or (np.abs(array) >= 1 << 31).any():
            raise WeightError(f"damaged: {op.kind}: its operand {k} should be small whole numbers")
        return array.reshape(-1).tolist()

    def weights(self, op: Operator, k: int) -> np.ndarray:
        """Operand `k` of an operator that multiplies by it; as `array`.

        TFLite's first quantiser stored symmetric weights, which are signed bytes, under the type
        of unsigned ones, and the kernels have read such operands as signed ever since.
        """
        tensor = self.graph.tensors[op.inputs[k]] if not self.is_absent(op, k) else None
        if tensor and tensor.values is not None and tensor.dtype == np.uint8:
            if not tensor.quantization or tensor.quantization.zero.any():
                raise WeightError(f"{op.kind} with unsigned weights is not translated")
            return replace(tensor, values=tensor.values.view(np.int8)).real()
        return self.array(op, k)

    def shape(self, op: Operator) -> tuple[int, ...]:
        """What the file says of the shape of an operator's result."""
        return self.graph.tensors[op.outputs[0]].shape

    # ---- the ONNX graph

    def constant(self, array: np.ndarray) -> str:
        """A constant of the ONNX graph; its name.

        Raises:
            WeightError: there would be more of them than a network can reasonably have.
        """
        from onnx import numpy_helper

        self._bytes += array.nbytes
        if self._bytes > _MOST_BYTES:
            raise WeightError(f"too large: constants of more than {_MOST_BYTES:,} bytes")
        name = f"c{len(self.initialisers)}"
        self.initialisers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def indices(self, values: Sequence[int]) -> str:
        """A constant vector of int64, as ONNX wants shapes and axes; its name."""
        return self.constant(np.asarray(values, np.int64))

    def node(
        self, kind: str, inputs: Sequence[str], shape: Sequence[int], order: Order, **options: Any
    ) -> Value:
        """A node of one output, which has this shape in the file's order and lies in `order`."""
        from onnx import helper

        value = Value(f"v{len(self.nodes)}", tuple(shape), order)
        self.nodes.append(helper.make_node(kind, inputs, [value.name], **options))
        return value

    def arranged(self, value: Value, order: Order) -> Value:
        """The same tensor with its axes in `order`; moved once, whoever asks."""
        if value.order == order:
            return value
        key = (value.name, tuple(value.order.index(axis) for axis in order))
        if key not in self._moved:
            self._moved[key] = self._move(value, order, key[1])
        # Of one ONNX tensor there may be several views, which differ in what their axes are called.
        return Value(self._moved[key].name, value.shape, order)

    def _move(self, value: Value, order: Order, permutation: Order) -> Value:
        def long(axes: Order) -> list[int]:
            return [axis for axis in axes if axis == 0 or value.shape[axis] > 1]

        if long(value.order) == long(order):  # only axes of length 1 change places
            target = self.indices([-1, *(value.shape[axis] for axis in order[1:])])
            return self.node("Reshape", [value.name, target], value.shape, order)
        return self.node("Transpose", [value.name], value.shape, order, perm=permutation)


def keep_first_axis(op: Operator, kept: bool) -> None:
    """Refuse what would mix or cut the items of a batch.

    Raises:
        WeightError: it is not `kept`.
    """
    if not kept:
        raise WeightError(f"{op.kind} on the first axis: this network cannot be batched")


def to_onnx(graph: Graph) -> ModelProto:
    """`graph` as an ONNX model of opset 18.

    The inputs are ``input0``, ``input1``, ... and the outputs ``output0``, ... in the file's order,
    with the file's axes; the first axis of each is free, and is the batch. Weights that the file
    keeps in half precision or quantised are float32 in the model, so that a network which its own
    runtime computes partly in integers is computed here without their rounding.

    Raises:
        WeightError: an operator is used in a way that is not translated, or the file contradicts
            itself.
    """
    from lineament.core.tflite.operators import TRANSLATIONS

    translation = Translation(graph)
    inputs = [_input(translation, k, number) for k, number in enumerate(graph.inputs)]
    for op in graph.operators:
        if len(op.outputs) != 1:
            raise WeightError(f"{op.kind} with {len(op.outputs)} results is not translated")
        try:
            translation.assign(op.outputs[0], TRANSLATIONS[op.kind](translation, op))
        except (ValueError, IndexError) as error:  # shapes that do not fit
            raise WeightError(f"damaged: {op.kind}: {error}") from error
    outputs = [_output(translation, k, number) for k, number in enumerate(graph.outputs)]
    return _model(translation, inputs, outputs)


def _input(translation: Translation, k: int, number: int) -> Value:
    tensor = translation.graph.tensors[number]
    if tensor.dtype != np.float32 or not tensor.shape:
        raise WeightError(f"an input of type {tensor.dtype} and shape {tensor.shape}")
    value = Value(f"input{k}", tensor.shape, straight(len(tensor.shape)))
    translation.assign(number, value)
    return value


def _output(translation: Translation, k: int, number: int) -> Value:
    from onnx import helper

    value = translation.value(Operator("the output", (number,), ()))
    value = translation.arranged(value, straight(value.rank))
    name = f"output{k}"
    translation.nodes.append(helper.make_node("Identity", [value.name], [name]))
    return Value(name, value.shape, value.order)


def _model(translation: Translation, inputs: list[Value], outputs: list[Value]) -> ModelProto:
    import onnx
    from onnx import helper

    def info(value: Value) -> onnx.ValueInfoProto:
        first = "n" if value.shape[0] == 1 else None
        shape = [first, *value.shape[1:]]
        return helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, shape)

    model = helper.make_model(
        helper.make_graph(
            translation.nodes,
            "tflite",
            [info(value) for value in inputs],
            [info(value) for value in outputs],
            translation.initialisers,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        producer_name="lineament",
    )
    model.ir_version = _IR_VERSION
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker and shape inference have bases of their own
        reason = " ".join(str(error).split())[:200]
        raise WeightError(f"the TFLite file contradicts itself: {reason}") from error
    return model
