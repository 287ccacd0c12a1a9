"""TFLite files of one operator, written with the schema of TFLite's own runtime, and that runtime.

The writer shares nothing with our reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

SAME, VALID = 0, 1
RELU, RELU6 = 1, 3

TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.uint8): schema.TensorType.UINT8,
    np.dtype(np.bool_): schema.TensorType.BOOL,
}


@dataclass
class Step:
    """One operator over tensors that go by name.

    Attributes:
        kind: its name in the schema.
        inputs: names of tensors; the empty name is an operand that is left out.
        output: name and shape of its result.
        options: fields of the schema's table for it, and that table's name.
        dtype: of its result.
    """

    kind: str
    inputs: Sequence[str]
    output: tuple[str, tuple[int, ...]]
    options: dict[str, Any] | None = None
    table: str = ""
    dtype: Any = np.float32


def write(
    inputs: dict[str, tuple[int, ...]],
    constants: dict[str, np.ndarray],
    steps: Sequence[Step],
    scales: dict[str, tuple[Sequence[float], Sequence[int], int]] | None = None,
) -> bytes:
    """A TFLite file; its outputs are what the last step gives."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs = 3, [graph]
    model.buffers = buffers = [schema.BufferT()]
    model.operatorCodes = codes = []
    graph.tensors = tensors = []
    graph.operators = operators = []
    numbers: dict[str, int] = {"": -1}

    def tensor(name: str, shape: Sequence[int], dtype: Any, values: np.ndarray | None) -> None:
        made = schema.TensorT()
        made.name, made.shape, made.type = name, list(shape), TYPES[np.dtype(dtype)]
        made.buffer, made.hasRank = 0, True
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = list(values.tobytes())
            made.buffer = len(buffers)
            buffers.append(buffer)
        if name in (scales or {}):
            quantization = schema.QuantizationParametersT()
            quantization.scale, quantization.zeroPoint, axis = scales[name]  # type: ignore[index]
            quantization.quantizedDimension = axis
            made.quantization = quantization
        numbers[name] = len(tensors)
        tensors.append(made)

    for name, shape in inputs.items():
        tensor(name, shape, np.float32, None)
    for name, values in constants.items():
        tensor(name, values.shape, values.dtype, np.asarray(values))
    for step in steps:
        tensor(*step.output, step.dtype, None)
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, step.kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        if any(d.dtype in (np.int8, np.uint8) for n, d in constants.items() if n in step.inputs):
            code.version = 2
        operator.opcodeIndex = len(codes)
        codes.append(code)
        operator.inputs = [numbers[name] for name in step.inputs]
        operator.outputs = [numbers[step.output[0]]]
        if step.table:
            operator.builtinOptions = getattr(schema, step.table + "T")()
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, step.table)
            for key, value in (step.options or {}).items():
                assert hasattr(operator.builtinOptions, key), key
                setattr(operator.builtinOptions, key, value)
        operators.append(operator)
    graph.inputs = [numbers[name] for name in inputs]
    graph.outputs = [numbers[steps[-1].output[0]]]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def run_litert(data: bytes, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What TFLite's own runtime gives, item by item; inputs are batches."""
    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    places = [detail["index"] for detail in interpreter.get_input_details()]
    results: list[list[np.ndarray]] = []
    for item in range(len(inputs[0])):
        for place, values in zip(places, inputs, strict=True):
            interpreter.set_tensor(place, values[item : item + 1])
        interpreter.invoke()
        details = interpreter.get_output_details()
        results.append([interpreter.get_tensor(detail["index"]) for detail in details])
    return [np.stack(outputs) for outputs in zip(*results, strict=True)]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


def window(**options: int) -> dict[str, int]:
    return {"padding": SAME, "strideW": 1, "strideH": 1, **options}


def conv(out: tuple[int, ...], **options: int) -> Step:
    return Step("CONV_2D", ("x", "w", "b"), ("y", out), window(**options), "Conv2DOptions")


def ints(*values: object) -> np.ndarray:
    return np.asarray(values, np.int32)
