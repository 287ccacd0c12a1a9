"""The drawn cube: its nose lies where the head points, and the picture stays itself elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.draw import COLOURS
from lineament.core.draw_pose import draw_poses, pose_labels, seen
from lineament.core.errors import FieldAbsent
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.rotations import rotations

GREY = Image(np.full((300, 400, 3), 90, np.uint8))


def one(pitch=0.0, yaw=0.0, roll=0.0):
    box = np.asarray([[150, 100, 250, 200]], np.float32)
    return Faces(box, pose=np.radians([[pitch, yaw, roll]]).astype(np.float32))


def reach(faces):
    """How far the face's colour goes beyond the middle: left, up, right, down, pixels."""
    drawn = draw_poses(GREY, faces).pixels
    y, x = np.nonzero((drawn == COLOURS[0]).all(axis=2))
    return 200 - x.min(), 150 - y.min(), x.max() - 200, y.max() - 150


def test_the_nose_points_where_the_head_does():
    left, up, right, down = reach(one(yaw=60))
    assert left > right + 15
    left, up, right, down = reach(one(yaw=-60))
    assert right > left + 15
    left, up, right, down = reach(one(pitch=60))
    assert down > up + 15
    left, up, right, down = reach(one(pitch=-60))
    assert up > down + 15
    left, up, right, down = reach(one())
    assert left == pytest.approx(right, abs=2)
    assert up == pytest.approx(down, abs=2)


def test_a_turned_solid_is_seen_as_its_rotation_says():
    solid = np.random.default_rng(0).normal(size=(9, 3))
    turned = rotations(np.asarray([[0.1, 0.2, 0.3]]))[0]
    expected = [(5 + 7 * (turned @ p)[0], 6 + 7 * (turned @ p)[1]) for p in solid]
    assert seen(turned, solid, np.asarray([5.0, 6.0]), 7) == pytest.approx(np.asarray(expected))


def test_labels_are_whole_degrees():
    assert pose_labels(one(-3.6, 12.2, 0)) == ["pitch -4 yaw 12 roll 0"]


def test_the_picture_itself_is_left_alone_and_nobody_is_drawn_as_nothing():
    before = GREY.pixels.copy()
    draw_poses(GREY, one())
    assert np.array_equal(GREY.pixels, before)
    nobody = Faces.none().with_fields(pose=np.empty((0, 3), np.float32))
    assert np.array_equal(draw_poses(GREY, nobody).pixels, before)


def test_a_face_partly_outside_is_drawn_as_far_as_it_is_there():
    faces = Faces(np.asarray([[-80, -80, 60, 60]], np.float32), pose=np.zeros((1, 3), np.float32))
    assert (draw_poses(GREY, faces).pixels != GREY.pixels).any()


def test_faces_without_pose_are_refused():
    with pytest.raises(FieldAbsent, match="pose"):
        draw_poses(GREY, Faces.none())
