"""What counts as a picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from lineament.core.image import Image


def test_height_comes_before_width():
    image = Image(np.zeros((4, 7, 3), np.uint8), "a.png")
    assert (image.height, image.width, image.source, image.scale) == (4, 7, "a.png", 1.0)


# The test suite's checker sees some of these before the class itself does, and raises TypeError.
@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 7), np.uint8),
        np.zeros((4, 7, 4), np.uint8),
        np.zeros((0, 7, 3), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
        np.zeros((4, 7, 3), np.float32),
        np.zeros((1, 4, 7, 3), np.uint8),
    ],
    ids=["grey", "alpha", "no rows", "no columns", "float", "batch"],
)
def test_anything_else_is_refused(pixels):
    with pytest.raises((ValueError, TypeError)):
        Image(pixels)


def test_an_image_cannot_be_swapped_out():
    image = Image(np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(AttributeError):
        image.source = "b.png"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    "box", [(1, 2, 5, 6), (-3, -2, 4, 3), (5, 4, 12, 11), (-2, -2, 11, 9), (20, 20, 23, 22)]
)
def test_a_cut_is_that_part_of_a_picture_with_black_around_it(box):
    pixels = np.random.default_rng(0).integers(1, 256, (7, 9, 3), np.uint8)
    around = np.pad(pixels, ((30, 30), (30, 30), (0, 0)))
    x1, y1, x2, y2 = (side + 30 for side in box)
    np.testing.assert_array_equal(np.asarray(Image(pixels).cut(*box)), around[y1:y2, x1:x2])


def test_both_layouts_hold_the_same_picture():
    pixels = np.random.default_rng(1).integers(0, 256, (5, 9, 3), np.uint8)
    ours = Image(pixels)
    theirs = Image.of_pillow(ours.pillow, "a.png", 0.5)
    assert (theirs.height, theirs.width, theirs.source, theirs.scale) == (5, 9, "a.png", 0.5)
    np.testing.assert_array_equal(theirs.pixels, pixels)
    assert theirs.pillow is ours.pillow


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK"])
def test_a_picture_of_pillows_in_another_mode_is_refused(mode):
    with pytest.raises(ValueError, match=mode):
        Image.of_pillow(Pillow.new(mode, (3, 3)))
