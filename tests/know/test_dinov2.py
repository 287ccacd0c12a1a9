"""General features: the cut graph against the whole one, and the geometry of the tokens."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from lineament.core.crops import Crops
from lineament.core.errors import WeightError
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.core.weights import fetch
from lineament.know.embed.dinov2 import (
    CARD,
    DEVIATION,
    DIMENSION,
    MEAN,
    SIDE,
    TOKENS,
    DinoV2,
    cut,
    planes,
)


@pytest.fixture(scope="module")
def network() -> DinoV2:
    return DinoV2(threads=1)


@pytest.fixture(scope="module")
def photo(album) -> Image:
    return read_image(sorted(album.glob("**/*.jpg"))[0])


def square(pixels: np.ndarray) -> Image:
    return Image(np.ascontiguousarray(pixels))


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def test_planes_are_normalised_as_imagenet_is():
    colour = np.array([124, 116, 104], np.uint8)
    flat = planes(Image(np.tile(colour, (300, 200, 1))))
    assert flat.shape == (3, SIDE, SIDE)
    np.testing.assert_allclose(flat[:, 5, 7], (colour / 255 - MEAN) / DEVIATION, rtol=1e-5)
    assert np.ptp(flat, axis=(1, 2)).max() < 1e-6


def test_planes_are_of_the_middle_square():
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 255
    white = (1 - MEAN) / DEVIATION
    inner = planes(Image(pixels))[:, :, 3:-3]  # the filter reaches past the edge
    expected = np.broadcast_to(white[:, None, None], inner.shape)
    np.testing.assert_allclose(inner, expected, rtol=1e-5)


def test_the_cut_graph_says_what_the_whole_one_does_there(network, photo):
    whole = onnx.load_model_from_string(fetch(CARD.weights[0]).read_bytes())
    whole.graph.output.append(helper.make_empty_tensor_value_info(TOKENS))
    session = onnxruntime.InferenceSession(
        whole.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    expected = np.asarray(session.run([TOKENS], {"input_image": planes(photo)[None]})[0])
    tokens = network.tokens([photo])
    assert tokens.shape == (1, 257, DIMENSION)
    np.testing.assert_allclose(tokens, expected, atol=2e-3)
    np.testing.assert_array_equal(network([photo]), tokens[:, 0])


def test_patches_follow_the_picture_by_row_when_it_moves(network, photo):
    """A picture moved by one patch to the right moves the patch tokens by one column."""
    big = np.asarray(photo.pillow.resize((SIDE + 28, SIDE + 28)))
    here, right, down = (
        square(big[top : top + SIDE, left : left + SIDE])
        for top, left in ((14, 14), (14, 0), (0, 14))
    )
    a, b, c = network.tokens([here, right, down])[:, 1:].reshape(3, 16, 16, DIMENSION)
    inner = slice(3, -3)
    moved = cosine(a[inner, 3:-4], b[inner, 4:-3]).mean()
    assert moved > 0.95
    assert moved > cosine(a[inner, 3:-4], b[inner, 3:-4]).mean() + 0.02
    assert cosine(a[3:-4, inner], c[4:-3, inner]).mean() > 0.95


def test_colours_stand_in_the_order_that_it_was_trained_with(network, album):
    """Mirroring is what it learned to look past; channels in the wrong order are not."""
    photos = [read_image(path) for path in sorted(album.glob("**/*.jpg"))[:4]]
    plain = network(photos)
    mirrored = network([square(p.pixels[:, ::-1]) for p in photos])
    swapped = network([square(p.pixels[..., ::-1]) for p in photos])
    assert cosine(plain, mirrored).mean() > 0.95
    assert cosine(plain, mirrored).mean() > cosine(plain, swapped).mean()


def test_batches_crops_and_nothing(photo):
    network = DinoV2(batch=2, threads=1)
    pixels = np.stack([np.asarray(photo.pillow.resize((112, 112)))] * 3)
    crops = Crops(pixels, np.zeros((3, 2, 3), np.float32), "arcface112")
    vectors = network(crops)
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-4)
    np.testing.assert_allclose(vectors[0], network([Image(pixels[0])])[0], atol=1e-4)
    assert network([]).shape == (0, DIMENSION)
    assert network.seconds > 0


def test_another_graph_is_refused():
    node = helper.make_node("Relu", ["x"], ["y"])
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in "xy")
    with pytest.raises(WeightError, match="not the saliency network"):
        cut(helper.make_model(helper.make_graph([node], "g", [x], [y])))
