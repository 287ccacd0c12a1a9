"""A chain in 8 bits, as ONNX: a quarter of the bytes, and products of whole numbers.

Weights get a scale an output, what flows between units a scale and a zero point a unit, from what
some crops make it be. A rectifier is the lower end of the unsigned bytes after it.

Weights take all 8 bits, what flows only 7 of them: on processors without dot products of bytes,
sums of two products of full bytes would overflow 16 bits, and their answers be others. Pixels are
bytes already; there the weights take 7.

Source: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018 (arXiv:1712.05877), sections 2.1 to 2.4; after
training.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int8, UInt8
from torch import Tensor

from lineament.core.errors import BadInput
from lineament.learn.embedders.sface_torch import MIDDLE, SCALE, Chain

if TYPE_CHECKING:
    from onnx import NodeProto

OPSET, IR = 17, 8
SEVEN, EIGHT = 63, 127
"""Largest size of a weight of 7 and of 8 bits."""
FLOWS = 127
"""Nominal size of what flows between units, in steps; what is rarer and larger goes on to 255."""
BATCH = 8


def quantise(chain: Chain, crops: UInt8[np.ndarray, "n h w 3"], path: Path) -> None:
    """Write a chain of plain rectifiers in 8 bits: input ``input``, output ``output``.

    Args:
        chain: whose head mixes channels.
        crops: to see how large the values between its units are.
        path: of the file.

    Raises:
        BadInput: the chain has slopes, or its head does not mix.
    """
    import onnx
    from onnx import TensorProto, helper

    mix = chain.head.mix
    if mix is None or any(unit.slope is not None for unit in chain):
        raise BadInput("8 bits are for chains of plain rectifiers whose head mixes channels")
    tops, (low, high) = ranges(chain, crops)
    graph = _Graph()
    # Pixels are exact in bytes. Their middle is not: half a step goes into the first bias.
    flow = graph.flow("input", 1.0, 0, read_as=(SCALE, round(MIDDLE + 0.5)))
    scale, half = SCALE, (round(MIDDLE + 0.5) - MIDDLE) * SCALE
    for number, unit in enumerate(chain):
        weight, bias = unit.weight.detach().numpy(), unit.bias.detach().numpy()
        if number == 0:
            bias = bias + half * weight.sum(axis=(1, 2, 3))
        parameters = graph.parameters(
            f"unit{number}", weight, bias, scale, SEVEN if not number else EIGHT
        )
        settings = {
            "kernel_shape": [unit.size] * 2,
            "strides": [unit.stride] * 2,
            "pads": [unit.size // 2] * 4,
            "group": len(bias) if unit.is_depthwise else 1,
        }
        made = graph.node("Conv", [flow, *parameters], f"unit{number}", **settings)
        scale = tops[number] / FLOWS
        flow = graph.flow(made, scale, 0)
    nothing = np.zeros(len(mix), np.float32)
    parameters = graph.parameters("mix", mix.detach().numpy(), nothing, scale, EIGHT)
    made = graph.node("Conv", [flow, *parameters], "mix", kernel_shape=[1, 1])
    scale = (high - low) / FLOWS
    zero = round(-low / scale)
    flat = graph.node("Flatten", [graph.flow(made, scale, zero)], "flat", axis=1)
    dense, bias = chain.head.weight.detach().numpy(), chain.head.bias.detach().numpy()
    parameters = graph.parameters("dense", dense, bias, scale, EIGHT)
    graph.node("Gemm", [graph.flow(flat, scale, zero), *parameters], "output", transB=1)
    side = [*crops.shape[1:3]]
    made = helper.make_graph(
        graph.nodes,
        "lineament-s",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, *side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", len(bias)])],
        graph.constants,
    )
    opset = helper.make_opsetid("", OPSET)
    onnx.save(helper.make_model(made, opset_imports=[opset], ir_version=IR), path)


@torch.no_grad()
def ranges(
    chain: Chain, crops: UInt8[np.ndarray, "n h w 3"]
) -> tuple[list[float], tuple[float, float]]:
    """How large the values are that each unit gives, and how small and large those of the mix:
    means over small batches of their extremes."""
    assert chain.head.mix is not None
    tops, ends = [], []
    for start in range(0, len(crops), BATCH):
        x = chain.maps(_planes(crops[start : start + BATCH]), 0)
        row = []
        for unit in chain:
            x = unit(x)
            row.append(max(float(x.max()), 1e-6))
        mixed = torch.nn.functional.conv2d(x, chain.head.mix)
        tops.append(row)
        ends.append((float(mixed.min()), float(mixed.max())))
    low, high = np.mean(ends, axis=0)
    return np.mean(tops, axis=0).tolist(), (min(float(low), -1e-6), max(float(high), 1e-6))


def to_bytes(
    weight: Float32[np.ndarray, "o ..."], largest: int
) -> tuple[Int8[np.ndarray, "o ..."], Float32[np.ndarray, " o"]]:
    """Weights as whole numbers of -largest to largest, and the scale of each output."""
    flat = np.abs(weight.reshape(len(weight), -1)).max(axis=1)
    scale = np.maximum(flat, 1e-8).astype(np.float32) / np.float32(largest)
    steps = weight / scale.reshape(-1, *[1] * (weight.ndim - 1))
    return np.rint(steps).clip(-largest, largest).astype(np.int8), scale


class _Graph:
    """Nodes and constants of a file in the making."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants = []

    def node(self, kind: str, inputs: list[str], output: str, **settings: Any) -> str:
        """Add a node; the name of its output."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], output, **settings))
        return output

    def constant(self, name: str, values: np.ndarray) -> str:
        """Add a constant; its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def flow(
        self, name: str, scale: float, zero: int, read_as: tuple[float, int] | None = None
    ) -> str:
        """Values to unsigned bytes and back: what of them is left for the next unit.

        Args:
            name: of the values.
            scale: of a step.
            zero: the byte that stands for 0.
            read_as: scale and zero on the way back, where they are others.
        """
        there = self._scale(f"{name}.there", scale, zero)
        back = self._scale(f"{name}.back", *read_as) if read_as else there
        quantised = self.node("QuantizeLinear", [name, *there], f"{name}.bytes")
        return self.node("DequantizeLinear", [quantised, *back], f"{name}.values")

    def parameters(
        self,
        name: str,
        weight: Float32[np.ndarray, "o ..."],
        bias: Float[np.ndarray, " o"],
        scale: float,
        largest: int,
    ) -> list[str]:
        """Weights in bytes, and a bias in steps of their products.

        Args:
            name: of the unit.
            weight: of each output.
            bias: of each output.
            scale: of what flows in.
            largest: whole number of a weight.
        """
        numbers, scales = to_bytes(weight, largest)
        steps = np.rint(bias / (scales.astype(np.float64) * scale)).astype(np.int64)
        products = (scales * np.float32(scale)).astype(np.float32)
        return [
            self._whole(f"{name}.weight", numbers, scales),
            self._whole(
                f"{name}.bias", steps.clip(-(2**31) + 1, 2**31 - 1).astype(np.int32), products
            ),
        ]

    def _whole(self, name: str, numbers: Int[np.ndarray, "o ..."], scales: np.ndarray) -> str:
        zeros = np.zeros(len(scales), numbers.dtype)
        inputs = [
            self.constant(f"{name}.numbers", numbers),
            self.constant(f"{name}.scale", scales),
            self.constant(f"{name}.zero", zeros),
        ]
        return self.node("DequantizeLinear", inputs, name, axis=0)

    def _scale(self, name: str, scale: float, zero: int) -> list[str]:
        return [
            self.constant(f"{name}.scale", np.asarray(scale, np.float32)),
            self.constant(f"{name}.zero", np.asarray(zero, np.uint8)),
        ]


def _planes(crops: UInt8[np.ndarray, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float()
