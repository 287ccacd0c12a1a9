"""Head pose: exact on a solid face, alike in the mirror and turned, right about who looks where."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.core.protocols import Describer
from lineament.core.rotations import rotations, rotations_of_300w_lp
from lineament.measure.pose import geodesic_errors
from lineament.see.canonical_face import SOLID, STEADY, VERTICES
from lineament.see.landmarks.face_landmarker import FaceLandmarker
from lineament.see.pose.pnp_pose import DISTANCE, PnpPose, head_pose
from lineament.see.pose.sixdrepnet360 import SixDRepNet360
from lineament.see.pose.whenet import WHENet

PORTRAITS = {
    "IMG_0002.jpg": "right",
    "IMG_0009.jpg": "left",
    "IMG_0013.jpg": "right",
    "IMG_0015.jpg": "left",
}
"""Faces of nobody, and the side of their own to which they plainly turn."""


@pytest.fixture(scope="module")
def methods():
    return {m.card.slug: m(threads=1) for m in (PnpPose, SixDRepNet360, WHENet)}


@pytest.fixture(scope="module")
def describe(detectors, methods):
    """``describe(slug, images)``: the pose of the best face of each picture, degrees."""
    landmarker = FaceLandmarker(threads=1)

    def poses(slug, images):
        found = [faces[:1] for faces in detectors["yunet"](images)]
        if slug == "pnp-pose":
            fields = landmarker(images, found)
            found = [faces.with_fields(**f) for faces, f in zip(found, fields, strict=True)]
        return np.degrees(np.concatenate([f["pose"] for f in methods[slug](images, found)]))

    return poses


@pytest.fixture(scope="module")
def portraits(album):
    return [read_image(album / name) for name in PORTRAITS]


def landmarks(poses, distance=np.inf, scale=20.0, centre=(300, 200)):
    """The solid face seen so; landmarks off the solid face are put far away on purpose."""
    turned = SOLID @ rotations(poses).transpose(0, 2, 1)
    points = np.full((len(poses), 478, 2), 1e4, np.float32)
    points[:, STEADY] = centre + scale * turned[:, :, :2] / (1 + turned[:, :, 2:] / distance)
    return Landmarks(points, "478")


SLUGS = ["pnp-pose", "6drepnet360", "whenet"]


@pytest.mark.parametrize("seed", range(20))
def test_a_solid_face_gives_its_pose_back(seed):
    poses = np.random.default_rng(seed).uniform(-1, 1, (10, 3)) * (1.0, 1.4, 3.1)
    assert head_pose(landmarks(poses, DISTANCE)) == pytest.approx(poses, abs=1e-4)
    # Seen from infinitely far, the metre that is assumed costs a little.
    far = np.degrees(geodesic_errors(head_pose(landmarks(poses)), poses))
    assert far.max() < 6
    assert far.mean() > 0.1


def test_place_and_size_in_the_picture_do_not_matter():
    poses = np.asarray([[0.1, -0.4, 0.2]])
    one = head_pose(landmarks(poses, DISTANCE, scale=3, centre=(-50, 9000)))
    assert one == pytest.approx(poses, abs=2e-3)


def test_the_solid_face_is_its_own_mirror_image_and_faces_the_viewer():
    places = {(round(-x, 2), y, z) for x, y, z in VERTICES.values()}
    assert places == {(round(x, 2), y, z) for x, y, z in VERTICES.values()}
    x, y, z = (dict(zip(STEADY, column, strict=True)) for column in SOLID.T)
    assert x[33] < x[133] < x[362] < x[263]  # the person's right is the picture's left
    assert y[10] < y[168] < y[1] < y[98]  # forehead, eyes, nose from above
    assert z[1] < z[10] < z[234]  # the nose comes first


def test_other_landmarks_are_refused():
    with pytest.raises(ValueError, match="478"):
        head_pose(Landmarks(np.zeros((1, 68, 2), np.float32), "68"))


@pytest.mark.parametrize("slug", SLUGS)
def test_each_is_a_describer_that_knows_its_empty_answer(slug, methods, portraits):
    method = methods[slug]
    assert isinstance(method, Describer)
    assert method.card.slug == slug
    nobody = Faces.none().with_fields(landmarks=Landmarks(np.empty((0, 478, 2), np.float32), "478"))
    (fields,) = method(portraits[:1], [nobody])
    assert fields["pose"].shape == (0, 3)
    assert fields["pose"].dtype == np.float32
    assert method([], []) == []


@pytest.mark.parametrize("slug", SLUGS)
def test_people_who_plainly_turn_are_seen_to(slug, describe, portraits):
    poses = describe(slug, portraits)
    sides = ["right" if yaw > 0 else "left" for yaw in poses[:, 1]]
    assert sides == list(PORTRAITS.values())
    assert np.abs(poses[:, 1]).min() > 5
    assert np.abs(poses[:, 2]).max() < 5


@pytest.mark.parametrize("slug", SLUGS)
def test_the_mirror_turns_yaw_and_roll_about(slug, describe, portraits):
    mirrored = [Image(np.ascontiguousarray(image.pixels[:, ::-1])) for image in portraits]
    expected = describe(slug, portraits) * (1, -1, -1)
    assert describe(slug, mirrored) == pytest.approx(expected, abs=6)


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("turn", [30, -30])
def test_a_picture_turned_clockwise_adds_to_the_roll_alone(slug, turn, describe, portraits):
    turned = [
        Image(np.asarray(Pillow.fromarray(i.pixels).rotate(-turn, Pillow.Resampling.BICUBIC)))
        for i in portraits
    ]
    expected = describe(slug, portraits) + (0, 0, turn)
    assert describe(slug, turned) == pytest.approx(expected, abs=6)


@pytest.mark.parametrize("slug", ["6drepnet360", "whenet"])
def test_a_batch_answers_as_one_by_one(slug, methods, detectors, portraits):
    found = detectors["yunet"](portraits)
    together = methods[slug](portraits, found)
    alone = [methods[slug]([i], [f])[0] for i, f in zip(portraits, found, strict=True)]
    for one, other in zip(together, alone, strict=True):
        assert one["pose"] == pytest.approx(other["pose"], abs=1e-4)
    assert methods[slug].seconds > 0


@pytest.mark.parametrize("seed", range(5))
def test_the_matrix_of_6drepnet360_is_read_as_its_angles_are_meant(seed, methods, monkeypatch):
    """Trained on Rz Ry Rx of 300W-LP's angles, whose rotation is another one."""
    angles = np.random.default_rng(seed).uniform(-1.5, 1.5, (3, 3))
    answer = rotations(angles).astype(np.float32)
    network = methods["6drepnet360"]
    monkeypatch.setattr(network._session, "run", lambda planes: [answer])
    found = network.rotations(np.zeros((3, 224, 224, 3), np.float32))
    assert found == pytest.approx(rotations_of_300w_lp(angles), abs=1e-6)
