"""TensorFlow.js models: small graphs in the format's own JSON, against sums worked by hand."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import onnxruntime
import pytest

from lineament.core.errors import WeightError
from lineament.core.tfjs import read_tfjs, to_onnx

RNG = np.random.default_rng(0)


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def numbers(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


def shape(*sides: int) -> dict[str, Any]:
    return {"shape": {"dim": [{"size": str(side)} for side in sides]}}


def node(name: str, kind: str, *inputs: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "op": kind, "input": list(inputs), "attr": options}


def files(
    nodes: list[dict[str, Any]], constants: dict[str, np.ndarray], output: str
) -> tuple[bytes, bytes]:
    """A model of the nodes and of constants in single precision, as its two files."""
    nodes = [*nodes, *(node(name, "Const") for name in constants)]
    weights = [
        {"name": name, "shape": list(values.shape), "dtype": str(values.dtype)}
        for name, values in constants.items()
    ]
    model = {
        "modelTopology": {"node": nodes},
        "signature": {"outputs": {output: {"name": f"{output}:0"}}},
        "weightsManifest": [{"paths": ["w.bin"], "weights": weights}],
    }
    joined = b"".join(values.tobytes() for values in constants.values())
    return json.dumps(model).encode(), joined


def run(files: tuple[bytes, bytes], planes: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(to_onnx(read_tfjs(*files)).SerializeToString())
    return np.asarray(session.run(None, {"x": planes})[0])


def window(padding: str, stride: int) -> dict[str, Any]:
    return {
        "strides": numbers(1, stride, stride, 1),
        "padding": text(padding),
        "data_format": text("NHWC"),
        "dilations": numbers(1, 1, 1, 1),
    }


MEAN = (np.asarray([1, 2], np.int32), node("m", "Mean", "y", "axes"))


def convolved(maps: np.ndarray, filters: np.ndarray, padding: str, stride: int) -> np.ndarray:
    """The sum of TensorFlow's definition, n x h x w x c: of an uneven padding, the larger half
    lies right and below."""
    size, side = maps.shape[1], filters.shape[0]
    out = -(-size // stride) if padding == "SAME" else (size - side) // stride + 1
    total = max((out - 1) * stride + side - size, 0) if padding == "SAME" else 0
    before = total // 2
    padded = np.pad(maps, ((0, 0), (before, total - before), (before, total - before), (0, 0)))
    found = np.empty((len(maps), out, out, filters.shape[3]))
    for i in range(out):
        for j in range(out):
            part = padded[:, i * stride : i * stride + side, j * stride : j * stride + side]
            found[:, i, j] = np.einsum("nhwc,hwco->no", part, filters)
    return found


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [6, 7])
def test_convolutions_are_tensorflows(padding: str, stride: int, size: int):
    filters = RNG.normal(size=(3, 3, 2, 4)).astype(np.float32)
    maps = RNG.normal(size=(3, size, size, 2)).astype(np.float32)
    nodes = [
        node("x", "Placeholder", shape=shape(-1, size, size, 2)),
        node("y", "Conv2D", "x", "k", **window(padding, stride)),
        MEAN[1],
    ]
    found = run(files(nodes, {"k": filters, "axes": MEAN[0]}, "m"), maps.transpose(0, 3, 1, 2))
    expected = convolved(maps, filters, padding, stride).mean(axis=(1, 2))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_depthwise_convolution_filters_each_channel_by_itself():
    filters = RNG.normal(size=(3, 3, 2, 2)).astype(np.float32)
    maps = RNG.normal(size=(2, 5, 5, 2)).astype(np.float32)
    nodes = [
        node("x", "Placeholder", shape=shape(-1, 5, 5, 2)),
        node("y", "DepthwiseConv2dNative", "x", "k", **window("SAME", 2)),
        MEAN[1],
    ]
    found = run(files(nodes, {"k": filters, "axes": MEAN[0]}, "m"), maps.transpose(0, 3, 1, 2))
    # Outputs of one channel lie beside each other.
    each = [convolved(maps[..., [c]], filters[:, :, [c]], "SAME", 2) for c in range(2)]
    np.testing.assert_allclose(found, np.concatenate(each, 3).mean(axis=(1, 2)), atol=1e-5)


def test_a_head_by_hand():
    nodes = [
        node("p", "Softmax", "h"),
        node("h", "_FusedMatMul", "m", "w", "b", fused_ops={"list": text_list("BiasAdd", "Relu")}),
        MEAN[1],
        node("y", "Minimum", "z", "six"),
        node("z", "Maximum", "a", "zero"),
        node("a", "Add", "t", "shift"),
        node("t", "Mul", "x", "scale"),
        node("x", "Placeholder", shape=shape(-1, 1, 1, 2)),
    ]
    constants = {
        "w": np.asarray([[1, -1], [0, 2]], np.float32),
        "b": np.asarray([0, 1], np.float32),
        "six": np.asarray(6, np.float32),
        "zero": np.asarray(0, np.float32),
        "shift": np.asarray([1, -1], np.float32),
        "scale": np.asarray([10, 2], np.float32),
        "axes": MEAN[0],
    }
    planes = np.asarray([[3, 1.5], [-1, 0]], np.float32).reshape(2, 2, 1, 1)
    # (3, 1.5) -> (31, 2) -> (6, 2) -> (6, -1) -> relu (6, 0); (-1, 0) -> (0, 0) -> (0, 1).
    expected = np.exp([[6, 0], [0, 1]])
    found = run(files(nodes, constants, "p"), planes)
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), atol=1e-6)


def text_list(*values: str) -> dict[str, list[str]]:
    return {"s": [text(value)["s"] for value in values]}


def test_packed_weights_are_unpacked():
    half, byte = np.asarray([0.5, -2], np.float16), np.asarray([0, 10, 255], np.uint8)
    weights = [
        {"name": "h", "shape": [2], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {
            "name": "q",
            "shape": [3],
            "dtype": "float32",
            "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1},
        },
    ]
    model = {
        "modelTopology": {"node": []},
        "userDefinedMetadata": {"signature": {"outputs": {}}},
        "weightsManifest": [{"weights": weights}],
    }
    found = read_tfjs(json.dumps(model).encode(), half.tobytes() + byte.tobytes()).constants
    assert found["h"].dtype == found["q"].dtype == np.float32
    assert found["h"].tolist() == [0.5, -2]
    assert found["q"].tolist() == [-1, 4, 126.5]


@pytest.mark.parametrize("cut", [-1, 1])
def test_weights_that_do_not_fit_are_refused(cut: int):
    topology, weights = files([], {"k": np.zeros(3, np.float32)}, "k")
    weights = weights[:-1] if cut < 0 else weights + b"0"
    with pytest.raises(WeightError, match="graph model"):
        read_tfjs(topology, weights)


@pytest.mark.parametrize("topology", [b"", b"[]", b"{}", b'{"modelTopology": {"node": [1]}}'])
def test_what_is_no_model_is_refused(topology: bytes):
    with pytest.raises(WeightError, match="graph model"):
        read_tfjs(topology, b"")


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("y", "Einsum", "x")], "Einsum is not known"),
        ([node("y", "Relu", "gone")], "no node gone"),
        ([node("y", "Relu", "z"), node("z", "Relu", "y")], "circle"),
        ([node("y", "Conv2D", "x", "x", **window("SAME", 1))], "must be a parameter"),
        ([node("y", "Conv2D", "x", "k", **window("EXPLICIT", 1))], "not known"),
    ],
)
def test_graphs_that_are_not_understood_are_refused(nodes: list[dict[str, Any]], message: str):
    start = node("x", "Placeholder", shape=shape(-1, 4, 4, 1))
    constants = {"k": np.zeros((1, 1, 1, 1), np.float32)}
    with pytest.raises(WeightError, match=message):
        to_onnx(read_tfjs(*files([start, *nodes], constants, "y")))
