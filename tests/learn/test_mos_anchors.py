"""MOS: anchors, their codes, who stands for whom, and what a step sees of a scene."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.core.faces import Faces
from lineament.core.geometry import box_iou
from lineament.core.image import Image
from lineament.core.rotations import rotations
from lineament.learn.detection.anchors import (
    BINS,
    CHANNELS,
    SIDES,
    STRIDES,
    anchors,
    bin_middles,
    decode_boxes,
    decode_points,
    encode_boxes,
    encode_points,
    expected_angles,
    to_bins,
    to_boxes,
)
from lineament.learn.detection.decoding import decode
from lineament.learn.detection.labels import alike
from lineament.learn.detection.matching import NOBODY, assign
from lineament.learn.detection.measured import MeanError, Precision, precision
from lineament.learn.detection.scenes import IN_SCENES, Scene, back, choose_part, part, stitch
from lineament.measure.detection import average_precision

RNG = np.random.default_rng(7)
SIDE = st.floats(4, 300)
PLACE = st.floats(-50, 400)


def test_anchors_are_squares_in_the_middle_of_their_cells():
    """64 x 96: 8 x 12, 4 x 6 and 2 x 3 cells; the first cell of 8 pixels is about 3.5."""
    found = anchors(64, 96)
    assert len(found) == 2 * (8 * 12 + 4 * 6 + 2 * 3)
    assert found[0].tolist() == [3.5, 3.5, 8]
    assert found[1].tolist() == [3.5, 3.5, 16]
    assert found[2 * 13].tolist() == [11.5, 11.5, 8]
    assert found[-1].tolist() == [79.5, 47.5, 256]
    np.testing.assert_array_equal(to_boxes(found[:1]), [[-0.5, -0.5, 7.5, 7.5]])


@given(PLACE, PLACE, SIDE, SIDE, PLACE, PLACE, st.sampled_from([8, 16, 32, 64, 128, 256]))
def test_codes_are_undone(x, y, width, height, ax, ay, side):
    place = np.asarray([[ax, ay, side]])
    box = np.asarray([[x, y, x + width, y + height]])
    np.testing.assert_allclose(
        decode_boxes(encode_boxes(box, place), place), box, atol=2e-3, rtol=1e-5
    )
    points = np.asarray([[(x, y), (x + width, y), (x, y + 3), (ay, y), (y, ax)]])
    np.testing.assert_allclose(
        decode_points(encode_points(points, place), place), points, atol=2e-3, rtol=1e-5
    )


def test_codes_by_hand():
    """Anchor of 16 about (20, 30); box 24 wide, 16 high about (28, 30)."""
    place = np.asarray([[20.0, 30.0, 16.0]])
    code = encode_boxes(np.asarray([[16.0, 22.0, 40.0, 38.0]]), place)
    np.testing.assert_allclose(code, [[0.5 / 0.1, 0, np.log(1.5) / 0.2, 0]], rtol=1e-6)
    shift = encode_points(np.full((1, 5, 2), (36.0, 22.0)), place)
    np.testing.assert_allclose(shift[0, 0], [10, -5])


def test_bins_and_the_mean_angle():
    assert bin_middles()[[0, -1]] == pytest.approx(np.radians([-94.5, 94.5]))
    angles = np.radians([-200.0, -99.0, -0.1, 0.1, 8.9, 9.1, 98.9, 150.0])
    assert to_bins(angles).tolist() == [0, 0, 10, 11, 11, 12, 21, 21]
    scores = np.full((2, BINS), -40.0)
    scores[0, 13] = 5.0
    scores[1, 3], scores[1, 4] = np.log(3.0), 0.0
    middles = np.degrees(bin_middles())
    expected = [middles[13], 0.75 * middles[3] + 0.25 * middles[4]]
    np.testing.assert_allclose(np.degrees(expected_angles(scores)), expected, atol=1e-3)


def test_who_stands_for_whom_by_hand():
    """IoUs of anchors of side 10 with a box of side 10 shifted by k: (10 - k) / (10 + k)."""
    places = np.asarray([[5, 5, 10], [8, 5, 10], [10.5, 5, 10], [60, 60, 10], [90, 90, 10]], float)
    boxes = np.asarray([[0, 0, 10, 10], [64, 55, 74, 65]], float)
    shifts = np.asarray([0, 3, 5.5])
    expected = (10 - shifts) / (10 + shifts)
    np.testing.assert_allclose(box_iou(to_boxes(places), boxes)[:3, 0], expected, rtol=1e-5)
    assert expected[1] > 0.35 > expected[2]
    # The second box overlaps its best anchor by 1 / 19 only, and has it all the same.
    assert assign(boxes, to_boxes(places)).tolist() == [0, 0, NOBODY, 1, NOBODY]
    assert assign(boxes[:0], to_boxes(places)).tolist() == [NOBODY] * 5


def test_a_face_that_no_anchor_touches_has_none():
    far = np.asarray([[500.0, 500.0, 510.0, 510.0]])
    assert set(assign(far, to_boxes(anchors(64, 64))).tolist()) == {NOBODY}


def maps_of(height: int, width: int) -> list[np.ndarray]:
    """Maps in which no anchor is sure of a face."""
    made = [np.zeros((CHANNELS, height // s, width // s), np.float32) for s in STRIDES]
    for m in made:
        m[:2] = -30
    return made


def test_one_anchor_decodes_to_what_was_worked_by_hand():
    """Second anchor (side 64) of stride 16, column 2, row 1 of a 64 x 96 picture: about
    (39.5, 23.5)."""
    maps = maps_of(64, 96)
    cell = maps[1][:, 1, 2]
    cell[1] = np.log(0.8 / 0.2)
    cell[2 + 4 : 2 + 8] = [1.0, -0.5, np.log(0.5) / 0.2, 0.0]
    cell[10 + 10 : 10 + 20] = np.arange(10)
    pose = np.full((3, BINS), -50.0)
    pose[[0, 1, 2], [10, 15, 2]] = 0
    cell[30 + 3 * BINS :] = pose.ravel()
    maps[1][:, 1, 2] = cell
    found = decode(maps, 0.5)
    x, y = 39.5 + 6.4, 23.5 - 3.2
    np.testing.assert_allclose(found.boxes, [[x - 16, y - 32, x + 16, y + 32]], rtol=1e-5)
    np.testing.assert_allclose(found.scores, [0.8], rtol=1e-5)
    expected = np.arange(10).reshape(5, 2) * 6.4 + (39.5, 23.5)
    np.testing.assert_allclose(found.points[0], expected, rtol=1e-5)
    np.testing.assert_allclose(np.degrees(found.poses[0]), [-4.5, 40.5, -76.5], atol=1e-3)


def test_no_sure_anchor_is_no_face():
    found = decode(maps_of(64, 64), 0.5)
    assert found.boxes.shape == (0, 4)
    assert found.points.shape == (0, 5, 2)
    assert found.poses.shape == (0, 3)
    assert SIDES[0][0] == STRIDES[0]


def spots(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A picture that is bright about some points."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    near = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18) for px, py in points]
    return np.repeat((255 * np.max(near, axis=0))[..., None], 3, axis=2).astype(np.uint8)


def scene() -> Scene:
    five = np.asarray([[(80, 70), (110, 72), (96, 90), (84, 106), (108, 108)]], np.float32)
    boxes = np.asarray([[70, 50, 122, 122]], np.float32)
    pose = np.asarray([[0.1, 0.4, -0.2]], np.float32)
    return Scene(spots(five[0], (160, 220)), boxes, five, pose)


@pytest.mark.parametrize("seed", range(6))
def test_points_boxes_and_poses_move_with_the_pixels(seed):
    whole, rng = scene(), np.random.default_rng(seed)
    matrix = choose_part(whole, 128, rng, IN_SCENES, around=np.asarray([96.0, 88.0]))
    seen = part(whole, matrix, 128)
    if not len(seen.boxes):
        pytest.fail("the part was laid around the face")
    mirrored = np.linalg.det(matrix[:, :2]) < 0
    order = [1, 0, 2, 4, 3] if mirrored else range(5)
    for mine, theirs in zip(seen.points[0], whole.points[0][list(order)], strict=True):
        np.testing.assert_allclose(back(matrix, mine), theirs, atol=1e-3)
        if (mine > 6).all() and (mine < 122).all():
            x, y = np.round(mine).astype(int)
            light = seen.pixels[y - 1 : y + 2, x - 1 : x + 2].mean()
            assert light > 130
    linear = matrix[:, :2] / np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    lift = np.eye(3)
    lift[:2, :2] = linear
    flip = np.diag([-1.0, 1, 1]) if mirrored else np.eye(3)
    expected = lift @ rotations(whole.poses)[0] @ flip  # a face is its own mirror image
    np.testing.assert_allclose(rotations(seen.poses)[0], expected, atol=1e-5)
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    sides = (seen.boxes[0, 2:] - seen.boxes[0, :2]) / scale
    np.testing.assert_allclose(sides, [52, 72], rtol=1e-4)


def test_faces_outside_are_left_out():
    away = np.asarray([[1, 0, 200], [0, 1, 0]], np.float32)
    assert len(part(scene(), away, 128).boxes) == 0


def test_four_are_stitched_row_by_row():
    squares = [
        Scene(np.full((4, 4, 3), k, np.uint8), np.asarray([[0, 1, 2, 3]], np.float32),
              np.full((1, 5, 2), k, np.float32), np.full((1, 3), k, np.float32))
        for k in range(4)
    ]  # fmt: skip
    whole = stitch(squares)
    assert whole.pixels[[0, 0, 7, 7], [0, 7, 0, 7], 0].tolist() == [0, 1, 2, 3]
    assert whole.boxes.tolist() == [[0, 1, 2, 3], [4, 1, 6, 3], [0, 5, 2, 7], [4, 5, 6, 7]]
    assert whole.points[3, 0].tolist() == [7, 7]
    assert whole.poses[:, 0].tolist() == [0, 1, 2, 3]


def test_scenes_that_look_alike_are_one():
    pictures = [RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8) for _ in range(3)]
    smooth = [np.kron(p[:4, :6], np.ones((10, 10, 1), np.uint8)) for p in pictures]
    brighter = np.clip(smooth[1].astype(int) + 4, 0, 255).astype(np.uint8)
    found = alike([Image(p) for p in (*smooth, brighter, smooth[0][:, :, ::-1].copy(), smooth[2])])
    assert found[:3].tolist() == [0, 1, 2]
    assert found[[3, 5]].tolist() == [1, 2]


def test_precision_over_draws_is_that_of_the_drawn_scenes():
    found, truth = [], []
    for _ in range(12):
        real = RNG.uniform(0, 60, (3, 2)).astype(np.float32)
        real = np.concatenate([real, real + RNG.uniform(10, 30, (3, 2)).astype(np.float32)], axis=1)
        near = np.concatenate([real + RNG.normal(0, 2, (3, 4)).astype(np.float32), real[:2] + 40])
        scores = RNG.random(5).astype(np.float32)
        found.append(Faces(near.astype(np.float32), scores=scores))
        truth.append(real)
    figure = precision(found, truth)
    assert isinstance(figure, Precision)
    for rows in (np.arange(12), np.asarray([3, 3, 5, 0, 11, 11])):
        expected = average_precision(
            [found[r].boxes for r in rows], [found[r].scores for r in rows],
            [truth[r] for r in rows], 0.5,
        )  # fmt: skip
        assert 0.1 < expected < 0.9
        assert figure(rows) == pytest.approx(expected, abs=1e-9)


def test_the_mean_error_is_of_faces_that_were_found():
    figure = MeanError(np.asarray([1.0, np.nan, 3.0]))
    assert figure(np.arange(3)) == 2.0
    assert figure.found == 2
    assert figure(np.asarray([0, 0, 1])) == 1.0
