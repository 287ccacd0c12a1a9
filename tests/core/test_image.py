"""What counts as a picture."""

from __future__ import annotations

import numpy as np
import pytest

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
