"""TFLite files that are cut, flipped or contradict themselves give our error, or nothing at all."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineament.core.errors import WeightError
from lineament.core.tflite import Graph, Operator, Tensor, read_tflite, to_onnx

pytest.importorskip("ai_edge_litert", reason="LiteRT, whose schema writes, has no wheel here")

from core.tflite_files import RELU, VALID, Step, conv, ints, noise, write


def small_file() -> bytes:
    steps = [
        conv((1, 2, 2, 2), fusedActivationFunction=RELU),
        Step("MEAN", ("y", "a"), ("m", (1, 2)), {"keepDims": False}, "ReducerOptions"),
        Step("SOFTMAX", ("m",), ("z", (1, 2)), {"beta": 1.0}, "SoftmaxOptions"),
    ]
    constants = {"w": noise(2, 1, 1, 3), "b": noise(2), "a": ints(1, 2)}
    return write({"x": (1, 2, 2, 3)}, constants, steps)


SMALL = small_file()


def translated(data: bytes) -> None:
    """Reads and translates; the only error that may come out is ours."""
    to_onnx(read_tflite(data))


def test_every_truncation_is_refused() -> None:
    """Cut anywhere, a file lacks either its root or something that is reached from there."""
    translated(SMALL)
    refused = 0
    for end in range(len(SMALL)):
        try:
            translated(SMALL[:end])
        except WeightError:
            refused += 1
    # What a writer puts last may be a default that nothing reaches.
    assert refused >= len(SMALL) - 8


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), max_size=6))
def test_damage_gives_our_error_or_none(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SMALL)
    for place, byte in changes:
        data[place] = byte
    try:
        translated(bytes(data))
    except WeightError:
        return


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(WeightError):
        read_tflite(b"\x08\0\0\0TFL3" + data[:64])
    with pytest.raises(WeightError, match="not a TFLite file"):
        read_tflite(data[:4] + b"ONNX" + data[4:])


def test_a_vector_longer_than_the_file_costs_nothing() -> None:
    """Whatever could be a count, which lies at a multiple of four, is made the largest there is."""
    for place in range(8, len(SMALL) - 4, 4):
        data = SMALL[:place] + struct.pack("<I", 0xFFFFFFFF) + SMALL[place + 4 :]
        try:
            translated(data)
        except WeightError:
            continue


def graph_of(kind: str, shape: tuple[int, ...], out: tuple[int, ...], **options: float) -> Graph:
    real = np.dtype(np.float32)
    tensors = (
        Tensor("x", shape, real),
        Tensor("y", out, real),
        Tensor("n", (2,), np.dtype(np.int32), np.array([0, 1], np.int32)),
    )
    return Graph(tensors, (Operator(kind, (0, 2), (1,), dict(options)),), (0,), (1,))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (graph_of("SUM", (1, 4), (1, 1), keep_dims=True), "first axis"),
        (graph_of("TRANSPOSE", (1, 4, 2), (4, 1, 2)), "TRANSPOSE"),
        (graph_of("RESHAPE", (1, 4), (1, 5)), "RESHAPE from"),
        (graph_of("SOFTMAX", (1, 4), (1, 4), beta=2.0), "beta"),
        (graph_of("CONCATENATION", (1, 2), (2, 2), axis=0), "first axis"),
    ],
)
def test_what_cannot_be_translated_says_so(graph: Graph, message: str) -> None:
    with pytest.raises(WeightError, match=message):
        to_onnx(graph)


def test_an_operator_before_its_operand_is_refused() -> None:
    real = np.dtype(np.float32)
    tensors = tuple(Tensor(name, (1, 2), real) for name in "xyz")
    steps = (Operator("NEG", (1,), (2,)), Operator("NEG", (0,), (1,)))
    with pytest.raises(WeightError, match="not computed"):
        to_onnx(Graph(tensors, steps, (0,), (2,)))


def test_a_window_that_does_not_fit_is_refused() -> None:
    """Two rows cannot lead to three."""
    step = conv((1, 3, 3, 2), padding=VALID)
    data = write({"x": (1, 2, 2, 3)}, {"w": noise(2, 1, 1, 3), "b": noise(2)}, [step])
    with pytest.raises(WeightError, match="leads from"):
        to_onnx(read_tflite(data))
