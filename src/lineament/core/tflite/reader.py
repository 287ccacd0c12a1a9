"""A reader of TFLite files: one graph of operators over tensors, with its constants.

Source: the FlatBuffers schema of TensorFlow Lite, version 3 (``schema.fbs``); fields and operators
go by their numbers there. Only operators that our translation knows have their options read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from lineament.core.errors import WeightError
from lineament.core.tflite.flatbuffer import Buffer, Table

_MOST_ITEMS = 1 << 14
"""Tensors, operators and buffers that a file may have."""
_MOST_OPERANDS = 64
_MOST_AXES = 6
_MOST_ELEMENTS = 1 << 27
"""Of one tensor."""
_MOST_NAME = 1 << 10

_DTYPES = {
    0: np.dtype("<f4"),
    1: np.dtype("<f2"),
    2: np.dtype("<i4"),
    3: np.dtype("u1"),
    4: np.dtype("<i8"),
    6: np.dtype("?"),
    9: np.dtype("i1"),
}


@dataclass(frozen=True, eq=False)
class Quantization:
    """``scale * (stored - zero)``, one for all or one for each item along `axis`."""

    scale: np.ndarray
    zero: np.ndarray
    axis: int


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of the graph.

    Attributes:
        name: as the file has it.
        shape: for a batch of 1; channels last.
        dtype: as stored.
        values: of a constant, as stored; None where the graph computes it.
        quantization: how stored values become real ones, where they are not real already.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    values: np.ndarray | None = None
    quantization: Quantization | None = None

    def real(self) -> np.ndarray:
        """The constant's values: quantised and half-precision ones as float32, others as stored.

        Raises:
            WeightError: it is no constant.
        """
        if self.values is None:
            raise WeightError(f"the tensor {self.name!r} should be a constant")
        if self.quantization:
            along = [1] * len(self.shape)
            if len(self.quantization.scale) > 1:
                along[self.quantization.axis] = -1
            scale, zero = self.quantization.scale, self.quantization.zero
            return (self.values.astype(np.float32) - zero.reshape(along)) * scale.reshape(along)
        if self.dtype == np.float16:
            return self.values.astype(np.float32)
        return self.values


@dataclass(frozen=True)
class Operator:
    """One step: tensors in, tensors out, by their numbers in `Graph.tensors`.

    Attributes:
        kind: its name in the schema, such as ``CONV_2D``.
        inputs: -1 stands for an operand that is left out.
        outputs: what it computes.
        options: by their names in the schema; each one that the schema has for it.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, int | float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Graph:
    """What a TFLite file computes; operators stand in the order of computation."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class _Option:
    field: int
    kind: str = "b"
    default: int | float = 0


_FUSED = {"fused_activation_function": _Option(0)}
_WINDOW = {
    "padding": _Option(0),
    "stride_w": _Option(1, "i"),
    "stride_h": _Option(2, "i"),
}
_POOL = {
    **_WINDOW,
    "filter_width": _Option(3, "i"),
    "filter_height": _Option(4, "i"),
    "fused_activation_function": _Option(5),
}
_REDUCTION = {"keep_dims": _Option(0, "?")}

OPERATORS: dict[int, tuple[str, dict[str, _Option]]] = {
    0: ("ADD", _FUSED),
    2: (
        "CONCATENATION",
        {"axis": _Option(0, "i"), "fused_activation_function": _Option(1)},
    ),
    3: (
        "CONV_2D",
        {
            **_WINDOW,
            "fused_activation_function": _Option(3),
            "dilation_w_factor": _Option(4, "i", 1),
            "dilation_h_factor": _Option(5, "i", 1),
        },
    ),
    4: (
        "DEPTHWISE_CONV_2D",
        {
            **_WINDOW,
            "fused_activation_function": _Option(4),
            "dilation_w_factor": _Option(5, "i", 1),
            "dilation_h_factor": _Option(6, "i", 1),
        },
    ),
    6: ("DEQUANTIZE", {}),
    9: (
        "FULLY_CONNECTED",
        {"fused_activation_function": _Option(0), "weights_format": _Option(1)},
    ),
    14: ("LOGISTIC", {}),
    17: ("MAX_POOL_2D", _POOL),
    18: ("MUL", _FUSED),
    19: ("RELU", {}),
    22: ("RESHAPE", {}),
    23: (
        "RESIZE_BILINEAR",
        {"align_corners": _Option(2, "?"), "half_pixel_centers": _Option(3, "?")},
    ),
    25: ("SOFTMAX", {"beta": _Option(0, "f", 0.0)}),
    34: ("PAD", {}),
    39: ("TRANSPOSE", {}),
    40: ("MEAN", _REDUCTION),
    41: ("SUB", _FUSED),
    42: ("DIV", _FUSED),
    45: (
        "STRIDED_SLICE",
        {
            "begin_mask": _Option(0, "i"),
            "end_mask": _Option(1, "i"),
            "ellipsis_mask": _Option(2, "i"),
            "new_axis_mask": _Option(3, "i"),
            "shrink_axis_mask": _Option(4, "i"),
        },
    ),
    54: ("PRELU", {}),
    59: ("NEG", {}),
    61: ("GREATER", {}),
    64: ("SELECT", {}),
    67: ("TRANSPOSE_CONV", {**_WINDOW, "fused_activation_function": _Option(3)}),
    74: ("SUM", _REDUCTION),
    75: ("SQRT", {}),
    76: ("RSQRT", {}),
    97: (
        "RESIZE_NEAREST_NEIGHBOR",
        {"align_corners": _Option(0, "?"), "half_pixel_centers": _Option(1, "?")},
    ),
    99: ("SQUARED_DIFFERENCE", {}),
}
"""Operators by their number in the schema, and the fields of their options."""


def read_tflite(data: bytes) -> Graph:
    """The graph of a TFLite file.

    Raises:
        WeightError: the bytes are not such a file, or hold an operator that is not known here;
            nothing of it is then to be trusted.
    """
    if data[4:8] != b"TFL3":
        raise WeightError("not a TFLite file of version 3")
    model = Buffer(data).root()
    subgraphs = model.tables(2, _MOST_ITEMS)
    if len(subgraphs) != 1:
        raise WeightError(f"a TFLite file of one graph is expected, not of {len(subgraphs)}")
    constants = _Constants(model.tables(4, _MOST_ITEMS), budget=4 * len(data))
    tensors = tuple(_tensor(t, constants) for t in subgraphs[0].tables(0, _MOST_ITEMS))
    codes = [_code(table) for table in model.tables(1, _MOST_ITEMS)]
    graph = Graph(
        tensors,
        tuple(_operator(table, codes) for table in subgraphs[0].tables(3, _MOST_ITEMS)),
        subgraphs[0].integers(1, _MOST_OPERANDS),
        subgraphs[0].integers(2, _MOST_OPERANDS),
    )
    _check_numbers(graph)
    return graph


class _Constants:
    """The file's buffers. Tensors may share one, but not so as to blow a small file up."""

    def __init__(self, buffers: list[Table], budget: int) -> None:
        self._buffers = buffers
        self._left = budget

    def values(self, number: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
        """What buffer `number` holds, in this shape; None where it is empty."""
        if not 0 <= number < len(self._buffers):
            raise WeightError(f"damaged: buffer {number} of {len(self._buffers)}")
        buffer = self._buffers[number]
        if buffer.integer(1, "Q") > 1:
            raise WeightError("constants behind the end of a TFLite file are not read")
        stored = buffer.array(0, "u1", most=len(buffer.buffer))
        if stored is None or not len(stored):
            return None
        self._left -= len(stored)
        if len(stored) != math.prod(shape) * dtype.itemsize or self._left < 0:
            raise WeightError(f"damaged: {len(stored)} bytes for a constant of shape {shape}")
        values = stored.view(dtype).reshape(shape)
        if dtype.kind == "f" and not np.isfinite(values).all():
            raise WeightError("damaged: a constant that is not finite")
        return values


def _tensor(table: Table, constants: _Constants) -> Tensor:
    shape = table.integers(0, _MOST_AXES)
    if min(shape, default=1) < 1 or math.prod(shape) > _MOST_ELEMENTS:
        raise WeightError(f"damaged or too large: a tensor of shape {shape}")
    code = table.integer(1, "b")
    if code not in _DTYPES or table.table(6):
        raise WeightError(f"a tensor of type {code}, or a sparse one, is not read")
    dtype = _DTYPES[code]
    values = constants.values(table.integer(2, "I"), shape, dtype)
    quantization = _quantization(table.table(4), shape) if dtype.kind in "iu" else None
    return Tensor(table.text(3, _MOST_NAME), shape, dtype, values, quantization)


def _quantization(table: Table | None, shape: tuple[int, ...]) -> Quantization | None:
    scale = table.array(2, "<f4", _MOST_ITEMS) if table else None
    if table is None or scale is None or not len(scale):
        return None
    zero = table.array(3, "<i8", _MOST_ITEMS)
    if zero is None:
        zero = np.zeros(len(scale), np.int64)
    axis = table.integer(6, "i")
    expected = shape[axis] if 0 <= axis < len(shape) and len(scale) > 1 else 1
    sound = np.isfinite(scale).all() and (np.abs(zero) < 1 << 15).all()
    if not len(scale) == len(zero) == expected or not sound:
        raise WeightError(f"damaged: {len(scale)} scales for a tensor of shape {shape}")
    return Quantization(scale, zero.astype(np.float32), axis)


def _code(table: Table) -> tuple[str, dict[str, _Option]]:
    # Numbers above 127 came later and have a field of their own.
    code = max(table.integer(0, "b"), table.integer(3, "i"))
    if code not in OPERATORS:
        raise WeightError(f"the TFLite operator {code} is not known here")
    return OPERATORS[code]


def _operator(table: Table, codes: list[tuple[str, dict[str, _Option]]]) -> Operator:
    number = table.integer(0, "I")
    if number >= len(codes):
        raise WeightError(f"damaged: operator code {number} of {len(codes)}")
    kind, fields = codes[number]
    options = table.table(4)
    return Operator(
        kind,
        table.integers(1, _MOST_OPERANDS),
        table.integers(2, _MOST_OPERANDS),
        {
            name: options.number(o.field, o.kind, o.default) if options else o.default
            for name, o in fields.items()
        },
    )


def _check_numbers(graph: Graph) -> None:
    """Hold every tensor's number to the tensors there are."""
    outputs = [n for operator in graph.operators for n in operator.outputs]
    inputs = [n for operator in graph.operators for n in operator.inputs if n != -1]
    for number in (*inputs, *outputs, *graph.inputs, *graph.outputs):
        if not 0 <= number < len(graph.tensors):
            raise WeightError(f"damaged: tensor {number} of {len(graph.tensors)}")
    if not graph.inputs or not graph.outputs:
        raise WeightError("damaged: a graph without inputs or outputs")
