"""TensorFlow.js graph models as ONNX: ``model.json`` and its weights, without TensorFlow.

Source: the layout that tensorflow/tfjs documents for ``GraphModel`` (``modelTopology.node`` and
``weightsManifest``), and TensorFlow's own definitions of its operators. Only the operators of
`_OPERATORS` are known, on maps of n x height x width x channels; that is what the networks here
have. The ONNX model has channels first.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lineament.core.errors import WeightError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

_TYPES = {"float32": "<f4", "int32": "<i4", "float16": "<f2", "uint8": "u1", "uint16": "<u2"}
_PADDING = {"SAME": "SAME_UPPER", "VALID": "VALID"}


@dataclass(frozen=True)
class TfjsNode:
    """An operator of the graph: its kind, the names of what goes in, and its attributes."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    options: dict[str, Any]


@dataclass(frozen=True)
class TfjsGraph:
    """A network as its file has it.

    Attributes:
        nodes: operators, in the order of the file.
        constants: parameters by name.
        outputs: names of the nodes that the file says are its answers.
    """

    nodes: tuple[TfjsNode, ...]
    constants: dict[str, np.ndarray]
    outputs: tuple[str, ...]


def read_tfjs(topology: bytes, weights: bytes) -> TfjsGraph:
    """Read ``model.json`` and the bytes of its weight files, joined in the manifest's order.

    Weights kept as float16, or as whole numbers with a scale, become float32.

    Raises:
        WeightError: the files are not such a model, or do not fit each other.
    """
    try:
        model = json.loads(topology)
        nodes = tuple(_node(entry) for entry in model["modelTopology"]["node"])
        entries = [entry for group in model["weightsManifest"] for entry in group["weights"]]
        answers = (model.get("signature") or model["userDefinedMetadata"]["signature"])["outputs"]
        outputs = tuple(_bare(value["name"]) for value in answers.values())
        return TfjsGraph(nodes, _parameters(entries, weights), outputs)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightError(f"this is no TensorFlow.js graph model: {error!r}") from error


def to_onnx(graph: TfjsGraph) -> ModelProto:
    """`graph` as an ONNX model of opset 17 with a free batch axis.

    It takes float32 n x channels x height x width, and answers under the graph's own names with
    one vector an item.

    Raises:
        WeightError: an operator, or a use of one, is not known here.
    """
    from onnx import TensorProto, helper

    work = _Work(graph.constants)
    inputs = []
    for node in _sorted(graph):
        if node.kind == "Placeholder":
            height, width, channels = node.options["shape"][1:]
            shape = ["batch", channels, height, width]
            inputs.append(helper.make_tensor_value_info(node.name, TensorProto.FLOAT, shape))
        elif node.kind != "Const":
            if node.kind not in _OPERATORS:
                raise WeightError(f"{node.name}: the operator {node.kind} is not known")
            _OPERATORS[node.kind](work, node)
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", None])
        for name in graph.outputs
    ]
    body = helper.make_graph(work.nodes, "tfjs", inputs, outputs, work.tensors)
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", 17)], producer_name="lineament"
    )
    model.ir_version = 8
    return model


# ---- reading


def _node(entry: dict[str, Any]) -> TfjsNode:
    options = {name: _option(value) for name, value in entry.get("attr", {}).items()}
    # A leading ^ orders two operators and carries no value.
    inputs = tuple(_bare(name) for name in entry.get("input", ()) if not name.startswith("^"))
    return TfjsNode(entry["name"], entry["op"], inputs, options)


def _bare(name: str) -> str:
    """A node's name without the number of its output."""
    return name.partition(":")[0]


def _option(value: dict[str, Any]) -> Any:
    """An attribute: protobuf's JSON has 64-bit numbers as text and bytes as base64."""
    ((kind, content),) = value.items()
    match kind:
        case "s":
            return base64.b64decode(content).decode()
        case "i":
            return int(content)
        case "shape":
            return [int(axis["size"]) for axis in content.get("dim", ())]
        case "list" if "s" in content:
            return [base64.b64decode(item).decode() for item in content["s"]]
        case "list":
            return [int(item) for item in content.get("i", ())]
        case _:
            return content


def _parameters(entries: Sequence[dict[str, Any]], weights: bytes) -> dict[str, np.ndarray]:
    constants, start = {}, 0
    for entry in entries:
        packed = entry.get("quantization", {})
        kind = np.dtype(_TYPES[packed.get("dtype", entry["dtype"])])
        count = int(np.prod(entry["shape"], dtype=np.int64))
        values = np.frombuffer(weights, kind, count, start).reshape(entry["shape"])
        start += count * kind.itemsize
        if "scale" in packed:
            values = values * np.float32(packed["scale"]) + np.float32(packed["min"])
        constants[entry["name"]] = values.astype(_TYPES[entry["dtype"]])
    if start != len(weights):
        raise ValueError(f"{start:,} bytes of weights listed, {len(weights):,} found")
    return constants


# ---- writing


@dataclass
class _Work:
    """The ONNX nodes and tensors laid so far."""

    constants: dict[str, np.ndarray]
    nodes: list[NodeProto] = field(default_factory=list)
    tensors: list[TensorProto] = field(default_factory=list)

    def constant(self, name: str, shape: Callable[[np.ndarray], np.ndarray]) -> str:
        """The parameter `name` after `shape`, under a name of its own."""
        from onnx import numpy_helper

        if name not in self.constants:
            raise WeightError(f"{name} must be a parameter here")
        values = np.ascontiguousarray(shape(self.constants[name]))
        self.tensors.append(numpy_helper.from_array(values, f"{name}#{len(self.tensors)}"))
        return self.tensors[-1].name

    def value(self, name: str) -> str:
        """Something that flows, or a parameter that broadcasts over channels."""
        return self.constant(name, _over_channels) if name in self.constants else name

    def put(self, kind: str, inputs: Sequence[str], name: str, **options: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), [name], **options))


def _sorted(graph: TfjsGraph) -> list[TfjsNode]:
    """Nodes after all that they need; a file need not list them so."""
    by_name = {node.name: node for node in graph.nodes}
    done: dict[str, TfjsNode] = {}
    stack = list(reversed(graph.outputs))
    open_nodes: set[str] = set()
    while stack:
        name = stack[-1]
        if name not in by_name:
            raise WeightError(f"the graph has no node {name}")
        waiting = [n for n in by_name[name].inputs if n not in done]
        if name in done or not waiting:
            done.setdefault(name, by_name[name])
            stack.pop()
        elif name in open_nodes:
            raise WeightError(f"the graph runs in a circle through {name}")
        else:
            open_nodes.add(name)
            stack += waiting
    return list(done.values())


def _over_channels(values: np.ndarray) -> np.ndarray:
    """Numbers of the last axis, for maps whose channels come first."""
    if values.ndim > 1:
        raise WeightError(f"a parameter of shape {values.shape} cannot be spread over channels")
    return values.reshape(-1, 1, 1) if values.size > 1 else values.reshape(())


def _elementwise(kind: str) -> Callable[[_Work, TfjsNode], None]:
    def put(work: _Work, node: TfjsNode) -> None:
        work.put(kind, [work.value(name) for name in node.inputs], node.name)

    return put


def _window(node: TfjsNode) -> dict[str, Any]:
    if node.options.get("data_format", "NHWC") != "NHWC" or node.options["padding"] not in _PADDING:
        raise WeightError(f"{node.name}: this layout or padding is not known")
    return {
        "strides": node.options["strides"][1:3],
        "dilations": (node.options.get("dilations") or [1, 1, 1, 1])[1:3],
        "auto_pad": _PADDING[node.options["padding"]],
    }


def _convolution(work: _Work, node: TfjsNode) -> None:
    # height, width, in, out to out, in, height, width
    filters = work.constant(node.inputs[1], lambda w: w.transpose(3, 2, 0, 1))
    work.put("Conv", [work.value(node.inputs[0]), filters], node.name, **_window(node))


def _depthwise(work: _Work, node: TfjsNode) -> None:
    height, width, channels, each = work.constants[node.inputs[1]].shape
    # height, width, in, each to in * each, 1, height, width
    filters = work.constant(
        node.inputs[1],
        lambda w: w.transpose(2, 3, 0, 1).reshape(channels * each, 1, height, width),
    )
    inputs = [work.value(node.inputs[0]), filters]
    work.put("Conv", inputs, node.name, group=channels, **_window(node))


def _mean(work: _Work, node: TfjsNode) -> None:
    axes = work.constants.get(node.inputs[1], np.empty(0)).ravel().tolist()
    if sorted(axes) != [1, 2] or node.options.get("keep_dims"):
        raise WeightError(f"{node.name}: a mean over the axes {axes} is not known")
    work.put("ReduceMean", [node.inputs[0]], node.name, axes=[2, 3], keepdims=0)


def _matrix(work: _Work, node: TfjsNode) -> None:
    fused = node.options.get("fused_ops", [])
    if fused not in (["BiasAdd"], ["BiasAdd", "Relu"]) or node.options.get("transpose_a"):
        raise WeightError(f"{node.name}: a matrix product with {fused} is not known")
    turned = int(bool(node.options.get("transpose_b")))
    inputs = [node.inputs[0], *(work.constant(name, lambda w: w) for name in node.inputs[1:3])]
    target = f"{node.name}#" if "Relu" in fused else node.name
    work.put("Gemm", inputs, target, transB=turned)
    if "Relu" in fused:
        work.put("Relu", [target], node.name)


_OPERATORS: dict[str, Callable[[_Work, TfjsNode], None]] = {
    "Add": _elementwise("Add"),
    "AddV2": _elementwise("Add"),
    "Mul": _elementwise("Mul"),
    "Minimum": _elementwise("Min"),
    "Maximum": _elementwise("Max"),
    "Relu": _elementwise("Relu"),
    "Sigmoid": _elementwise("Sigmoid"),
    "Softmax": _elementwise("Softmax"),
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "Mean": _mean,
    "_FusedMatMul": _matrix,
}
