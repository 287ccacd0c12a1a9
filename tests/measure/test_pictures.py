"""Distances of pictures against direct sums, OpenCV and worked values."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial.distance import cosine

from lineament.core.errors import BadInput
from lineament.measure.pictures import feature_distance, identity_similarity, psnr, ssim


def pair(seed: int, height: int = 14, width: int = 13) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (height, width, 3))
    noise = rng.normal(0, rng.uniform(1, 60), a.shape)
    return a.astype(np.uint8), np.clip(a + noise, 0, 255).astype(np.uint8)


def ssim_directly(a: np.ndarray, b: np.ndarray, peak: float) -> float:
    """Equations 13 to 16 of the paper, a window at a time."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    values = []
    for channel in range(a.shape[2]):
        for y in range(a.shape[0] - 10):
            for x in range(a.shape[1] - 10):
                p = a[y : y + 11, x : x + 11, channel].astype(np.float64)
                q = b[y : y + 11, x : x + 11, channel].astype(np.float64)
                mp, mq = (weights * p).sum(), (weights * q).sum()
                vp, vq = (weights * (p - mp) ** 2).sum(), (weights * (q - mq) ** 2).sum()
                cov = (weights * (p - mp) * (q - mq)).sum()
                top = (2 * mp * mq + c1) * (2 * cov + c2)
                values.append(top / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return float(np.mean(values))


@pytest.mark.parametrize("seed", range(100))
def test_agrees_with_direct_sums_and_opencv(seed):
    a, b = pair(seed)
    assert psnr(a, b) == pytest.approx(cv2.PSNR(a, b), abs=1e-9)
    assert ssim(a, b) == pytest.approx(ssim_directly(a, b, 255), abs=1e-9)
    assert ssim(a / 255, b / 255, 1.0) == pytest.approx(ssim(a, b), abs=1e-9)
    assert psnr(a / 255, b / 255, 1.0) == pytest.approx(psnr(a, b), abs=1e-9)


def test_grey_pictures_are_their_own_channel():
    a, b = pair(0, 30, 20)
    channels = [ssim(a[:, :, k], b[:, :, k]) for k in range(3)]
    assert ssim(a, b) == pytest.approx(np.mean(channels), abs=1e-12)
    one = np.zeros((2, 2), np.uint8)
    other = np.asarray([[0, 0], [0, 10]], np.uint8)
    assert psnr(one, other) == pytest.approx(10 * np.log10(255**2 / 25))


def test_equal_and_flat_pictures():
    a, _ = pair(0)
    assert psnr(a, a) == float("inf")
    assert ssim(a, a) == pytest.approx(1, abs=1e-12)
    # Without structure only the light is left: (2 m n + c1) / (m^2 + n^2 + c1).
    dark, light = np.full((11, 11), 100.0), np.full((11, 11), 150.0)
    c1 = 2.55**2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert ssim(dark, light) == pytest.approx(expected, abs=1e-9)


def layers_of(picture: np.ndarray) -> list[np.ndarray]:
    channels = np.moveaxis(picture.astype(np.float64), 2, 0)
    return [channels + 1, np.stack([channels[0], channels[1] - 100])[:, ::2, ::2]]


@pytest.mark.parametrize("seed", range(100))
def test_feature_distance_agrees_with_a_loop(seed):
    a, b = pair(seed, 6, 5)
    expected = 0.0
    for one, other in zip(layers_of(a), layers_of(b), strict=True):
        _, height, width = one.shape
        for y in range(height):
            for x in range(width):
                # Two unit vectors at angle t are 2 - 2 cos t apart, squared.
                expected += 2 * cosine(one[:, y, x], other[:, y, x]) / (height * width)
    assert feature_distance(a, b, layers_of) == pytest.approx(expected, abs=1e-9)
    assert feature_distance(a, a, layers_of) == 0


def test_a_position_without_features_is_at_distance_one_from_any():
    a, b = np.zeros((1, 2, 3)), np.zeros((1, 2, 3))
    b[0, 0] = 3, 0, 4  # one of two positions
    distance = feature_distance(a, b, lambda picture: [np.moveaxis(picture, 2, 0)])
    assert distance == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("seed", range(100))
def test_identity_similarity_agrees_with_scipy(seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 5, 16))
    expected = [1 - cosine(x, y) for x, y in zip(a, b, strict=True)]
    assert identity_similarity(a, b) == pytest.approx(expected, abs=1e-9)
    assert identity_similarity(a, -3 * a) == pytest.approx(-np.ones(5), abs=1e-12)


def test_what_has_no_distance_is_refused():
    a, b = pair(0)
    small = np.ones((10, 40))
    with pytest.raises(BadInput, match="11 pixels"):
        ssim(small, small)
    for metric in (psnr, ssim):
        with pytest.raises(BadInput, match="finite"):
            metric(a * np.nan, b * 1.0)
        with pytest.raises(BadInput, match="peak"):
            metric(a, b, 0.0)
        with pytest.raises(BadInput, match="nothing"):
            metric(a[:0], b[:0])
    with pytest.raises(BadInput, match="layers"):
        feature_distance(a, b, lambda _: [])
    with pytest.raises(BadInput, match="channels x height"):
        feature_distance(a, b, lambda _: [np.ones((3, 4))])
    with pytest.raises(BadInput, match="finite"):
        feature_distance(a, b, lambda _: [np.full((1, 2, 2), np.nan)])
    with pytest.raises(BadInput, match="direction"):
        identity_similarity(np.zeros((1, 3)), np.ones((1, 3)))
