"""Mending graphs: small ones built by hand, and every network that the package ships a card for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lineament.core import cards
from lineament.core.errors import WeightError
from lineament.core.onnx_graph import drop_initialiser_inputs, free_axes, plain_rectifiers
from lineament.core.weights import fetch

EMBEDDERS = ("sface", "mobilefacenet-w600k", "edgeface-s")
DETECTORS = ("yunet", "scrfd-500m", "centerface")


@pytest.fixture
def model_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], onnx.ModelProto]:
    """Reads the original network of a weight."""
    monkeypatch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
    return lambda name: onnx.load(fetch(cards.weights()[name]))


def run(model: onnx.ModelProto, pixels: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [np.asarray(y) for y in session.run(None, {session.get_inputs()[0].name: pixels})]


def noise(*shape: int) -> np.ndarray:
    """Smooth pictures in [0, 255], each of its own: white noise tells little in a deep network."""
    rng = np.random.default_rng(sum(shape))
    coarse = rng.uniform(0, 255, (shape[0], shape[2] // 8, shape[3] // 8, 3)).astype(np.float32)
    fine = [cv2.resize(picture, (shape[3], shape[2])) for picture in coarse]
    return np.stack(fine).transpose(0, 3, 1, 2).copy()


def assert_same(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Equal to 1e-4 of the value or of the largest; and to 1e-6, a rounding of a score near 1."""
    assert ours.shape == theirs.shape
    atol = max(1e-6, 1e-4 * np.abs(theirs).max())
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=atol)


# ---- the real networks


@pytest.mark.parametrize("name", EMBEDDERS)
def test_embedders_answer_each_of_a_batch_as_alone(
    model_of: Callable[[str], onnx.ModelProto], name: str
) -> None:
    original = model_of(name)
    mended = free_axes(drop_initialiser_inputs(original))
    crops = noise(5, 3, 112, 112)
    alone = [run(original, crop[None])[0] for crop in crops]
    together = run(mended, crops)[0]
    assert_same(together, np.concatenate(alone))
    # The five answers differ, or the test above would hold for a net that mixes them up.
    assert np.abs(together[0] - together[1]).max() > 0.01 * np.abs(together).max()


@pytest.mark.parametrize("name", ["yunet", "scrfd-500m"])
def test_detectors_answer_each_of_a_batch_as_alone(
    model_of: Callable[[str], onnx.ModelProto], name: str
) -> None:
    original = model_of(name)
    mended = free_axes(drop_initialiser_inputs(original), spatial=True)
    pictures = noise(3, 3, 640, 640)
    together = run(mended, pictures)
    for index, picture in enumerate(pictures):
        for ours, theirs in zip(together, run(original, picture[None]), strict=True):
            assert_same(ours[index : index + 1], theirs)


@pytest.mark.parametrize(("name", "anchors"), [("yunet", 1), ("scrfd-500m", 2)])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 160), (320, 64)])
def test_detectors_take_any_size(
    model_of: Callable[[str], onnx.ModelProto], name: str, anchors: int, height: int, width: int
) -> None:
    """One answer a grid cell and anchor, in n x cells x k, for any n and size."""
    model = model_of(name)
    mended = free_axes(drop_initialiser_inputs(model), spatial=True)
    pictures = noise(2, 3, height, width)
    answers = run(mended, pictures)
    for output, answer in zip(model.graph.output, answers, strict=True):
        stride = int(output.name.rpartition("_")[2])
        cells = (height // stride) * (width // stride) * anchors
        assert answer.shape[:2] == (2, cells)
    for ours, alone in zip(answers, run(mended, pictures[1:]), strict=True):
        assert_same(ours[1:], alone)


@pytest.mark.parametrize(("height", "width"), [(96, 160), (320, 64)])
def test_yunet_of_any_size_agrees_with_opencv(
    model_of: Callable[[str], onnx.ModelProto], tmp_path: Path, height: int, width: int
) -> None:
    """OpenCV takes the frozen graph at any size: a runtime that is not ours."""
    original = model_of("yunet")
    onnx.save(original, tmp_path / "net.onnx")
    picture = noise(1, 3, height, width)
    oracle = cv2.dnn.readNetFromONNX(str(tmp_path / "net.onnx"))
    oracle.setInput(picture)
    theirs = oracle.forward([output.name for output in original.graph.output])
    for ours, other in zip(run(free_axes(original, spatial=True), picture), theirs, strict=True):
        assert_same(ours, other)


def test_centerface_keeps_its_answers_at_its_frozen_size(
    model_of: Callable[[str], onnx.ModelProto],
) -> None:
    """Its file allows ten pictures of 32 x 32 and nothing else."""
    original = model_of("centerface")
    mended = free_axes(drop_initialiser_inputs(original), spatial=True)
    pictures = noise(10, 3, 32, 32)
    for ours, theirs in zip(run(mended, pictures[3:7]), run(original, pictures), strict=True):
        assert_same(ours, theirs[3:7])


@pytest.mark.parametrize(("height", "width"), [(96, 160), (320, 64)])
def test_centerface_of_any_size_agrees_with_opencv(
    model_of: Callable[[str], onnx.ModelProto], tmp_path: Path, height: int, width: int
) -> None:
    mended = free_axes(drop_initialiser_inputs(model_of("centerface")), spatial=True)
    onnx.save(mended, tmp_path / "net.onnx")
    pictures = noise(2, 3, height, width)
    oracle = cv2.dnn.readNetFromONNX(str(tmp_path / "net.onnx"))
    for index, picture in enumerate(pictures):
        oracle.setInput(picture[None])
        theirs = oracle.forward([output.name for output in mended.graph.output])
        for ours, other in zip(run(mended, pictures), theirs, strict=True):
            assert ours.shape[2:] == (height // 4, width // 4)
            assert_same(ours[index : index + 1], other)


@pytest.mark.parametrize("name", [*EMBEDDERS, *DETECTORS])
def test_no_parameter_stays_an_input_and_the_original_is_left_alone(
    model_of: Callable[[str], onnx.ModelProto], name: str
) -> None:
    original = model_of(name)
    before = original.SerializeToString(deterministic=True)
    mended = free_axes(drop_initialiser_inputs(original), spatial=name in DETECTORS)
    assert original.SerializeToString(deterministic=True) == before
    assert len(mended.graph.input) == 1
    onnx.checker.check_model(mended)
    theirs = {tensor.name: tensor for tensor in mended.graph.initializer}
    assert all(theirs[tensor.name] == tensor for tensor in original.graph.initializer)


def test_without_inputs_sface_is_folded(
    model_of: Callable[[str], onnx.ModelProto], tmp_path: Path
) -> None:
    """What makes it faster: no batch normalisation is left for the runtime to do."""
    original = model_of("sface")
    left = []
    for number, model in enumerate((original, drop_initialiser_inputs(original))):
        path = tmp_path / f"{number}.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = str(path)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        onnxruntime.InferenceSession(model.SerializeToString(), options)
        kinds = [node.op_type for node in onnx.load(path).graph.node]
        left.append(kinds.count("BatchNormalization"))
    assert left[0] == 29
    assert left[1] <= 2  # those that follow no convolution


# ---- small ones


def graph(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, list[int]],
    shape: Sequence[int | str] = (1, 2, 6),
    output: Sequence[int | str] | None = None,
) -> onnx.ModelProto:
    """A model from x to y."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, output and list(output))
    tensors = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in constants.items()]
    made = helper.make_graph(list(nodes), "g", [x], [y], tensors)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def node(kind: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


X = np.arange(36, dtype=np.float32).reshape(3, 2, 6)


def test_a_chain_of_frozen_reshapes_is_freed() -> None:
    """Each is known to carry the batch only once the one above it is mended; two share a target."""
    nodes = [
        node("Reshape", "x to", "a"),
        node("Transpose", "a", "b", perm=[0, 2, 1]),
        node("Reshape", "b back", "c"),
        node("Reshape", "c to", "y"),
    ]
    model = graph(nodes, {"to": [1, 3, 4], "back": [1, -1]}, output=(1, 3, 4))
    expected = X.reshape(3, 3, 4).transpose(0, 2, 1).reshape(3, 3, 4)
    np.testing.assert_array_equal(run(free_axes(model), X), [expected])


def test_a_target_in_a_constant_node_is_freed() -> None:
    target = numpy_helper.from_array(np.array([1, 12], np.int64))
    nodes = [
        helper.make_node("Constant", [], ["to"], value=target),
        node("Reshape", "x to", "y"),
    ]
    np.testing.assert_array_equal(run(free_axes(graph(nodes, {})), X), [X.reshape(3, 12)])


def test_a_leading_1_that_is_not_the_batch_stays() -> None:
    """A parameter brought to 1 x 6 and added to each item: freeing that would break it."""
    nodes = [node("Reshape", "p to", "a"), node("Cast", "a", "b", to=1), node("Add", "x b", "y")]
    model = graph(nodes, {"p": [0, 1, 2, 3, 4, 5], "to": [1, 1, 6]})
    np.testing.assert_array_equal(run(free_axes(model), X), [X + np.arange(6)])


def test_a_graph_that_mixes_its_items_is_refused() -> None:
    model = graph([node("Reshape", "x to", "y")], {"to": [-1, 6]})
    with pytest.raises(WeightError, match="cannot be batched: its output y"):
        free_axes(model)
    assert run(free_axes(model, batch=False), X[:1])[0].shape == (2, 6)


def test_spatial_axes_alone_can_be_freed() -> None:
    model = graph([node("Relu", "x", "y")], {}, shape=(1, 3, 8, 8), output=(1, 3, 8, 8))
    mended = free_axes(model, batch=False, spatial=True)
    assert run(mended, np.ones((1, 3, 5, 7), np.float32))[0].shape == (1, 3, 5, 7)
    with pytest.raises(Exception, match="invalid dimensions"):
        run(mended, np.ones((2, 3, 8, 8), np.float32))


def test_old_models_whose_parameters_had_to_be_inputs_load() -> None:
    """Version 3 of the format demands what `drop_initialiser_inputs` takes away."""
    model = graph([node("Reshape", "x to", "y")], {"to": [1, 12]})
    model.ir_version = 3
    model.graph.input.append(helper.make_tensor_value_info("to", TensorProto.INT64, [2]))
    mended = free_axes(drop_initialiser_inputs(model))
    assert [value.name for value in mended.graph.input] == ["x"]
    np.testing.assert_array_equal(run(mended, X), [X.reshape(3, 12)])


# ---- rectifiers


@pytest.mark.parametrize("name", ["sface", "mobilefacenet-w600k", "landmarks-106"])
def test_plain_rectifiers_give_the_same_bits(model_of, name):
    model = free_axes(drop_initialiser_inputs(model_of(name)))
    plain = plain_rectifiers(model)
    assert "PRelu" in {node.op_type for node in model.graph.node}
    assert "PRelu" not in {node.op_type for node in plain.graph.node}
    side = 192 if name == "landmarks-106" else 112
    pixels = noise(2, 3, side, side)
    np.testing.assert_array_equal(run(plain, pixels), run(model, pixels))


def test_a_slope_that_is_computed_is_left_alone():
    """x = -2, 0, 3 under a slope of 0.25, once as a parameter and once as an input."""
    x = np.asarray([[-2.0, 0.0, 3.0]], np.float32)
    slope = numpy_helper.from_array(np.asarray([0.25], np.float32), "known")
    floats = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "a", "y")]
    nodes = [
        helper.make_node("PRelu", ["x", "known"], ["h"]),
        helper.make_node("PRelu", ["h", "a"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "two", floats[:2], floats[2:], [slope])
    opset = [helper.make_opsetid("", 17)]
    plain = plain_rectifiers(helper.make_model(graph, ir_version=8, opset_imports=opset))
    assert [n.op_type for n in plain.graph.node].count("PRelu") == 1
    session = onnxruntime.InferenceSession(plain.SerializeToString())
    (y,) = session.run(None, {"x": x, "a": np.asarray([0.5], np.float32)})
    np.testing.assert_array_equal(y, [[-0.25, 0.0, 3.0]])
