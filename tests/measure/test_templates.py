"""Pooling against its definition, medium by medium, and by what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput
from lineament.measure.templates import pool


def random_set(seed: int) -> tuple[Embeddings, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    vectors = Embeddings.normalised(rng.normal(size=(n, 16)) + 0.5, "toy")
    return vectors, rng.integers(-2, 6, n), rng.integers(0, 4, n), rng.uniform(0.1, 1, n)


def pooled_by_definition(vectors, templates, media, quality, name) -> np.ndarray:
    means = []
    for medium in set(media[templates == name]):
        rows = np.flatnonzero((templates == name) & (media == medium))
        means.append(sum(quality[r] * vectors[r].astype(float) for r in rows) / len(rows))
    mean = np.mean(means, axis=0)
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize("seed", range(100))
def test_pooling_is_as_defined(seed):
    embeddings, templates, media, quality = random_set(seed)
    for weights in (quality, None):
        names, pooled = pool(embeddings, templates, media, weights)
        assert names.tolist() == sorted(set(templates.tolist()))
        assert pooled.space == "toy"
        used = np.ones(len(templates)) if weights is None else weights
        for name, vector in zip(names, pooled.vectors, strict=True):
            expected = pooled_by_definition(embeddings.vectors, templates, media, used, name)
            assert vector == pytest.approx(expected, abs=1e-6)  # float32 is what comes out


def test_by_hand():
    # Two frames of a video along x, a still along y: the two media count the same.
    vectors = np.asarray([[1, 0], [1, 0], [0, 1]], np.float32)
    embeddings, one = Embeddings(vectors, "toy"), np.zeros(3, int)
    media = np.asarray([5, 5, 6])
    _, pooled = pool(embeddings, one, media)
    assert pooled.vectors[0] == pytest.approx(np.asarray([1, 1]) / 2**0.5)
    # The video's mean quality is 0.4, the still's 0.3.
    _, pooled = pool(embeddings, one, media, np.asarray([0.2, 0.6, 0.3]))
    assert pooled.vectors[0] == pytest.approx(np.asarray([0.8, 0.6]))


@pytest.mark.parametrize("seed", range(20))
def test_what_must_not_matter(seed):
    embeddings, templates, media, quality = random_set(seed)
    names, pooled = pool(embeddings, templates, media, quality)
    order = np.random.default_rng(seed).permutation(len(templates))
    shuffled = Embeddings(embeddings.vectors[order], "toy")
    again = [
        pool(shuffled, templates[order], media[order], quality[order]),
        pool(embeddings, templates, 100 - media, quality),
        pool(embeddings, templates, media, 7 * quality),
        pool(
            embeddings, templates, media + 1000 * templates, quality
        ),  # media are a template's own
    ]
    for same_names, same in again:
        assert same_names.tolist() == names.tolist()
        assert same.vectors == pytest.approx(pooled.vectors, abs=1e-6)


def test_a_single_picture_is_itself():
    embeddings, *_ = random_set(8)
    rows = np.arange(len(embeddings.vectors))
    names, pooled = pool(embeddings, rows, np.zeros_like(rows))
    assert names.tolist() == rows.tolist()
    assert pooled.vectors == pytest.approx(embeddings.vectors, abs=1e-6)


def test_what_has_no_direction_is_refused():
    vectors = np.asarray([[1, 0], [-1, 0], [0, 1]], np.float32)
    embeddings, templates, media = Embeddings(vectors, "toy"), np.asarray([3, 3, 4]), np.arange(3)
    with pytest.raises(BadInput, match="template 3 has no direction"):
        pool(embeddings, templates, media)
    with pytest.raises(BadInput, match="template 4 has no direction"):
        pool(embeddings, templates, media, np.asarray([1.0, 0.5, 0.0]))


@pytest.mark.parametrize("quality", [[-0.1, 1.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_impossible_qualities_are_refused(quality):
    embeddings = Embeddings(np.eye(2, dtype=np.float32), "toy")
    with pytest.raises(BadInput, match="qualities"):
        pool(embeddings, np.zeros(2, int), np.arange(2), np.asarray(quality))


def test_lengths_must_agree():
    embeddings = Embeddings(np.eye(2, dtype=np.float32), "toy")
    with pytest.raises((BadInput, TypeCheckError)):
        pool(embeddings, np.zeros(3, int), np.zeros(3, int))
    empty = Embeddings(np.zeros((0, 2), np.float32), "toy")
    with pytest.raises(BadInput, match="at least one"):
        pool(empty, np.zeros(0, int), np.zeros(0, int))
