"""Gaze and openness: exact on eyes made here, and beside MediaPipe's blendshapes on real faces."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.protocols import Describer
from lineament.core.rotations import directions, rotations
from lineament.see.canonical_face import SOLID, STEADY
from lineament.see.gaze import _EYES, _FORWARD, _RADIUS, IrisGaze, gaze
from lineament.see.landmarks.face_landmarker import FaceLandmarker
from lineament.see.openness import CLOSED, OPEN, WIDE, Openness, eye_aspect_ratios, openness
from lineament.see.pose.pnp_pose import PnpPose

NUMBERS = STEADY.tolist()


def looking(heads, looks, scale=30.0, centre=(500, 400)):
    """Landmarks of solid faces whose eyeballs look along `looks`, seen from afar."""
    turned = rotations(heads)
    toward = directions(rotations(np.concatenate([looks, np.zeros((len(looks), 1))], axis=1)))
    points = np.zeros((len(heads), 478, 2), np.float32)
    points[:, STEADY] = centre + scale * (SOLID @ turned.transpose(0, 2, 1))[:, :, :2]
    for (outer, inner, iris), forward in zip(_EYES, _FORWARD, strict=True):
        corners = SOLID[[NUMBERS.index(outer), NUMBERS.index(inner)]].mean(axis=0)
        ball = turned @ (corners + forward + (0, 0, _RADIUS))
        points[:, iris] = centre + scale * (ball + _RADIUS * toward)[:, :2]
    return Landmarks(points, "478")


@pytest.mark.parametrize("seed", range(20))
def test_eyes_made_here_look_where_they_look(seed):
    rng = np.random.default_rng(seed)
    heads = rng.uniform(-0.6, 0.6, (8, 3)).astype(np.float32)
    looks = rng.uniform(-0.6, 0.6, (8, 2))
    assert gaze(looking(heads, looks), heads) == pytest.approx(looks, abs=1e-3)


def test_eyes_straight_ahead_in_the_head_look_where_the_head_points():
    heads = np.asarray([[0.2, -0.5, 0.7], [-0.3, 0.4, -1.2], [0, 0, 0]], np.float32)
    assert gaze(looking(heads, heads[:, :2]), heads) == pytest.approx(heads[:, :2], abs=1e-3)


def test_no_eye_looks_further_than_sixty_degrees_off():
    straight = np.zeros((1, 3), np.float32)
    points = looking(straight, np.zeros((1, 2))).points
    points[:, [468, 473], 0] += 100
    assert gaze(Landmarks(points, "478"), straight)[0] == pytest.approx([0, -np.pi / 3], abs=2e-2)


def with_eye(width, heights):
    """Landmarks whose eyes are so wide and so high, level."""
    points = np.zeros((len(heights), 478, 2), np.float32)
    for outer, up1, up2, inner, low2, low1 in (
        (33, 160, 158, 133, 153, 144),
        (263, 387, 385, 362, 380, 373),
    ):
        points[:, inner, 0] = width
        points[:, [up1, up2], 1] = -np.asarray(heights)[:, None] / 2
        points[:, [low1, low2], 1] = np.asarray(heights)[:, None] / 2
        points[:, outer] = 0
    points[:, 308, 0] = 50
    return points


def test_the_ratio_is_the_papers_and_openness_runs_from_closed_to_open():
    points = with_eye(20, [0, 20 * CLOSED, 20 * (CLOSED + OPEN) / 2, 20 * OPEN, 18])
    expected = np.repeat([[0], [CLOSED], [(CLOSED + OPEN) / 2], [OPEN], [0.9]], 2, axis=1)
    assert eye_aspect_ratios(Landmarks(points, "478")) == pytest.approx(expected, abs=1e-6)
    points[:, 14, 1] = [0, 50 * WIDE / 4, 50 * WIDE / 2, 50 * WIDE, 90]
    eyes, mouth = openness(Landmarks(points, "478"))
    assert eyes == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-6)
    assert mouth == pytest.approx([0, 0.25, 0.5, 1, 1], abs=1e-6)


def test_the_eye_that_is_seen_wider_counts_more():
    points = with_eye(30, [30 * OPEN])
    points[:, [387, 385, 380, 373], 1] = 0  # the left one is shut
    points[:, 362, 0] = 10
    assert openness(Landmarks(points, "478"))[0] == pytest.approx([0.75])


def test_a_face_of_one_point_is_shut():
    eyes, mouth = openness(Landmarks(np.zeros((1, 478, 2), np.float32), "478"))
    assert (eyes.tolist(), mouth.tolist()) == ([0], [0])


def test_other_landmarks_are_refused():
    other = Landmarks(np.zeros((1, 68, 2), np.float32), "68")
    with pytest.raises(ValueError, match="478"):
        gaze(other, np.zeros((1, 3), np.float32))
    with pytest.raises(ValueError, match="478"):
        openness(other)


def test_both_are_describers_that_know_their_empty_answers():
    nobody = Faces.none().with_fields(
        landmarks=Landmarks(np.empty((0, 478, 2), np.float32), "478"),
        pose=np.empty((0, 3), np.float32),
    )
    blank = Image(np.zeros((9, 9, 3), np.uint8))
    for method in (IrisGaze(), Openness(threads=1)):
        assert isinstance(method, Describer)
        (fields,) = method([blank], [nobody])
        assert set(fields) == set(method.card.gives)
        assert all(len(rows) == 0 for rows in fields.values())
        assert method([], []) == []


@pytest.fixture(scope="module")
def faces(detectors, read):
    """100 faces of LFW with their landmarks, blendshapes and poses."""
    images = read("lfw/images", 100)
    found = [faces[:1] for faces in detectors["yunet"](images)]
    for method in (FaceLandmarker(threads=1), PnpPose(), IrisGaze(), Openness()):
        fields = method(images, found)
        found = [f.with_fields(**more) for f, more in zip(found, fields, strict=True)]
    return found


def column(faces, field, of=lambda rows: rows):
    return np.concatenate([of(getattr(f, field)) for f in faces])


def blend(faces, *names):
    return np.mean([column(faces, "blendshapes", lambda b, n=n: b.of(n)) for n in names], axis=0)


def correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1])


def test_eyes_and_mouth_go_with_the_blendshapes(faces):
    blink = blend(faces, "eyeBlinkLeft", "eyeBlinkRight")
    eyes, mouth = column(faces, "eyes_open"), column(faces, "mouth_open")
    assert correlation(eyes, 1 - blink) > 0.85
    assert correlation(mouth, blend(faces, "jawOpen")) > 0.6
    assert eyes[blink < 0.1].mean() > 0.8
    assert eyes[blink > 0.5].mean() < 0.4


def test_gaze_in_the_head_goes_with_the_blendshapes(faces):
    heads, looks = column(faces, "pose"), column(faces, "gaze")
    toward = directions(rotations(np.concatenate([looks, np.zeros((len(looks), 1))], axis=1)))
    in_head = np.einsum("nji,nj->ni", rotations(heads), toward)
    open_ = blend(faces, "eyeBlinkLeft", "eyeBlinkRight") < 0.4
    to_left = blend(faces, "eyeLookOutLeft", "eyeLookInRight") - blend(
        faces, "eyeLookInLeft", "eyeLookOutRight"
    )
    upward = blend(faces, "eyeLookUpLeft", "eyeLookUpRight") - blend(
        faces, "eyeLookDownLeft", "eyeLookDownRight"
    )
    # The person's left is the picture's right, where x is positive; up is where y is negative.
    assert correlation(in_head[open_, 0], to_left[open_]) > 0.9
    assert correlation(-in_head[open_, 1], upward[open_]) > 0.7


def test_gaze_turns_about_in_the_mirror(detectors, read):
    images = read("lfw/images", 20)
    mirrored = [Image(np.ascontiguousarray(image.pixels[:, ::-1])) for image in images]
    landmarker, answers = FaceLandmarker(threads=1), []
    for pictures in (images, mirrored):
        found = [faces[:1] for faces in detectors["yunet"](pictures)]
        for method in (landmarker, PnpPose(), IrisGaze()):
            fields = method(pictures, found)
            found = [f.with_fields(**more) for f, more in zip(found, fields, strict=True)]
        answers.append(np.degrees(column(found, "gaze")))
    there, back = answers
    assert np.median(np.abs(there - back * (1, -1)), axis=0).max() < 6
    assert correlation(there[:, 1], -back[:, 1]) > 0.85
