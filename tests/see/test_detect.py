"""What holds for every detector: decoding by hand, batches, mirrors, knobs and odd sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lineament.core.geometry import box_iou
from lineament.core.image import Image
from lineament.see.detect.centerface import _peaks
from lineament.see.detect.grid import resize

SLUGS = ["yunet", "scrfd-500m", "centerface"]
MIRRORED = [1, 0, 2, 4, 3]

pytestmark = pytest.mark.parametrize("slug", SLUGS)


@pytest.fixture
def detector(detectors, slug):
    return detectors[slug]


def with_config(detector, **changes):
    """The same detector, told otherwise; the network is shared."""
    other = object.__new__(type(detector))
    other.__dict__ = {**detector.__dict__, "config": replace(detector.config, **changes)}
    return other


def blank_answer(slug: str, height: int, width: int) -> list[np.ndarray]:
    """Outputs for one picture in which no cell is sure of anything."""
    if slug == "centerface":
        return [np.zeros((k, height // 4, width // 4), np.float32) for k in (1, 2, 2, 10)]
    anchors = 2 if slug == "scrfd-500m" else 1
    kinds = (1, 4, 10) if slug == "scrfd-500m" else (1, 1, 4, 10)
    cells = [anchors * (height // s) * (width // s) for s in (8, 16, 32)]
    return [np.zeros((n, k), np.float32) for k in kinds for n in cells]


def answer_of_one_cell(slug: str) -> list[np.ndarray]:
    """One cell of a 64 x 96 picture says: box 24, 12, 56, 60; points at x 30 + i, y 20 + i."""
    outputs = blank_answer(slug, 64, 96)
    points = np.stack([30 + np.arange(5), 20 + np.arange(5)], axis=1).astype(np.float32)
    if slug == "yunet":  # stride 16, column 2, row 1 of 6 columns
        cell = 1 * 6 + 2
        outputs[1][cell], outputs[4][cell] = 0.9, 0.4 / 0.9 * 1.6
        outputs[7][cell] = [40 / 16 - 2, 36 / 16 - 1, np.log(32 / 16), np.log(48 / 16)]
        outputs[10][cell] = (points / 16 - (2, 1)).ravel()
    elif slug == "scrfd-500m":  # stride 16, the second anchor of column 2, row 1
        anchor = 2 * (1 * 6 + 2) + 1
        outputs[1][anchor] = 0.8
        outputs[4][anchor] = np.asarray([32 - 24, 16 - 12, 56 - 32, 60 - 16]) / 16
        outputs[7][anchor] = (points / 16 - (2, 1)).ravel()
    else:  # stride 4, column 9, row 8: (9 + 0.5 + shift) * 4 is the centre
        row, column = 8, 9
        outputs[0][0, row, column] = 0.8
        outputs[1][:, row, column] = [np.log(48 / 4), np.log(32 / 4)]
        outputs[2][:, row, column] = [36 / 4 - row - 0.5, 40 / 4 - column - 0.5]
        outputs[3][:, row, column] = ((points - (24, 12)) / (32, 48))[:, ::-1].ravel()
    return outputs


def test_one_cell_decodes_to_what_was_worked_by_hand(detector, slug):
    found = detector._decode(answer_of_one_cell(slug), 96)
    np.testing.assert_allclose(found.boxes, [[24, 12, 56, 60]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.8], atol=1e-6)
    expected = np.stack([30 + np.arange(5), 20 + np.arange(5)], axis=1)
    np.testing.assert_allclose(found.points[0], expected, atol=1e-4)


def test_no_sure_cell_is_no_face(detector, slug):
    found = detector._decode(blank_answer(slug, 64, 96), 96)
    assert (found.boxes.shape, found.points.shape) == ((0, 4), (0, 5, 2))


def test_a_batch_gives_what_its_pictures_give_alone(detector, read):
    images = [*read("facemask853/images", 8), *read("lfw/images", 8), *read("celeba5k/img", 4)]
    for alone, together in zip(
        (detector([image])[0] for image in images), detector(images), strict=True
    ):
        assert len(alone) == len(together)
        np.testing.assert_allclose(alone.boxes, together.boxes, atol=0.01)
        np.testing.assert_allclose(alone.scores, together.scores, atol=1e-4)
        np.testing.assert_allclose(alone.keypoints.points, together.keypoints.points, atol=0.01)


def test_results_are_in_order_and_of_the_promised_kinds(detector, read):
    for faces in detector(read("facemask853/images", 10)):
        assert faces.boxes.dtype == faces.scores.dtype == faces.keypoints.points.dtype == np.float32
        assert np.all(np.diff(faces.scores) <= 0)
        assert np.all((faces.scores >= detector.config.score) & (faces.scores <= 1))
        assert np.all(faces.boxes[:, 2:] > faces.boxes[:, :2])
        overlap = box_iou(faces.boxes, faces.boxes) - np.eye(len(faces))
        assert np.all(overlap <= detector.config.nms_iou + 1e-3)


def test_a_mirrored_picture_gives_mirrored_faces(detector, read):
    """Left and right points change places, so their order is what it says."""
    images = read("lfw/images", 20)
    mirrored = [Image(np.ascontiguousarray(image.pixels[:, ::-1])) for image in images]
    distances = []
    for image, faces, others in zip(images, detector(images), detector(mirrored), strict=True):
        points = others.keypoints.points[0, MIRRORED] * (-1, 1) + (image.width - 1, 0)
        eyes = np.linalg.norm(np.subtract(*faces.keypoints.points[0, :2]))
        distances.append(np.linalg.norm(points - faces.keypoints.points[0], axis=1).mean() / eyes)
    assert np.median(distances) < 0.15


def test_a_large_picture_is_scaled_down_and_its_faces_back_up(detector, read):
    small = read("lfw/images", 10)
    large = [resize(image, 4) for image in small]
    limited = with_config(detector, max_side=small[0].width)
    for image, faces, others in zip(small, detector(small), limited(large), strict=True):
        assert image.width == small[0].width
        expected = (faces.boxes[:1] + 0.5) * 4 - 0.5
        assert box_iou(expected, others.boxes[:1])[0, 0] > 0.9


def test_score_and_min_size_choose_among_the_same_faces(detector, read):
    images = read("facemask853/images", 10)
    everyone = detector(images)
    strict = with_config(detector, score=0.75)(images)
    large = with_config(detector, min_size=25.0)(images)
    halved = with_config(detector, min_size=25.0)([Image(i.pixels, scale=0.5) for i in images])
    assert sum(map(len, strict)) < sum(map(len, everyone))
    assert sum(map(len, halved)) < sum(map(len, everyone))
    for all_faces, few, big, scaled in zip(everyone, strict, large, halved, strict=True):
        np.testing.assert_array_equal(few.boxes, all_faces[all_faces.scores >= 0.75].boxes)
        side = (all_faces.boxes[:, 2:] - all_faces.boxes[:, :2]).min(axis=1)
        np.testing.assert_array_equal(big.boxes, all_faces[side >= 25].boxes)
        np.testing.assert_array_equal(scaled.boxes, all_faces[side >= 12.5].boxes)


def test_a_face_that_the_edge_cuts_off_keeps_its_extent(detector, read):
    cut = [Image(image.pixels[:, 48:].copy()) for image in read("lfw/images", 12)]
    lows = [faces.boxes[0, 0] for faces in detector(cut) if len(faces)]
    assert len(lows) >= 6
    assert min(lows) < 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (31, 33), (2000, 3)])
def test_odd_sizes_hold_no_face(detector, shape):
    assert len(detector([Image(np.full((*shape, 3), 90, np.uint8))])[0]) == 0


def test_no_pictures_give_no_faces(detector):
    assert detector([]) == []


def test_peaks_are_cells_that_no_neighbour_exceeds(slug):
    """Against all cells, one by one."""
    heat = np.random.default_rng(len(slug)).random((9, 13)).astype(np.float32)
    expected = []
    for row, column in np.ndindex(heat.shape):
        around = heat[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        if heat[row, column] >= 0.4 and heat[row, column] == around.max():
            expected.append(row * 13 + column)
    assert _peaks(heat, 0.4).tolist() == expected


def test_one_look_finds_a_face_that_fills_a_picture_of_the_largest_size(detector, read, slug):
    """Up to `largest` the search around a detector takes no second, smaller look."""
    side = detector.largest
    found = 0
    for image in read("landmarks106", 20):
        box = max(detector([image])[0], key=lambda face: face.score).box
        x, y = (box[:2] + box[2:]) / 2
        half = float((box[2:] - box[:2]).max()) / 2
        part = image.cut(int(x - half), int(y - half), int(x + half), int(y + half))
        close = Image(np.asarray(part.resize((side, side))))
        faces = detector([close])[0]
        filled = np.asarray([[0, 0, side, side]], np.float32)
        found += bool(len(faces)) and box_iou(faces.boxes[:1], filled)[0, 0] > 0.5
    assert found == 20
