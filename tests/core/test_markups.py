"""Conversions between markups: on shapes whose answer geometry gives, and on faces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineament.core.landmarks import SCHEMES, Landmarks
from lineament.core.markups import WAYS, convert, evenly, mesh_to_68, mesh_to_106, points_106_to_68
from lineament.core.media import read_image
from lineament.see.detect.yunet import YuNet
from lineament.see.landmarks.face_landmarker import FaceLandmarker

MIRRORED_68 = [
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
]
MIRRORED_106 = [
    *range(32, -1, -1),
    *(46, 45, 44, 43, 42, 50, 49, 48, 47, 37, 36, 35, 34, 33, 41, 40, 39, 38),
    *(64, 63, 62, 61, 66, 65, 67, 68, 69, 70, 54, 53, 52, 51, 56, 55, 57, 58, 59, 60),
    *(71, 72, 73, 74, 76, 75, 78, 77, 80, 79, 85, 84, 83, 82, 81),
    *(90, 89, 88, 87, 86, 91, 93, 92, 95, 94, 97, 96, 100, 99, 98, 103, 102, 101, 105, 104),
]
"""For each point the one that it is in a mirror."""


def numbered(scheme):
    """Points whose x is their own number."""
    x = np.arange(SCHEMES[scheme], dtype=np.float32)
    return Landmarks(np.stack([x, np.zeros_like(x)], axis=1)[None], scheme)


def test_five_points_are_means_of_the_points_that_markups_name():
    assert convert(numbered("68"), "5").points[0, :, 0].tolist() == [38.5, 44.5, 30, 48, 54]
    assert convert(numbered("106"), "5").points[0, :, 0].tolist() == [53.5, 63.5, 74, 86, 90]
    right = sum((33, 160, 158, 133, 153, 144)) / 6
    left = sum((362, 385, 387, 263, 373, 380)) / 6
    found = convert(numbered("478"), "5").points[0, :, 0]
    assert np.allclose(found, [right, left, 4, 61, 291])


def test_a_markup_is_itself_and_ways_that_are_not_there_are_refused():
    points = numbered("68")
    assert convert(points, "68") is points
    with pytest.raises(ValueError, match="no way from '68' to '478'; there are 478 to 106"):
        convert(points, "478")
    with pytest.raises(ValueError, match="wflw98"):
        convert(points, "wflw98")


@pytest.mark.parametrize(("source", "target"), list(WAYS))
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_face_turned_and_moved_is_converted_alike(source, target, seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 100, (2, SCHEMES[source], 2)).astype(np.float32)
    a, b = rng.normal(0, 1, 2)
    turn, shift = np.asarray([[a, -b], [b, a]], np.float32), rng.normal(0, 50, 2)
    moved = Landmarks((points @ turn.T + shift).astype(np.float32), source)
    expected = convert(Landmarks(points, source), target).points @ turn.T + shift
    found = convert(moved, target)
    assert found.scheme == target
    assert np.allclose(found.points, expected, atol=0.05)


def test_no_faces_are_converted_to_no_faces():
    for source, target in WAYS:
        none = Landmarks(np.empty((0, SCHEMES[source], 2), np.float32), source)
        assert convert(none, target).points.shape == (0, SCHEMES[target], 2)


def test_points_that_all_coincide_stay_where_they_are():
    for source, target in WAYS:
        point = np.full((1, SCHEMES[source], 2), 7, np.float32)
        assert np.allclose(convert(Landmarks(point, source), target).points, 7)


def test_a_curve_is_walked_by_length_not_by_vertex():
    # 4 right, then 2 down; a vertex in the middle of the first stretch changes nothing.
    bent = np.asarray([[[0, 0], [1, 0], [4, 0], [4, 2]]], float)
    expected = [[0, 0], [2, 0], [4, 0], [4, 2]]
    assert np.allclose(evenly(bent, 4)[0], expected)
    assert np.allclose(evenly(bent * 3 + 5, 4)[0], np.asarray(expected) * 3 + 5)
    assert np.allclose(evenly(bent[:, ::-1], 4)[0], expected[::-1])


def disc():
    """478 points on and in a circle of radius 100, the ears at its sides and the chin below."""
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    rim = 100 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    inside = rng.uniform(-60, 60, (78, 2))
    points = np.concatenate([inside, rim])[rng.permutation(478)]
    points[[127, 356, 152, 168]] = (-100, 0), (100, 0), (0, 100), (0, -10)
    return points.astype(np.float32)[None]


def test_the_jaw_is_the_outline_in_steps_of_one_length():
    angles = np.linspace(np.pi, 0, 33)
    circle = 100 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert np.abs(mesh_to_106(disc())[0, :33] - circle).max() < 1.5
    lower = mesh_to_68(disc())[0, :17]
    assert np.isclose(lower[8, 1], 103, atol=0.5)  # a little below the mesh's chin
    steps = np.linalg.norm(np.diff(lower, axis=0), axis=1)
    assert np.ptp(steps) < 2


def test_the_jaw_follows_what_stands_out_beyond_the_line_of_the_mesh():
    turned = disc()
    turned[0, 5] = -160, 40  # a cheek that hides the ear's side of the face
    jaw = mesh_to_106(turned)[0, :33]
    assert jaw[:, 0].min() < -150
    assert np.abs(jaw[20:] - mesh_to_106(disc())[0, 20:33]).max() < 1.5


def test_the_contour_of_106_begins_one_step_above_the_jaw_of_68():
    angles = np.linspace(np.pi, 0, 33)
    points = np.zeros((1, 106, 2), np.float32)
    points[0, :33] = 100 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    jaw = points_106_to_68(points)[0, :17]
    assert np.allclose(jaw[[0, 8, 16]], points[0, [1, 16, 31]], atol=1e-3)
    assert np.ptp(np.linalg.norm(np.diff(jaw, axis=0), axis=1)) < 0.1


@pytest.mark.parametrize(
    ("scheme", "mirrored"), [("68", MIRRORED_68), ("106", MIRRORED_106)], ids=["68", "106"]
)
def test_a_picture_in_a_mirror_gives_the_points_in_a_mirror(scheme, mirrored, album):
    assert sorted(mirrored) == list(range(SCHEMES[scheme]))
    detect, describe = YuNet(threads=1), FaceLandmarker(threads=1)
    gaps = []
    for path in sorted(album.rglob("*.jpg"))[:4]:
        image = read_image(path)
        flipped = type(image)(np.ascontiguousarray(image.pixels[:, ::-1]))
        found = detect([image])[0][:1]
        mesh = describe([image], [found])[0]["landmarks"]
        five = found.keypoints.points[:, [1, 0, 2, 4, 3]] * (-1, 1) + (image.width - 1, 0)
        again = found.with_fields(keypoints=Landmarks(five.astype(np.float32), "5"))
        other = describe([flipped], [again])[0]["landmarks"]
        here, there = (convert(points, scheme).points for points in (mesh, other))
        there = there[:, mirrored] * (-1, 1) + (image.width - 1, 0)
        gaps.append((there - here)[0] / np.ptp(here[0], axis=0).max())
    assert np.abs(np.mean(gaps, axis=0)).max() < 0.03
