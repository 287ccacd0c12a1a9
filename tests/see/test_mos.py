"""MOS as a detector: decoding by hand, batches, sizes and knobs, on a network of random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lineament.core.errors import WeightError
from lineament.core.geometry import box_iou
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.core.protocols import Detector
from lineament.learn.detection.anchors import BINS, CHANNELS, STRIDES
from lineament.learn.detection.fitting import Idea, Learner
from lineament.learn.detection.trial import ship
from lineament.learn.engine import seeded
from lineament.see.detect.grid import fit
from lineament.see.detect.mos import CARD, MOS, MOSConfig


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network of random weights whose answers are large, so that some anchors are sure."""
    with seeded(5):
        learner = Learner(1, Idea())
        with torch.no_grad():
            for name, weights in learner.network.named_parameters():
                if ".answers." in name and name.endswith("weight"):
                    weights.mul_(40)
                if name.endswith(".answers.0.bias"):
                    weights.zero_()
        for module in learner.network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # what was seen counts in full
        learner.network(torch.rand(8, 3, 128, 128) * 255)
    return ship(learner, tmp_path_factory.mktemp("mos") / "mos.onnx")


@pytest.fixture(scope="module")
def mos(network) -> MOS:
    return MOS(network, MOSConfig(score=0.8), threads=1)


@pytest.fixture(scope="module")
def pictures(album) -> list[Image]:
    return [fit(read_image(path), 256) for path in sorted(album.glob("*.jpg"))[:6]]


def test_it_is_a_detector_whose_faces_have_a_pose(mos, pictures):
    found = mos(pictures)
    assert sum(map(len, found)) >= 12
    for faces in found:
        assert faces.fields == set(CARD.gives) | {"scores"}
        assert faces.boxes.dtype == faces.scores.dtype == faces.pose.dtype == np.float32
        assert faces.pose.shape == (len(faces), 3)
        assert np.all(np.diff(faces.scores) <= 0)
        assert np.all(faces.scores >= mos.config.score)
        overlap = box_iou(faces.boxes, faces.boxes) - np.eye(len(faces))
        assert np.all(overlap <= mos.config.nms_iou + 1e-3)
    assert mos.seconds > 0
    assert isinstance(mos, Detector)


def test_a_batch_gives_what_its_pictures_give_alone(mos, pictures):
    for picture, together in zip(pictures, mos(pictures), strict=True):
        alone = mos([picture])[0]
        np.testing.assert_allclose(alone.boxes, together.boxes, atol=0.05, rtol=1e-3)
        np.testing.assert_allclose(alone.pose, together.pose, atol=1e-3)


def test_small_faces_are_left_out_where_asked(network, mos, pictures):
    picture = Image(pictures[0].pixels)  # a size is one of the file's own pixels
    everyone = mos([picture])[0]
    sides = (everyone.boxes[:, 2:] - everyone.boxes[:, :2]).min(axis=1)
    limit = float(np.median(sides)) + 0.01
    assert 0 < (sides >= limit).sum() < len(everyone)
    strict = MOS(network, MOSConfig(score=0.8, min_size=limit), threads=1)([picture])[0]
    np.testing.assert_allclose(strict.boxes, everyone[sides >= limit].boxes, atol=0.05, rtol=1e-3)
    np.testing.assert_allclose(strict.pose, everyone[sides >= limit].pose, atol=1e-3)


def test_a_picture_that_is_looked_at_smaller_gives_its_own_pixels(network, mos, pictures):
    small = fit(pictures[0], 128)
    limited = MOS(network, MOSConfig(score=0.8, max_side=128), threads=1)(pictures[:1])[0]
    direct = mos([small])[0]
    scale = np.asarray([pictures[0].width / small.width, pictures[0].height / small.height] * 2)
    expected = (direct.boxes + 0.5) * scale - 0.5
    np.testing.assert_allclose(limited.boxes, expected, atol=0.05, rtol=1e-3)
    np.testing.assert_allclose(limited.pose, direct.pose, atol=1e-3)


def test_one_anchor_decodes_to_a_face_with_a_pose(mos):
    """First anchor (side 8) of stride 8, column 3, row 2: about (27.5, 19.5)."""
    maps = [np.zeros((CHANNELS, 64 // s, 96 // s), np.float32) for s in STRIDES]
    for each in maps:
        each[:2] = -30
    cell = maps[0][:, 2, 3]
    cell[0] = np.log(0.9 / 0.1)
    cell[10:20] = np.tile([10.0, 0.0], 5)
    pose = np.full((3, BINS), -60.0)
    pose[[0, 1, 2], [11, 10, 12]] = 0
    cell[30 : 30 + 3 * BINS] = pose.ravel()
    found = mos._decode(maps, 96)
    np.testing.assert_allclose(found.boxes, [[23.5, 15.5, 31.5, 23.5]])
    np.testing.assert_allclose(found.scores, [0.9], rtol=1e-5)
    np.testing.assert_allclose(found.points[0], np.tile([35.5, 19.5], (5, 1)))
    np.testing.assert_allclose(np.degrees(found.poses), [[4.5, -4.5, 13.5]], atol=1e-3)


def test_no_sure_anchor_is_no_face_and_odd_sizes_are_taken(network):
    never = MOS(network, MOSConfig(score=1.1), threads=1)
    for shape in ((1, 1), (1, 300), (31, 33)):
        faces = never([Image(np.full((*shape, 3), 90, np.uint8))])[0]
        assert len(faces) == 0
        assert faces.pose.shape == (0, 3)
    assert never([]) == []


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(WeightError):
        MOS(tmp_path / "absent.onnx")
