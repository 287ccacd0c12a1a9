"""The geometry of top-k sets, by construction and by counting; the check of a gallery."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from lineament.core.embeddings import encode
from lineament.core.errors import BadInput
from lineament.know.embedding_limits import (
    answered_people,
    check_gallery,
    critical_by_cubic,
    largest_margin,
    needed_dimension,
    on_trigonometric_curve,
    query_on_curve,
)
from lineament.know.free_embeddings import every_set, found


@pytest.mark.parametrize(("points", "k"), [(9, 1), (60, 2), (12, 3), (10, 4)])
def test_on_the_curve_every_set_is_a_top_k(points, k):
    documents = on_trigonometric_curve(points, k)
    assert documents.shape == (points, 2 * k)
    np.testing.assert_allclose(np.linalg.norm(documents, axis=1), 1)
    for size in range(1, k + 1):
        sets = list(combinations(range(points), size))
        queries = np.stack([np.pad(query_on_curve(points, s), (0, 2 * (k - size))) for s in sets])
        np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1)
        assert found(queries, documents, every_set(points, size)).all()


def test_scores_on_the_curve_are_the_polynomial_they_are_said_to_be():
    points, members = 7, (1, 4)
    scores = on_trigonometric_curve(points, 2) @ query_on_curve(points, members)
    t = 2 * np.pi * np.arange(points) / points
    expected = -np.prod([1 - np.cos(t - t[m]) for m in members], axis=0)
    # Alike up to a factor and a constant.
    slope = (scores[0] - scores[2]) / (expected[0] - expected[2])
    assert slope > 0
    np.testing.assert_allclose(scores - scores[1], slope * (expected - expected[1]), atol=1e-12)


def test_in_a_byte_a_number_the_curve_loses_sets():
    """Its margins shrink as n to the power -4; what holds exactly does not hold in few bits."""
    points, pairs = 24, list(combinations(range(24), 2))
    documents = on_trigonometric_curve(points, 2).astype(np.float32)
    queries = np.stack([query_on_curve(points, pair) for pair in pairs])
    coarse = encode(documents).astype(np.float64)
    assert found(queries, documents.astype(np.float64), every_set(points, 2)).all()
    assert 0.5 < found(queries, coarse, every_set(points, 2)).mean() < 0.95


def some_pair_is_missed(documents: np.ndarray) -> bool:
    """Whether two pairs of points cross: segments that meet are parted by no line."""
    for a, b, c, d in combinations(range(len(documents)), 4):
        for one, other in (((a, b), (c, d)), ((a, c), (b, d)), ((a, d), (b, c))):
            p, q = documents[list(one)], documents[list(other)]
            rows = np.stack([p[1] - p[0], q[0] - q[1]], axis=1)
            if abs(np.linalg.det(rows)) > 1e-9:
                at = np.linalg.solve(rows, q[0] - p[0])
                if np.all((at > 0) & (at < 1)):
                    return True
    return False


def test_four_points_of_a_circle_miss_a_pair_always():
    """In the plane the bound is 3 points: the diagonals of a quadrilateral cross."""
    assert needed_dimension(4, 2) == 3
    assert needed_dimension(3, 2) == 2
    for seed in range(100):
        angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, 4)
        assert some_pair_is_missed(np.stack([np.cos(angles), np.sin(angles)], axis=1))


def test_needed_dimension():
    assert needed_dimension(2, 1) == 1
    assert needed_dimension(1_000_000, 1) == 2
    assert needed_dimension(1_000_000, 2) == 4
    assert needed_dimension(1_000_000, 64) == 128
    assert needed_dimension(10, 9) == 9


@pytest.mark.parametrize(("points", "k"), [(1, 1), (3, 0), (3, 3), (3, 4)])
def test_sets_that_leave_nothing_out_are_refused(points, k):
    for question in (needed_dimension, largest_margin, on_trigonometric_curve):
        with pytest.raises(BadInput, match="out of"):
            question(points, k)


@pytest.mark.parametrize(
    ("dimension", "size"), [(512, 500e3), (768, 1.7e6), (1024, 4e6), (3072, 107e6), (4096, 250e6)]
)
def test_the_cubic_gives_the_sizes_that_the_paper_names(dimension, size):
    assert critical_by_cubic(dimension) == pytest.approx(size, rel=0.04)


def test_no_dimension_is_refused():
    with pytest.raises(BadInput, match="1 or more"):
        critical_by_cubic(0)


@pytest.mark.parametrize(("points", "k"), [(5, 1), (6, 2), (8, 3), (8, 7)])
def test_a_simplex_has_the_largest_margin(points, k):
    centred = np.eye(points) - 1 / points
    documents = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    members = every_set(points, k)[0]
    query = documents[members].sum(axis=0)
    scores = documents @ (query / np.linalg.norm(query))
    margin = scores[members].min() - scores[~members].max()
    assert margin == pytest.approx(largest_margin(points, k))


def test_a_gallery_of_128_dimensions():
    sizing = check_gallery(100_000, 128, 64)
    assert sizing.people
    assert sizing.any_set
    assert sizing.set_size == 64
    assert sizing.any_pair == pytest.approx(9117, abs=1)
    assert "100,000 faces in 128 dimensions" in sizing.lines()[0]
    more = check_gallery(100_000, 128, 65)
    assert not more.any_set
    assert "does not exist; it does for up to 64" in more.lines()[2]


def test_few_faces_have_every_set():
    sizing = check_gallery(10, 16, 9)
    assert sizing.set_size == 9
    assert sizing.any_set
    assert check_gallery(10, 1, 3).people is False
    with pytest.raises(BadInput, match="10 points"):
        check_gallery(10, 16, 10)


def test_people_are_answered_whole_where_no_other_face_comes_between():
    """Worked by hand on a circle: 0 and 10 degrees are one person, 40 and 80 another with a third
    person's 60 between them, and 200 somebody seen once."""
    angles = np.radians([0, 10, 40, 80, 60, 65, 200])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    people = np.asarray([7, 7, 3, 3, 5, 5, 9])
    # The mean of 7 lies at 5, its faces 5 away; that of 3 at 60, its faces 20 away, those of 5
    # nearer; that of 5 at 62.5, its faces 2.5 away.
    assert answered_people(vectors, people) == (2, 3)
    assert answered_people(vectors[:1], people[:1]) == (0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_answered_people_agrees_with_a_plain_count(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((60, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    people = rng.integers(0, 25, 60)
    whole = several = 0
    for person in set(people.tolist()):
        mine = people == person
        if mine.sum() > 1:
            several += 1
            scores = vectors @ vectors[mine].mean(axis=0)
            whole += bool(scores[mine].min() > scores[~mine].max())
    assert answered_people(vectors, people) == (whole, several)
