"""Label maps: shares, slices, and the way back to the picture, against OpenCV and geometry."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lineament.core.masks import Masks

NAMES = ("background", "skin", "hair")
STILL = np.asarray([[[1, 0, 0], [0, 1, 0]]], np.float32)


def disc(side: int, radius: float, label: int = 1) -> np.ndarray:
    away = np.hypot(*(np.indices((side, side)) - (side - 1) / 2))
    return np.where(away < radius, np.uint8(label), np.uint8(0))


@pytest.fixture
def masks() -> Masks:
    labels = np.zeros((2, 4, 4), np.uint8)
    labels[0, :2] = 1
    labels[1, 0, 0] = 2
    return Masks(labels, np.repeat(STILL, 2, axis=0), NAMES)


def test_rows_shares_and_masks(masks):
    assert len(masks) == 2
    assert len(masks[1:]) == 1
    assert masks[np.asarray([False, True])].labels[0, 0, 0] == 2
    np.testing.assert_allclose(
        masks.area().values, [[0.5, 0.5, 0], [15 / 16, 0, 1 / 16]], rtol=1e-6
    )
    assert masks.area().names == NAMES
    assert masks.mask("skin").sum(axis=(1, 2)).tolist() == [8, 0]
    with pytest.raises(KeyError, match="no class 'nose'; there are background, skin, hair"):
        masks.mask("nose")


def test_nobody_has_empty_masks():
    none = Masks.none(8, NAMES)
    assert len(none) == 0
    assert none.mask("hair").shape == (0, 8, 8)
    assert none.area().values.shape == (0, 3)
    assert len(none[:0]) == 0


def test_what_does_not_fit_is_refused():
    labels = np.zeros((2, 4, 4), np.uint8)
    with pytest.raises(ValueError, match="1 transforms for 2 maps"):
        Masks(labels, STILL, NAMES)
    with pytest.raises(ValueError, match="same name"):
        Masks(labels[:1], STILL, ("skin", "skin"))


def test_without_a_change_the_map_is_the_picture():
    labels = np.random.default_rng(0).integers(0, 3, (1, 20, 20), np.uint8)
    masks = Masks(labels, STILL, NAMES)
    np.testing.assert_array_equal(masks.label_map(0, 20, 20), labels[0])


def test_a_shift_moves_the_map_and_the_rest_is_background():
    labels = np.full((1, 10, 10), 2, np.uint8)
    transform = np.asarray([[[1, 0, -5], [0, 1, -3]]], np.float32)  # the map starts at (5, 3)
    picture = Masks(labels, transform, NAMES).label_map(0, 30, 20)
    assert picture.shape == (20, 30)
    assert (picture[3:13, 5:15] == 2).all()
    assert (picture > 0).sum() == 100


def test_a_map_may_lie_beyond_the_picture_in_part_or_whole():
    labels = np.full((1, 10, 10), 2, np.uint8)
    over = np.asarray([[[1, 0, 6], [0, 1, 0]]], np.float32)
    assert (Masks(labels, over, NAMES).label_map(0, 8, 10) > 0).sum() == 4 * 10
    away = np.asarray([[[1, 0, 600], [0, 1, 0]]], np.float32)
    assert not Masks(labels, away, NAMES).label_map(0, 8, 10).any()


@pytest.mark.parametrize("degrees", [0, 30, 90, 200])
@pytest.mark.parametrize("gain", [0.3, 1.0, 2.5])
def test_the_pasted_map_is_where_opencv_puts_it(degrees, gain):
    """Against nearest-neighbour sampling: the same but for pixels beside an edge."""
    labels = disc(64, 20)
    labels[10:30, 30:50] = 2
    matrix = cv2.getRotationMatrix2D((60, 50), degrees, gain).astype(np.float32)
    matrix[:, 2] -= 30
    picture = Masks(labels[None], matrix[None], NAMES).label_map(0, 150, 120)
    expected = cv2.warpAffine(
        labels, matrix, (150, 120), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    near_an_edge = cv2.dilate(
        cv2.morphologyEx(expected, cv2.MORPH_GRADIENT, np.ones((3, 3))), np.ones((3, 3))
    )
    inside = near_an_edge == 0
    assert (expected[inside] > 0).sum() > 40
    np.testing.assert_array_equal(picture[inside], expected[inside])


def test_enlarged_edges_are_smooth():
    """A disc of 10 pixels drawn at 8 times the size, against the true disc: at most three
    quarters of the error of nearest-neighbour sampling."""
    labels = disc(32, 10)
    matrix = np.asarray([[1 / 8, 0, 0], [0, 1 / 8, 0]], np.float32)
    picture = Masks(labels[None], matrix[None], NAMES).label_map(0, 249, 249)
    y, x = np.indices((249, 249)) / 8 - 15.5
    true = np.hypot(x, y) < 10
    nearest = labels[np.ix_(*[np.rint(np.arange(249) / 8).astype(int)] * 2)] > 0
    assert ((picture > 0) != true).sum() < (nearest != true).sum() * 0.75
    stairs = np.abs(np.diff((picture > 0).sum(axis=0)))
    assert stairs.max() < np.abs(np.diff(nearest.sum(axis=0))).max()


def test_classes_are_sampled_where_they_are_and_nowhere_is_one_lost():
    """Each class is sampled in its own window: as if each were sampled everywhere."""
    rng = np.random.default_rng(0)
    names = tuple("abcdef")
    for _ in range(20):
        labels = rng.integers(0, 6, (8, 8)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
        matrix = cv2.getRotationMatrix2D((32, 32), rng.uniform(0, 360), rng.uniform(0.2, 3))
        shares = [
            cv2.warpAffine(
                np.where(labels == k, 255.0, 0.0),
                matrix,
                (90, 70),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            )
            for k in range(6)
        ]
        picture = Masks(labels[None], matrix[None].astype(np.float32), names).label_map(0, 90, 70)
        first, second = np.sort(shares, axis=0)[-1:-3:-1]
        # OpenCV places samples at 32nds of a pixel, and fades to 0 beyond the map.
        clear = (first - second > 12) & (np.sum(shares, axis=0) > 254)
        assert clear.mean() > 0.05
        np.testing.assert_array_equal(picture[clear], np.argmax(shares, axis=0)[clear])
