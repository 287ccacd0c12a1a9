"""Plane geometry against its definitions: SVD, counted pixels, plain loops, turned pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lineament.core.crops import ARCFACE_112
from lineament.core.geometry import (
    box_area,
    box_iou,
    clip_boxes,
    invert_transform,
    nms,
    rotate_points_quarter,
    transform_points,
    umeyama,
)

coordinates = st.floats(-500, 500, width=32)
angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.05, 20)
TEMPLATE = np.asarray(ARCFACE_112.points, np.float32)


def similarity_matrix(scale: float, angle: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.asarray([[c, -s, shift[0]], [s, c, shift[1]]])


def umeyama_by_svd(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Equations 34 to 43 of Umeyama (TPAMI 1991), one set of points at a time."""
    s_mean, t_mean = source.mean(0), target.mean(0)
    s, t = source - s_mean, target - t_mean
    u, d, vt = np.linalg.svd(t.T @ s / len(s))
    mirror = np.diag([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ mirror @ vt
    scale = np.trace(np.diag(d) @ mirror) / s.var(axis=0).sum()
    return np.concatenate([scale * rotation, (t_mean - scale * rotation @ s_mean)[:, None]], axis=1)


@given(scales, angles, st.tuples(coordinates, coordinates))
def test_umeyama_finds_a_known_similarity(scale, angle, shift):
    known = similarity_matrix(scale, angle, shift)
    there = transform_points(known, TEMPLATE.astype(np.float64))
    back = umeyama(there[None], TEMPLATE)[0]
    np.testing.assert_allclose(transform_points(back, there), TEMPLATE, atol=0.05)
    undone = invert_transform(back)
    np.testing.assert_allclose(undone[:, :2], known[:, :2], atol=1e-3 * scale)


@given(st.integers(0, 2**32 - 1), st.integers(3, 8))
def test_umeyama_equals_the_svd_form(seed, count):
    random = np.random.default_rng(seed)
    source, target = random.normal(0, 40, (3, count, 2)), random.normal(0, 40, (count, 2))
    fast = umeyama(source, target)
    for one, matrix in zip(source, fast, strict=True):
        # Where both signs of the turn serve nearly equally the optimum itself is ill defined.
        c = (one - one.mean(0)).T @ (target - target.mean(0))
        if abs(np.hypot(c[0, 0] + c[1, 1], c[0, 1] - c[1, 0])) < 1.0:
            continue
        np.testing.assert_allclose(matrix, umeyama_by_svd(one, target), rtol=1e-3, atol=1e-3)


def test_umeyama_is_the_least_squares_optimum():
    random = np.random.default_rng(1)
    source = random.normal(0, 30, (1, 5, 2))
    best = umeyama(source, TEMPLATE)[0].astype(np.float64)

    def error(a, b, tx, ty):
        moved = transform_points(np.asarray([[a, -b, tx], [b, a, ty]]), source[0])
        return ((moved - TEMPLATE) ** 2).sum()

    at = np.asarray([best[0, 0], best[1, 0], best[0, 2], best[1, 2]])
    for step in np.concatenate([np.eye(4), -np.eye(4)]) * (1e-2, 1e-2, 0.1, 0.1):
        assert error(*at) < error(*(at + step))


def test_umeyama_of_coinciding_points_is_a_shift():
    matrix = umeyama(np.full((1, 5, 2), 7.0, np.float32), TEMPLATE)[0]
    np.testing.assert_allclose(matrix[:, :2], np.eye(2))
    np.testing.assert_allclose(matrix[:, 2], TEMPLATE.mean(0) - 7, atol=1e-4)


def test_umeyama_of_nobody_is_empty():
    assert umeyama(np.empty((0, 5, 2), np.float32), TEMPLATE).shape == (0, 2, 3)


@given(
    scales,
    angles,
    st.tuples(coordinates, coordinates),
    hnp.arrays(np.float64, (4, 2), elements=coordinates),
)
def test_the_inverse_takes_points_back(scale, angle, shift, points):
    matrix = similarity_matrix(scale, angle, shift)
    again = transform_points(
        invert_transform(matrix), transform_points(matrix, points).astype(float)
    )
    np.testing.assert_allclose(again, points, atol=2e-3 * max(1, 1 / scale))


def test_a_flat_transform_has_no_inverse():
    with pytest.raises(np.linalg.LinAlgError):
        invert_transform(np.zeros((2, 3)))


whole_boxes = hnp.arrays(np.int64, (6, 4), elements=st.integers(0, 20))


@given(whole_boxes)
def test_iou_equals_counted_pixels(corners):
    boxes = np.concatenate(
        [np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])], 1
    )
    masks = np.zeros((6, 20, 20), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    shared = (masks[:, None] & masks[None]).sum((2, 3))
    union = (masks[:, None] | masks[None]).sum((2, 3))
    expected = np.where(union > 0, shared / np.maximum(union, 1), 0)
    floats = boxes.astype(np.float32)
    np.testing.assert_allclose(box_iou(floats, floats), expected, atol=1e-6)
    np.testing.assert_array_equal(box_area(floats), masks.sum((1, 2)))


def test_inside_out_boxes_are_empty():
    boxes = np.asarray([[5, 5, 1, 9], [0, 0, 4, 4]], np.float32)
    np.testing.assert_array_equal(box_area(boxes), [0, 16])
    np.testing.assert_array_equal(box_iou(boxes, boxes), [[0, 0], [0, 1]])


def test_iou_of_huge_boxes_is_finite():
    boxes = np.asarray([[0, 0, 30000, 30000]], np.float32)
    assert box_iou(boxes, boxes)[0, 0] == 1


def test_clipping_keeps_what_lies_in_the_picture():
    boxes = np.asarray([[-5, -5, 30, 30], [2, 3, 4, 5], [50, 50, 60, 60]], np.float32)
    expected = [[0, 0, 20, 10], [2, 3, 4, 5], [20, 10, 20, 10]]
    np.testing.assert_array_equal(clip_boxes(boxes, width=20, height=10), expected)


def plain_nms(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):  # sorted() keeps ties in order
        if all(box_iou(boxes[i : i + 1], boxes[k : k + 1])[0, 0] <= limit for k in kept):
            kept.append(i)
    return kept


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_nms_equals_a_plain_loop(seed, count, limit):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 30, (count, 2))
    boxes = np.concatenate([corner, corner + random.uniform(0, 20, (count, 2))], 1).astype("f4")
    scores = random.integers(0, 5, count).astype(np.float32)  # few values, hence many ties
    assert nms(boxes, scores, limit).tolist() == plain_nms(boxes, scores, limit)


def test_nms_by_hand():
    # IoU of neighbours that are shifted by half their width: 50 / 150 = 1/3.
    boxes = np.asarray([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10]], np.float32)
    scores = np.asarray([0.8, 0.9, 0.7], np.float32)
    assert nms(boxes, scores, 0.3).tolist() == [1]
    assert nms(boxes, scores, 0.34).tolist() == [1, 0, 2]
    chain = np.asarray([0.9, 0.8, 0.7], np.float32)  # the middle one goes, so the last one stays
    assert nms(boxes, chain, 0.3).tolist() == [0, 2]


@given(st.integers(0, 3), st.integers(1, 9), st.integers(1, 9), st.data())
def test_points_turn_back_as_numpy_turns_pictures(quarters, width, height, data):
    x = data.draw(st.integers(0, width - 1))
    y = data.draw(st.integers(0, height - 1))
    picture = np.zeros((height, width), bool)
    picture[y, x] = True
    rows, columns = np.nonzero(np.rot90(picture, quarters))
    turned = np.stack([columns, rows], axis=1).astype(np.float32)
    assert rotate_points_quarter(turned, quarters, width, height).tolist() == [[x, y]]
