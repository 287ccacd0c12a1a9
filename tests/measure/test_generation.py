"""Distances of distributions and identities against scipy, plain loops and worked values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import polynomial_kernel

from lineament.core.errors import BadInput
from lineament.measure.generation import fid, identities, kid, squared_mmd
from lineament.measure.verification import equal_error_rate


def features(seed: int, n: int = 60, m: int = 50, d: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    real = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    made = rng.normal(size=(m, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)
    return real, made


@pytest.mark.parametrize("seed", range(100))
def test_fid_agrees_with_the_matrix_root_of_scipy(seed):
    real, made = features(seed)
    a, b = np.cov(real.T), np.cov(made.T)
    root = np.real(sqrtm(a @ b))
    expected = ((real.mean(0) - made.mean(0)) ** 2).sum() + np.trace(a + b - 2 * root)
    found = fid(real, made, extractor="arcface@1234")
    assert found.value == pytest.approx(expected, rel=1e-9)
    # Rounding must not make a distance negative.
    assert 0 <= fid(real, real[::-1], extractor="x").value < 1e-9
    assert (found.metric, found.extractor, found.real, found.made) == (
        "FID",
        "arcface@1234",
        60,
        50,
    )


@pytest.mark.parametrize("seed", range(100))
def test_fid_of_fewer_pictures_than_features(seed):
    """Covariances without an inverse: in the one direction that there is, all is by hand."""
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=20)
    axis /= np.linalg.norm(axis)
    x, y = rng.normal(0, 2, 5), rng.normal(3, 1, 6)
    expected = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    found = fid(np.outer(x, axis), np.outer(y, axis), extractor="x").value
    assert found == pytest.approx(expected, abs=1e-6)
    assert fid(np.outer(x, axis), np.outer(x, axis), extractor="x").value == pytest.approx(
        0, abs=1e-9
    )


def test_fid_of_one_feature_worked_by_hand():
    # Means 1 and 5, deviations sqrt(2) and sqrt(8): 16 + (sqrt(2) - sqrt(8))^2 = 18.
    a, b = np.asarray([[0.0], [2.0]]), np.asarray([[3.0], [7.0]])
    assert fid(a, b, extractor="x").value == pytest.approx(18, abs=1e-9)


@pytest.mark.parametrize("seed", range(100))
def test_squared_mmd_agrees_with_the_kernel_of_scikit_learn(seed):
    real, made = features(seed, 9, 12, 4)
    kernels = [
        polynomial_kernel(x, y, degree=3, gamma=1 / 4, coef0=1)
        for x, y in ((real, real), (made, made), (real, made))
    ]
    within = [
        np.mean([k[i, j] for i in range(len(k)) for j in range(len(k)) if i != j])
        for k in kernels[:2]
    ]
    expected = sum(within) - 2 * kernels[2].mean()
    assert squared_mmd(real, made) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_kid_is_the_mean_of_its_blocks_and_unbiased():
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(300, 6)), rng.normal(size=(280, 6))
    found = kid(real, made, extractor="x", block=50, blocks=200, seed=3)
    assert (found.metric, found.block, found.real, found.made) == ("KID", 50, 300, 280)
    assert found == kid(real, made, extractor="x", block=50, blocks=200, seed=3)
    assert found != kid(real, made, extractor="x", block=50, blocks=200, seed=4)
    assert found.error is not None
    # Of two blocks, a and b, the error is |a - b| / 2: how far either lies from their mean.
    one, two = (kid(real, made, extractor="x", block=50, blocks=n, seed=3) for n in (1, 2))
    assert two.error == pytest.approx(abs(one.value - two.value), abs=1e-12)
    assert one.error is None
    # Means of blocks scatter about the figure of all pictures.
    assert abs(found.value - squared_mmd(real, made)) < 4 * found.error
    # Two halves of one distribution: expected 0, so its sign must not be always the same.
    halves = [squared_mmd(*rng.normal(size=(2, 40, 6))) for _ in range(200)]
    assert abs(np.mean(halves)) < 4 * np.std(halves) / 200**0.5
    assert min(halves) < 0 < max(halves)


def test_kid_of_one_block_of_everything_is_exact():
    real, made = features(1, 30, 30)
    found = kid(real, made, extractor="x")
    assert found.value == pytest.approx(squared_mmd(real, made), rel=1e-9)
    assert (found.block, found.error) == (30, None)


@pytest.mark.parametrize("seed", range(100))
def test_identities_agree_with_a_loop(seed):
    rng = np.random.default_rng(seed)
    people = np.concatenate([np.arange(6), rng.integers(0, 6, 12)])
    vectors = rng.normal(size=(6, 8))[people] + rng.normal(0, 0.8, (18, 8))
    within, between = [], []
    for i in range(18):
        for j in range(i):
            value = (
                vectors[i] @ vectors[j] / np.linalg.norm(vectors[i]) / np.linalg.norm(vectors[j])
            )
            (within if people[i] == people[j] else between).append(value)
    found = identities(vectors, people)
    assert found.within == pytest.approx(np.mean(within), abs=1e-9)
    assert found.between == pytest.approx(np.mean(between), abs=1e-9)
    spread = ((np.var(within) + np.var(between)) / 2) ** 0.5
    assert found.d_prime == pytest.approx((np.mean(within) - np.mean(between)) / spread, abs=1e-9)
    scores, same = np.asarray(within + between), np.arange(153) < len(within)
    assert found.eer == pytest.approx(equal_error_rate(scores, same), abs=1e-9)


def test_what_has_no_distance_is_refused():
    real, made = features(0)
    for distance in (fid, kid):
        with pytest.raises(BadInput, match="name what"):
            distance(real, made, extractor=" ")
        with pytest.raises(BadInput, match="at least two"):
            distance(real[:1], made, extractor="x")
        with pytest.raises((BadInput, TypeError)):
            distance(real, made[:, :3], extractor="x")
        with pytest.raises(BadInput, match="finite"):
            distance(real * np.nan, made, extractor="x")
    for block in (1, 51):
        with pytest.raises(BadInput, match="block of 2 to 50"):
            kid(real, made, extractor="x", block=block)
    with pytest.raises(BadInput, match="at least one block"):
        kid(real, made, extractor="x", blocks=0)


def test_people_who_cannot_be_compared_are_refused():
    vectors = np.eye(3)
    with pytest.raises(BadInput, match="no two people"):
        identities(vectors, np.zeros(3, int))
    with pytest.raises(BadInput, match="two pictures"):
        identities(vectors, np.arange(3))
    with pytest.raises(BadInput, match="direction"):
        identities(vectors * 0, np.asarray([0, 0, 1]))
    with pytest.raises(BadInput, match="finite"):
        identities(vectors * np.nan, np.asarray([0, 0, 1]))
