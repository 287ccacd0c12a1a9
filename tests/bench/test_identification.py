"""The splits and the vectors of the protocol on ORL."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from PIL import Image as Pillow

from lineament.bench.identification import METRICS, enlarge, figure, pixels, split
from lineament.bench.open_set import searches
from lineament.core.media import read_image
from lineament.measure.sets.nouns import LabeledPictures

PEOPLE, SHOTS = np.repeat(np.arange(40), 10), np.tile(np.arange(1, 11), 40)
ORL = LabeledPictures((), {"shot": SHOTS}, people=PEOPLE)


@pytest.mark.parametrize(
    ("kind", "enrolled", "mated", "strangers"), [("closed", 40, 360, 0), ("open", 20, 180, 200)]
)
def test_splits(kind, enrolled, mated, strangers):
    parts = split(ORL, kind)
    assert len(parts.gallery) == enrolled
    assert set(SHOTS[parts.gallery]) == {1}
    known = np.isin(PEOPLE[parts.probes], PEOPLE[parts.gallery])
    assert (known.sum(), (~known).sum()) == (mated, strangers)
    assert not set(parts.probes.tolist()) & set(parts.gallery.tolist())


def figures(found, vectors):
    done = {kind: searches(split(ORL, kind), PEOPLE, found, vectors) for kind in ("closed", "open")}
    return [of(done[kind]) for (kind, _), of in METRICS.items()]


def test_perfect_vectors_make_no_error_and_a_face_not_found_makes_one():
    vectors, found = np.eye(40, dtype=np.float32)[PEOPLE], np.ones(400, bool)
    assert figures(found, vectors) == [1, 1, 0, 0]
    found[5] = False  # a probe of person 1
    assert figures(found, vectors[found]) == pytest.approx([359 / 360, 359 / 360, 1 / 180, 1 / 180])
    found[0] = False  # the enrolled picture of person 1: none of its nine probes can be found
    assert figures(found, vectors[found]) == pytest.approx([351 / 360, 351 / 360, 9 / 180, 9 / 180])


def test_intervals_are_over_people():
    vectors, found = np.eye(40, dtype=np.float32)[PEOPLE], np.ones(400, bool)
    found[0] = False
    parts = split(ORL, "closed")
    done = searches(parts, PEOPLE, found, vectors[found])
    rank_1 = figure(METRICS["closed", "rank-1 accuracy"], done, PEOPLE[parts.probes], 0)
    assert rank_1.value == 351 / 360
    # One person of 40 is lost whole: draws hold it 0, 1, 2 or 3 times.
    assert [round(40 * (1 - end)) for end in rank_1.interval] == [3, 0]


def some(tmp_path, count=3):
    rng = np.random.default_rng(0)
    arrays = rng.integers(0, 256, (count, 7, 5), np.uint8)
    paths = tuple(tmp_path / f"{k}.pgm" for k in range(count))
    for path, array in zip(paths, arrays, strict=True):
        Pillow.fromarray(array).save(path)
    return paths, arrays


def test_products_of_pixels_are_correlations(tmp_path):
    paths, arrays = some(tmp_path)
    vectors = pixels(paths)
    assert np.allclose(vectors @ vectors.T, np.corrcoef(arrays.reshape(3, -1)), atol=1e-6)


def test_enlarged_pictures_are_those_of_the_set_at_twice_the_size(tmp_path):
    paths, arrays = some(tmp_path)
    for path, array in zip(enlarge(paths, tmp_path), arrays, strict=True):
        image = read_image(path)
        assert (image.width, image.height) == (10, 14)
        assert (image.pixels[..., 0] == image.pixels[..., 2]).all()
        means = cast(np.ndarray, image.pixels[..., 0].reshape(7, 2, 5, 2).mean(axis=(1, 3)))
        assert np.corrcoef(means.ravel(), array.ravel())[0, 1] > 0.95
