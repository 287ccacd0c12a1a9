"""dlib's files: read back what was written, refuse everything else, compute what dlib computes."""

from __future__ import annotations

import math
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from lineament.core.errors import Offline, SourceUnavailable, WeightError
from lineament.core.sessions import Session
from lineament.core.weights import fetch
from lineament.know.embed.dlib_resnet import CARD, DLIB_150, convert, to_onnx

REALS = b"\x03\x0a\xd7\xa3\x81\x1c" + b"\x03\x9a\x99\x99\x81\x18"
"""0.04 and 0.6 in single precision, as they stand in dlib's own file."""


# A writer of the format, from its description; the reader shares nothing with it.


def integer(value: int) -> bytes:
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def integers(*values: int) -> bytes:
    return b"".join(map(integer, values))


def real(value: float) -> bytes:
    mantissa, exponent = math.frexp(value)
    return integers(int(mantissa * 2**24), exponent - 24)


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode()


def tensor(values: np.ndarray) -> bytes:
    shape = values.shape + (1,) * (4 - values.ndim)
    return integers(2, *shape) + values.astype("<f4").tobytes()


NOTHING = integers(2, 0, 0, 0, 0)
STATE = b"110" + 3 * NOTHING
RATES = 4 * real(1.0)


def layer_bytes(layer: Layer) -> bytes:
    match layer:
        case Convolution(filters, bias, stride, padding):
            return (
                text("con_4")
                + tensor(np.concatenate([filters.ravel(), bias]))
                + integers(len(bias), *filters.shape[2:], *stride, *padding)
                + integers(1, *filters.shape, 1, 1, len(bias), 1, 1)
                + RATES
            )
        case Affine(scale, shift):
            alias = integers(1, 1, len(scale), 1, 1)
            return text("affine_") + tensor(np.concatenate([scale, shift])) + 2 * alias + integer(0)
        case Pool(mean, window, stride, padding):
            return text("avg_pool_2" if mean else "max_pool_2") + integers(
                *window, *stride, *padding
            )
        case Linear(weights):
            inputs, outputs = weights.shape
            aliases = integers(1, inputs, outputs, 1, 1) + integers(1, 0, 0, 0, 0)
            return (
                text("fc_2")
                + integers(outputs, inputs)
                + tensor(weights)
                + aliases
                + integer(1)
                + RATES
            )
        case _:
            return text({Relu: "relu_", AddTagged: "add_prev_"}[type(layer)])


def network_bytes(network: Network) -> bytes:
    first, *others = network.layers
    versions = [1 if isinstance(layer, Mark) else 2 for layer in reversed(others)]
    pixels = network.pixels
    way_out = b"".join(layer_bytes(x) + STATE for x in others if not isinstance(x, Mark))
    return (
        integer(1)
        + text("loss_metric_2")
        + REALS
        + integers(*versions, 3)
        + text("input_rgb_image_sized")
        + b"".join(map(real, pixels.mean))
        + integers(pixels.height, pixels.width)
        + layer_bytes(first)
        + STATE
        + integer(1)
        + way_out
    )


def small_network(seed: int = 0) -> Network:
    """Every kind of layer, one plain block, and one that halves the picture and adds channels."""
    normal = np.random.default_rng(seed).standard_normal

    def convolution(outputs: int, inputs: int, size: int, stride: int, padding: int) -> Convolution:
        filters = normal((outputs, inputs, size, size)).astype(np.float32)
        bias = normal(outputs).astype(np.float32)
        return Convolution(filters, bias, (stride, stride), (padding, padding))

    def affine(channels: int) -> Affine:
        return Affine(*normal((2, channels)).astype(np.float32))

    plain = (Mark(), convolution(2, 2, 3, 1, 1), affine(2), AddTagged(), Relu())
    down = (
        *(Mark(), convolution(4, 2, 3, 2, 0), affine(4), Mark(), Mark()),
        *(Pool(True, (2, 2), (2, 2), (0, 0)), AddTagged(), Relu()),
    )
    layers = (
        *(convolution(2, 3, 3, 2, 0), affine(2), Relu(), Pool(False, (3, 3), (1, 1), (1, 1))),
        *plain,
        *down,
        Pool(True, (0, 0), (1, 1), (0, 0)),
        Linear(normal((4, 5)).astype(np.float32)),
    )
    return Network(Pixels((120.0, 100.5, 90.25), 17, 15), layers)


SMALL = network_bytes(small_network())
HEAD = small_network().layers[-1]
assert isinstance(HEAD, Linear)


# What the layers mean, in plain loops and double precision.


def slide(x: np.ndarray, size: tuple, stride: tuple, padding: tuple, f: Callable) -> np.ndarray:
    """`f` of each window of x (k x h x w), cells beyond the border being NaN."""
    border = [(0, 0), *((p, p) for p in padding)]
    padded = np.pad(x, border, constant_values=np.nan)
    rows = range(0, padded.shape[1] - size[0] + 1, stride[0])
    columns = range(0, padded.shape[2] - size[1] + 1, stride[1])
    cells = [[f(padded[:, r : r + size[0], c : c + size[1]]) for c in columns] for r in rows]
    return np.moveaxis(np.asarray(cells), 2, 0)


def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    total = np.zeros(np.maximum(a.shape, b.shape))
    for term in (a, b):
        total[tuple(map(slice, term.shape))] += term
    return total


def forward(network: Network, pixels: np.ndarray) -> np.ndarray:
    """One picture, 3 x h x w; written for the blocks of `small_network`: tag, or tag, tag, skip."""
    x = (pixels - np.reshape(network.pixels.mean, (3, 1, 1))) / 256
    tags: list[np.ndarray] = []
    for layer in network.layers:
        match layer:
            case Convolution(filters, bias, stride, padding):

                def apply(window: np.ndarray, w: np.ndarray = filters) -> np.ndarray:
                    return (w * np.nan_to_num(window)).sum((1, 2, 3))

                x = slide(x, filters.shape[2:], stride, padding, apply) + bias[:, None, None]
            case Affine(scale, shift):
                x = x * scale[:, None, None] + shift[:, None, None]
            case Relu():
                x = np.maximum(x, 0)
            case Pool(mean, window, stride, padding):
                reduce = np.nanmean if mean else np.nanmax
                size = window if any(window) else x.shape[1:]
                x = slide(x, size, stride, padding, lambda v, r=reduce: r(v, axis=(1, 2)))
            case Mark():
                tags.append(x)
                x = tags[0] if len(tags) == 3 else x
            case AddTagged():
                x, tags = add(x, tags[1 if len(tags) == 3 else 0]), []
            case Linear(weights):
                x = x.ravel() @ weights
    return x


def test_a_network_is_read_as_it_was_written() -> None:
    written, found = small_network(), read_network(SMALL)
    assert found.pixels == written.pixels
    assert [type(x) for x in found.layers] == [type(x) for x in written.layers]
    for a, b in zip(found.layers, written.layers, strict=True):
        for one, other in zip(astuple(a), astuple(b), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_writer_writes_what_dlib_writes() -> None:
    assert real(0.04) == REALS[:6]
    assert SMALL.startswith(b"\x01\x01\x01\x0dloss_metric_2\x03\x0a\xd7\xa3\x81\x1c")


def test_the_model_computes_what_the_layers_mean(tmp_path: Path) -> None:
    import onnx

    network = small_network()
    model = to_onnx(network)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, tmp_path / "small.onnx")
    pixels = np.random.default_rng(1).integers(0, 256, (3, 3, 17, 15))
    (found,) = Session(tmp_path / "small.onnx", threads=1).run(pixels.astype(np.float32))
    expected = np.stack([forward(network, one) for one in pixels])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_cut_file_is_refused() -> None:
    for length in (*range(80), *range(80, len(SMALL), 13), len(SMALL) - 1):
        with pytest.raises(WeightError, match="byte"):
            read_network(SMALL[:length])


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(WeightError, match="1 bytes too many"):
        read_network(SMALL + b"\0")


def damaged(data: bytes, count: int) -> Iterator[bytes]:
    random = np.random.default_rng(0)
    for at in random.choice(len(data), count, replace=False):
        value = random.choice([0x00, 0x88, 0xFF, data[at] ^ 0x01])
        yield data[:at] + bytes([value]) + data[at + 1 :]


def survives(data: bytes) -> bool:
    """Whether the bytes become a model; any error but `WeightError` fails the test."""
    try:
        return bool(to_onnx(read_network(data)))
    except WeightError:
        return False


def test_damage_is_refused_or_only_changes_numbers() -> None:
    outcomes = [survives(data) for data in damaged(SMALL, 300)]
    assert 0.2 < np.mean(outcomes) < 0.95  # some reach each end


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SMALL)), st.integers(0, 40), st.binary(max_size=60))
def test_spliced_bytes_raise_nothing_else(at: int, cut: int, insert: bytes) -> None:
    survives(SMALL[:at] + insert + SMALL[at + cut :])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (NOTHING, integers(2, *[1 << 24] * 4)),  # 2^98 bytes
        (text("relu_"), integer((1 << 64) - 1) + b"relu_"),
        (integers(2, 2), integers(2) * 5000),
        (integers(17, 15), integers(-17, 15)),
        (REALS[:6], integers(1, 32000)),  # dlib's sign for infinity
        (HEAD.weights[0, 0].tobytes(), struct.pack("<f", math.nan)),
    ],
)
def test_hostile_numbers_cost_nothing(old: bytes, new: bytes) -> None:
    assert old in SMALL
    data = SMALL.replace(old, new, 1)
    tracemalloc.start()
    try:
        with pytest.raises(WeightError):
            to_onnx(read_network(data))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def without(kind: type[Layer]) -> Network:
    network = small_network()
    return Network(network.pixels, tuple(x for x in network.layers if not isinstance(x, kind)))


@pytest.mark.parametrize("kind", [Linear, Mark, Convolution])
def test_layers_that_do_not_fit_are_refused(kind: type[Layer]) -> None:
    with pytest.raises(WeightError):
        to_onnx(without(kind))


# Against dlib itself.


@pytest.fixture(scope="module")
def dlib() -> Any:
    return pytest.importorskip("dlib", reason="dlib-bin, the oracle, is not installed here")


CONTOURS = (
    ((0.121737, 0.216423), (0.187122, 0.178758), (0.265825, 0.179852))
    + ((0.334606, 0.231733), (0.260918, 0.245099), (0.182743, 0.244077)),
    ((0.645647, 0.231733), (0.714428, 0.179852), (0.793132, 0.178758))
    + ((0.858516, 0.216423), (0.797510, 0.244077), (0.719335, 0.245099)),
)
"""Points 37-42 and 43-48 of dlib's mean face: the eyes."""
CORNERS = ((0.859567, 0.213498), (0.646060, 0.228967), (0.120575, 0.213727), (0.334085, 0.229064))
"""Where dlib's own five points have the eyes' corners in that face; the fifth is below the nose."""


def test_eye_centres_are_the_means_of_dlibs_contours() -> None:
    centres = np.mean(CONTOURS, axis=1)
    expected = (centres + 0.25) / 1.5 * 150 - 0.5
    np.testing.assert_allclose(DLIB_150.points[:2], expected, atol=1e-3)


@pytest.mark.parametrize("side", [90, 100, 150])
def test_points_lie_where_dlibs_chips_have_them(dlib: Any, side: int) -> None:
    """A face of dlib's mean shape with a soft dot on each point; dlib's own crop tells where to."""
    origin = np.array([120.0, 130.0])
    corners = np.rint(np.array([*CORNERS, (0.490112, 0.627798)]) * side + origin).astype(int)
    mean_face = (np.array(DLIB_150.points) + 0.5) / 150 * 1.5 - 0.25
    rows, columns = np.mgrid[0:450, 0:450]
    dots = [np.hypot(columns - x, rows - y) for x, y in mean_face * side + origin]
    picture = np.rint(200 * np.exp(-((np.min(dots, axis=0) / (side / 30)) ** 2))).astype(np.uint8)
    parts = dlib.points([dlib.point(int(x), int(y)) for x, y in corners])
    face = dlib.full_object_detection(dlib.rectangle(0, 0, 449, 449), parts)
    chip = dlib.get_face_chip(np.stack([picture] * 3, axis=2), face, 150, 0.25)[..., 0]
    rows, columns = np.mgrid[0:150, 0:150]
    for x, y in DLIB_150.points:
        light = chip * (np.hypot(columns - x, rows - y) < 10.0)
        centre = (np.sum(light * columns) / light.sum(), np.sum(light * rows) / light.sum())
        np.testing.assert_allclose(centre, (x, y), atol=0.3)


@pytest.fixture(scope="module")
def weight() -> Path:
    try:
        return fetch(CARD.weights[0])
    except (Offline, SourceUnavailable) as error:
        pytest.skip(f"dlib's weights cannot be had: {error}")


@pytest.fixture(scope="module")
def descriptors(dlib: Any, weight: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Ours and dlib's descriptors of a stack of pictures of 150 x 150."""
    model = tmp_path_factory.mktemp("dlib") / "converted.onnx"
    model.write_bytes(convert(weight))
    session, oracle = Session(model, threads=1), dlib.face_recognition_model_v1(str(weight))

    def both(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        (ours,) = session.run(pictures.transpose(0, 3, 1, 2).astype(np.float32))
        return ours, np.asarray([oracle.compute_face_descriptor(one) for one in pictures])

    return both


def test_descriptors_are_dlibs_on_noise_and_flat_pictures(descriptors: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 150, 150, 3), np.uint8)
    flat = np.stack([np.full((150, 150, 3), value, np.uint8) for value in (0, 255)])
    ours, theirs = descriptors(np.concatenate([noise, flat]))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_descriptors_are_dlibs_on_faces(descriptors: Any, shared_data: Path) -> None:
    from PIL import Image

    files = sorted((shared_data / "lfw" / "images").iterdir())[::800]
    pictures = [Image.open(file).convert("RGB").resize((150, 150)) for file in files]
    ours, theirs = descriptors(np.stack([np.asarray(picture) for picture in pictures]))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert np.abs(theirs[0] - theirs[1]).max() > 0.05
