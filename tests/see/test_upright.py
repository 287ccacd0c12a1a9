"""The search: turned photos, close-ups, crowds, and pictures without anybody."""

from __future__ import annotations

import json
import xml.etree.ElementTree as Xml

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.core.faces import Faces
from lineament.core.geometry import box_iou, rotate_points_quarter
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.core.protocols import Detector
from lineament.measure.detection import average_precision
from lineament.see.detect.grid import resize
from lineament.see.detect.pyramid import _OVERLAP, _SMALL, BoundedDetector, _cuts, look
from lineament.see.detect.yunet import YuNet, YuNetConfig
from lineament.see.upright import Search, turn, turn_back


@pytest.fixture(scope="module")
def yunet(detectors):
    return detectors["yunet"]


@pytest.fixture(scope="module")
def search(yunet):
    return Search(yunet)


# ---- turned photos


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_faces_of_a_turned_photo_are_those_of_the_upright_one(search, yunet, read, quarters):
    images = read("lfw/images", 25)
    turned = [turn(image, quarters) for image in images]
    distances, plain = [], []
    for image, other, upright, found, naive in zip(
        images, turned, search(images), search(turned), yunet(turned), strict=True
    ):
        faces = turn_back(found, quarters, image)
        assert len(faces) >= 1
        eyes = np.linalg.norm(np.subtract(*upright.keypoints.points[0, :2]))
        away = faces.keypoints.points[0] - upright.keypoints.points[0]
        distances.append(np.linalg.norm(away, axis=1).mean() / eyes)
        assert box_iou(faces.boxes[:1], upright.boxes[:1])[0, 0] > 0.6
        if len(naive):
            away = turn_back(naive, quarters, image).keypoints.points[0]
            away = away - upright.keypoints.points[0]
            plain.append(np.linalg.norm(away, axis=1).mean() / eyes)
        assert other.width == (image.height if quarters % 2 else image.width)
    assert np.mean(np.asarray(distances) < 0.1) >= 0.96
    # Without the search a face of a turned photo has its points in the wrong places.
    assert np.median(plain) > 0.5


@pytest.mark.parametrize("quarters", range(4))
def test_turn_back_undoes_turn(search, read, quarters):
    image = Image(read("facemask853/images", 3)[1].pixels[:, :-30].copy())
    assert image.width != image.height
    faces = search.detector([image])[0]
    there = turn(image, quarters)
    points = rotate_points_quarter(faces.keypoints.points, -quarters, there.width, there.height)
    corners = rotate_points_quarter(
        faces.boxes.reshape(-1, 2, 2), -quarters, there.width, there.height
    )
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    moved = faces.with_fields(boxes=boxes, keypoints=type(faces.keypoints)(points, "5"))
    back = turn_back(moved, quarters, image)
    np.testing.assert_allclose(back.boxes, faces.boxes, atol=1e-3)
    np.testing.assert_allclose(back.keypoints.points, faces.keypoints.points, atol=1e-3)


def test_turned_photos_of_the_album(search, album):
    rows = json.loads((album / "labels.json").read_text(encoding="utf-8"))["photos"]
    turned = [row for row in rows if row["kind"] == "rotated"]
    assert len(turned) >= 3
    for row in turned:
        image = read_image(album / row["file"])
        truth = np.asarray([face["box"] for face in row["faces"]], np.float32)
        assert np.all(box_iou(truth, search([image])[0].boxes).max(axis=1) > 0.4)


def test_as_is_leaves_turned_photos_and_points_alone(yunet, read):
    images = read("lfw/images", 4)
    for faces, plain in zip(Search(yunet, upright=False)(images), yunet(images), strict=True):
        np.testing.assert_allclose(faces.boxes, plain.boxes, atol=0.01)
        np.testing.assert_allclose(faces.keypoints.points, plain.keypoints.points, atol=0.01)


# ---- large faces


@pytest.mark.parametrize("slug", ["yunet", "scrfd-500m", "centerface"])
def test_a_close_up_too_large_for_the_network_is_found(slug, detectors, read):
    """A face of some 1,300 pixels in a picture of 1,600."""
    detector = detectors[slug]
    found, plain = 0, 0
    for image in read("lfw/images", 6):
        face = detector([image])[0].boxes[0].round().astype(int).clip(0)
        middle = image.pixels[face[1] : face[3], face[0] - 5 : face[2] + 5]
        large = resize(Image(middle), 1600 / max(middle.shape))
        found += one_whole_face(Search(detector)([large])[0])
        plain += one_whole_face(detector([large])[0])
    assert found == 6
    assert plain < 6


def one_whole_face(faces: Faces) -> bool:
    return len(faces) == 1 and bool(faces.boxes[0, 3] - faces.boxes[0, 1] > 1000)


# ---- small faces


@given(st.integers(1, 6000), st.integers(_OVERLAP + 8, 2000))
def test_each_small_face_lies_whole_in_the_one_tile_whose_cell_holds_its_centre(length, limit):
    cuts = _cuts(length, limit)
    assert cuts[0][0] == 0
    assert cuts[-1][1] == length
    assert all(end - start <= limit for start, end, _, _ in cuts)
    for centre in np.linspace(0, length, 50):
        homes = [(start, end) for start, end, low, high in cuts if low <= centre < high]
        assert len(homes) == 1
        start, end = homes[0]
        assert start <= max(0, centre - _SMALL / 2)
        assert min(length, centre + _SMALL / 2) <= end


@pytest.fixture(scope="module")
def scenes(shared_data) -> tuple[list[Image], list[np.ndarray]]:
    """Every tenth scene of the detection set, and its boxes."""
    images, truth = [], []
    for path in sorted((shared_data / "facemask853" / "annotations").glob("*.xml"))[::10]:
        boxes = [
            [float(box.findtext(side) or "nan") for side in ("xmin", "ymin", "xmax", "ymax")]
            for box in Xml.parse(path).iter("bndbox")
        ]
        picture = path.parents[1] / "images" / f"{path.stem}.jpg"
        images.append(read_image(picture))
        truth.append(np.asarray(boxes, np.float32).reshape(-1, 4))
    return images, truth


def ap50(detector: Detector, scenes) -> float:
    found = detector(scenes[0])
    return average_precision([f.boxes for f in found], [f.scores for f in found], scenes[1], 0.5)


def test_the_search_finds_more_of_a_crowd(yunet, scenes):
    plain = ap50(yunet, scenes)
    assert ap50(Search(yunet), scenes) > plain - 0.005
    assert ap50(Search(yunet, small_faces=True), scenes) > plain + 0.1


def test_tiles_and_one_piece_give_the_same_faces(scenes):
    """Small tiles of an enlarged scene against the whole of it."""
    images = [image for image in scenes[0] if image.width == 400][:6]
    whole = YuNet(YuNetConfig(max_side=800), threads=1)
    tiled = YuNet(YuNetConfig(max_side=400), threads=1)
    clear = 0
    for one, many in zip(look(whole, images, True), look(tiled, images, True), strict=True):
        sure = one[one.scores > 0.75]
        clear += len(sure)
        if len(sure):
            assert np.all(box_iou(sure.boxes, many.boxes).max(axis=1) > 0.5)
    assert clear >= 10


# ---- nobody, batches, knobs


def test_nobody_is_found_where_nobody_is(search, album):
    rows = json.loads((album / "labels.json").read_text(encoding="utf-8"))["photos"]
    empty = [read_image(album / row["file"]) for row in rows if row["kind"] == "no-face"]
    assert len(empty) >= 5
    assert [len(faces) for faces in search(empty)] == [0] * len(empty)


def test_a_batch_gives_what_its_pictures_give_alone(yunet, read):
    search = Search(yunet, small_faces=True)
    images = [*read("facemask853/images", 6), *read("lfw/images", 3)]
    images[-1] = turn(images[-1], 1)
    for alone, together in zip(
        (search([image])[0] for image in images), search(images), strict=True
    ):
        np.testing.assert_allclose(alone.boxes, together.boxes, atol=0.01)
        np.testing.assert_allclose(alone.keypoints.points, together.keypoints.points, atol=0.01)
    assert search([]) == []


def test_least_size_is_meant_in_pixels_of_the_picture(yunet, scenes):
    """Whatever the size of the view that a face was found in."""
    images = scenes[0][:12]
    large = Search(YuNet(YuNetConfig(min_size=24), threads=1), small_faces=True)(images)
    sides = np.concatenate([f.boxes[:, 2:] - f.boxes[:, :2] for f in large]).min(axis=1)
    everyone = np.concatenate(
        [f.boxes[:, 2:] - f.boxes[:, :2] for f in Search(yunet, small_faces=True)(images)]
    ).min(axis=1)
    assert np.all(sides >= 23.5)
    assert abs(len(sides) - np.sum(everyone >= 24)) <= 0.1 * len(sides)
    assert np.sum(everyone < 24) >= 5


def test_a_search_is_a_detector_and_keeps_the_time(search, yunet, read):
    assert isinstance(search, Detector)
    assert isinstance(yunet, BoundedDetector)
    before = search.seconds
    search(read("lfw/images", 1))
    assert search.seconds > before
