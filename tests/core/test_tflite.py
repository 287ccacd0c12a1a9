"""TFLite files: what ONNX Runtime computes is what LiteRT computes; damage is refused."""

from __future__ import annotations

from collections.abc import Callable
from zipfile import ZipFile

import numpy as np
import onnxruntime
import pytest

from lineament.core.tflite import read_tflite, to_onnx
from lineament.core.weights import fetch

pytest.importorskip("ai_edge_litert", reason="LiteRT, the oracle, has no wheel for this platform")

from core.tflite_files import RELU, RELU6, VALID, Step, conv, ints, noise, run_litert, window, write


def run_ours(data: bytes, inputs: list[np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(to_onnx(read_tflite(data)).SerializeToString())
    given = {f"input{k}": values for k, values in enumerate(inputs)}
    return [np.asarray(output) for output in session.run(None, given)]


def depthwise(out: tuple[int, ...], **options: int) -> Step:
    options = {"depthMultiplier": 1, **options}
    table = "DepthwiseConv2DOptions"
    return Step("DEPTHWISE_CONV_2D", ("x", "w", "b"), ("y", out), window(**options), table)


def pool(out: tuple[int, ...], **options: int) -> Step:
    return Step("MAX_POOL_2D", ("x",), ("y", out), window(**options), "Pool2DOptions")


def plain(
    kind: str, out: tuple[int, ...], *inputs: str, table: str = "", **options: object
) -> Step:
    return Step(kind, inputs or ("x",), ("y", out), options, table)


PICTURE = (1, 7, 6, 4)
CASES: dict[str, tuple[tuple[int, ...], dict[str, np.ndarray], Step]] = {
    "conv same": (PICTURE, {"w": noise(5, 3, 3, 4), "b": noise(5)}, conv((1, 7, 6, 5))),
    "conv stride": (
        PICTURE,
        {"w": noise(5, 3, 2, 4), "b": noise(5)},
        conv((1, 4, 3, 5), strideW=2, strideH=2, fusedActivationFunction=RELU),
    ),
    "conv valid": (
        PICTURE,
        {"w": noise(2, 3, 3, 4), "b": noise(2)},
        conv((1, 2, 4, 2), padding=VALID, strideH=3, fusedActivationFunction=RELU6),
    ),
    "conv dilated": (
        PICTURE,
        {"w": noise(2, 3, 3, 4), "b": noise(2)},
        conv((1, 7, 6, 2), dilationWFactor=2, dilationHFactor=2),
    ),
    "depthwise": (PICTURE, {"w": noise(1, 3, 3, 4), "b": noise(4)}, depthwise((1, 7, 6, 4))),
    "depthwise multiplied": (
        PICTURE,
        {"w": noise(1, 2, 2, 8), "b": noise(8)},
        depthwise((1, 4, 3, 8), strideW=2, strideH=2, depthMultiplier=2),
    ),
    "transpose conv": (
        PICTURE,
        {"s": ints(1, 14, 12, 3), "w": noise(3, 2, 2, 4), "b": noise(3)},
        Step(
            "TRANSPOSE_CONV",
            ("s", "w", "x", "b"),
            ("y", (1, 14, 12, 3)),
            window(strideW=2, strideH=2),
            "TransposeConvOptions",
        ),
    ),
    "max pool": (
        PICTURE,
        {},
        pool((1, 4, 3, 4), strideW=2, strideH=2, filterWidth=3, filterHeight=3),
    ),
    "fully connected": (
        PICTURE,
        {"w": noise(5, 168), "b": noise(5)},
        plain("FULLY_CONNECTED", (1, 5), "x", "w", "b", table="FullyConnectedOptions"),
    ),
    "prelu": (PICTURE, {"a": 3 * noise(1, 1, 4)}, plain("PRELU", PICTURE, "x", "a")),
    "add constant": (PICTURE, {"a": noise(4)}, plain("ADD", PICTURE, "x", "a", table="AddOptions")),
    "sub from constant": (
        PICTURE,
        {"a": noise(1, 7, 1, 4)},
        plain("SUB", PICTURE, "a", "x", table="SubOptions"),
    ),
    "mul": (PICTURE, {}, plain("MUL", PICTURE, "x", "x", table="MulOptions")),
    "div": (
        PICTURE,
        {"a": 2 + np.abs(noise(4))},
        plain("DIV", PICTURE, "x", "a", table="DivOptions", fusedActivationFunction=RELU),
    ),
    "squared difference": (
        PICTURE,
        {"a": noise(4)},
        plain("SQUARED_DIFFERENCE", PICTURE, "x", "a"),
    ),
    "relu": (PICTURE, {}, plain("RELU", PICTURE)),
    "neg": (PICTURE, {}, plain("NEG", PICTURE)),
    "logistic": (PICTURE, {}, plain("LOGISTIC", PICTURE)),
    "softmax": (PICTURE, {}, plain("SOFTMAX", PICTURE, table="SoftmaxOptions", beta=1.0)),
    "mean kept": (
        PICTURE,
        {"a": ints(1, 2)},
        plain("MEAN", (1, 1, 1, 4), "x", "a", table="ReducerOptions", keepDims=True),
    ),
    "mean dropped": (
        PICTURE,
        {"a": ints(-3, 2)},
        plain("MEAN", (1, 4), "x", "a", table="ReducerOptions", keepDims=False),
    ),
    "sum": (
        PICTURE,
        {"a": ints(2)},
        plain("SUM", (1, 7, 4), "x", "a", table="ReducerOptions", keepDims=False),
    ),
    "pad": (
        PICTURE,
        {"p": ints((0, 0), (1, 2), (0, 3), (0, 4))},
        plain("PAD", (1, 10, 9, 8), "x", "p"),
    ),
    "transpose": (PICTURE, {"p": ints(0, 3, 1, 2)}, plain("TRANSPOSE", (1, 4, 7, 6), "x", "p")),
    "reshape": (PICTURE, {"s": ints(7, 2, 12)}, plain("RESHAPE", (7, 2, 12), "x", "s")),
    "concatenation": (
        PICTURE,
        {"a": noise(1, 7, 6, 2)},
        plain("CONCATENATION", (1, 7, 6, 10), "x", "a", "x", table="ConcatenationOptions", axis=-1),
    ),
    "slice": (
        PICTURE,
        {"b": ints(0, 1, 0, 2), "e": ints(0, 6, 4, -1), "s": ints(1, 1, 1, 1)},
        plain(
            "STRIDED_SLICE",
            (1, 5, 4, 1),
            *("x", "b", "e", "s"),
            table="StridedSliceOptions",
            beginMask=1,
            endMask=1,
        ),
    ),
    "slice of the item": (
        PICTURE,
        {"b": ints(0, 2), "e": ints(1, 0), "s": ints(1, 1)},
        plain(
            "STRIDED_SLICE",
            (5, 6, 4),
            *("x", "b", "e", "s"),
            table="StridedSliceOptions",
            endMask=2,
            shrinkAxisMask=1,
        ),
    ),
    "resize bilinear": (
        PICTURE,
        {"s": ints(21, 15)},
        plain(
            "RESIZE_BILINEAR",
            (1, 21, 15, 4),
            *("x", "s"),
            table="ResizeBilinearOptions",
            halfPixelCenters=True,
        ),
    ),
    "resize corners": (
        PICTURE,
        {"s": ints(13, 11)},
        plain(
            "RESIZE_BILINEAR",
            (1, 13, 11, 4),
            *("x", "s"),
            table="ResizeBilinearOptions",
            alignCorners=True,
        ),
    ),
    "resize nearest": (
        PICTURE,
        {"s": ints(14, 18)},
        plain(
            "RESIZE_NEAREST_NEIGHBOR",
            (1, 14, 18, 4),
            *("x", "s"),
            table="ResizeNearestNeighborOptions",
            halfPixelCenters=True,
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_operator_as_litert(case: str) -> None:
    """Also where the operand lies channels first, and for a batch of which LiteRT sees one each."""
    shape, constants, step = CASES[case]
    direct = write({"x": shape}, constants, [step])
    # A convolution that changes nothing leaves its result lying channels first.
    constants = {**constants, "eye": np.eye(4, dtype=np.float32)[:, None, None], "no": noise(4) * 0}
    table = "Conv2DOptions"
    before = Step("CONV_2D", ("in", "eye", "no"), ("x", shape), window(padding=VALID), table)
    after = write({"in": shape}, constants, [before, step])
    inputs = noise(3, *shape[1:])
    for data in (direct, after):
        (ours,), (theirs,) = run_ours(data, [inputs]), run_litert(data, [inputs])
        np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["SQRT", "RSQRT"])
def test_roots_as_litert(kind: str) -> None:
    data = write({"x": (1, 5)}, {}, [plain(kind, (1, 5))])
    inputs = np.abs(noise(2, 5)) + 0.1
    (ours,), (theirs,) = run_ours(data, [inputs]), run_litert(data, [inputs])
    np.testing.assert_allclose(ours, theirs[:, 0], rtol=1e-5)


def test_select_as_litert() -> None:
    steps = [
        Step("GREATER", ("x", "zero"), ("above", PICTURE), dtype=np.bool_),
        Step("MUL", ("x", "a"), ("scaled", PICTURE), {}, "MulOptions"),
        plain("SELECT", PICTURE, "above", "x", "scaled"),
    ]
    constants = {"zero": np.zeros(PICTURE, np.float32), "a": noise(*PICTURE)}
    data, inputs = write({"x": PICTURE}, constants, steps), noise(3, *PICTURE[1:])
    (ours,), (theirs,) = run_ours(data, [inputs]), run_litert(data, [inputs])
    np.testing.assert_allclose(ours, theirs[:, 0], rtol=1e-6)


def test_two_inputs_that_lie_differently() -> None:
    """One is channels first after a convolution, the other as it came in."""
    constants = {"w": noise(4, 1, 1, 4), "b": noise(4)}
    table = "Conv2DOptions"
    steps = [
        Step("CONV_2D", ("p", "w", "b"), ("x", PICTURE), window(), table),
        plain("ADD", PICTURE, "x", "q", table="AddOptions"),
    ]
    data = write({"p": PICTURE, "q": PICTURE}, constants, steps)
    inputs = [noise(2, *PICTURE[1:], seed=k) for k in (1, 2)]
    (ours,), (theirs,) = run_ours(data, inputs), run_litert(data, inputs)
    np.testing.assert_allclose(ours, theirs[:, 0], rtol=1e-4, atol=1e-5)


def test_windows_of_a_batch_keep_to_their_item() -> None:
    """Pictures cut into windows along the first axis, and put together again: nothing changes."""
    steps = [
        Step("RESHAPE", ("x", "s1"), ("r1", (2, 2, 2, 6)), {}, "ReshapeOptions"),
        Step("TRANSPOSE", ("r1", "p"), ("t1", (2, 2, 2, 6))),
        Step("TRANSPOSE", ("t1", "p"), ("t2", (2, 2, 2, 6))),
        Step("RESHAPE", ("t2", "s2"), ("y", (1, 4, 4, 3)), {}, "ReshapeOptions"),
    ]
    constants = {"s1": ints(2, 2, 2, 6), "s2": ints(1, 4, 4, 3), "p": ints(0, 2, 1, 3)}
    inputs = noise(5, 4, 4, 3)
    (ours,) = run_ours(write({"x": (1, 4, 4, 3)}, constants, steps), [inputs])
    np.testing.assert_array_equal(ours, inputs)


# ---- worked by hand


def test_one_by_one_convolution_by_hand() -> None:
    """(1, 2) by the rows (1, 1) and (0, -3) is 3 and -6; with 1 added, ReLU leaves 4 and 0."""
    weights = np.array([[1, 1], [0, -3]], np.float32).reshape(2, 1, 1, 2)
    data = write(
        {"x": (1, 1, 1, 2)},
        {"w": weights, "b": np.ones(2, np.float32)},
        [conv((1, 1, 1, 2), fusedActivationFunction=RELU)],
    )
    graph = read_tflite(data)
    assert [op.kind for op in graph.operators] == ["CONV_2D"]
    assert graph.operators[0].options["stride_w"] == 1
    assert graph.tensors[graph.inputs[0]].shape == (1, 1, 1, 2)
    (ours,) = run_ours(data, [np.array([1, 2], np.float32).reshape(1, 1, 1, 2)])
    assert ours.ravel().tolist() == [4, 0]


def test_half_precision_and_bytes_become_real_numbers() -> None:
    """0.5 * (stored - 2), by channel and for all; a half stays what it is."""
    steps = [
        Step("DEQUANTIZE", ("h",), ("real", (3,))),
        plain("ADD", (1, 3), "x", "real", table="AddOptions"),
    ]
    data = write({"x": (1, 3)}, {"h": np.array([1, -2, 0.25], np.float16)}, steps)
    (ours,) = run_ours(data, [np.ones((1, 3), np.float32)])
    assert ours.tolist() == [[2, -1, 1.25]]
    data = write(
        {"x": (1, 3)}, {"h": np.array([2, 4, 255], np.uint8)}, steps, {"h": ([0.5], [2], 0)}
    )
    (ours,) = run_ours(data, [np.zeros((1, 3), np.float32)])
    assert ours.tolist() == [[0, 1, 126.5]]


def test_scales_of_each_channel() -> None:
    """Rows of bytes (1, 2) and (3, 4) on scales 1 and 10, by (1, 1)."""
    step = plain("FULLY_CONNECTED", (1, 2), "x", "w", "", table="FullyConnectedOptions")
    weights = {"w": np.array([[1, 2], [3, 4]], np.int8)}
    data = write({"x": (1, 2)}, weights, [step], {"w": ([1.0, 10.0], [0, 0], 0)})
    (ours,) = run_ours(data, [np.ones((1, 2), np.float32)])
    assert ours.tolist() == [[3, 70]]


def test_old_unsigned_weights_are_read_as_signed() -> None:
    """The byte 255 is -1 where weights are symmetric; LiteRT rounds its input to bytes as well."""
    step = plain("FULLY_CONNECTED", (1, 1), "x", "w", "b", table="FullyConnectedOptions")
    constants = {"w": np.array([[255, 127]], np.uint8), "b": np.zeros(1, np.float32)}
    data = write({"x": (1, 2)}, constants, [step], {"w": ([1.0], [0], 0)})
    (ours,) = run_ours(data, [np.array([[127, 1]], np.float32)])
    assert ours.tolist() == [[0]]


# ---- whole networks


@pytest.mark.parametrize(
    ("name", "gain"),
    [
        ("face_landmarks_detector.tflite", lambda x: np.abs(x)),
        ("face_detector.tflite", lambda x: x),
        ("face_blendshapes.tflite", lambda x: 100 * x),
    ],
)
def test_mediapipe_networks_as_litert(name: str, gain: Callable[[np.ndarray], np.ndarray]) -> None:
    from lineament.see.landmarks.face_landmarker import CARD

    data = ZipFile(fetch(CARD.weights[0])).read(name)
    graph = read_tflite(data)
    shape = graph.tensors[graph.inputs[0]].shape
    inputs = gain(noise(2, *shape[1:])).astype(np.float32)
    ours, theirs = run_ours(data, [inputs]), run_litert(data, [inputs])
    for mine, reference in zip(ours, theirs, strict=True):
        scale = np.abs(reference).max()
        mine = mine.reshape(reference.shape)
        np.testing.assert_allclose(mine, reference, rtol=3e-4, atol=1e-4 * scale)
