"""YuNet against OpenCV's own use of the same file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lineament.core.faces import Faces
from lineament.core.geometry import box_iou
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.core.weights import fetch
from lineament.see.detect.grid import resize
from lineament.see.detect.yunet import CARD, YuNet, YuNetConfig


@pytest.fixture(scope="module")
def opencv(detectors):
    """``opencv(pixels)``: rows of x, y, width, height, ten of points, score."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    config = detectors["yunet"].config
    path = fetch(CARD.weights[0])
    network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), config.score, config.nms_iou)

    def find(pixels: np.ndarray) -> np.ndarray:
        network.setInputSize((pixels.shape[1], pixels.shape[0]))
        rows = network.detect(np.ascontiguousarray(pixels[..., ::-1]))[1]
        return np.empty((0, 15), np.float32) if rows is None else rows

    return find


def pictures_of_the_album(album: Path) -> list[Image]:
    return [read_image(path) for path in sorted(album.rglob("*.jpg"))[::4] if _is_whole(path)]


def _is_whole(path: Path) -> bool:
    return cv2.imread(str(path)) is not None


def assert_same(faces: Faces, rows: np.ndarray) -> None:
    assert len(faces) == len(rows)
    corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    np.testing.assert_allclose(faces.boxes, corners, atol=1)
    np.testing.assert_allclose(faces.keypoints.points, rows[:, 4:14].reshape(-1, 5, 2), atol=1)
    np.testing.assert_allclose(faces.scores, rows[:, 14], atol=1e-3)


def test_the_same_faces_as_opencv_on_real_pictures(opencv, detectors, read):
    images = [
        *read("facemask853/images", 40),
        *read("lfw/images", 15),
        *read("celeba5k/img", 15),
        *read("aflw2000_16", 16),
    ]
    assert len(images) >= 80
    assert len({image.pixels.shape for image in images}) >= 15
    total = 0
    for image in images:
        faces = detectors["yunet"]([image])[0]
        assert_same(faces, opencv(image.pixels))
        total += len(faces)
    assert total >= 150


def test_the_same_faces_as_opencv_on_the_album(opencv, detectors, album):
    images = pictures_of_the_album(album)
    assert len(images) >= 20
    for image in images:
        assert_same(detectors["yunet"]([image])[0], opencv(image.pixels))


def test_scaled_down_by_us_or_by_opencv_the_faces_agree(opencv, read):
    """Large pictures: our antialiased reduction against OpenCV's averaging of areas."""
    yunet = YuNet(YuNetConfig(max_side=400), threads=1)
    overlaps, clear = [], 0
    for image in read("facemask853/images", 20):
        large = resize(image, 3.7)
        faces = yunet([large])[0]
        scale = 400 / max(large.width, large.height)
        size = (round(large.width * scale), round(large.height * scale))
        rows = opencv(cv2.resize(large.pixels, size, interpolation=cv2.INTER_AREA))
        rows = rows[rows[:, 14] > 0.8]
        corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1) / scale
        clear += len(rows)
        if len(rows) and len(faces):
            overlaps += box_iou(corners, faces.boxes).max(axis=1).tolist()
    assert clear >= 40
    assert np.sum(np.asarray(overlaps) > 0.8) >= 0.95 * clear
