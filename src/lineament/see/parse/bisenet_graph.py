"""The graph of BiSeNet for faces, laid from its state dict as an ONNX model.

The network has two paths: a ResNet-18 whose features at 1/16 and 1/32 are weighed by channel
attention and brought back to 1/8 (context), and the same ResNet's features at 1/8 (space). Both are
fused, and a head gives a score for each class at 1/8 of the input's size. Batch normalisation is
folded into the convolution before it. The heads that only training used are left out.

Source: C. Yu et al., "BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation",
ECCV 2018 (arXiv:1808.00897), section 3; ResNet-18: K. He et al., arXiv:1512.03385, table 1. That
the ResNet stands in for the paper's spatial path is read off the weights, which have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lineament.core.errors import WeightError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

SIDE = 512
"""Pixels along each side of the input."""
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
_EPSILON = 1e-5
"""Of batch normalisation, as PyTorch has it by default."""


def to_onnx(state: Mapping[str, Any]) -> ModelProto:
    """The network as an ONNX model of opset 18 with a free batch axis.

    It takes ``pixels``, uint8 n x 512 x 512 x 3, RGB, and gives ``labels``, uint8 n x 512 x 512:
    the class of the highest score, scores brought up to size bilinearly, corner pixels on corner
    pixels, as the authors have it.

    Args:
        state: arrays by name, as `core.torch_file` reads them.

    Raises:
        WeightError: it is not the state dict of such a network.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph(state)
    scores = graph.network("pixels")
    size = graph.constant(np.asarray([SIDE, SIDE], np.int64))
    large = graph.resized(scores, size, mode="linear", how="align_corners")
    best = graph.node("ArgMax", [large], axis=1, keepdims=0)
    graph.node("Cast", [best], name="labels", to=TensorProto.UINT8)
    info = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "bisenet",
            [info("pixels", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
            [info("labels", TensorProto.UINT8, ["n", SIDE, SIDE])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        producer_name="lineament",
    )
    model.ir_version = 8
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightError(f"these are not the weights of a BiSeNet: {reason}") from error
    return model


class _Graph:
    """Nodes and constants as they are laid; values go by their names, and have known channels."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state = state
        self.channels: dict[str, int] = {}
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def network(self, pixels: str) -> str:
        """From pixels to scores at 1/8 of their size."""
        eighth, sixteenth, last = self.resnet(self.normalised(pixels))
        whole = self.convolution(self.mean(last), "cp.conv_avg.conv", "cp.conv_avg.bn")
        # One pixel is added to all: as good as bringing it up to size first.
        coarse = self.node("Add", [self.attended(last, "cp.arm32"), whole])
        coarse = self.doubled(coarse, "cp.conv_head32")
        fine = self.node("Add", [self.attended(sixteenth, "cp.arm16"), coarse])
        context = self.doubled(fine, "cp.conv_head16")
        fused = self.fused(eighth, context)
        head = self.convolution(fused, "conv_out.conv.conv", "conv_out.conv.bn")
        return self.convolution(head, "conv_out.conv_out", relu=False)

    def resnet(self, value: str) -> tuple[str, str, str]:
        """The features at 1/8, 1/16 and 1/32."""
        name = "cp.resnet"
        value = self.convolution(value, f"{name}.conv1", f"{name}.bn1", stride=2)
        value = self.node("MaxPool", [value], kernel_shape=[3] * 2, strides=[2] * 2, pads=[1] * 4)
        stages = []
        for stage in (1, 2, 3, 4):
            value = self.block(value, f"{name}.layer{stage}.0", stride=1 if stage == 1 else 2)
            value = self.block(value, f"{name}.layer{stage}.1", stride=1)
            stages.append(value)
        return stages[1], stages[2], stages[3]

    def block(self, value: str, name: str, stride: int) -> str:
        """Two convolutions, and what came in added to what they give."""
        inner = self.convolution(value, f"{name}.conv1", f"{name}.bn1", stride)
        inner = self.convolution(inner, f"{name}.conv2", f"{name}.bn2", relu=False)
        if stride > 1:
            down = f"{name}.downsample"
            value = self.convolution(value, f"{down}.0", f"{down}.1", stride, relu=False)
        return self.node("Relu", [self.node("Add", [value, inner])])

    def attended(self, value: str, name: str) -> str:
        """Attention refinement: each channel weighed by what the whole picture says of it."""
        value = self.convolution(value, f"{name}.conv.conv", f"{name}.conv.bn")
        weight = self.convolution(
            self.mean(value), f"{name}.conv_atten", f"{name}.bn_atten", relu=False
        )
        return self.node("Mul", [value, self.node("Sigmoid", [weight])])

    def fused(self, space: str, context: str) -> str:
        """Feature fusion: both paths together, and again the channels that matter."""
        both = self.node("Concat", [space, context], axis=1)
        self.channels[both] = self.channels[space] + self.channels[context]
        both = self.convolution(both, "ffm.convblk.conv", "ffm.convblk.bn")
        weight = self.convolution(self.mean(both), "ffm.conv1")
        weight = self.node("Sigmoid", [self.convolution(weight, "ffm.conv2", relu=False)])
        return self.node("Add", [self.node("Mul", [both, weight]), both])

    def doubled(self, value: str, name: str) -> str:
        """Twice the size, each pixel four times, then a convolution."""
        twice = self.constant(np.asarray([2, 2], np.float32))
        value = self.resized(value, scales=twice, mode="nearest", how="asymmetric")
        return self.convolution(value, f"{name}.conv", f"{name}.bn")

    # ---- operators

    def normalised(self, pixels: str) -> str:
        from onnx import TensorProto

        planes = self.node("Transpose", [pixels], perm=[0, 3, 1, 2])
        planes = self.node("Cast", [planes], to=TensorProto.FLOAT)
        deviation = np.asarray(_DEVIATION, np.float64).reshape(1, 3, 1, 1) * 255
        mean = np.asarray(_MEAN, np.float64).reshape(1, 3, 1, 1) * 255
        gain = self.constant((1 / deviation).astype(np.float32))
        shift = self.constant((-mean / deviation).astype(np.float32))
        normal = self.node("Add", [self.node("Mul", [planes, gain]), shift])
        self.channels[normal] = 3
        return normal

    def convolution(
        self, value: str, name: str, norm: str = "", stride: int = 1, relu: bool = True
    ) -> str:
        """The convolution of this name, as large a border as keeps the size, and what follows."""
        filters = self.parameter(f"{name}.weight")
        if filters.ndim != 4 or filters.shape[1] != self.channels[value]:
            raise WeightError(f"{name} of this state dict does not fit the layer before it")
        inputs = [value]
        if norm:
            filters, bias = self.folded(filters, norm)
            inputs += [self.constant(filters), self.constant(bias)]
        else:
            inputs += [self.constant(filters)]
        high, wide = filters.shape[2] // 2, filters.shape[3] // 2
        out = self.node("Conv", inputs, strides=[stride] * 2, pads=[high, wide, high, wide])
        self.channels[out] = len(filters)
        return self.node("Relu", [out]) if relu else out

    def folded(self, filters: np.ndarray, norm: str) -> tuple[np.ndarray, np.ndarray]:
        """Filters and bias that do what the filters and this batch normalisation did."""
        gain, shift, mean, variance = (
            self.parameter(f"{norm}.{part}").astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        if not gain.shape == shift.shape == mean.shape == variance.shape == filters.shape[:1]:
            raise WeightError(f"{norm} of this state dict does not fit its convolution")
        with np.errstate(over="ignore", invalid="ignore"):
            gain = gain / np.sqrt(variance + _EPSILON)
            scaled = (filters * gain[:, None, None, None]).astype(np.float32)
            bias = (shift - mean * gain).astype(np.float32)
        if not (np.isfinite(scaled).all() and np.isfinite(bias).all()):
            raise WeightError(f"{norm} of this state dict is not finite")
        return scaled, bias

    def mean(self, value: str) -> str:
        return self.node("GlobalAveragePool", [value])

    def resized(self, value: str, size: str = "", scales: str = "", *, mode: str, how: str) -> str:
        inputs = [value, "", scales, size] if size else [value, "", scales]
        return self.node(
            "Resize",
            inputs,
            axes=[2, 3],
            mode=mode,
            nearest_mode="floor",
            coordinate_transformation_mode=how,
        )

    def parameter(self, name: str) -> np.ndarray:
        values = self.state.get(name)
        if not isinstance(values, np.ndarray) or values.dtype != np.float32:
            raise WeightError(f"this state dict has no {name}, which a BiSeNet needs")
        return values

    def constant(self, values: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def node(self, kind: str, inputs: Sequence[str], name: str = "", **options: Any) -> str:
        from onnx import helper

        name = name or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **options))
        self.channels[name] = self.channels.get(inputs[0], 0)
        return name
