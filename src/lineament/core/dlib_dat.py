"""A reader of the networks that dlib saves as ``.dat`` files; dlib itself is not needed.

The format has no index and no lengths: a file can only be read from its first byte to its last,
by a reader that knows what comes next. Numbers are a control byte (sign and count of bytes) and
that many little-endian bytes; a real number is a mantissa and a power of two; tensors are four
dimensions and their raw float32. A network is nested, the loss outermost, so that a file first
holds one version number for each layer on the way in to the pixels and then the layers' contents
on the way out. Tags and skips of the network's C++ type are nothing but a version number there:
which tag a skip goes back to is not in the file.

Every length is held against the bytes that are left before anything is made of it, so hostile
bytes give a `WeightError` and cost no more than their own size.

Source: the format's description in dlib's ``serialize.h`` and its layers' ``serialize`` functions
(D. E. King, "Dlib-ml: A Machine Learning Toolkit", JMLR 2009).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float32

from lineament.core.errors import WeightError

_MOST_LAYERS = 1024
_MOST_NUMBERS = 1 << 24


@dataclass(frozen=True)
class Pixels:
    """The input: RGB of 0 to 255, less a mean per channel, over 256; height and width fixed."""

    mean: tuple[float, float, float]
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class Convolution:
    """Cross-correlation of `filters` (out x in x height x width), plus `bias` (out)."""

    filters: Float32[np.ndarray, "n k h w"]
    bias: Float32[np.ndarray, " n"]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Affine:
    """``scale * x + shift`` by channel: what is left of batch normalisation after training."""

    scale: Float32[np.ndarray, " k"]
    shift: Float32[np.ndarray, " k"]


@dataclass(frozen=True)
class Relu:
    """``max(x, 0)``."""


@dataclass(frozen=True)
class Pool:
    """Maximum or mean over a window, which a window of (0, 0) makes the whole picture.

    dlib clips a window at the border, so padded cells count neither as maximum nor in the mean.
    """

    mean: bool
    window: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True)
class AddTagged:
    """Adds a tagged earlier output; the smaller of the two counts as padded with zeros."""


@dataclass(frozen=True, eq=False)
class Linear:
    """``x @ weights`` over all channels and pixels, without a bias."""

    weights: Float32[np.ndarray, "n m"]


@dataclass(frozen=True)
class Mark:
    """A tag, or a skip to one: the file does not say which."""


Layer = Convolution | Affine | Relu | Pool | AddTagged | Linear | Mark


@dataclass(frozen=True, eq=False)
class Network:
    """A network trained with dlib's metric loss, layers in the order of computation."""

    pixels: Pixels
    layers: tuple[Layer, ...]


class _Reader:
    """Takes dlib's serialised values from bytes, first to last."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def fail(self, found: str) -> WeightError:
        return WeightError(f"not a network of dlib's that can be read: {found} at byte {self._at}")

    def take(self, count: int) -> memoryview:
        if count > self.left:
            raise self.fail(f"{count} bytes expected, {self.left} left")
        self._at += count
        return self._data[self._at - count : self._at]

    def integer(self, low: int, high: int) -> int:
        control = self.take(1)[0]
        if control & 0x70 or not 1 <= control & 0x0F <= 8:
            raise self.fail(f"bad control byte {control:#04x}")
        size = int.from_bytes(self.take(control & 0x0F), "little")
        value = -size if control & 0x80 else size
        if not low <= value <= high:
            raise self.fail(f"number {value} outside {low}..{high}")
        return value

    def pair(self, low: int, high: int) -> tuple[int, int]:
        return self.integer(low, high), self.integer(low, high)

    def version(self, *known: int) -> int:
        version = self.integer(0, 255)
        if version not in known:
            raise self.fail(f"unknown version {version}")
        return version

    def real(self) -> float:
        """A double. The exponents that stand for infinities and NaN (32000 on) are out of range."""
        mantissa = self.integer(-(1 << 63), 1 << 63)
        return math.ldexp(mantissa, self.integer(-2000, 900))

    def flag(self) -> bool:
        byte = bytes(self.take(1))
        if byte not in (b"0", b"1"):
            raise self.fail(f"{byte!r} is no truth value")
        return byte == b"1"

    def text(self) -> str:
        return bytes(self.take(self.integer(0, 64))).decode("ascii", errors="replace")

    def shape(self) -> tuple[int, int, int, int]:
        n, k = self.pair(0, _MOST_NUMBERS)
        height, width = self.pair(0, _MOST_NUMBERS)
        return (n, k, height, width) if n * k * height * width else (0, 0, 0, 0)

    def alias(self) -> tuple[int, int, int, int]:
        """The shape under which a layer sees a part of its parameters."""
        self.version(1)
        return self.shape()

    def tensor(self) -> Float32[np.ndarray, "n k h w"]:
        self.version(2)
        shape = self.shape()
        values = np.frombuffer(self.take(4 * math.prod(shape)), "<f4").reshape(shape)
        if not np.isfinite(values).all():
            raise self.fail("a tensor that is not finite")
        return values.astype(np.float32)


def read_network(data: bytes) -> Network:
    """The network of a ``.dat`` file with dlib's metric loss on a fixed-size RGB input.

    Raises:
        WeightError: the bytes are not such a network; nothing of it is then to be trusted.
    """
    reader = _Reader(data)
    reader.version(1)
    _metric_loss(reader)
    way_in = _way_in(reader)
    pixels = _pixels(reader)
    first = _layer(reader)
    _computed(reader, tensors=3)
    reader.integer(1, 1)  # pictures that one input is expanded to
    layers: list[Layer] = [first]
    for is_layer in reversed(way_in):
        if is_layer:
            layers.append(_layer(reader))
            _computed(reader, tensors=3)
        else:
            layers.append(Mark())
    if reader.left:
        raise reader.fail(f"{reader.left} bytes too many")
    return Network(pixels, tuple(layers))


def _metric_loss(reader: _Reader) -> None:
    if reader.text() != "loss_metric_2":
        raise reader.fail("no metric loss")
    reader.real()  # margin
    reader.real()  # distance threshold


def _way_in(reader: _Reader) -> list[bool]:
    """For each wrapper from the loss inwards whether it is a layer; the innermost is left out.

    The versions tell them apart: 1 is a tag or a skip, 2 a layer, 3 the layer on the pixels.
    """
    wrappers = islice(iter(lambda: reader.version(1, 2, 3), 3), _MOST_LAYERS)
    way_in = [version == 2 for version in wrappers]
    if len(way_in) == _MOST_LAYERS:
        raise reader.fail(f"more than {_MOST_LAYERS} layers")
    return way_in


def _pixels(reader: _Reader) -> Pixels:
    if reader.text() != "input_rgb_image_sized":
        raise reader.fail("no RGB input of fixed size")
    mean = (reader.real(), reader.real(), reader.real())
    return Pixels(mean, *reader.pair(1, 1024))


def _computed(reader: _Reader, tensors: int) -> None:
    """Past a layer's training state: three flags and its last gradients and outputs."""
    for _ in range(3):
        reader.flag()
    for _ in range(tensors):
        reader.tensor()


def _layer(reader: _Reader) -> Layer:
    kind = reader.text()
    if kind not in _KINDS:
        raise reader.fail(f"unknown layer {kind!r}")
    return _KINDS[kind](reader)


def _convolution(reader: _Reader) -> Convolution:
    values = reader.tensor().ravel()
    count = reader.integer(1, _MOST_NUMBERS)
    window = reader.pair(1, 64)
    stride, padding = reader.pair(1, 64), reader.pair(0, 63)
    filters, bias = reader.alias(), reader.alias()
    for _ in range(4):
        reader.real()  # learning rates and weight decays
    size = math.prod(filters)
    if filters[0] != count or filters[2:] != window or 0 in filters or bias != (1, count, 1, 1):
        raise reader.fail(f"a convolution of filters {filters} and bias {bias}")
    if len(values) != size + count:
        raise reader.fail(f"{len(values)} parameters for filters {filters}")
    return Convolution(values[:size].reshape(filters), values[size:], stride, padding)


def _affine(reader: _Reader) -> Affine:
    values = reader.tensor().ravel()
    scale, shift = reader.alias(), reader.alias()
    reader.version(0)  # by channel; 1 would be by element
    channels = scale[1]
    if not scale == shift == (1, channels, 1, 1) or len(values) != 2 * channels:
        raise reader.fail(f"{len(values)} parameters for a scale {scale} and a shift {shift}")
    return Affine(values[:channels], values[channels:])


def _pool(reader: _Reader, mean: bool) -> Pool:
    return Pool(mean, reader.pair(0, 64), reader.pair(1, 64), reader.pair(0, 63))


def _linear(reader: _Reader) -> Linear:
    outputs, inputs = reader.integer(1, _MOST_NUMBERS), reader.integer(1, _MOST_NUMBERS)
    values = reader.tensor()
    weights, bias = reader.alias(), reader.alias()
    reader.version(1)  # without a bias; 0 would be with one
    for _ in range(4):
        reader.real()  # learning rates and weight decays
    if not values.shape == weights == (inputs, outputs, 1, 1) or 0 not in bias:
        raise reader.fail(f"a linear layer of weights {values.shape} for {inputs} x {outputs}")
    return Linear(values.reshape(inputs, outputs))


_KINDS: dict[str, Callable[[_Reader], Layer]] = {
    "con_4": _convolution,
    "affine_": _affine,
    "relu_": lambda reader: Relu(),
    "max_pool_2": lambda reader: _pool(reader, mean=False),
    "avg_pool_2": lambda reader: _pool(reader, mean=True),
    "add_prev_": lambda reader: AddTagged(),
    "fc_2": _linear,
}
