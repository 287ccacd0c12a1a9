"""Maps of where a model looks, by models whose eyes are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from lineament.bench.fer_xai import own_and_others, scores, shrink
from lineament.core.errors import BadInput
from lineament.see.attributes.facex import EXPRESSIONS
from lineament.see.attributes.fer_xai import (
    MOVING,
    REGIONS,
    correlation,
    hull,
    occlusion,
    overlap,
    region_mask,
)

RNG = np.random.default_rng(0)


def test_a_model_that_looks_at_one_corner_is_found_out():
    crop = np.full((40, 40, 3), 10, np.uint8)
    crop[30:, :10] = 210

    def judge(pixels: np.ndarray) -> np.ndarray:
        light = pixels[:, 30:, :10].mean(axis=(1, 2, 3), dtype=np.float32) / 255
        return np.stack([light, 1 - light], axis=1)

    corner, rest = occlusion(judge, crop, parts=4, steps=1)
    mean = crop.mean(axis=(0, 1)).round()[0]
    expected = np.zeros((40, 40), np.float32)
    expected[30:, :10] = (210 - mean) / 255
    np.testing.assert_allclose(corner, expected, atol=1e-6)
    np.testing.assert_allclose(rest, -corner, atol=1e-6)
    mask = np.zeros((40, 40), bool)
    mask[30:, :10] = True
    assert overlap(corner, mask) == 1


def test_squares_that_overlap_are_averaged():
    crop = np.zeros((4, 4, 3), np.uint8)
    crop[:, 0] = 200  # the left column

    def judge(pixels: np.ndarray) -> np.ndarray:
        return pixels[:, :, :1].mean(axis=(1, 2, 3), dtype=np.float32)[:, None] / 100

    (heat,) = occlusion(judge, crop, parts=2, steps=2)
    # Squares of 2 x 2 at columns 0, 1, 2; the mean colour is 50. Only those at column 0 cover the
    # left column, half of it: 2 falls to (2 + 0.5) / 2. The second column is also under the next.
    np.testing.assert_allclose(heat, np.tile([0.75, 0.375, 0, 0], (4, 1)), atol=1e-6)


@pytest.mark.parametrize(("parts", "steps"), [(0, 1), (1, 0), (9, 9)])
def test_grids_that_do_not_fit_are_refused(parts: int, steps: int):
    with pytest.raises(BadInput, match="no grid"):
        occlusion(
            lambda p: np.zeros((len(p), 1), np.float32),
            np.zeros((20, 20, 3), np.uint8),
            parts,
            steps,
        )


@pytest.mark.parametrize("seed", range(10))
def test_hulls_are_opencvs(seed: int):
    points = np.random.default_rng(seed).integers(0, 9, (12, 2)).astype(np.float32)
    expected = cv2.convexHull(points)[:, 0]
    assert {tuple(p) for p in hull(points).tolist()} == {tuple(p) for p in expected.tolist()}


def test_masks_cover_their_regions_and_no_others():
    points = np.zeros((478, 2), np.float32)
    places = {"brows": (10, 10), "eyes": (40, 10), "nose": (10, 40), "cheeks": (40, 40)}
    places["mouth"] = (70, 70)
    for region, (x, y) in places.items():
        for vertices in REGIONS[region]:
            square = [(x, y), (x + 8, y), (x + 8, y + 8), (x, y + 8)]
            points[list(vertices)] = [square[k % 4] for k in range(len(vertices))]
    mask = region_mask(points, ("eyes", "mouth"), 90)
    expected = np.zeros((90, 90), bool)
    expected[10:19, 40:49] = expected[70:79, 70:79] = True
    np.testing.assert_array_equal(mask, expected)
    assert set(MOVING) | {"neutral"} == set(EXPRESSIONS)
    assert all(set(regions) <= set(REGIONS) for regions in MOVING.values())


@pytest.mark.parametrize("seed", range(10))
def test_figures_are_those_of_independent_implementations(seed: int):
    rng = np.random.default_rng(seed)
    heat, mask = rng.normal(size=(12, 9)), rng.random((12, 9)) < 0.3
    chosen = heat >= np.sort(heat, axis=None)[-mask.sum()]
    assert overlap(heat, mask) == pytest.approx(jaccard_score(mask.ravel(), chosen.ravel()))
    expected = np.corrcoef(heat.ravel(), mask.ravel())[0, 1]
    assert correlation(heat, mask.astype(float)) == pytest.approx(expected)


def test_maps_that_say_nothing_are_refused():
    flat, mask = np.ones((3, 3)), np.eye(3)
    with pytest.raises(BadInput, match="flat"):
        correlation(flat, mask)
    with pytest.raises(BadInput, match="finite"):
        overlap(mask * np.nan, mask > 0)
    with pytest.raises(BadInput, match="pixels"):
        overlap(flat, mask > 5)


def test_own_masks_are_told_from_those_of_others():
    shown = np.asarray([0, 0, 1, 1])
    masks = np.zeros((4, 2, 8, 8), bool)
    masks[:, 0, :4], masks[:, 1, 4:] = True, True
    heats = np.where(shown[:, None, None] == 0, masks[:, 0], masks[:, 1]).astype(np.float32)
    found = scores(heats, masks, shown)
    np.testing.assert_allclose(found[..., 0], np.eye(2))
    np.testing.assert_allclose(own_and_others(found), [[1, 1], [0, -1]], atol=1e-6)
    small = shrink(np.repeat(np.repeat(heats[0], 4, 0), 4, 1))
    np.testing.assert_array_equal(small, heats[0])
