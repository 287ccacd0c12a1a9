"""SFace's network in torch, read from its ONNX file, and its smaller relatives.

The network is a chain: one full convolution, then pairs of a depthwise and a pointwise one (A. G.
Howard et al., "MobileNets", arXiv:1704.04861), each followed by batch normalisation and an
activation, then a dense layer over all places. At inference a normalisation is an affine map of
each channel, so here it is part of the convolution before it. A smaller relative has fewer
channels, plain rectifiers for activations, and a dense layer of two factors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.errors import BadInput

MIDDLE, SCALE = 127.5, 1 / 128
"""Pixels of 0 to 255 become ``(v - MIDDLE) * SCALE``."""
SIDE = 112
"""Of the aligned crop that it sees, pixels."""


class Unit(nn.Module):
    """A convolution with a bias, and its activation.

    Args:
        weight: out x in / groups x k x k; the picture is padded by k // 2 zeros.
        bias: of each output.
        stride: 1 or 2.
        slope: of each channel below zero (PReLU); None for a rectifier, whose slope is 0.

    Attributes:
        is_depthwise: whether each output looks at one input only; never so for k = 1.
    """

    def __init__(
        self,
        weight: Float[Tensor, "o i k k"],
        bias: Float[Tensor, " o"],
        stride: int = 1,
        slope: Float[Tensor, " o"] | None = None,
    ) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
        self.slope = None if slope is None else nn.Parameter(slope.clone())
        self.stride, self.size = stride, weight.shape[2]
        self.is_depthwise = weight.shape[1] == 1 and self.size > 1

    def before(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h2 w2"]:
        """Its answer before the activation."""
        groups = len(self.bias) if self.is_depthwise else 1
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.size // 2, 1, groups)

    def activate(self, y: Float[Tensor, "n o h w"]) -> Float[Tensor, "n o h w"]:
        """The activation alone. A slope is written as two rectifiers: runtimes fuse these with what
        is before, and have only a slow PReLU."""
        if self.slope is None:
            return functional.relu(y)
        return functional.relu(y) - self.slope[:, None, None] * functional.relu(-y)

    def forward(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h2 w2"]:
        """The convolution and its activation."""
        return self.activate(self.before(x))


class Head(nn.Module):
    """From the last maps to the embedding: channels are mixed at each place, then all is summed.

    Args:
        dense: d x r x 7 x 7, the weight of each of r channels at each place.
        bias: of the embedding.
        mix: r x c, from the c channels of the maps; None where r is c, and nothing is mixed.
    """

    def __init__(
        self,
        dense: Float[Tensor, "d r h w"],
        bias: Float[Tensor, " d"],
        mix: Float[Tensor, "r c"] | None = None,
    ) -> None:
        super().__init__()
        self.mix = None if mix is None else nn.Parameter(mix[:, :, None, None].clone())
        self.weight, self.bias = nn.Parameter(dense.flatten(1).clone()), nn.Parameter(bias.clone())

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """The embedding, not yet of length 1."""
        mixed = x if self.mix is None else functional.conv2d(x, self.mix)
        return functional.linear(mixed.flatten(1), self.weight, self.bias)


class Chain(nn.Module):
    """Units one after the other, then the head.

    Args:
        units: the first is a full convolution; then depthwise and pointwise ones in turn.
        head: of the last unit's channels.
    """

    def __init__(self, units: Sequence[Unit], head: Head) -> None:
        super().__init__()
        self.units, self.head = nn.ModuleList(units), head

    def __len__(self) -> int:
        return len(self.units)

    def __getitem__(self, number: int) -> Unit:
        return self.units[number]  # pyright: ignore[reportReturnType]

    def __iter__(self) -> Iterator[Unit]:
        return iter(self.units)  # pyright: ignore[reportReturnType]

    def maps(self, pixels: Float[Tensor, "n 3 h w"], stop: int) -> Float[Tensor, "n c h2 w2"]:
        """What goes into unit number `stop`; with the number of units, into the head."""
        x = (pixels - MIDDLE) * SCALE
        for unit in self.units[:stop]:
            x = unit(x)
        return x

    def forward(self, pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Embeddings of crops, not yet of length 1.

        Args:
            pixels: aligned RGB crops, 0 to 255.
        """
        return self.head(self.maps(pixels, len(self)))

    @property
    def widths(self) -> tuple[int, ...]:
        """Outputs of the full and of each pointwise convolution."""
        return tuple(len(unit.bias) for unit in self if not unit.is_depthwise)

    def products(self, side: int = SIDE) -> int:
        """Multiplications for one crop of this side."""
        total = 0
        for unit in self:
            side = -(-side // unit.stride)
            total += side * side * unit.weight.numel()
        mix = 0 if self.head.mix is None else side * side * self.head.mix.numel()
        return total + mix + self.head.weight.numel()


def restored(state: Mapping[str, Tensor], strides: Sequence[int]) -> Chain:
    """A narrow chain from its `state_dict`.

    Args:
        state: of a chain of plain rectifiers, whose head mixes channels.
        strides: of its units.
    """
    units = [
        Unit(state[f"units.{i}.weight"], state[f"units.{i}.bias"], stride)
        for i, stride in enumerate(strides)
    ]
    mix, bias = state["head.mix"][:, :, 0, 0], state["head.bias"]
    side = round((state["head.weight"].shape[1] / len(mix)) ** 0.5)
    dense = state["head.weight"].reshape(len(bias), len(mix), side, side)
    return Chain(units, Head(dense, bias, mix))


def read_sface(path: Path) -> Chain:
    """SFace from its ONNX file; the answers are those of the file.

    Raises:
        BadInput: the file holds another kind of network.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    known = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    units, ends, dense = [], [], []
    for node in graph.node:
        values = [known[name] for name in node.input if name in known]
        settings = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type == "Conv":
            units.append(_Read(values[0].astype(np.float64), settings["strides"][0]))
        elif node.op_type == "BatchNormalization":
            affine = _affine(values, settings["epsilon"])
            if units and units[-1].slope is None:
                units[-1].normalise(*affine)
            else:  # of the last maps, or of the embedding
                ends += affine
        elif node.op_type == "PRelu" and units:
            units[-1].slope = values[0].ravel()
        elif node.op_type == "Gemm":
            dense = values
        elif node.op_type not in ("Sub", "Mul", "Dropout", "Flatten"):
            raise BadInput(f"no SFace: its network has no {node.op_type}", str(path))
    if len(ends) != 4 or len(dense) != 2 or not units:
        raise BadInput("no SFace: its network normalises maps and embedding at the end", str(path))
    return Chain([each.unit() for each in units], _head(dense[0], dense[1], *ends))


@dataclass(eq=False)
class _Read:
    """A unit as it is read, node by node."""

    weight: Float[np.ndarray, "o i k k"]
    stride: int
    bias: Float[np.ndarray, " o"] | None = None
    slope: Float[np.ndarray, " o"] | None = None

    def normalise(self, gain: Float[np.ndarray, " o"], offset: Float[np.ndarray, " o"]) -> None:
        """Take a normalisation into the convolution."""
        self.weight, self.bias = self.weight * gain[:, None, None, None], offset

    def unit(self) -> Unit:
        """The unit, once all of it is read."""
        bias = np.zeros(len(self.weight)) if self.bias is None else self.bias
        slope = None if self.slope is None else tensor(self.slope)
        return Unit(tensor(self.weight), tensor(bias), self.stride, slope)


def _affine(
    values: Sequence[Float32[np.ndarray, " c"]], epsilon: float
) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
    """Gain and offset of a normalisation at inference."""
    gamma, beta, mean, variance = (each.astype(np.float64) for each in values)
    gain = gamma / np.sqrt(variance + epsilon)
    return gain, beta - gain * mean


def _head(
    dense: Float32[np.ndarray, "d f"],
    bias: Float32[np.ndarray, " d"],
    gain: Float[np.ndarray, " c"],
    offset: Float[np.ndarray, " c"],
    last_gain: Float[np.ndarray, " d"],
    last_offset: Float[np.ndarray, " d"],
) -> Head:
    """The dense layer with the normalisations on both of its sides."""
    side = round((dense.shape[1] / len(gain)) ** 0.5)
    cube = dense.astype(np.float64).reshape(len(dense), len(gain), side, side)
    bias = bias + np.einsum("dchw,c->d", cube, offset)
    cube = cube * gain[:, None, None] * last_gain[:, None, None, None]
    return Head(tensor(cube), tensor(bias * last_gain + last_offset))


def tensor(values: np.ndarray) -> Tensor:
    """Numbers of any type as a tensor of 32 bits."""
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
