"""Skin by colour: pieces against SciPy, the region on drawn and on real pictures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from lineament.core.geometry import box_iou
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.see.detect.yunet import YuNet
from lineament.see.skin import components, face_region, skin

SKIN, SKY, GREY = (224, 172, 140), (120, 170, 220), (128, 128, 128)


@pytest.mark.parametrize("seed", range(100))
def test_components_agree_with_scipy(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 30, 2)) < rng.uniform(0.2, 0.9)
    expected = np.zeros(mask.shape, np.int32)
    ndimage.label(mask, output=expected)
    np.testing.assert_array_equal(components(mask), expected)


def test_components_of_nothing_and_of_everything():
    assert not components(np.zeros((3, 4), bool)).any()
    assert (components(np.ones((3, 4), bool)) == 1).all()


def drawn(*parts: tuple[tuple[int, int, int, int], tuple[int, int, int]]) -> Image:
    pixels = np.full((120, 160, 3), SKY, np.uint8)
    for (x1, y1, x2, y2), colour in parts:
        pixels[y1:y2, x1:x2] = colour
    return Image(pixels)


def test_skin_is_where_it_was_painted():
    mask = skin(drawn(((40, 20, 80, 70), SKIN)))
    assert mask.sum() == 40 * 50
    assert mask[20:70, 40:80].all()


def test_grey_pictures_have_no_skin():
    levels = np.arange(256, dtype=np.uint8)
    grey = Image(np.repeat(np.repeat(levels[None, :, None], 3, axis=2), 10, axis=0))
    assert not skin(grey).any()
    assert face_region(grey) is None


def test_the_largest_piece_is_the_face_and_the_neck_is_cut_off():
    image = drawn(((40, 10, 80, 110), SKIN), ((120, 30, 135, 60), SKIN))
    box = face_region(image)
    assert box is not None
    # Strands of a hundredth at each end may go; 1.3 times the width of 40 is 52.
    np.testing.assert_allclose(box, [40, 11, 80, 63], atol=2)


def test_specks_and_lines_are_no_face():
    assert face_region(drawn(((40, 10, 42, 110), SKIN))) is None
    assert face_region(drawn(((40, 10, 50, 20), SKIN))) is None


def test_a_large_picture_gives_the_same_box_in_its_own_pixels():
    small = drawn(((40, 20, 100, 90), SKIN))
    large = Image(np.repeat(np.repeat(small.pixels, 4, axis=0), 4, axis=1))
    one, other = face_region(small), face_region(large)
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(other / 4, one, atol=2)


def test_most_faces_of_lfw_are_covered(shared_data):
    paths = sorted((shared_data / "lfw" / "images").glob("*.jpg"))[::200]
    detector, overlaps = YuNet(), []
    for path in paths:
        image = read_image(path)
        box, face = face_region(image), detector([image])[0]
        if box is not None and len(face):
            overlaps.append(float(box_iou(box[None], face.boxes[:1])[0, 0]))
    assert len(overlaps) > 0.9 * len(paths)
    assert np.median(overlaps) > 0.6
